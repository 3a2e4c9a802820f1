"""A split seen as a network wants it: other channels, and digits drawn dark on light turned."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cnncli.data.digits import as_digit
from cnncli.data.model import Dataset, Images, Labels, Shape, Split
from cnncli.data.prepare import as_gray, as_input
from cnncli.images.picture import Picture


@dataclass(frozen=True, eq=False)
class Recast:
    """A split whose images are brought to another shape when they are read.

    Attributes
    ----------
    split : Split
        Where they come from.
    shape : (H, W, C)
        Of what is read.
    labels : ndarray, shape (N,), int64
        The class of each image, as the network numbers classes.
    digits : bool
        Turn images to light digits on dark ground.
    changed : set of int
        Indices of digits that were turned so far.
    """

    split: Split
    shape: Shape
    labels: Labels
    digits: bool = False
    changed: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.split)

    def name(self, index: int) -> str:
        """What a report calls an image."""
        return self.split.name(index)

    def read(self, indices: NDArray[np.intp], out: Images, *, threads: int = 1) -> None:
        """Fill ``out`` (n, H, W, C) with the images at ``indices``."""
        direct = self.split.shape == self.shape
        raw = out if direct else np.empty((len(indices), *self.split.shape), np.uint8)
        self.split.read(indices, raw, threads=threads)
        if direct and not self.digits:
            return
        if raw.shape[1:3] == out.shape[1:3] and not self.digits:
            out[...] = as_gray(raw) if self.shape[2] == 1 else raw
            return
        for place, index in enumerate(indices):
            picture = Picture((raw[place],))
            if self.digits:
                digit = as_digit(picture, self.shape)
                out[place] = digit.pixels
                if digit.changes:
                    self.changed.add(int(index))
            else:
                out[place] = as_input(picture, self.shape)


def with_channels(dataset: Dataset, channels: int) -> Dataset:
    """A dataset whose images have as many channels as a network takes, 1 (gray) or 3 (colour)."""
    height, width, there = dataset.shape
    if there == channels:
        return dataset
    train, val, test = (
        Recast(split, (height, width, channels), split.labels)
        for split in (dataset.train, dataset.val, dataset.test)
    )
    what = "images are turned gray" if channels == 1 else "gray images are taken as colour"
    notes = (*dataset.notes, f"{what}, as the network takes them")
    return replace(dataset, train=train, val=val, test=test, notes=notes)
