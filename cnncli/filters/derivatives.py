"""First derivatives, scaled so that a full-scale step answers with full scale.

Written for convolution: flipped, they answer positively where brightness rises to the right (dx)
or downwards (dy).
"""

import math

import numpy as np

from cnncli.filters.entry import Entry, Example, Parameter, freeze, spec_of
from cnncli.filters.model import Filter, Gradient, Linear, Weights

DIFFERENCE = (1.0, 0.0, -1.0)

DIRECTION = Parameter(
    name="direction",
    meaning="x (rises to the right), y (rises downwards), their magnitude or the angle of steepest rise",
    default="magnitude",
    kind="choice",
    choices=("x", "y", "magnitude", "angle"),
    aliases=("dir",),
)


def _gradient(name: str, dx: Weights, dy: Weights, direction: str) -> Filter:
    spec = spec_of(name, direction=direction)
    if direction == "x" or direction == "y":
        weights = freeze(dx if direction == "x" else dy)
        return Linear(name=name, spec=spec, signed=True, gray=True, weights=weights)
    if direction == "angle":
        return Gradient(
            name=name, spec=spec, signed=True, gray=True, span=math.pi, dx=freeze(dx), dy=freeze(dy), answer="angle"
        )
    return Gradient(name=name, spec=spec, signed=False, gray=True, dx=freeze(dx), dy=freeze(dy), answer="magnitude")


def _smoothed(name: str, across: tuple[float, ...], direction: str) -> Filter:
    dx = np.outer(across, DIFFERENCE) / sum(across)
    return _gradient(name, dx, dx.T, direction)


def sobel(*, direction: str = "magnitude") -> Filter:
    """Make Sobel's 3x3 derivatives."""
    return _smoothed("sobel", (1.0, 2.0, 1.0), direction)


SOBEL = Entry(
    name="sobel",
    family="derivatives",
    summary="gradient, smoothed 1-2-1 across",
    parameters=(DIRECTION,),
    build=sobel,
    source="x",
    example=Example(spec="sobel:direction=x", patch=((0, 0, 1), (0, 0, 1), (0, 0, 1)), expected=1.0, note="x"),
)
