"""Pixel labels: the targets of images of which each pixel belongs to one of K classes.

Legend: N images of H rows and W columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from cnncli.data.identity import row_digests
from cnncli.data.model import Skipped
from cnncli.errors import CnncliError
from cnncli.nn import UNCOUNTED
from cnncli.text import listed

UNLABELLED = 255  # in a map: a pixel that does not count, as in Pascal VOC


class Mask(Protocol):
    """The classes of an image's pixels, where they still are in a file or have to be drawn."""

    @property
    def identity(self) -> int:
        """Equal where masks are: 64 bits."""

    def read(self) -> NDArray[np.integer]:
        """(h, w) classes of the image's own pixels; `UNLABELLED` ones do not count.

        Raises
        ------
        CnncliError
            Where a file cannot be read.
        """

    def text(self) -> str:
        """What messages and the list of a run's images say of it."""


@dataclass(frozen=True, eq=False)
class PixelLabels:
    """The classes of the pixels of N images.

    Attributes
    ----------
    maps : ndarray, shape (N, H, W), uint8; or shape (N,), of `Mask`
        0 to K - 1; `UNLABELLED` where a pixel does not count. Masks of images of any size, until
        `masked_images` brings them to the input of a network.
    classes : tuple of str
        K names, at most 255.
    """

    maps: NDArray[Any]
    classes: tuple[str, ...]
    task: ClassVar[str] = "segmentation"
    noun: ClassVar[str] = "images"
    groups: ClassVar[None] = None

    @classmethod
    def of(cls, masks: Sequence[Mask], classes: tuple[str, ...]) -> Self:
        """Of masks that are still to be read."""
        maps = np.empty(len(masks), object)
        maps[:] = masks
        return cls(maps, classes)

    def __len__(self) -> int:
        return len(self.maps)

    @property
    def in_memory(self) -> bool:
        """Whether these are maps of a network's input."""
        return self.maps.ndim == 3

    def take(self, positions: NDArray[np.intp]) -> Self:
        """The maps at these positions."""
        return replace(self, maps=self.maps[positions])

    def joined(self, others: "Sequence[PixelLabels]") -> Self:
        """These, and after them others of the same classes."""
        return replace(self, maps=np.concatenate([self.maps, *(each.maps for each in others)]))

    @property
    def known(self) -> NDArray[np.bool_]:
        """(N,) whether a pixel of an image has a label, as far as is known before it is read."""
        if not self.in_memory:
            return np.ones(len(self), np.bool_)
        return np.asarray((self.maps != UNLABELLED).any(axis=(1, 2)))

    @property
    def identities(self) -> NDArray[np.uint64]:
        """(N,) hashes of the maps."""
        if not self.in_memory:
            return np.array([each.identity for each in self.maps], np.uint64)
        return row_digests(np.ascontiguousarray(self.maps))

    def texts(self) -> list[str]:
        """Pixels of each class that an image has, such as ``coin 2,310, ground 14,074``."""
        return [self._counted(each) if self.in_memory else each.text() for each in self.maps]

    def _counted(self, pixels: NDArray[np.uint8]) -> str:
        counts = np.bincount(pixels.ravel(), minlength=256)[: len(self.classes)]
        return ", ".join(f"{self.classes[k]} {counts[k]:,}" for k in np.flatnonzero(counts))

    def moved(self, moves: NDArray[np.float32] | None) -> NDArray[np.int64]:
        """(N, H, W) classes of the pixels of a batch, of which augmentation moved the images.

        Each pixel has the label of the nearest one that it shows; `UNCOUNTED` where that has none, or lies
        beyond the image.

        Parameters
        ----------
        moves : ndarray, shape (N, 2, 3), or None
            `Batch.moves`; None: nothing has moved.
        """
        maps = self.maps
        if moves is not None:
            height, width = maps.shape[1:]
            place = np.stack([*np.meshgrid(np.arange(width), np.arange(height)), np.ones((height, width))])
            x, y = np.rint(np.einsum("nij,jhw->inhw", moves, place.astype(np.float32)))
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            column, row = (np.where(inside, each, 0).astype(np.intp) for each in (x, y))
            maps = np.where(inside, maps[np.arange(len(maps))[:, None, None], row, column], UNLABELLED)
        labels = maps.astype(np.int64)
        labels[labels == UNLABELLED] = UNCOUNTED
        return labels

    def check_learnable(self, dataset: str, warnings: Sequence[str]) -> None:
        """Refuse maps of a single class; of masks it is known when they are read.

        Raises
        ------
        CnncliError
            Where there are fewer than two.
        """
        if not self.in_memory:
            return
        present = np.flatnonzero(self.counts)
        if len(present) < 2:
            only = self.classes[int(present[0])] if len(present) else "none"
            why = "".join(f"; {each}" for each in warnings)
            raise CnncliError(
                f"{dataset} has training masks of one class only, {only}{why}; expected two or more",
                "Add images with another class: there is nothing to tell apart yet.",
            )

    def problems(self, test: "PixelLabels") -> tuple[str, ...]:
        """Warnings about classes that cannot be learned or cannot be tested; of masks when they are read."""
        if not self.in_memory:
            return ()
        warnings = []
        absent, untested = (
            [name for name, count in zip(self.classes, each.counts, strict=True) if not count]
            for each in (self, test)
        )
        if absent:
            warnings.append(f"no training mask has {listed(absent)}: these classes cannot be learned")
        if untested and len(test):
            warnings.append(f"no test mask has {listed(untested)}: how well they are found is not measured")
        return tuple(warnings)

    @property
    def counts(self) -> NDArray[np.int64]:
        """(K,) pixels of each class."""
        counts = np.zeros(256, np.int64)
        for each in self.maps:  # one by one, as they become whole numbers of eight bytes
            counts += np.bincount(each.ravel(), minlength=256)
        return counts[: len(self.classes)]


@dataclass(frozen=True, eq=False)
class MaskedFiles:
    """Files of images, and their masks.

    Attributes
    ----------
    parts : mapping
        "train", and optionally "val" and "test", to files and masks; undivided ones are for training.
    skipped : tuple of Skipped
        Images and masks that cannot be used.
    files : tuple of Path
        Files of masks and annotations.
    sizes : ndarray, shape (N, 2), int64
        Heights and widths of all of these images.
    notes : tuple of str
        What the user might not expect.
    """

    parts: Mapping[str, tuple[list[Path], PixelLabels]]
    skipped: tuple[Skipped, ...]
    files: tuple[Path, ...]
    sizes: NDArray[np.int64]
    notes: tuple[str, ...] = ()
