"""A split with different class numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.data.model import Images, Labels, Shape, Split


@dataclass(frozen=True, eq=False)
class Relabelled:
    """A split with the class numbers of a network.

    Attributes
    ----------
    split : Split
        Where the images come from.
    labels : ndarray, shape (N,), int64
        The class of each image in the network's numbering.
    """

    split: Split
    labels: Labels

    def __len__(self) -> int:
        return len(self.split)

    @property
    def shape(self) -> Shape:
        """(H, W, C) of every image."""
        return self.split.shape

    def name(self, index: int) -> str:
        """Name of an image in reports."""
        return self.split.name(index)

    def read(self, indices: NDArray[np.intp], out: Images, *, threads: int = 1) -> None:
        """Fill ``out`` (n, H, W, C) with the images at ``indices``."""
        self.split.read(indices, out, threads=threads)
