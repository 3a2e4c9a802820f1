"""Clips as a data set holds them: all frames in memory, one clip after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cnncli.data.class_labels import ClassLabels
from cnncli.data.model import Images, Shape
from cnncli.data.targets import Targets

LONGEST = 256  # frames of a clip that a network reads at once


class ClipLabels(ClassLabels):
    """The class of each of N clips."""

    task = "video"
    noun = "clips"


@dataclass(frozen=True, eq=False)
class Clips:
    """A split of clips.

    Attributes
    ----------
    frames : ndarray, shape (F, H, W, C), uint8
        Of all clips, also those of other splits; C-contiguous.
    first, counts : ndarray, shape (N,), intp
        Of each clip its first frame there, and how many it has, 1 or more.
    targets : Targets
        Of the N clips.
    names : sequence of str
        Where each comes from.
    digests, keys : ndarray, shape (N,), uint64
        Hashes of a clip's frames as a network takes them, and of its files (`identity`).
    label : str
        Name of the split.
    """

    frames: Images
    first: NDArray[np.intp]
    counts: NDArray[np.intp]
    targets: Targets
    names: Sequence[str]
    digests: NDArray[np.uint64]
    keys: NDArray[np.uint64]
    label: str = ""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shape(self) -> Shape:
        """(H, W, C) of a frame."""
        height, width, channels = self.frames.shape[1:]
        return int(height), int(width), int(channels)

    def read(self, indices: NDArray[np.intp], out: Images, *, threads: int = 1) -> None:
        """Fill ``out`` (n, H, W, C) with the frames in the middle of clips."""
        del threads
        np.take(self.frames, self.first[indices] + self.counts[indices] // 2, axis=0, out=out)

    def name(self, index: int) -> str:
        """Where a clip comes from."""
        return self.names[index]

    def take(self, positions: NDArray[np.intp], label: str) -> "Clips":
        """The clips at these positions; frames are not copied."""
        return replace(
            self,
            first=self.first[positions],
            counts=self.counts[positions],
            targets=self.targets.take(positions),
            names=[self.names[at] for at in positions.tolist()],
            digests=self.digests[positions],
            keys=self.keys[positions],
            label=label,
        )


@dataclass(frozen=True)
class Window:
    """Which frames of a clip a network reads at once.

    Attributes
    ----------
    frames : int
        How many, 1 to `LONGEST`.
    step : int
        From one of them to the next, 1 for neighbours.
    """

    frames: int
    step: int = 1

    @property
    def span(self) -> int:
        """Frames from the first to the last."""
        return (self.frames - 1) * self.step + 1

    def places(self, starts: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.intp]:
        """(n, frames) numbers of frames in clips; of a clip that is shorter, the last frame is held."""
        wanted = starts[:, None] + self.step * np.arange(self.frames)
        return np.asarray(np.minimum(wanted, counts[:, None] - 1), np.intp)

    def spread(self, counts: NDArray[np.intp], views: int) -> NDArray[np.intp]:
        """(n, views) starts of windows that are spread evenly over clips; of one view, in the middle."""
        room = np.maximum(counts - self.span, 0)[:, None]
        shares = np.array([0.5]) if views == 1 else np.linspace(0, 1, views)
        return np.asarray(np.rint(room * shares), np.intp)
