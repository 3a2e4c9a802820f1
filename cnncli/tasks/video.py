"""Classification of clips: one class for a clip, and how a clip becomes what a network takes in.

Legend: N clips, T frames of a window, frames of H x W pixels and C channels, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import Fields, MalformedError
from cnncli.data.clip_loader import ClipLoader
from cnncli.data.clips import LONGEST, Clips, Window
from cnncli.tasks.classification import Classification
from cnncli.tasks.preprocessing import Preprocessing

if TYPE_CHECKING:
    from cnncli.data.augment import Augment
    from cnncli.data.loader import Loader
    from cnncli.data.model import Split

FRAMES = 8  # of a window, usually
_MOST_STEP = 100_000


@dataclass(frozen=True)
class VideoClassification(Classification):
    """One of K classes for a clip."""

    name: ClassVar[str] = "video"
    noun: ClassVar[str] = "clips"
    outputs_of: ClassVar[str] = "clips"


@dataclass(frozen=True)
class ClipInput(Preprocessing):
    """How a clip becomes a network's input: frames at a regular step, one below the other.

    Attributes
    ----------
    size : (int, int)
        Rows and columns of a frame.
    frames, step : int
        As in `Window`.
    """

    frames: int = FRAMES
    step: int = 1

    @property
    def window(self) -> Window:
        """Which frames are read at once."""
        return Window(self.frames, self.step)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T * H, W, C) of an input; `picture_shape` and `input_spec` are of a frame."""
        return self.frames * self.size[0], self.size[1], self.channels

    @classmethod
    def of(cls, frame: Preprocessing, window: Window) -> "ClipInput":
        """For frames that become inputs as pictures do."""
        return cls(
            frame.size,
            frame.channels,
            frame.mean,
            frame.std,
            fit=frame.fit,
            scales=frame.scales,
            frames=window.frames,
            step=window.step,
        )

    @classmethod
    def from_fields(cls, fields: Fields) -> "ClipInput":
        """The reverse of ``dataclasses.asdict``, of JSON that may come from anywhere.

        Raises
        ------
        MalformedError
            Where a value is missing, of another type or out of range.
        """
        window = Window(fields.whole("frames", 1, LONGEST), fields.whole("step", 1, _MOST_STEP))
        found = Preprocessing.from_fields(fields)
        if found.digits or found.resize is not None:
            raise MalformedError("preprocessing of clips has digits or resize; expected neither")
        return cls.of(found, window)

    def loader(
        self,
        split: "Split",
        batch_size: int,
        *,
        augment: "Augment | None" = None,
        seed: int = 0,
        shuffle: bool = False,
        drop_last: bool = False,
        threads: int = 1,
    ) -> "Loader":
        """Batches of a split of clips; in order they are to be tested on, shuffled to be learned from."""
        if not isinstance(split, Clips):
            raise TypeError(f"a split is {type(split).__name__}; expected Clips")
        mean, std = (np.asarray(values, np.float32) for values in (self.mean, self.std))
        return ClipLoader(
            split,
            batch_size,
            window=self.window,
            training=shuffle,
            mean=mean,
            std=std,
            augment=augment,
            seed=seed,
            shuffle=shuffle,
            drop_last=drop_last,
            threads=threads,
        )

    def strips(self, frames: NDArray[np.uint8], starts: Sequence[int]) -> NDArray[np.float32]:
        """Inputs (n, T * H, W, C) of windows that begin at these frames of a clip (F, H, W, C)."""
        counts = np.full(len(starts), len(frames), np.intp)
        places = self.window.places(np.asarray(starts, np.intp), counts)
        return self.normalise(frames[places].reshape(-1, *self.shape))


def window_of(clips: Clips, frames: int | None, step: int | None) -> Window:
    """The window for some clips: what was asked for, else 8 frames that span a clip of middling length.

    Windows of clips that are hardly longer have neighbouring frames.
    """
    taken = frames or FRAMES
    if step is None:
        middling = int(np.median(clips.counts)) if len(clips) else 1
        step = max(1, (middling - 1) // max(1, taken - 1)) if taken > 1 else 1
    return Window(taken, min(step, _MOST_STEP))
