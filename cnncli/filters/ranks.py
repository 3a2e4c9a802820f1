"""Nonlinear filters: median, bilateral and Canny's edges."""

import math

from cnncli.errors import CnncliError
from cnncli.filters.entry import Entry, Example, Parameter, spec_of, write_number
from cnncli.filters.model import Bilateral, Canny, Filter, Median

MAX_WINDOW = 255
"""The largest side of the window of a median or bilateral filter."""


def median(*, size: int = 3) -> Filter:
    """Make the median of a window of ``size`` x ``size`` pixels."""
    return Median(name="median", spec=spec_of("median", size=size), size=size)


def bilateral(*, sigma: float = 3.0, sigma_color: float = 0.1, size: int | None = None) -> Filter:
    """Make the edge-preserving blur; by default the window reaches two sigmas to each side."""
    size = 2 * math.ceil(2 * sigma) + 1 if size is None else size
    return Bilateral(
        name="bilateral",
        spec=spec_of("bilateral", sigma=sigma, sigma_color=sigma_color, size=size),
        size=size,
        sigma=sigma,
        sigma_color=sigma_color,
    )


def canny(*, sigma: float = 1.4, low: float = 0.05, high: float = 0.1) -> Filter:
    """Make Canny's edge detector.

    Raises
    ------
    CnncliError
        If ``low`` is above ``high``.
    """
    if low > high:
        raise CnncliError(
            f"canny: low={write_number(low)} is above high={write_number(high)}; "
            "expected low to be at most high",
            f"Swap them: -k canny:low={write_number(high)},high={write_number(low)}",
        )
    spec = spec_of("canny", sigma=sigma, low=low, high=high)
    return Canny(name="canny", spec=spec, signed=False, gray=True, sigma=sigma, low=low, high=high)


MEDIAN = Entry(
    name="median",
    family="other",
    summary="median of a window: removes specks, preserves edges",
    parameters=(
        Parameter(
            name="size",
            meaning="columns and rows",
            default="3",
            kind="odd",
            low=1,
            high=MAX_WINDOW,
            aliases=("ksize",),
        ),
    ),
    build=median,
    source="J. W. Tukey: Exploratory Data Analysis, 1977, ch. 7",
    example=Example(
        spec="median:size=3",
        patch=((0.2, 0.3, 0.2), (0.3, 1, 0.4), (0.2, 0.3, 0.4)),
        expected=0.3,
        note="0.2 0.2 0.2 0.3 [0.3] 0.3 0.4 0.4 1: the fifth of nine",
    ),
)

BILATERAL = Entry(
    name="bilateral",
    family="other",
    summary="blur over pixels of similar colour: preserves edges",
    parameters=(
        Parameter(
            name="sigma",
            meaning="in space, in pixels",
            default="3",
            low=0.1,
            high=60,
            aliases=("sigma-space", "sigma-spatial"),
        ),
        Parameter(
            name="sigma-color",
            meaning="in colour, as a fraction of full scale",
            default="0.1",
            low=0.001,
            high=10,
            aliases=("sigma-colour", "sigma-range", "sigma-value"),
        ),
        Parameter(
            name="size",
            meaning="columns and rows",
            default="2 sigma to each side",
            kind="odd",
            low=1,
            high=MAX_WINDOW,
            aliases=("ksize", "d"),
        ),
    ),
    build=bilateral,
    source="C. Tomasi, R. Manduchi: Bilateral Filtering for Gray and Color Images, 1998, eq. 5",
    example=Example(
        spec="bilateral:sigma=1,sigma-color=0.1,size=3",
        patch=((0.5, 0.5, 0.9), (0.5, 0.5, 0.9), (0.5, 0.5, 0.9)),
        expected=0.500051,
        note="the pixels of 0.9 have exp(-4^2 / 2) = 0.000335 times the weight: the edge is preserved",
    ),
)

CANNY = Entry(
    name="canny",
    family="other",
    summary="edges one pixel wide, by non-maximum suppression and hysteresis",
    parameters=(
        Parameter(name="sigma", meaning="of the Gaussian blur, in pixels", default="1.4", low=0, high=100),
        Parameter(
            name="low",
            meaning="threshold to continue an edge; 1 is a full-scale step",
            default="0.05",
            low=0,
            high=1,
        ),
        Parameter(name="high", meaning="threshold to start an edge", default="0.1", low=0, high=1),
    ),
    build=canny,
    source="J. Canny: A Computational Approach to Edge Detection, 1986, sections VI to VIII",
    example=Example(
        spec="canny:sigma=0,low=0.05,high=0.1",
        patch=((0, 0, 0.5, 1, 1),) * 5,
        expected=1.0,
        note="the Sobel magnitude is 1 here, 0.5 on both sides: the maximum across the edge, and above high",
    ),
)

ENTRIES = {entry.name: entry for entry in (MEDIAN, BILATERAL, CANNY)}
