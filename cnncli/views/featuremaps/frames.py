"""Small pictures of one size: enlarged or reduced, with a frame around a part."""

import numpy as np
from numpy.typing import NDArray

from cnncli.images.resize import resized
from cnncli.views.colors import Colors, as_rgb

_MARK = (214, 33, 74)
_FEW = 8  # pixels of a part that gets a thin frame

Part = tuple[float, float, float, float]
"""Left, top, right and bottom, as shares of a picture."""


def size_within(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height of a picture whose longer side has so many pixels."""
    longest = max(width, height)
    return max(1, round(width * side / longest)), max(1, round(height * side / longest))


def fitted(pixels: NDArray[np.uint8], size: tuple[int, int]) -> Colors:
    """A picture in a width and height: pixels are repeated to enlarge it, and averaged to reduce it."""
    width, height = size
    rgb = as_rgb(pixels)
    if rgb.shape[0] > height or rgb.shape[1] > width:
        rgb = resized(rgb, min(width, rgb.shape[1]), min(height, rgb.shape[0]))
    rows = np.arange(height) * rgb.shape[0] // height
    columns = np.arange(width) * rgb.shape[1] // width
    return np.ascontiguousarray(rgb[rows][:, columns])


def framed(pixels: NDArray[np.uint8], part: Part, size: tuple[int, int]) -> Colors:
    """The same with a frame around a part of it."""
    width, height = size
    picture = fitted(pixels, size)
    left, right = _ends(part[0], part[2], width)
    top, bottom = _ends(part[1], part[3], height)
    thick = 2 if min(right - left, bottom - top) > _FEW else 1
    inside = picture[top + thick : bottom - thick, left + thick : right - thick]
    kept = inside.copy()
    picture[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = 255
    picture[top:bottom, left:right] = _MARK
    inside[...] = kept
    return picture


def _ends(low: float, high: float, whole: int) -> tuple[int, int]:
    """The first pixel and the one after the last, 3 apart at least."""
    first = min(round(low * whole), max(0, whole - 3))
    return first, min(whole, max(round(high * whole), first + 3))
