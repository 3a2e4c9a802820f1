"""Detectors of lines and corners by 3x3 masks, and the strongest response."""

import math

import numpy as np

from cnncli.filters.compass import EIGHT_ANGLES, ring_masks
from cnncli.filters.entry import Entry, Example, Parameter, freeze, spec_of
from cnncli.filters.kinds.bank import Bank
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.model import Filter, Weights

LINE_MASKS = (
    ((-1.0, -1.0, -1.0), (2.0, 2.0, 2.0), (-1.0, -1.0, -1.0)),
    ((2.0, -1.0, -1.0), (-1.0, 2.0, -1.0), (-1.0, -1.0, 2.0)),
    ((-1.0, 2.0, -1.0), (-1.0, 2.0, -1.0), (-1.0, 2.0, -1.0)),
    ((-1.0, -1.0, 2.0), (-1.0, 2.0, -1.0), (2.0, -1.0, -1.0)),
)
"""Lines at 0, 45, 90 and 135 degrees from x towards y; each is symmetric when flipped."""

LINE_ANGLES = tuple(math.radians(angle) for angle in (0, 45, 90, 135))

CORNER_RING = (5.0, 5.0, -4.0, -4.0, -4.0, -4.0, -4.0, 5.0)
"""Davies' corner: 5 in a quadrant and the centre, else -4; clockwise from its direction."""


def line(*, direction: str = "max", polarity: str = "both") -> Filter:
    """Make the detector of lines one pixel wide.

    Parameters
    ----------
    direction : str
        ``0``, ``45``, ``90``, ``135`` (degrees of the line), ``max`` or ``angle``.
    polarity : str
        ``both``, ``bright`` or ``dark`` lines.

    Returns
    -------
    Linear or Bank
        The response to a full-scale line one pixel wide is full scale, to a step half of it.
    """
    masks = tuple(freeze(np.array(mask) / 6) for mask in LINE_MASKS)
    return _detector("line", masks, LINE_ANGLES, direction, polarity)


def corner(*, direction: str = "max", polarity: str = "both") -> Filter:
    """Make the detector of corners.

    Parameters
    ----------
    direction : str
        ``0`` to ``315`` in steps of 45 (degrees: the direction of the corner's inside), ``max`` or ``angle``.
    polarity : str
        ``both``, ``bright`` or ``dark`` corners.

    Returns
    -------
    Linear or Bank
        The response to a full-scale right-angled corner is full scale, to a straight step 0.75 of it.
    """
    return _detector("corner", ring_masks(CORNER_RING, 5, 20), EIGHT_ANGLES, direction, polarity)


def _detector(
    name: str, masks: tuple[Weights, ...], angles: tuple[float, ...], direction: str, polarity: str
) -> Filter:
    spec = spec_of(name, direction=direction, polarity=polarity)
    both = polarity == "both"
    if polarity == "dark":
        masks = tuple(freeze(-mask) for mask in masks)
    if direction == "angle":
        return Bank(
            name=name,
            spec=spec,
            signed=True,
            gray=True,
            span=math.pi,
            bank=masks,
            angles=angles,
            answer="direction",
            rectified=both,
        )
    if direction == "max":
        return Bank(
            name=name,
            spec=spec,
            signed=False,
            gray=True,
            bank=masks,
            angles=angles,
            answer="abs" if both else "max",
            rectified=both,
        )
    weights = masks[int(direction) // 45]
    return Linear(name=name, spec=spec, signed=both, gray=True, weights=weights)


_POLARITY = Parameter(
    name="polarity",
    meaning="bright on dark, dark on bright, or both",
    default="both",
    kind="choice",
    choices=("both", "bright", "dark"),
)

LINE = Entry(
    name="line",
    family="lines and corners",
    summary="lines one pixel wide: strongest response of four masks",
    parameters=(
        Parameter(
            name="direction",
            meaning="degrees of the line, clockwise from the x axis; max: the strongest; "
            "angle: its direction",
            default="max",
            kind="choice",
            choices=("max", "0", "45", "90", "135", "angle"),
            synonyms={
                "horizontal": "0",
                "vertical": "90",
                "x": "0",
                "y": "90",
                "magnitude": "max",
                "h": "0",
                "v": "90",
            },
            aliases=("dir", "answer"),
        ),
        _POLARITY,
    ),
    build=line,
    source="Gonzalez and Woods: Digital Image Processing, 4th ed., 2018, fig. 10.6; over 6",
    example=Example(
        spec="line:direction=max,polarity=both",
        patch=((0, 0, 0.7), (0, 0.7, 0), (0.7, 0, 0)),
        expected=0.7,
        note="the mask for 135 degrees: 2 (0.7 + 0.7 + 0.7) / 6",
    ),
)

CORNER = Entry(
    name="corner",
    family="lines and corners",
    summary="right-angled corners: strongest response of eight masks",
    parameters=(
        Parameter(
            name="direction",
            meaning="degrees, clockwise from the x axis, of the corner's inside; max: the strongest; "
            "angle: its direction",
            default="max",
            kind="choice",
            choices=("max", "0", "45", "90", "135", "180", "225", "270", "315", "angle"),
            synonyms={"magnitude": "max"},
            aliases=("dir", "answer"),
        ),
        _POLARITY,
    ),
    build=corner,
    source="E. R. Davies: Machine Vision, 3rd ed., 2005, section 14.2 (template matching); over 20",
    example=Example(
        spec="corner:direction=max,polarity=both",
        patch=((0, 0, 0), (0, 1, 1), (0, 1, 1)),
        expected=1.0,
        note="the mask for 45 degrees: (5 + 5 + 5 + 5) / 20",
    ),
)

ENTRIES = {entry.name: entry for entry in (LINE, CORNER)}
