"""Apply and check metadata about pixels: orientation, colour profile, resolution."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from cnncli.images.picture import Pixels

_PROFILE_CHANNELS = {b"GRAY": 1, b"RGB ": 3}


def apply_orientation(pixels: Pixels, orientation: int) -> Pixels:
    """Rotate and flip pixels to upright.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, C)
        As stored in the file.
    orientation : int
        1 to 8. Source: JEITA CP-3451, EXIF 2.3, tag 274 (the sides on which row 0 and column 0 lie).

    Returns
    -------
    ndarray, shape (H, W, C), or (W, H, C) for 5 to 8
        C-contiguous; upright pixels are returned unchanged.
    """
    if orientation == 1:
        return pixels
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def fitting_profile(icc: bytes | None, channels: int, *, alpha: bool) -> bytes | None:
    """The colour profile if it fits the number of colour channels, else None."""
    if not icc or len(icc) < 132:
        return None
    return icc if _PROFILE_CHANNELS.get(icc[16:20]) == channels - alpha else None


def resolution(info: Mapping[Any, Any]) -> tuple[float, float] | None:
    """Pixels per inch from Pillow's info; None where it is missing or not plausible."""
    dpi = info.get("dpi")
    try:
        across, down = (float(value) for value in dpi)  # type: ignore[union-attr]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not all(math.isfinite(value) and 0 < value < 1e6 for value in (across, down)):
        return None
    return (across, down)
