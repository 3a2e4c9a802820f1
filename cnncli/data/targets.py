"""Targets: what is to be learned of each image, carried with the images by code that never looks inside.

Readers of folders, tables and arrays make them (`class_labels` of classes); the task that they are for reads
them again, in `tasks`. All that lies between divides, picks, compares and batches images, whatever their
targets are.
"""

from collections.abc import Sequence
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray


class Targets(Protocol):
    """A target for each of N images: a class, boxes, a mask, a text."""

    @property
    def task(self) -> str:
        """Name of the task that they are for."""

    @property
    def noun(self) -> str:
        """What they are targets of, in the plural: ``images``, ``texts``."""

    @property
    def known(self) -> NDArray[np.bool_]:
        """(N,) whether there is one; images without are left out."""

    @property
    def identities(self) -> NDArray[np.uint64]:
        """(N,) equal where targets are equal, in any split."""

    @property
    def groups(self) -> NDArray[np.int64] | None:
        """(N,) groups from 0 on, of each of which a share is held out; None where targets form none."""

    def __len__(self) -> int: ...

    def take(self, positions: NDArray[np.intp]) -> Self:
        """Those at these positions, in this order."""

    def joined(self, others: Sequence[Self]) -> Self:
        """These, and after them others of the same kind."""

    def texts(self) -> list[str]:
        """Each as messages and the list of a run's images write it."""

    def check_learnable(self, dataset: str, warnings: Sequence[str]) -> None:
        """Refuse targets from which nothing can be learned.

        Parameters
        ----------
        dataset : str
            Name, for the message.
        warnings : sequence of str
            Problems that were found, which may be the reason.

        Raises
        ------
        CnncliError
            Where that is so, as of a single class.
        """

    def problems(self, test: Self) -> tuple[str, ...]:
        """Warnings about these, of training images, beside those of the test images."""
