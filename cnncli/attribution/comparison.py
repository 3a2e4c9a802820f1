"""Figures over images: means with their standard errors, and differences of two methods on the same images.

Legend: N images.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
BETTER = {"insertion": 1, "deletion": -1, "road": 1, "pointing": 1}
"""Which way is better, by figure."""
ERRORS = 2  # standard errors from which a difference counts: 95 % of normal ones lie within


class Mean(NamedTuple):
    """A mean over images.

    Attributes
    ----------
    value : float
        The mean.
    error : float or None
        Its standard error; None of one image.
    images : int
        Those that have the figure.
    """

    value: float
    error: float | None
    images: int


class Difference(NamedTuple):
    """How much better a method is than another on the same images.

    Attributes
    ----------
    value : float
        Mean of the differences, above 0 where it is better.
    error : float or None
        Standard error of that mean; None of one image.
    """

    value: float
    error: float | None

    @property
    def verdict(self) -> str:
        """``better``, ``worse`` or ``neither``: within two standard errors, or of one image."""
        if self.error is None or abs(self.value) <= ERRORS * self.error:
            return "neither"
        return "better" if self.value > 0 else "worse"


def mean_of(values: Doubles) -> Mean | None:
    """The mean of (N,) figures; those that are NaN are left out. None: no image has it."""
    there = values[~np.isnan(values)]
    if not len(there):
        return None
    error = float(there.std(ddof=1) / np.sqrt(len(there))) if len(there) > 1 else None
    return Mean(float(there.mean()), error, len(there))


def difference(figure: str, values: Doubles, others: Doubles) -> Difference | None:
    """How much better (N,) figures of a method are than those of another. None: no image has them."""
    found = mean_of(BETTER[figure] * (values - others))
    return None if found is None else Difference(found.value, found.error)
