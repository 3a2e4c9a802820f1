"""Smoothing kernels; their weights sum to 1, so flat areas keep their value."""

import math

import numpy as np

from cnncli.filters.coverage import disk_coverage, streak_coverage
from cnncli.filters.entry import MAX_SIZE, STEP, Entry, Example, Parameter, freeze, spec_of
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.model import Filter, Weights

MAX_SIGMA = 512.0
"""The sigma whose default size is MAX_SIZE."""


def gaussian_taps(sigma: float, size: int) -> Weights:
    """Sample a Gaussian at integer positions and scale it to sum 1.

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
    # Below a hundredth of a pixel the neighbours' weights are 0 even in float64.
    taps = np.exp(-0.5 * (x / sigma) ** 2) if sigma > 0.01 else (x == 0).astype(np.float64)
    return np.asarray(taps / taps.sum())


def gaussian_size(sigma: float) -> int:
    """Return the size that includes four sigmas to each side, as in ``scipy.ndimage.gaussian_filter``."""
    return 2 * int(4 * sigma + 0.5) + 1


def gaussian_sigma(size: int) -> float:
    """Return the sigma that OpenCV's ``getGaussianKernel`` uses for a size."""
    return 0.3 * ((size - 1) * 0.5 - 1) + 0.8


def identity() -> Filter:
    """Make the identity kernel."""
    return Linear(name="identity", spec="identity", weights=freeze([[1.0]]))


def box(*, size: int = 3, size_y: int | None = None) -> Filter:
    """Make a mean over ``size`` columns and ``size_y`` rows (by default ``size``)."""
    rows = size if size_y is None else size_y
    spec = spec_of("box", size=size) if rows == size else spec_of("box", size=size, size_y=rows)
    return _blur("box", spec, np.full((rows, size), 1.0 / (rows * size)))


def gaussian(
    *,
    sigma: float | None = None,
    size: int | None = None,
    sigma_y: float | None = None,
    size_y: int | None = None,
) -> Filter:
    """Make a Gaussian blur.

    Parameters
    ----------
    sigma, sigma_y : float, optional
        Standard deviations in pixels; sigma_y is by default sigma.
    size, size_y : int, optional
        Odd; by default four sigmas to each side.

    Returns
    -------
    Linear
        Weights of shape (size_y, size), sum 1.
    """
    if sigma is None:
        sigma = 1.0 if size is None else gaussian_sigma(size)
    if sigma_y is None:
        sigma_y = sigma
    if size_y is None:
        size_y = gaussian_size(sigma_y) if size is None else size
    if size is None:
        size = gaussian_size(sigma)
    spec = spec_of("gaussian", sigma=sigma, size=size)
    if (sigma_y, size_y) != (sigma, size):
        spec = spec_of("gaussian", sigma=sigma, size=size, sigma_y=sigma_y, size_y=size_y)
    return _blur("gaussian", spec, np.outer(gaussian_taps(sigma_y, size_y), gaussian_taps(sigma, size)))


def disk(*, radius: float = 3.0) -> Filter:
    """Make a mean over a disk; cells on its edge are weighted by the area inside."""
    return _blur("disk", spec_of("disk", radius=radius), disk_coverage(radius))


def motion(*, length: float = 9.0, angle: float = 0.0) -> Filter:
    """Make the blur of a camera that moves by ``length`` pixels along ``angle``.

    Cells are weighted by the area that a streak one pixel wide covers.
    """
    return _blur("motion", spec_of("motion", length=length, angle=angle), streak_coverage(length, angle))


def binomial(*, size: int = 5) -> Filter:
    """Make a blur with a row of Pascal's triangle along both axes."""
    taps = np.array([math.comb(size - 1, k) / 2 ** (size - 1) for k in range(size)])
    return _blur("binomial", spec_of("binomial", size=size), np.outer(taps, taps))


def _blur(name: str, spec: str, weights: Weights) -> Filter:
    weights = weights / weights.sum()
    return Linear(name=name, spec=spec, weights=freeze(weights))


SIGMA = Parameter(
    name="sigma",
    meaning="standard deviation in pixels",
    default="1; with size alone 0.3 ((size - 1) / 2 - 1) + 0.8",
    low=0,
    high=MAX_SIGMA,
    aliases=("sigma-x",),
)
SIZE = Parameter(
    name="size",
    meaning="columns and rows",
    default="4 sigma to each side",
    kind="odd",
    low=1,
    high=MAX_SIZE,
    aliases=("ksize",),
)
ANGLE_MEANING = "degrees from the x axis towards the y axis, clockwise on the screen"

IDENTITY = Entry(
    name="identity",
    family="smoothing",
    summary="the unchanged image",
    build=identity,
    source="the unit impulse, neutral element of convolution; "
    "R. N. Bracewell: The Fourier Transform and Its Applications, 1965, ch. 5",
    example=Example(spec="identity", patch=((0.25,),), expected=0.25, note="one cell of weight 1"),
)

BOX = Entry(
    name="box",
    family="smoothing",
    summary="mean over a rectangle",
    parameters=(
        Parameter(
            name="size",
            meaning="columns",
            default="3",
            kind="whole",
            low=1,
            high=MAX_SIZE,
            aliases=("ksize",),
        ),
        Parameter(name="size-y", meaning="rows", default="as size", kind="whole", low=1, high=MAX_SIZE),
    ),
    build=box,
    source="R. C. Gonzalez, R. E. Woods: Digital Image Processing, 4th ed., 2018, section 3.5",
    example=Example(
        spec="box:size=3",
        patch=((0, 0, 0.9), (0, 0.9, 0.9), (0, 0, 0)),
        expected=0.3,
        note="three of nine pixels have 0.9",
    ),
)

GAUSSIAN = Entry(
    name="gaussian",
    family="smoothing",
    summary="blur with a Gaussian kernel",
    parameters=(
        SIGMA,
        SIZE,
        Parameter(name="sigma-y", meaning="sigma along y", default="as sigma", low=0, high=MAX_SIGMA),
        Parameter(
            name="size-y",
            meaning="rows",
            default="as size, or 4 sigma-y to each side",
            kind="odd",
            low=1,
            high=MAX_SIZE,
        ),
    ),
    build=gaussian,
    source="exp(-x^2 / 2 sigma^2), sampled and scaled to sum 1; "
    "D. Marr, E. Hildreth: Theory of Edge Detection, 1980, eq. 1",
    example=Example(
        spec="gaussian:sigma=1,size=3",
        patch=STEP,
        expected=0.274069,
        note="exp(-1/2) / (1 + 2 exp(-1/2)): the weight of the right column",
    ),
)

DISK = Entry(
    name="disk",
    family="smoothing",
    summary="mean over a disk, like a lens out of focus",
    parameters=(Parameter(name="radius", meaning="pixels", default="3", low=0.5, high=2048, aliases=("r",)),),
    build=disk,
    source="pillbox (circle of confusion), each cell weighted by its exact area inside the circle; "
    "B. K. P. Horn: Robot Vision, 1986, section 6.4",
    example=Example(
        spec="disk:radius=1",
        patch=STEP,
        expected=0.195501,
        note="the area of the unit disk right of x = 1/2, over pi",
    ),
)

MOTION = Entry(
    name="motion",
    family="smoothing",
    summary="blur along a straight line",
    parameters=(
        Parameter(name="length", meaning="pixels", default="9", low=1, high=MAX_SIZE - 1),
        Parameter(name="angle", meaning=ANGLE_MEANING, default="0", low=-360, high=360),
    ),
    build=motion,
    source="uniform linear motion, cells weighted by the area of a streak one pixel wide; "
    "Gonzalez and Woods: Digital Image Processing, 4th ed., 2018, section 5.6",
    example=Example(
        spec="motion:length=3,angle=0",
        patch=((0, 0, 0), (0, 0.3, 0.9), (0, 0, 0)),
        expected=0.4,
        note="the mean of 0, 0.3 and 0.9: only the middle row has weights",
    ),
)

BINOMIAL = Entry(
    name="binomial",
    family="smoothing",
    summary="binomial blur (Pascal's triangle), 1-2-1 and longer",
    parameters=(
        Parameter(name="size", meaning="columns and rows", default="5", kind="whole", low=1, high=1025),
    ),
    build=binomial,
    source="B. Jaehne: Digital Image Processing, 6th ed., 2005, section 11.4; variance (size - 1) / 4",
    example=Example(
        spec="binomial:size=3",
        patch=STEP,
        expected=0.25,
        note="(1 + 2 + 1) / 16: the weight of the right column",
    ),
)

ENTRIES = {entry.name: entry for entry in (IDENTITY, BOX, GAUSSIAN, DISK, MOTION, BINOMIAL)}
