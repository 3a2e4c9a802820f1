"""Luma, linear light, and colour weighted by opacity."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]
Floats = NDArray[np.float32]

# ITU-R BT.601-7, 2.5.1: luma of gamma-coded red, green and blue, as OpenCV, Pillow and JPEG have it.
LUMA = (0.299, 0.587, 0.114)
# ITU-R BT.709-6, item 3.2: luminance of linear red, green and blue.
LUMINANCE = (0.2126, 0.7152, 0.0722)
# IEC 61966-2-1 (sRGB): the line near black, then the power.
_SRGB_LINE, _SRGB_SLOPE, _SRGB_OFFSET, _SRGB_GAMMA = 0.04045, 12.92, 0.055, 2.4


def to_linear(pixels: Pixels, white: float) -> Floats:
    """Decode sRGB samples to linear light on the same scale, float32; integers go through a table."""
    if pixels.dtype == np.float32:
        return _decoded(pixels.astype(np.float64) / white, white)
    levels = np.arange(int(white) + 1, dtype=np.float64) / white
    table = _decoded(levels, white)
    return np.asarray(table[pixels], np.float32)


def from_linear(light: Floats, white: float) -> Floats:
    """Linear light as sRGB samples on the same scale; below black it continues the line."""
    x = light / np.float32(white)
    power = np.power(np.maximum(x, 0, dtype=np.float32), np.float32(1 / _SRGB_GAMMA))
    curve = np.float32(1 + _SRGB_OFFSET) * power - np.float32(_SRGB_OFFSET)
    coded = np.where(x <= np.float32(_SRGB_LINE / _SRGB_SLOPE), x * np.float32(_SRGB_SLOPE), curve)
    return np.asarray(coded * np.float32(white), np.float32)


def _decoded(x: NDArray[np.float64], white: float) -> Floats:
    curve = ((np.maximum(x, 0) + _SRGB_OFFSET) / (1 + _SRGB_OFFSET)) ** _SRGB_GAMMA
    return np.asarray(np.where(x <= _SRGB_LINE, x / _SRGB_SLOPE, curve) * white, np.float32)


def premultiplied(color: Pixels, opacity: Floats) -> Floats:
    """Colour (H, W, C) times opacity (H, W, 1) from 0 to 1, float32."""
    return np.asarray(color * opacity, np.float32)


def unmultiplied(color: Floats, opacity: Floats) -> Floats:
    """Colour that was weighted by opacity; 0 where nothing is left."""
    return np.divide(color, opacity, out=np.zeros_like(color), where=opacity > np.float32(1e-6))
