"""Detectors of lines and corners by 3x3 masks, and the strongest response."""

import math

import numpy as np

from cnncli.filters.compass import EIGHT_ANGLES, ring_masks
from cnncli.filters.entry import Entry, Example, Parameter, freeze, output_parameter, spec_of
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


def line(*, output: str = "magnitude", polarity: str = "both") -> Filter:
    """Make the detector of lines one pixel wide.

    Parameters
    ----------
    output : str
        ``magnitude``, ``direction``, or ``0``, ``45``, ``90``, ``135``: degrees of the line.
    polarity : str
        ``both``, ``bright`` or ``dark`` lines.

    Returns
    -------
    Linear or Bank
        The response to a full-scale line one pixel wide is full scale, to a step half of it.
    """
    masks = tuple(freeze(np.array(mask) / 6) for mask in LINE_MASKS)
    return _detector("line", masks, LINE_ANGLES, output, polarity)


def corner(*, output: str = "magnitude", polarity: str = "both") -> Filter:
    """Make the detector of corners.

    Parameters
    ----------
    output : str
        ``magnitude``, ``direction``, or ``0`` to ``315`` in steps of 45: degrees of the corner's inside.
    polarity : str
        ``both``, ``bright`` or ``dark`` corners.

    Returns
    -------
    Linear or Bank
        The response to a full-scale right-angled corner is full scale, to a straight step 0.75 of it.
    """
    return _detector("corner", ring_masks(CORNER_RING, 5, 20), EIGHT_ANGLES, output, polarity)


def _detector(
    name: str, masks: tuple[Weights, ...], angles: tuple[float, ...], output: str, polarity: str
) -> Filter:
    spec = spec_of(name, output=output, polarity=polarity)
    both = polarity == "both"
    if polarity == "dark":
        masks = tuple(freeze(-mask) for mask in masks)
    if output == "direction":
        return Bank(
            name=name,
            spec=spec,
            signed=True,
            gray=True,
            span=math.pi,
            bank=masks,
            angles=angles,
            output="direction",
            rectified=both,
        )
    if output == "magnitude":
        return Bank(
            name=name,
            spec=spec,
            signed=False,
            gray=True,
            bank=masks,
            angles=angles,
            output="abs" if both else "max",
            rectified=both,
        )
    weights = masks[int(output) // 45]
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
        output_parameter(
            "the strongest response, its direction, or the response to lines at these degrees, clockwise "
            "from the x axis",
            ("magnitude", "direction", "0", "45", "90", "135"),
            {**dict.fromkeys(("horizontal", "h", "x"), "0"), **dict.fromkeys(("vertical", "v", "y"), "90")},
        ),
        _POLARITY,
    ),
    build=line,
    source="Gonzalez and Woods: Digital Image Processing, 4th ed., 2018, fig. 10.6; over 6",
    example=Example(
        spec="line:output=magnitude,polarity=both",
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
        output_parameter(
            "the strongest response, its direction, or the response to corners whose inside is at these "
            "degrees, clockwise from the x axis",
            ("magnitude", "direction", "0", "45", "90", "135", "180", "225", "270", "315"),
        ),
        _POLARITY,
    ),
    build=corner,
    source="E. R. Davies: Machine Vision, 3rd ed., 2005, section 14.2 (template matching); over 20",
    example=Example(
        spec="corner:output=magnitude,polarity=both",
        patch=((0, 0, 0), (0, 1, 1), (0, 1, 1)),
        expected=1.0,
        note="the mask for 45 degrees: (5 + 5 + 5 + 5) / 20",
    ),
)

ENTRIES = {entry.name: entry for entry in (LINE, CORNER)}
