"""Gabor filters, one or a bank: sinusoids in a Gaussian envelope, like simple cells of the visual cortex."""

import math

import numpy as np

from cnncli.errors import CnncliError
from cnncli.filters.entry import (
    MAX_SIZE,
    Entry,
    Example,
    Parameter,
    freeze,
    output_parameter,
    spec_of,
    write_number,
)
from cnncli.filters.kinds.bank import Bank
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.laplacians import zero_sum
from cnncli.filters.model import Filter, Weights
from cnncli.filters.smoothing import ANGLE_MEANING, MAX_SIGMA

SIGMA_PER_WAVELENGTH = 0.56
"""A bandwidth of one octave: sqrt(ln 2 / 2) / pi * (2^1 + 1) / (2^1 - 1)."""

_REACH = 3
"""Sigmas to each side of the centre."""

_NEGLIGIBLE_WEIGHT = 1e-6
"""If all weights are below this before scaling, the response is only rounding errors."""


def gabor(
    *,
    wavelength: float = 6.0,
    theta: float = 0.0,
    sigma: float | None = None,
    gamma: float = 0.5,
    phase: float = 0.0,
    size: int | None = None,
) -> Filter:
    """Make one Gabor filter.

    Parameters
    ----------
    wavelength : float
        In pixels.
    theta : float
        Direction of the wave, across the stripes, in degrees from x towards y.
    sigma : float, optional
        Of the envelope across the stripes, in pixels; by default 0.56 wavelengths.
    gamma : float
        Aspect ratio: sigma over the envelope's sigma along the stripes.
    phase : float
        At the centre, in degrees: 0 a bright line, 180 a dark line, -90 an edge rising along theta.
    size : int, optional
        Odd; by default three sigmas to each side.

    Returns
    -------
    Linear
        Sum 0, sum of magnitudes 2: the response to the optimal pattern of full contrast is full scale.

    Raises
    ------
    CnncliError
        If the size would be too large, or so small that nothing of the wave is left.
    """
    sigma = round(SIGMA_PER_WAVELENGTH * wavelength, 12) if sigma is None else sigma
    size = _size("gabor", sigma, gamma) if size is None else size
    spec = spec_of(
        "gabor", wavelength=wavelength, theta=theta, sigma=sigma, gamma=gamma, phase=phase, size=size
    )
    weights = _weights("gabor", size, (wavelength, theta, sigma, gamma, phase))
    return Linear(name="gabor", spec=spec, signed=True, gray=True, weights=freeze(weights))


def gabor_bank(
    *,
    orientations: int = 8,
    wavelength: float = 6.0,
    sigma: float | None = None,
    gamma: float = 0.5,
    phase: float = 0.0,
    size: int | None = None,
    output: str = "magnitude",
) -> Filter:
    """Make Gabor filters of several orientations, and take the strongest response.

    Orientations span 180 degrees for a phase of 0 or 180 degrees, whose stripes are symmetric, otherwise
    360 degrees, so that there are filters for edges of either polarity.
    """
    sigma = round(SIGMA_PER_WAVELENGTH * wavelength, 12) if sigma is None else sigma
    size = _size("gabor-bank", sigma, gamma) if size is None else size
    if orientations * size**2 > MAX_SIZE**2:
        raise CnncliError(
            f"gabor-bank: {orientations} orientations of {size}x{size}; "
            f"expected at most {MAX_SIZE**2 // size**2} of this size",
            "Give fewer orientations or a smaller size.",
        )
    turn = 180.0 if phase % 180 == 0 else 360.0
    thetas = [turn * index / orientations for index in range(orientations)]
    bank = tuple(
        freeze(_weights("gabor-bank", size, (wavelength, theta, sigma, gamma, phase))) for theta in thetas
    )
    spec = spec_of(
        "gabor-bank",
        orientations=orientations,
        wavelength=wavelength,
        sigma=sigma,
        gamma=gamma,
        phase=phase,
        size=size,
        output=output,
    )
    direction = output == "direction"
    return Bank(
        name="gabor-bank",
        spec=spec,
        signed=direction,
        gray=True,
        span=math.pi if direction else None,
        bank=bank,
        angles=tuple(math.radians(theta if theta <= 180 else theta - 360) for theta in thetas),
        output="direction" if direction else "max",
    )


def _size(name: str, sigma: float, gamma: float) -> int:
    size = 2 * math.ceil(_REACH * max(sigma, sigma / gamma)) + 1
    if size <= MAX_SIZE:
        return size
    shown = f"sigma={write_number(round(sigma, 3))},gamma={write_number(gamma)}"
    raise CnncliError(
        f"{name}: {shown} reaches over {size} pixels; expected at most {MAX_SIZE}",
        "Give a smaller sigma, a larger gamma, or the size itself.",
    )


def _weights(name: str, size: int, shape: tuple[float, float, float, float, float]) -> Weights:
    wavelength, theta, sigma, gamma, phase = shape
    across, down = math.cos(math.radians(theta)), math.sin(math.radians(theta))
    y, x = np.mgrid[:size, :size] - size // 2
    turned = x * across + y * down, -x * down + y * across
    window = np.exp(-(turned[0] ** 2 + (gamma * turned[1]) ** 2) / (2 * sigma**2))
    wave = window * np.cos(2 * math.pi * turned[0] / wavelength + math.radians(phase))
    # Subtracting a multiple of the envelope, not a constant, makes the sum 0 and keeps the margin at 0.
    wave -= window * (wave.sum() / window.sum())
    if np.abs(wave).max() < _NEGLIGIBLE_WEIGHT:
        raise CnncliError(
            f"{name}: nothing is left of a wave of {write_number(wavelength)} pixels in {size}x{size}; "
            "expected part of a bright and part of a dark stripe",
            "Give a larger size, another phase, or a shorter wavelength.",
        )
    return zero_sum(wave * (2 / np.abs(wave).sum()))[::-1, ::-1]


_WAVELENGTH = Parameter(
    name="wavelength",
    meaning="of the wave, in pixels",
    default="6",
    low=2,
    high=1024,
    aliases=("lambda", "period"),
)
_SHAPE = (
    Parameter(
        name="sigma",
        meaning="of the envelope, in pixels",
        default="0.56 wavelengths",
        low=0.3,
        high=MAX_SIGMA,
    ),
    Parameter(
        name="gamma",
        meaning="aspect ratio: sigma over the envelope's sigma along the stripes",
        default="0.5",
        low=0.05,
        high=20,
    ),
    Parameter(
        name="phase",
        meaning="degrees: 0 a bright line, 180 a dark one, -90 an edge rising along theta",
        default="0",
        low=-360,
        high=360,
        aliases=("psi",),
    ),
    Parameter(
        name="size",
        meaning="columns and rows",
        default="3 sigma to each side",
        kind="odd",
        low=3,
        high=MAX_SIZE,
        aliases=("ksize",),
    ),
)

GABOR = Entry(
    name="gabor",
    family="gabor",
    summary="texture of one wavelength and orientation",
    parameters=(
        _WAVELENGTH,
        Parameter(
            name="theta",
            meaning=f"direction across the stripes, {ANGLE_MEANING}",
            default="0",
            low=-360,
            high=360,
            aliases=("angle",),
        ),
        *_SHAPE,
    ),
    build=gabor,
    source="J. G. Daugman: Uncertainty Relation for Resolution in Space, Spatial Frequency and Orientation, "
    "1985; S. Marcelja: Mathematical Description of the Responses of Simple Cortical Cells, 1980; "
    "mean subtracted",
    example=Example(
        spec="gabor:wavelength=2,theta=0,sigma=1,gamma=1,phase=0,size=3",
        patch=((0, 1, 0), (0, 1, 0), (0, 1, 0)),
        expected=1.0,
        note="a bright line on the bright stripe: all positive weights, whose sum is 1",
    ),
)

GABOR_BANK = Entry(
    name="gabor-bank",
    family="gabor",
    summary="strongest response of Gabor filters of several orientations",
    parameters=(
        Parameter(
            name="orientations", meaning="number of orientations", default="8", kind="whole", low=1, high=360
        ),
        _WAVELENGTH,
        *_SHAPE,
        output_parameter("the strongest response, or the direction across its stripes"),
    ),
    build=gabor_bank,
    source="J. P. Jones, L. A. Palmer: An Evaluation of the Two-Dimensional Gabor Filter Model of Simple "
    "Receptive Fields in Cat Striate Cortex, 1987; maximum over orientations of the "
    "half-wave rectified responses",
    example=Example(
        spec="gabor-bank:orientations=2,wavelength=2,sigma=1,gamma=1,phase=0,size=3,output=magnitude",
        patch=((0, 0, 0), (0.5, 0.5, 0.5), (0, 0, 0)),
        expected=0.5,
        note="the horizontal line of half the full scale matches the second filter, theta = 90",
    ),
)

ENTRIES = {entry.name: entry for entry in (GABOR, GABOR_BANK)}
