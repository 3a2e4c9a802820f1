"""What a SPEC means: frozen descriptions of filters, which the plan turns into work.

Legend: a response is in the units of the image (0 to 255, 0 to 65535 or 0 to 1),
unless the filter has a ``span`` of its own. x runs to the right, y downwards.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cnncli.records import record

Weights = NDArray[np.float64]
Answer = Literal["x", "y", "magnitude", "angle"]


@record(kw_only=True, eq=False)
class Filter:
    """What every filter says about itself.

    Attributes
    ----------
    name : str
        The short name, as in file names: ``gaussian``, or ``custom`` for a matrix.
    spec : str
        The SPEC with all parameters, as ``cnncli kernels`` shows it: ``gaussian:sigma=2,size=13``.
    signed : bool or None
        True: answers around zero (derivatives). False: answers from zero up (magnitudes,
        edge maps). None: as signed as what goes in (blurs, sharpening).
    gray : bool
        True for detectors that answer in gray unless ``--color`` is given.
    span : float or None
        The response that is shown as full scale; None: the image's own full scale.
        Angles are in radians and have a span of pi.
    clips : bool
        Whether answers beyond black and white are meant to be cut off.
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
        The cell, as written, that lies on the output pixel; None: (kw // 2, kh // 2).
    flips : bool
        True for a user's matrix, which ``--correlate`` leaves unflipped. Named kernels
        answer the same either way.
    file : bool
        Whether it was read from a file, after which it is named.
    """

    weights: Weights
    anchor: tuple[int, int] | None = None
    flips: bool = False
    file: bool = False


@record(kw_only=True, eq=False)
class Unsharp(Linear):
    """A sharpening kernel whose answer counts only where it differs enough from the pixel itself.

    Attributes
    ----------
    least : float
        Share of full scale. Where the answer differs from the pixel under the anchor by less, the pixel
        stays as it is.
    """

    least: float


@record(kw_only=True, eq=False)
class Gradient(Filter):
    """A pair of derivative kernels and what is made of their responses dx and dy.

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
        The direction that each kernel stands for, in radians from -pi to pi.
    answer : str
        ``max``: the largest response; ``abs``: the largest magnitude; ``energy``: for frei-chen,
        the norm of the responses; ``direction``: the angle of the kernel that wins
        (by ``max`` where ``rectified`` is False, by magnitude where it is True).
    rectified : bool
        True where a response of either sign counts (the winner is chosen by magnitude).
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

    Thresholds are shares of full scale of the gradient magnitude (a full-scale step before
    smoothing gives 1 with the Sobel pair), 0 to 1.
    """

    sigma: float
    low: float
    high: float


@record(kw_only=True, eq=False)
class ZeroCrossings(Filter):
    """Where the Laplacian of Gaussian changes sign by more than ``threshold`` (share of full scale)."""

    weights: Weights
    threshold: float
