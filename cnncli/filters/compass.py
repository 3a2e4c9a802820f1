"""Compass operators: one mask for each of eight directions, and the strongest response.

A mask responds to brightness that rises in its direction. Directions are angles from the x axis towards
the y axis, clockwise on the screen.
"""

import math

import numpy as np

from cnncli.filters.derivatives import gradient
from cnncli.filters.entry import Entry, Example, freeze, output_parameter, spec_of
from cnncli.filters.kinds.bank import Bank
from cnncli.filters.model import Filter, Weights
from cnncli.records import replace

_RING = ((1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0), (0, 1), (0, 2))
"""Row and column of the eight neighbours, clockwise on the screen from the right one."""

KIRSCH_RING = (5.0, 5.0, -3.0, -3.0, -3.0, -3.0, -3.0, 5.0)
ROBINSON_RING = (2.0, 1.0, 0.0, -1.0, -2.0, -1.0, 0.0, 1.0)
PREWITT_RING = (1.0, 1.0, 1.0, -1.0, -1.0, -1.0, 1.0, 1.0)
"""Weights of the neighbours, clockwise from the mask's direction."""

_ROOT = math.sqrt(2)
FREI_CHEN_EDGES = (
    ((1.0, _ROOT, 1.0), (0.0, 0.0, 0.0), (-1.0, -_ROOT, -1.0)),
    ((1.0, 0.0, -1.0), (_ROOT, 0.0, -_ROOT), (1.0, 0.0, -1.0)),
    ((0.0, -1.0, _ROOT), (1.0, 0.0, -1.0), (-_ROOT, 1.0, 0.0)),
    ((_ROOT, -1.0, 0.0), (-1.0, 0.0, 1.0), (0.0, 1.0, -_ROOT)),
)
"""Frei and Chen's masks 1 to 4, the basis of the edge subspace, each to be divided by sqrt(8)."""

EIGHT_ANGLES = tuple(math.radians(angle) for angle in (0, 45, 90, 135, 180, -135, -90, -45))


def ring_masks(ring: tuple[float, ...], centre: float, scale: float) -> tuple[Weights, ...]:
    """Rotate a ring of eight weights around its centre.

    Parameters
    ----------
    ring : tuple of 8 float
        Clockwise from the mask's direction, as applied to the image.
    centre : float
        The weight in the centre.
    scale : float
        Every weight is divided by it.

    Returns
    -------
    tuple of 8 ndarray, each (3, 3)
        As written for convolution, in the order of EIGHT_ANGLES.
    """
    masks = []
    for turn in range(8):
        mask = np.full((3, 3), centre)
        for step, weight in enumerate(ring):
            mask[_RING[(turn + step) % 8]] = weight
        masks.append(freeze(mask[::-1, ::-1] / scale))
    return tuple(masks)


def kirsch(*, output: str = "magnitude") -> Filter:
    """Make Kirsch's eight masks of 5 and -3, over 15."""
    return _compass("kirsch", ring_masks(KIRSCH_RING, 0, 15), output)


def robinson(*, output: str = "magnitude") -> Filter:
    """Make Robinson's eight masks of 1, 2 and 0, over 4."""
    return _compass("robinson", ring_masks(ROBINSON_RING, 0, 4), output)


def prewitt_compass(*, output: str = "magnitude") -> Filter:
    """Make Prewitt's eight masks of 1, -1 and -2 in the centre.

    The positive weights sum to 5, but for a straight edge at most 3 of them are not cancelled by the
    centre and the other side; so they are divided by 3. The response to a corner is up to 5/3.
    """
    return _compass("prewitt-compass", ring_masks(PREWITT_RING, -2, 3), output)


def frei_chen(*, output: str = "magnitude") -> Filter:
    """Make Frei and Chen's edge detector.

    The magnitude is the norm of the projection on the edge subspace, masks 1 to 4, divided by that of a unit
    step, sqrt(3/2). The direction is that of the two isotropic gradient masks, 1 and 2.
    """
    basis = np.array(FREI_CHEN_EDGES) / math.sqrt(8)
    if output == "direction":
        found = gradient("frei-chen", basis[1], basis[1].T, "direction")
        return replace(found, spec=spec_of("frei-chen", output=output))
    return Bank(
        name="frei-chen",
        spec=spec_of("frei-chen", output=output),
        signed=False,
        gray=True,
        bank=tuple(freeze(mask / math.sqrt(1.5)) for mask in basis),
        angles=(0.0,) * 4,
        output="energy",
    )


def _compass(name: str, bank: tuple[Weights, ...], output: str) -> Filter:
    spec = spec_of(name, output=output)
    if output == "direction":
        return Bank(
            name=name,
            spec=spec,
            signed=True,
            gray=True,
            span=math.pi,
            bank=bank,
            angles=EIGHT_ANGLES,
            output="direction",
        )
    return Bank(name=name, spec=spec, signed=False, gray=True, bank=bank, angles=EIGHT_ANGLES, output="max")


OUTPUT = output_parameter("the strongest response, or the direction of its mask")

KIRSCH = Entry(
    name="kirsch",
    family="compass",
    summary="edges: strongest response of eight masks of 5 and -3",
    parameters=(OUTPUT,),
    build=kirsch,
    source="R. Kirsch: Computer Determination of the Constituent Structure of Biological Images, 1971; "
    "divided by 15",
    example=Example(
        spec="kirsch:output=magnitude",
        patch=((0, 0, 1), (0, 1, 1), (0, 0, 1)),
        expected=1.0,
        note="the mask to the right: (5 + 5 + 5) / 15",
    ),
)

ROBINSON = Entry(
    name="robinson",
    family="compass",
    summary="edges: strongest response of eight rotated Sobel masks",
    parameters=(OUTPUT,),
    build=robinson,
    source="G. S. Robinson: Edge Detection by Compass Gradient Masks, 1977, level 5; divided by 4",
    example=Example(
        spec="robinson:output=magnitude",
        patch=((0, 0, 0), (0, 0, 1), (0, 1, 1)),
        expected=1.0,
        note="the mask to the lower right: (1 + 2 + 1) / 4",
    ),
)

PREWITT_COMPASS = Entry(
    name="prewitt-compass",
    family="compass",
    summary="edges: strongest response of eight masks of 1, -1 and -2",
    parameters=(OUTPUT,),
    build=prewitt_compass,
    source="J. M. S. Prewitt: Object Enhancement and Extraction, 1970; divided by 3",
    example=Example(
        spec="prewitt-compass:output=magnitude",
        patch=((0.2, 0.2, 0.6), (0.2, 0.2, 0.6), (0.2, 0.2, 0.6)),
        expected=0.4,
        note="the response of the mask to the right is the height of the step",
    ),
)

FREI_CHEN = Entry(
    name="frei-chen",
    family="compass",
    summary="edges: length of the patch's projection on the edge subspace",
    parameters=(OUTPUT,),
    build=frei_chen,
    source="W. Frei, C.-C. Chen: Fast Boundary Detection: A Generalization and a New Algorithm, 1977, "
    "masks 1 to 4; divided by sqrt(3/2)",
    example=Example(
        spec="frei-chen:output=magnitude",
        patch=((0.1, 0.1, 0.9), (0.1, 0.1, 0.9), (0.1, 0.1, 0.9)),
        expected=0.8,
        note="masks 2, 3 and 4 respond; the norm of their responses is the height of the step",
    ),
)

ENTRIES = {entry.name: entry for entry in (KIRSCH, ROBINSON, PREWITT_COMPASS, FREI_CHEN)}
