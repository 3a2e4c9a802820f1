"""Second derivatives: the Laplacian, with or without a Gaussian."""

import math

import numpy as np

from cnncli.errors import CnncliError
from cnncli.filters.entry import MAX_SIZE, STEP, Entry, Example, Parameter, freeze, spec_of, write_number
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.model import Filter, Weights
from cnncli.filters.sharpening import CROSS, NEIGHBOURS, SQUARE
from cnncli.filters.smoothing import MAX_SIGMA, SIZE, gaussian_size, gaussian_taps

MARR_RATIO = 1.6
"""The ratio of sigmas at which a difference of Gaussians best approximates a Laplacian of Gaussian."""

_NEGLIGIBLE_WEIGHT = 1e-9
"""A difference below this is lost in the rounding of its terms in float32."""

SIGMA = Parameter(
    name="sigma",
    meaning="of the Gaussian, in pixels",
    default="2",
    low=0.3,
    high=MAX_SIGMA,
    aliases=("sigma-x",),
)


def laplacian(*, neighbours: str = "4") -> Filter:
    """Make the Laplacian over 4 or 8 neighbours: the response to a bright spot is negative."""
    weights = freeze(CROSS if neighbours == "4" else SQUARE)
    spec = spec_of("laplacian", neighbours=neighbours)
    return Linear(name="laplacian", spec=spec, signed=True, gray=True, weights=weights)


def log(*, sigma: float = 2.0, size: int | None = None) -> Filter:
    """Make the Laplacian of a Gaussian, times sigma^2."""
    size = gaussian_size(sigma) if size is None else size
    spec = spec_of("log", sigma=sigma, size=size)
    return Linear(name="log", spec=spec, signed=True, gray=True, weights=freeze(log_weights(sigma, size)))


def mexican_hat(*, sigma: float = 2.0, size: int | None = None) -> Filter:
    """Make the Ricker wavelet: minus the Laplacian of a Gaussian, positive at a bright spot."""
    size = gaussian_size(sigma) if size is None else size
    spec = spec_of("mexican-hat", sigma=sigma, size=size)
    weights = freeze(-log_weights(sigma, size))
    return Linear(name="mexican-hat", spec=spec, signed=True, gray=True, weights=weights)


def dog(*, sigma: float = 1.0, sigma2: float | None = None, size: int | None = None) -> Filter:
    """Make the difference of two Gaussians, the first minus the second; each reaches four of its sigmas.

    Raises
    ------
    CnncliError
        If the two are the same.
    """
    sigma2 = min(round(MARR_RATIO * sigma, 12), MAX_SIGMA) if sigma2 is None else sigma2
    sizes = gaussian_size(sigma), gaussian_size(sigma2)
    size = max(sizes) if size is None else size
    first, second = _padded(sigma, sizes[0], size), _padded(sigma2, sizes[1], size)
    weights = zero_sum(np.outer(first, first) - np.outer(second, second))
    if not np.abs(weights).max() > _NEGLIGIBLE_WEIGHT:
        raise CnncliError(
            f"dog: nothing is left of sigma={write_number(sigma)} minus sigma2={write_number(sigma2)} "
            f"in {size}x{size}; expected two Gaussians that differ",
            "Give different sigmas, or a larger size.",
        )
    spec = spec_of("dog", sigma=sigma, sigma2=sigma2, size=size)
    return Linear(name="dog", spec=spec, signed=True, gray=True, weights=freeze(weights))


def log_weights(sigma: float, size: int) -> Weights:
    """Sample sigma^2 times the Laplacian of a Gaussian, with sum 0.

    The sum that remains after sampling and truncation is subtracted in proportion to the Gaussian, which
    keeps the kernel's rank at 2 and its margin at 0.

    Parameters
    ----------
    sigma : float
        In pixels.
    size : int
        Odd.

    Returns
    -------
    ndarray, shape (size, size), float64
        Sum 0; the response to a full-scale step is between -0.242 and 0.242, at a distance of sigma.
    """
    x = np.arange(size, dtype=np.float64) - size // 2
    taps = gaussian_taps(sigma, size)
    second = ((x / sigma) ** 2 - 1) * taps
    second -= second.sum() * taps
    return zero_sum(np.outer(second, taps) + np.outer(taps, second))


def zero_sum(weights: Weights) -> Weights:
    """Subtract the rounding error of a sum that should be 0 from the centre weight."""
    weights = weights.copy()
    middle = weights.shape[0] // 2, weights.shape[1] // 2
    weights[middle] -= math.fsum(weights.ravel())
    return weights


def _padded(sigma: float, sizes: int, size: int) -> Weights:
    taps = gaussian_taps(sigma, min(sizes, size))
    return np.pad(taps, (size - len(taps)) // 2)


LAPLACIAN = Entry(
    name="laplacian",
    family="second derivatives",
    summary="sum of second differences; 0 on a ramp, changes sign at an edge",
    parameters=(NEIGHBOURS,),
    build=laplacian,
    source="Gonzalez and Woods: Digital Image Processing, 4th ed., 2018, eq. 3-62 and fig. 3.45",
    example=Example(
        spec="laplacian:neighbours=4",
        patch=((0.2, 0.2, 0.2), (0.2, 0.5, 0.2), (0.2, 0.2, 0.2)),
        expected=-1.2,
        note="4 x 0.2 - 4 x 0.5: negative at a bright spot",
    ),
)

LOG = Entry(
    name="log",
    family="second derivatives",
    summary="Laplacian of a Gaussian, times sigma^2",
    parameters=(SIGMA, SIZE),
    build=log,
    source="D. Marr, E. Hildreth: Theory of Edge Detection, 1980, eq. 5; "
    "sigma^2 as in T. Lindeberg: Feature Detection with Automatic Scale Selection, 1998",
    example=Example(
        spec="log:sigma=1,size=3",
        patch=STEP,
        expected=0.123841,
        note="the response is positive on the dark side of an edge, negative on the bright side",
    ),
)

MEXICAN_HAT = Entry(
    name="mexican-hat",
    family="second derivatives",
    summary="minus the Laplacian of a Gaussian: bright blobs of radius sqrt(2) sigma",
    parameters=(SIGMA, SIZE),
    build=mexican_hat,
    source="N. Ricker, 1953; D. Marr: Vision, 1982, fig. 2-9; minus log",
    example=Example(
        spec="mexican-hat:sigma=1,size=3",
        patch=STEP,
        expected=-0.123841,
        note="minus the response of log: negative on the dark side of an edge",
    ),
)

DOG = Entry(
    name="dog",
    family="second derivatives",
    summary="difference of Gaussians: band-pass from sigma to sigma2",
    parameters=(
        Parameter(
            name="sigma",
            meaning="of the first Gaussian, in pixels",
            default="1",
            low=0,
            high=MAX_SIGMA,
            aliases=("sigma1",),
        ),
        Parameter(
            name="sigma2",
            meaning="of the subtracted Gaussian, in pixels",
            default="1.6 sigma",
            low=0,
            high=MAX_SIGMA,
        ),
        Parameter(
            name="size",
            meaning="columns and rows",
            default="4 of the larger sigma to each side",
            kind="odd",
            low=1,
            high=MAX_SIZE,
            aliases=("ksize",),
        ),
    ),
    build=dog,
    source="D. Marr, E. Hildreth: Theory of Edge Detection, 1980, appendix B (ratio 1.6)",
    example=Example(
        spec="dog:sigma=0,sigma2=1,size=3",
        patch=STEP,
        expected=-0.274069,
        note="0 - 0.274069: the image minus its blur",
    ),
)

ENTRIES = {entry.name: entry for entry in (LAPLACIAN, LOG, MEXICAN_HAT, DOG)}
