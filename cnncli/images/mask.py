"""Pixels without data: a value in the file, an opacity of 0 in memory.

GDAL notes in a file which value stands for missing data. As a number it would spread over the pixels around.
"""

from typing import Any

import numpy as np

from cnncli.images.picture import FULL_SCALE, Pixels


def with_mask(pixels: Pixels, missing: float) -> Pixels:
    """Add an opacity: 0 where all samples of a pixel have the value of missing data, full elsewhere.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, C), uint8, uint16 or float32
        Colours; those of missing pixels become 0.
    missing : float
        The value, NaN perhaps. One that the type does not hold stands nowhere.
    """
    dtype = pixels.dtype
    if np.isnan(missing):
        there = ~np.isnan(pixels).all(axis=2, keepdims=True)
    else:
        there = (pixels != _in_type(missing, dtype)).any(axis=2, keepdims=True)
    opacity = there * dtype.type(FULL_SCALE[dtype.name])
    return np.concatenate([np.where(there, pixels, dtype.type(0)), opacity], axis=2, dtype=dtype)


def without_mask(pixels: Pixels, missing: float) -> Pixels:
    """Put the value of missing data where opacity, the last channel, is 0, and leave opacity out.

    A pixel with data, all of whose samples happen to have this value, moves by the least step, as with GDAL.
    """
    colors, there = pixels[..., :-1], pixels[..., -1:] > 0
    value = _in_type(missing, pixels.dtype)
    same = there & (colors == value).all(axis=2, keepdims=True)
    if same.any():
        colors = np.where(same, _beside(missing, pixels.dtype), colors)
    return np.where(there, colors, value)


def fits(missing: float, dtype: np.dtype[Any]) -> bool:
    """Whether a type holds the value."""
    if dtype.kind == "f":
        return bool(np.isfinite(_in_type(missing, dtype)) == np.isfinite(missing))
    return (
        missing == int(missing) and 0 <= missing <= FULL_SCALE[dtype.name] if np.isfinite(missing) else False
    )


def _in_type(missing: float, dtype: np.dtype[Any]) -> Any:
    """The value as samples of a type have it; itself where they cannot."""
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.float32(missing)
    return dtype.type(missing) if fits(missing, dtype) else missing


def _beside(missing: float, dtype: np.dtype[Any]) -> Any:
    """The next value of a type, towards 0."""
    if dtype.kind == "f":
        return np.nextafter(np.float32(missing), np.float32(0 if missing else 1))
    return dtype.type(missing - 1 if missing else 1)
