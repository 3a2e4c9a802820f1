"""Datasets: three splits of images with their targets, and their origin."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cnncli.data.prepare import InputSpec
from cnncli.data.targets import Targets

Images = NDArray[np.uint8]
Shape = tuple[int, int, int]
#: Given the number of an epoch and places in a split, what stands there in that epoch.
Renewal = Callable[[int, NDArray[np.intp], int], tuple[Images, Targets]]
#: Called with what is being done, how much of it is done, and the total (None: unknown).
Report = Callable[[str, int, int | None], None]

_SAMPLED = 10_000  # images from which mean and standard deviation are estimated
_AT_ONCE = 1_000


@dataclass(frozen=True)
class Skipped:
    """A file that is left out, and why."""

    path: str
    reason: str

    @property
    def sentence(self) -> str:
        """The reason with the file's name in front of it, once."""
        return self.reason if self.reason.startswith(self.path) else f"{self.path}: {self.reason}"


class Split(Protocol):
    """Images and their targets, in memory or in files."""

    @property
    def shape(self) -> Shape:
        """(H, W, C) of every image."""

    @property
    def targets(self) -> Targets:
        """Of the N images, in their order."""

    def __len__(self) -> int: ...

    def read(self, indices: NDArray[np.intp], out: Images, *, threads: int = 1) -> None:
        """Fill ``out`` (n, H, W, C) with the images at ``indices``."""

    def name(self, index: int) -> str:
        """Name of an image in reports."""


@dataclass(frozen=True, eq=False)
class Arrays:
    """A split in memory.

    Attributes
    ----------
    images : ndarray, shape (N, H, W, C), uint8, C-contiguous
    targets : Targets
        Of the N images.
    names : sequence of str or None
        Names of the images in reports; by default ``test[17]`` and the like.
    label : str
        Name of the split.
    digests : ndarray, shape (N,), uint64, or None
        From `identity.row_digests` of ``images``, if known.
    keys : ndarray, shape (N,), uint64, or None
        Hashes of the images as they are stored (`identity`), if known.
    renewed : callable or None
        Of images that are made on the fly: makes others for each epoch after the first, from its number,
        places in the split and a number of threads. All else speaks of those of the first.
    """

    images: Images
    targets: Targets
    names: Sequence[str] | None = None
    label: str = ""
    digests: NDArray[np.uint64] | None = None
    keys: NDArray[np.uint64] | None = None
    renewed: Renewal | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> Shape:
        """(H, W, C) of every image."""
        height, width, channels = self.images.shape[1:]
        return int(height), int(width), int(channels)

    def read(self, indices: NDArray[np.intp], out: Images, *, threads: int = 1) -> None:
        """Copy the images at ``indices`` to ``out``."""
        del threads  # copying is limited by memory bandwidth
        np.take(self.images, indices, axis=0, out=out)

    def name(self, index: int) -> str:
        """Path of an image, or its position in the split."""
        return self.names[index] if self.names is not None else f"{self.label}[{index}]"


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Images and their targets, for training, validation and test.

    Attributes
    ----------
    name : str
        Short, as in the name of a run's folder.
    train, val, test : Split
        All of one shape. ``val`` may be empty.
    provenance : str
        One line: what the images are, how many, and where they came from.
    notes : tuple of str
        Choices that were made, such as sizes and splits.
    warnings : tuple of str
        Problems of the data.
    skipped : tuple of Skipped
        Files that are left out.
    files : tuple of Path
        Files that were read and that the user named directly or by folder; they must not be overwritten.
    known : str
        ``mnist``, ``fashion-mnist`` or ``cifar10`` for these datasets; empty for a user's own data, whatever
        their name.
    given : tuple of str
        Those of "train", "val" and "test" that the data provide; empty where the data are undivided.
    input_spec : InputSpec or None
        How the images were prepared; stored with a network that is trained on them.
    adapted : mapping of str to tuple of str
        Image name to the changes that were made for an existing network.
    """

    name: str
    train: Split
    val: Split
    test: Split
    provenance: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    files: tuple[Path, ...] = ()
    known: str = ""
    given: tuple[str, ...] = ()
    input_spec: InputSpec | None = None
    adapted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        """(H, W, C) of every image."""
        return self.train.shape

    @property
    def noun(self) -> str:
        """What it is of, in the plural: ``images``, ``texts``."""
        return self.targets.noun

    @property
    def targets(self) -> Targets:
        """Of the training images."""
        return self.train.targets


def statistics(split: Split, *, threads: int = 1) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of each channel, for values scaled to 0 to 1.

    Of more than 10,000 images, 10,000 evenly spaced ones are used. A constant channel gets a standard
    deviation of 1, so that it can be divided by.

    Returns
    -------
    mean, std : ndarray, shape (C,), float32
    """
    return moments(level_counts(split, threads=threads))


def level_counts(split: Split, *, threads: int = 1) -> NDArray[np.int64]:
    """Histogram of each channel over 256 levels, int64 (C, 256), from up to 10,000 images."""
    count, channels = len(split), split.shape[2]
    picked = np.unique(np.linspace(0, count - 1, min(count, _SAMPLED)).astype(np.intp))
    buffer = np.empty((min(len(picked), _AT_ONCE), *split.shape), np.uint8)
    counts = np.zeros((channels, 256), np.int64)
    for at in range(0, len(picked), _AT_ONCE):
        part = picked[at : at + _AT_ONCE]
        out = buffer[: len(part)]
        split.read(part, out, threads=threads)
        for channel in range(channels):
            counts[channel] += np.bincount(out[..., channel].ravel(), minlength=256)
    return counts


def moments(counts: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation, as in `statistics`, from the histograms of `level_counts`."""
    levels = np.arange(256) / 255
    share = counts / counts.sum(axis=1, keepdims=True)
    mean = share @ levels
    std = np.sqrt(np.maximum(share @ levels**2 - mean**2, 0))
    std[std < 1e-6] = 1
    return mean.astype(np.float32), std.astype(np.float32)
