"""Linear light, and colour weighted by opacity."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.records import record

Pixels = NDArray[Any]
Floats = NDArray[np.float32]


@record
class Curve:
    """A tone curve: a power function with a linear segment near black, on a scale from 0 to 1.

    Attributes
    ----------
    name : str
        Its name in messages.
    cut, slope, offset, gamma : float
        Samples up to ``cut`` are ``slope`` times the light; above, light is
        ((sample + offset) / (1 + offset)) ** gamma.
    """

    name: str
    cut: float
    slope: float
    offset: float
    gamma: float


#: IEC 61966-2-1.
SRGB = Curve("sRGB", 0.04045, 12.92, 0.055, 2.4)


def to_linear(pixels: Pixels, white: float, curve: Curve = SRGB) -> Floats:
    """Decode samples to linear light on the same scale, float32; integers use a lookup table."""
    if pixels.dtype == np.float32:
        return _decoded(pixels.astype(np.float64) / white, white, curve)
    levels = np.arange(int(white) + 1, dtype=np.float64) / white
    table = _decoded(levels, white, curve)
    return np.asarray(table[pixels], np.float32)


def from_linear(light: Floats, white: float, curve: Curve = SRGB) -> Floats:
    """Encode linear light as samples on the same scale; the linear segment continues below black."""
    x = light / np.float32(white)
    power = np.power(np.maximum(x, 0, dtype=np.float32), np.float32(1 / curve.gamma))
    above = np.float32(1 + curve.offset) * power - np.float32(curve.offset)
    coded = np.where(x <= np.float32(curve.cut / curve.slope), x * np.float32(curve.slope), above)
    return np.asarray(coded * np.float32(white), np.float32)


def _decoded(x: NDArray[np.float64], white: float, curve: Curve) -> Floats:
    above = ((np.maximum(x, 0) + curve.offset) / (1 + curve.offset)) ** curve.gamma
    return np.asarray(np.where(x <= curve.cut, x / curve.slope, above) * white, np.float32)


def premultiplied(color: Pixels, opacity: Floats) -> Floats:
    """Colour (H, W, C) times opacity (H, W, 1) from 0 to 1, float32."""
    return np.asarray(color * opacity, np.float32)


def unmultiplied(color: Floats, opacity: Floats) -> Floats:
    """The inverse of `premultiplied`; 0 where there is no opacity."""
    return np.divide(color, opacity, out=np.zeros_like(color), where=opacity > np.float32(1e-6))
