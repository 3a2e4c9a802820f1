"""Filters as described by a SPEC: frozen records, from which a plan is made.

Legend: a response is in the units of the image (0 to 255, 0 to 65535 or 0 to 1),
unless the filter has its own ``span``. x points to the right, y downwards.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cnncli.records import record

Weights = NDArray[np.float64]
Answer = Literal["x", "y", "magnitude", "angle"]


@record(kw_only=True, eq=False)
class Filter:
    """Base class of filters.

    Attributes
    ----------
    name : str
        The short name, as in file names: ``gaussian``, or ``custom`` for a matrix.
    spec : str
        The SPEC with all parameters, as ``cnncli kernels`` shows it: ``gaussian:sigma=2,size=13``.
    signed : bool or None
        True: responses of either sign (derivatives). False: responses from zero up (magnitudes,
        edge maps). None: as signed as the input (blurs, sharpening).
    gray : bool
        True for detectors, which filter luma unless ``--color`` is given.
    span : float or None
        The response that is displayed as full scale; None: the full scale of the image.
        Angles are in radians and have a span of pi.
    clips : bool
        Whether responses beyond black and white are meant to be clipped.
    """

    name: str
    spec: str
    signed: bool | None = None
    gray: bool = False
    span: float | None = None
    clips: bool = False


@record(kw_only=True, eq=False)
class Linear(Filter):
    """One kernel.

    Attributes
    ----------
    weights : ndarray, shape (kh, kw), float64
        As written: convolution flips it, correlation does not.
    anchor : (x, y) or None
        The cell, as written, at the output pixel; None: (kw // 2, kh // 2).
    flips : bool
        True for a user's matrix, which ``--correlate`` leaves unflipped. Responses of named
        kernels do not depend on it.
    file : bool
        Whether it was read from a file and is named after it.
    """

    weights: Weights
    anchor: tuple[int, int] | None = None
    flips: bool = False
    file: bool = False


@record(kw_only=True, eq=False)
class Unsharp(Linear):
    """A sharpening kernel with a threshold: small changes are ignored.

    Attributes
    ----------
    min_change : float
        Fraction of full scale. Where the response differs from the pixel under the anchor by less, the
        pixel is unchanged.
    """

    min_change: float


@record(kw_only=True, eq=False)
class Gradient(Filter):
    """A pair of derivative kernels and the combination of their responses dx and dy.

    ``magnitude`` is hypot(dx, dy), ``angle`` is atan2(dy, dx) in radians.
    Weights are as written for convolution, both of one shape (kh, kw).
    """

    dx: Weights
    dy: Weights
    answer: Answer = "magnitude"


@record(kw_only=True, eq=False)
class Bank(Filter):
    """Several kernels and the strongest response.

    Attributes
    ----------
    bank : tuple of ndarray, each (kh, kw)
        As written for convolution, all of one shape.
    angles : tuple of float
        The direction of each kernel, in radians from -pi to pi.
    answer : str
        ``max``: the largest response; ``abs``: the largest magnitude; ``energy``: for frei-chen,
        the norm of the responses; ``direction``: the angle of the strongest kernel
        (by ``max`` if ``rectified`` is False, by magnitude if it is True).
    rectified : bool
        Whether the strongest response is chosen by magnitude, regardless of sign.
    """

    bank: tuple[Weights, ...]
    angles: tuple[float, ...]
    answer: Literal["max", "abs", "energy", "direction"] = "max"
    rectified: bool = False


@record(kw_only=True, eq=False)
class Median(Filter):
    """The median of a size x size window, size odd."""

    size: int


@record(kw_only=True, eq=False)
class Bilateral(Filter):
    """Gaussian in space (``sigma``, pixels) times Gaussian in value (``sigma_color``, of full scale)."""

    size: int
    sigma: float
    sigma_color: float


@record(kw_only=True, eq=False)
class Canny(Filter):
    """Canny's edge map: Gaussian ``sigma`` in pixels, hysteresis between ``low`` and ``high``.

    Thresholds of the gradient magnitude are fractions of full scale (a full-scale step before
    smoothing gives 1 with the Sobel pair), 0 to 1.
    """

    sigma: float
    low: float
    high: float


@record(kw_only=True, eq=False)
class ZeroCrossings(Filter):
    """Where the Laplacian of Gaussian changes sign by more than ``threshold`` (fraction of full scale)."""

    weights: Weights
    threshold: float
