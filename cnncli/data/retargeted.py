"""A split with other targets."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cnncli.data.clips import Clips
from cnncli.data.model import Images, Shape, Split
from cnncli.data.targets import Targets
from cnncli.data.texts import Texts


@dataclass(frozen=True, eq=False)
class Retargeted:
    """A split whose targets are put as a network knows them.

    Attributes
    ----------
    split : Split
        Where the images come from.
    targets : Targets
        Of the images, such as the class of each in the network's numbering.
    """

    split: Split
    targets: Targets

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


def retargeted(split: Split, targets: Targets) -> Split:
    """A split with other targets."""
    return replace(split, targets=targets) if isinstance(split, Texts | Clips) else Retargeted(split, targets)
