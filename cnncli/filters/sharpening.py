"""Sharpening kernels. Written for convolution: flipped, they match the tables of textbooks."""

import math

import numpy as np

from cnncli.filters.entry import Entry, Example, Parameter, freeze, spec_of
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.model import Filter
from cnncli.filters.smoothing import ANGLE_MEANING, MAX_SIGMA, SIZE, gaussian_size, gaussian_taps

CROSS = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))
"""The Laplacian over 4 neighbours."""

SQUARE = ((1.0, 1.0, 1.0), (1.0, -8.0, 1.0), (1.0, 1.0, 1.0))
"""The Laplacian over 8 neighbours."""

NEIGHBOURS = Parameter(
    name="neighbours",
    meaning="4 or 8 neighbours",
    default="4",
    kind="choice",
    choices=("4", "8"),
    aliases=("neighbors", "n"),
)

_RISE = np.array([[-1.0, 0.0, 1.0]] * 3)
"""The derivative to the right, as applied to the image (not flipped)."""


def impulse(size: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return a square of zeros with 1 at the centre."""
    weights = np.zeros((size, size))
    weights[size // 2, size // 2] = 1
    return weights


def sharpen(*, amount: float = 1.0, neighbours: str = "4") -> Filter:
    """Subtract ``amount`` times the Laplacian."""
    laplacian = np.array(CROSS if neighbours == "4" else SQUARE)
    spec = spec_of("sharpen", amount=amount, neighbours=neighbours)
    return Linear(name="sharpen", spec=spec, weights=freeze(impulse(3) - amount * laplacian))


def unsharp(
    *, sigma: float = 1.0, amount: float = 1.0, size: int | None = None, threshold: float = 0.0
) -> Filter:
    """Add ``amount`` times the difference from a Gaussian blur, where it is at least ``threshold``."""
    size = gaussian_size(sigma) if size is None else size
    taps = gaussian_taps(sigma, size)
    weights = freeze((1 + amount) * impulse(size) - amount * np.outer(taps, taps))
    spec = spec_of("unsharp", sigma=sigma, amount=amount, size=size)
    if not threshold:
        return Linear(name="unsharp", spec=spec, weights=weights)
    from cnncli.filters.kinds.unsharp import Unsharp

    spec = spec_of("unsharp", sigma=sigma, amount=amount, size=size, threshold=threshold)
    return Unsharp(name="unsharp", spec=spec, weights=weights, min_change=amount * threshold)


def emboss(*, strength: float = 1.0, angle: float = 45.0) -> Filter:
    """Add the derivative along ``angle`` to the image: a relief lit from the opposite direction."""
    across, down = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    # With sqrt(2), weights at 45 degrees are the integers of the published kernel.
    slope = np.round(math.sqrt(2) * (across * _RISE + down * _RISE.T), 12)
    spec = spec_of("emboss", strength=strength, angle=angle)
    weights = freeze((impulse(3) + strength * slope)[::-1, ::-1])
    return Linear(name="emboss", spec=spec, clips=True, weights=weights)


def outline() -> Filter:
    """Subtract the 8 neighbours from 8 times the pixel."""
    weights = freeze(-np.array(SQUARE))
    return Linear(name="outline", spec="outline", signed=False, gray=True, clips=True, weights=weights)


SHARPEN = Entry(
    name="sharpen",
    family="sharpening",
    summary="the image minus its Laplacian",
    parameters=(
        Parameter(name="amount", meaning="how much", default="1", low=0, high=100),
        NEIGHBOURS,
    ),
    build=sharpen,
    source="Gonzalez and Woods: Digital Image Processing, 4th ed., 2018, eq. 3-63 with c = -1",
    example=Example(
        spec="sharpen:amount=1,neighbours=4",
        patch=((0.2, 0.2, 0.6), (0.2, 0.2, 0.6), (0.2, 0.2, 0.6)),
        expected=-0.2,
        note="5 x 0.2 - 0.2 - 0.2 - 0.2 - 0.6: the dark side of an edge gets darker",
    ),
)

UNSHARP = Entry(
    name="unsharp",
    family="sharpening",
    summary="the image plus its difference from a Gaussian blur",
    parameters=(
        Parameter(
            name="sigma",
            meaning="of the blur, in pixels",
            default="1",
            low=0,
            high=MAX_SIGMA,
            aliases=("sigma-x",),
        ),
        Parameter(name="amount", meaning="how much", default="1", low=0, high=100),
        SIZE,
        Parameter(
            name="threshold",
            meaning="difference from the blur, as a fraction of full scale, below which pixels are unchanged",
            default="0",
            low=0,
            high=1,
        ),
    ),
    build=unsharp,
    source="unsharp masking, f + amount (f - G f); Gonzalez and Woods, 4th ed., 2018, eq. 3-64 and 3-65",
    example=Example(
        spec="unsharp:sigma=1,amount=1,size=3",
        patch=((0, 0, 1), (0, 0, 1), (0, 0, 1)),
        expected=-0.274069,
        note="0 + 1 (0 - 0.274069): the blur is 0.274069 here",
    ),
)

EMBOSS = Entry(
    name="emboss",
    family="sharpening",
    summary="relief, lit from the top left",
    parameters=(
        Parameter(name="strength", meaning="how deep", default="1", low=0, high=100, aliases=("amount",)),
        Parameter(
            name="angle",
            meaning=f"direction of the light, {ANGLE_MEANING}",
            default="45",
            low=-360,
            high=360,
        ),
    ),
    build=emboss,
    source="-2 -1 0; -1 1 1; 0 1 2 as applied to the image, sum 1; "
    "V. Powell: Image Kernels Explained Visually, 2015",
    example=Example(
        spec="emboss:strength=1,angle=45",
        patch=((0.1, 0.1, 0.1), (0.1, 0.3, 0.3), (0.1, 0.3, 0.3)),
        expected=1.1,
        note="-0.2 - 0.1 - 0.1 + 0.3 + 0.3 + 0.3 + 0.6: the upper left corner of a bright area is lit",
    ),
)

OUTLINE = Entry(
    name="outline",
    family="sharpening",
    summary="bright outlines on black; flat areas are black",
    build=outline,
    source="-1 -1 -1; -1 8 -1; -1 -1 -1; V. Powell: Image Kernels Explained Visually, 2015",
    example=Example(
        spec="outline",
        patch=((0, 0.1, 0.1), (0, 0.1, 0.1), (0, 0.1, 0.1)),
        expected=0.3,
        note="8 x 0.1 - 5 x 0.1: three neighbours are darker by 0.1",
    ),
)

ENTRIES = {entry.name: entry for entry in (SHARPEN, UNSHARP, EMBOSS, OUTLINE)}
