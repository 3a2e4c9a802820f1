"""Weights as 16-bit integers, for sums of bytes that are rounded to bytes.

Sums of integers are exact; what is off are the weights. A sum that is further from a half than they, and the
float32 arithmetic of ``core/loops/direct.py``, can be off, rounds to the same integer by either way.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.core.choices import OPEN_BY_WEIGHTS, OPEN_SHARE
from cnncli.core.tiling import Surface
from cnncli.filters.model import Weights
from cnncli.records import record

WHITE = 255
MOST_OPEN = 32  # sums of any picture that may be close to a half
MOST = 2**15 - 1  # of a weight
SHARE_BITS = 16  # of sums of what weights lack: as in ``core/loops/kernel_rows.py``
ROUNDINGS = 3  # units: of the start by a half, of what is added for a range of samples by one each
MOST_SHIFT = 22  # a byte then still fits 31 bits
ROUNDING = 2.0**-24  # of a float32 operation, of its result


@record(eq=False)
class FixedPoint:
    """Weights, times the scale of the surface, in units of 2^-shift.

    Attributes
    ----------
    shift : int
        As above.
    weights : ndarray of int16, shape (kh, kw)
        The weights.
    start : int
        The bias and a half, in units of 2^-shift.
    error : int
        The largest error of a sum besides what the weights lack, in the same units.
    lean, spread : int
        Half the sum of what the weights lack, and of its magnitudes, in units of 2^-(shift + SHARE_BITS).
    """

    shift: int
    weights: NDArray[np.int16]
    start: int
    error: int
    lean: int
    spread: int

    @property
    def doubt(self) -> float:
        """The share of sums that is open, at most."""
        return 2 * (self.error + (WHITE * self.spread >> SHARE_BITS)) / 2.0**self.shift


def fixed_point(weights: Weights, surface: Surface) -> FixedPoint | None:
    """The weights of a direct convolution from bytes to bytes, or None where floats do it as well or better.

    None also where a flat area of black or white would lie on a half: all its sums would be in doubt.

    Parameters
    ----------
    weights : ndarray, shape (kh, kw)
        As applied to the image.
    surface : Surface
        Source and output.
    """
    scale, bias = float(np.float32(surface.scale)), float(np.float32(surface.bias))
    exact = weights.astype(np.float32).astype(np.float64) * scale  # no bit is lost
    reach = float(np.abs(exact).sum()) * WHITE + abs(bias) + 2
    largest = float(np.abs(exact).max())
    if not (0 < largest < MOST and reach < 2**30):
        return None
    shift = min(MOST_SHIFT, math.floor(math.log2(MOST / largest)), math.floor(math.log2(2**31 / reach)))
    if shift < 1:
        return None
    unit = 2.0**shift
    whole = np.rint(exact * unit)
    found = FixedPoint(
        shift,
        whole.astype(np.int16),
        round((bias + 0.5) * unit),
        math.ceil(float_error(weights, scale, bias) * unit) + ROUNDINGS,
        *lean_and_spread(exact * unit - whole),
    )
    open_ = found.doubt > OPEN_BY_WEIGHTS or on_a_half(float(exact.sum()), bias, found.error / unit)
    return None if open_ else found


def lean_and_spread(lacking: Weights) -> tuple[int, int]:
    """Half the sum of what weights lack, and of its magnitudes."""
    half = 2.0 ** (SHARE_BITS - 1)
    return round(float(lacking.sum()) * half), math.ceil(float(np.abs(lacking).sum()) * half)


def on_a_half(gain: float, bias: float, error: float) -> bool:
    """Whether a flat area of black or white is a byte and a half, as far as an error in levels can tell."""
    flat = [gain * level + bias for level in (0, WHITE)]
    return any(-1 < value < WHITE + 1 and abs(value % 1 - 0.5) <= error for value in flat)


def float_error(weights: Weights, scale: float, bias: float) -> float:
    """How far a sum of bytes in float32, tap by tap, scaled and biased, can be from the exact one, in levels.

    What is rounded last is a byte, or clamped to one.
    """
    return mapped_error(
        rounded_off(weights.astype(np.float32).astype(np.float64).ravel(), WHITE), scale, bias
    )


def mapped_error(total: float, scale: float, bias: float) -> float:
    """The error of a sum, scaled and biased, and what these round off."""
    return 1.001 * (total * abs(scale) + ROUNDING * (4 * (WHITE + 1) + 2 * abs(bias)))


def rounded_off(weights: Weights, most: float) -> float:
    """How far a sum of numbers from 0 to ``most`` in float32, tap by tap, can be from the exact one.

    Each tap rounds its product, unless that is fused with the addition, and the sum up to it, which lies
    between those of the negative and of the positive weights so far.
    """
    ends = (np.cumsum(limit(weights, 0)) for limit in (np.minimum, np.maximum))
    sums = np.maximum(*(np.abs(each) for each in ends))
    return ROUNDING * most * float(sums.sum() + np.abs(weights).sum())


def most_open(surface: Surface) -> int:
    """Sums of bytes close to a half that a thread settles; with more it gives up."""
    return round(OPEN_SHARE * surface.out.size) + MOST_OPEN


def gave_up(scratches: Sequence[NDArray[np.uint8]], surface: Surface) -> bool:
    """Whether a thread met more than `most_open`, by what it counted in its scratch memory."""
    return max(int(scratch[8:16].view(np.int64)[0]) for scratch in scratches) > most_open(surface)
