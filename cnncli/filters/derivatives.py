"""First derivatives, scaled so that the response to a full-scale step is full scale.

Written for convolution: flipped, their response is positive where brightness increases to the right (dx)
or downwards (dy). A full-scale step between two pixels gives a magnitude of full scale at both
(roberts: at one).
"""

import math

import numpy as np

from cnncli.filters.entry import STEP, Entry, Example, freeze, output_parameter, spec_of
from cnncli.filters.kinds.gradient import Gradient
from cnncli.filters.model import Filter, Weights

FARID_PREFILTER = (0.037659, 0.249153, 0.426375, 0.249153, 0.037659)
"""Farid and Simoncelli 2004, table 1, 5 taps, first order: the interpolator p."""

FARID_DERIVATIVE = (0.109604, 0.276691, 0.0, -0.276691, -0.109604)
"""The same: the derivative d, as written for convolution."""

_CENTRAL = (1.0, 0.0, -1.0)

OUTPUT = output_parameter(
    "derivative along x or y, gradient magnitude, or gradient direction",
    ("x", "y", "magnitude", "direction"),
    {"horizontal": "x", "vertical": "y"},
)


def sobel(*, output: str = "magnitude") -> Filter:
    """Make Sobel's derivatives: central differences, smoothed by 1-2-1 across."""
    return gradient("sobel", *_pair((1.0, 2.0, 1.0), _CENTRAL), output)


def scharr(*, output: str = "magnitude") -> Filter:
    """Make Scharr's derivatives: central differences, smoothed by 3-10-3 across."""
    return gradient("scharr", *_pair((3.0, 10.0, 3.0), _CENTRAL), output)


def prewitt(*, output: str = "magnitude") -> Filter:
    """Make Prewitt's derivatives: central differences, smoothed by 1-1-1 across."""
    return gradient("prewitt", *_pair((1.0, 1.0, 1.0), _CENTRAL), output)


def farid(*, output: str = "magnitude") -> Filter:
    """Make Farid and Simoncelli's 5x5 derivatives; the table's d and p are scaled to a step of 1."""
    return gradient("farid", *_pair(FARID_PREFILTER, FARID_DERIVATIVE), output)


def roberts(*, output: str = "magnitude") -> Filter:
    """Make Roberts' differences along the two diagonals of 2x2 pixels, each over sqrt(2).

    x is the derivative towards the upper right, y towards the lower right. Their magnitude is 1 for a
    full-scale step along an axis and 0.71 for a single pixel that differs. The direction is turned back by
    45 degrees, so that it is 0 for a gradient to the right, as for the other operators.
    """
    # As applied to the image: rows (f00, f10), (f01, f11).
    up = np.array([[0.0, 1.0], [-1.0, 0.0]])
    down = np.array([[-1.0, 0.0], [0.0, 1.0]])
    dx, dy = (up, down) if output != "direction" else ((up + down) / math.sqrt(2), (down - up) / math.sqrt(2))
    scale = 1 / math.sqrt(2)
    return gradient("roberts", scale * dx[::-1, ::-1], scale * dy[::-1, ::-1], output)


def gradient(name: str, dx: Weights, dy: Weights, output: str) -> Filter:
    """Make the filter for a pair of derivatives.

    Parameters
    ----------
    name : str
        The kernel's name.
    dx, dy : ndarray, shape (kh, kw)
        As written for convolution.
    output : str
        ``x``, ``y``, ``magnitude`` or ``direction``.

    Returns
    -------
    Linear or Gradient
        Linear for x and y.
    """
    spec = spec_of(name, output=output)
    if output in ("x", "y"):
        from cnncli.filters.kinds.linear import Linear

        weights = freeze(dx if output == "x" else dy)
        return Linear(name=name, spec=spec, signed=True, gray=True, weights=weights)
    pair = freeze(dx), freeze(dy)
    if output == "direction":
        return Gradient(
            name=name,
            spec=spec,
            signed=True,
            gray=True,
            span=math.pi,
            dx=pair[0],
            dy=pair[1],
            output="direction",
        )
    return Gradient(name=name, spec=spec, signed=False, gray=True, dx=pair[0], dy=pair[1], output="magnitude")


def _pair(across: tuple[float, ...], along: tuple[float, ...]) -> tuple[Weights, Weights]:
    """Return dx and dy whose response to a unit step is 1: the weights on one side sum to 1."""
    side = sum(weight for weight in along if weight > 0)
    dx = np.outer(across, along) / (sum(across) * side)
    return dx, dx.T


_FAINT_STEP = ((0.2, 0.2, 0.6), (0.2, 0.2, 0.6), (0.2, 0.2, 0.6))

SOBEL = Entry(
    name="sobel",
    family="derivatives",
    summary="edges: 3x3 gradient, smoothed 1-2-1",
    parameters=(OUTPUT,),
    build=sobel,
    source="I. Sobel, G. Feldman: A 3x3 Isotropic Gradient Operator, 1968; divided by 4",
    example=Example(
        spec="sobel:output=x",
        patch=_FAINT_STEP,
        expected=0.4,
        note="the response is the height of the step from 0.2 to 0.6",
    ),
)

SCHARR = Entry(
    name="scharr",
    family="derivatives",
    summary="edges: 3x3 gradient, smoothed 3-10-3, better rotational symmetry",
    parameters=(OUTPUT,),
    build=scharr,
    source="H. Scharr: Optimale Operatoren in der digitalen Bildverarbeitung, 2000, 3-10-3; divided by 16",
    example=Example(
        spec="scharr:output=magnitude",
        patch=((0, 0, 0), (0, 0, 1), (0, 1, 1)),
        expected=1.149049,
        note="dx = dy = 13/16 of full scale: hypot(0.8125, 0.8125)",
    ),
)

PREWITT = Entry(
    name="prewitt",
    family="derivatives",
    summary="edges: 3x3 gradient, smoothed 1-1-1",
    parameters=(OUTPUT,),
    build=prewitt,
    source="J. M. S. Prewitt: Object Enhancement and Extraction, 1970; divided by 3",
    example=Example(
        spec="prewitt:output=y",
        patch=((0.1, 0.1, 0.1), (0.5, 0.5, 0.5), (0.7, 0.7, 0.7)),
        expected=0.6,
        note="0.7 - 0.1: brightness increases downwards",
    ),
)

ROBERTS = Entry(
    name="roberts",
    family="derivatives",
    summary="edges: differences along the diagonals of 2x2 pixels",
    parameters=(OUTPUT,),
    build=roberts,
    source="L. G. Roberts: Machine Perception of Three-Dimensional Solids, 1963; divided by sqrt(2)",
    example=Example(
        spec="roberts:output=magnitude",
        patch=STEP,
        expected=1.0,
        note="both diagonals differ by 1 between the centre pixel and its right and lower neighbours: "
        "hypot(1, 1) / sqrt(2)",
    ),
)

FARID = Entry(
    name="farid",
    family="derivatives",
    summary="edges: 5x5 gradient with a nearly exact direction",
    parameters=(OUTPUT,),
    build=farid,
    source="H. Farid, E. P. Simoncelli: Differentiation of Discrete Multidimensional Signals, 2004, "
    "table 1, 5 taps; divided by 0.386295 x 0.999999",
    example=Example(
        spec="farid:output=x",
        patch=((0, 0, 0, 0.5, 0.5),) * 5,
        expected=0.5,
        note="the response to a step of half the full scale is half the full scale",
    ),
)

ENTRIES = {entry.name: entry for entry in (SOBEL, SCHARR, PREWITT, ROBERTS, FARID)}
