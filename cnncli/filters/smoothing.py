"""Kernels that smooth; their weights sum to 1, so a flat area keeps its value."""

import math

import numpy as np

from cnncli.filters.entry import MAX_SIZE, Entry, Example, Parameter, freeze, spec_of
from cnncli.filters.model import Filter, Linear, Weights

MAX_SIGMA = 512.0
"""The sigma whose default size is MAX_SIZE."""


def gaussian_taps(sigma: float, size: int) -> Weights:
    """Sample a Gaussian at whole pixels and scale it to sum 1.

    Parameters
    ----------
    sigma : float
        Standard deviation in pixels, 0 for a single tap.
    size : int
        Number of taps, odd.

    Returns
    -------
    ndarray, shape (size,), float64
        Symmetric, sum 1.
    """
    x = np.arange(size, dtype=np.float64) - size // 2
    taps = np.exp(-0.5 * (x / sigma) ** 2) if sigma > 0 else (x == 0).astype(np.float64)
    return taps / taps.sum()


def gaussian_size(sigma: float) -> int:
    """Return the size that holds four sigmas to each side, as in ``scipy.ndimage.gaussian_filter``."""
    return 2 * int(4 * sigma + 0.5) + 1


def gaussian_sigma(size: int) -> float:
    """Return the sigma that OpenCV's ``getGaussianKernel`` takes for a size."""
    return 0.3 * ((size - 1) * 0.5 - 1) + 0.8


def _extents(sigma: float | None, size: int | None) -> tuple[float, int]:
    if sigma is None:
        sigma = gaussian_sigma(size) if size is not None else 1.0
    return sigma, size if size is not None else min(gaussian_size(sigma), MAX_SIZE)


def gaussian(
    *, sigma: float | None = None, size: int | None = None, sigma_y: float | None = None, size_y: int | None = None
) -> Filter:
    """Make a Gaussian blur.

    Parameters
    ----------
    sigma, sigma_y : float, optional
        Standard deviations in pixels; downwards as across unless given.
    size, size_y : int, optional
        Odd sides; four sigmas to each side unless given.

    Returns
    -------
    Linear
        Weights of shape (size_y, size), sum 1.
    """
    if sigma_y is None and size_y is None:
        sigma, size = _extents(sigma, size)
        sigma_y, size_y = sigma, size
        spec = spec_of("gaussian", sigma=sigma, size=size)
    else:
        down = sigma if sigma_y is None else sigma_y
        given = size if sigma_y is None and size_y is None else size_y
        sigma, width = _extents(sigma, size)
        sigma_y, size_y = _extents(sigma if down is None else down, given if given is not None else size)
        size = width
        spec = spec_of("gaussian", sigma=sigma, size=size, sigma_y=sigma_y, size_y=size_y)
    weights = np.outer(gaussian_taps(sigma_y, size_y), gaussian_taps(sigma, size))
    return Linear(name="gaussian", spec=spec, premultiply=True, weights=freeze(weights))


def box(*, size: int = 3, size_y: int | None = None) -> Filter:
    """Make a mean over ``size`` columns and ``size_y`` rows (as many unless given)."""
    rows = size if size_y is None else size_y
    spec = spec_of("box", size=size) if rows == size else spec_of("box", size=size, size_y=rows)
    weights = np.full((rows, size), 1.0 / (rows * size))
    return Linear(name="box", spec=spec, premultiply=True, weights=freeze(weights))


_EDGE = ((0, 0, 1), (0, 0, 1), (0, 0, 1))

BOX = Entry(
    name="box",
    family="smoothing",
    summary="mean over a rectangle",
    parameters=(
        Parameter(name="size", meaning="columns", default="3", kind="whole", low=1, high=MAX_SIZE),
        Parameter(name="size-y", meaning="rows", default="as size", kind="whole", low=1, high=MAX_SIZE),
    ),
    build=box,
    source="R. C. Gonzalez, R. E. Woods: Digital Image Processing, 4th ed., 2018, eq. 3-31 (box kernels)",
    example=Example(
        spec="box:size=3", patch=((0, 0, 0.9), (0, 0.9, 0.9), (0, 0, 0)), expected=0.3, note="a third of the cells"
    ),
)

GAUSSIAN = Entry(
    name="gaussian",
    family="smoothing",
    summary="blur with a bell-shaped kernel",
    parameters=(
        Parameter(name="sigma", meaning="x", default="1", low=0, high=MAX_SIGMA, aliases=("sigma-x",)),
        Parameter(name="size", meaning="x", default="x", kind="odd", low=1, high=MAX_SIZE),
        Parameter(name="sigma-y", meaning="x", default="as sigma", low=0, high=MAX_SIGMA),
        Parameter(name="size-y", meaning="x", default="x", kind="odd", low=1, high=MAX_SIZE),
    ),
    build=gaussian,
    source="x",
    example=Example(spec="gaussian:sigma=1,size=3", patch=_EDGE, expected=math.nan, note="x"),
)
