"""Handwritten digits in the format of MNIST: light on dark, 20 of 28 pixels tall or wide, centred by mass.

Source: LeCun, Cortes, Burges, The MNIST database of handwritten digits, 1998.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.core.luma import LUMA
from cnncli.images.resize import resized

DETAIL = 10  # a digit may be this many times smaller than its image
_LUMA = np.array(LUMA, np.float32)
_BOX = 20 / 28  # longer side of a digit, as a fraction of the image's side
_FAINTEST = 16  # of 255: an image with less contrast is empty
_EDGE = 50  # the background is measured in a band of 1/50 of the side, along the edge
_PIXELS_AT_ONCE = 1 << 18  # pixels converted to floats at a time, so that they stay in the cache
_REDUCE_FROM = 4  # images at least this many times larger than needed are reduced first
_AT_ONCE = 4096  # images that are checked at a time
_SLACK = 1.0  # tolerance in pixels for the centre and the box of a digit that is left as it is

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Digit:
    """A network's input, and what was done to get it.

    Attributes
    ----------
    pixels : ndarray, shape (H, W, 1), uint8
        Light on dark.
    changes : tuple of str
        Any of ``inverted``, ``cropped``, ``centred``, in this order; empty for an image that is like MNIST's.
    """

    pixels: Pixels
    changes: tuple[str, ...] = ()


def as_digit(gray: Pixels, shape: tuple[int, int, int]) -> Digit | None:
    """Convert the image of a handwritten digit to what a network trained on MNIST expects.

    An image of the right size with a dark background is left as it is. In others, the background, which is
    measured along the edge, becomes 0, and the digit is cropped, scaled to 20 of 28 pixels, and placed with
    its centre of mass in the middle.

    Parameters
    ----------
    gray : ndarray, shape (h, w), uint8
        The image, of any size.
    shape : (H, W, 1)
        Of the network's input.

    Returns
    -------
    Digit or None
        None for an empty image.
    """
    gray = _reduced(gray, DETAIL * max(shape[:2]))
    low, high = int(gray.min()), int(gray.max())
    ground = _ground(gray)
    inverted = 2 * ground > low + high
    fits = gray.shape == shape[:2]
    if high - low < _FAINTEST:
        return None
    if fits and not inverted:
        return Digit(gray[..., None])
    first = ("inverted",) if inverted else ()
    above = gray.astype(np.float32) - ground
    ink = _ink(-above if inverted else above)
    if fits and _is_placed(ink):
        return Digit(255 - gray[..., None], first)
    return Digit(_placed(ink, shape), (*first, "cropped", "centred"))


def are_digits(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which images `as_digit` leaves as they are because they have a dark background or are empty.

    Parameters
    ----------
    images : ndarray, shape (N, H, W, 1), uint8
        Of the network's input size.

    Returns
    -------
    ndarray, shape (N,), bool
    """
    count, height, width, _ = images.shape
    unchanged = np.empty(count, np.bool_)
    band = max(1, min(height, width) // _EDGE)
    for at in range(0, count, _AT_ONCE):
        gray = images[at : at + _AT_ONCE, ..., 0]
        flat = gray.reshape(len(gray), -1)
        low, high = flat.min(axis=1).astype(np.int64), flat.max(axis=1).astype(np.int64)
        sides = (gray[:, :band], gray[:, -band:], gray[:, :, :band], gray[:, :, -band:])
        edge = np.concatenate([side.reshape(len(gray), -1) for side in sides], axis=1)
        middle = edge.shape[1] // 2
        edge.partition(middle, axis=1)
        ground = edge[:, middle].astype(np.int64)
        unchanged[at : at + _AT_ONCE] = (high - low < _FAINTEST) | (2 * ground <= low + high)
    return unchanged


def on_contrast(pixels: Pixels) -> Pixels:
    """Pixels with opacity as gray (H, W): transparent ones become black or white, in contrast to the ink.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, 2 or 4), uint8
        The last channel is opacity.
    """
    rows = max(1, _PIXELS_AT_ONCE // pixels.shape[1])
    strips = [slice(at, at + rows) for at in range(0, len(pixels), rows)]
    ink = covered = 0.0
    for strip in strips:
        gray, opacity = _shades(pixels[strip])
        ink += float((gray * opacity).sum(dtype=np.float64))
        covered += float(opacity.sum(dtype=np.float64))
    ground = 255 if ink / max(1.0, covered) < 128 else 0
    out = np.empty(pixels.shape[:2], np.uint8)
    for strip in strips:
        gray, opacity = _shades(pixels[strip])
        out[strip] = np.rint(gray * opacity + ground * (1 - opacity))
    return out


def _shades(pixels: Pixels) -> tuple[Floats, Floats]:
    """Luma, 0 to 255, and opacity, 0 to 1, of pixels whose last channel is opacity."""
    floats = pixels.astype(np.float32)
    shades = floats[..., :-1]
    gray: Floats = shades @ _LUMA if shades.shape[2] == 3 else shades[..., 0]
    return gray, floats[..., -1] / np.float32(255)


def _reduced(gray: Pixels, side: int) -> Pixels:
    """Reduce a very large image by a whole factor, as a large JPEG is decoded: its strokes are wide enough.

    The following steps use floats, which took 7 GB for 180 megapixels.
    """
    factor = min(gray.shape) // (2 * side)
    if factor < _REDUCE_FROM:
        return gray
    height, width = (n // factor * factor for n in gray.shape)
    out = np.empty((height // factor, width // factor), np.uint8)
    for row in range(len(out)):
        band = gray[row * factor : (row + 1) * factor, :width].reshape(factor, -1, factor)
        out[row] = np.rint(band.mean(axis=(0, 2), dtype=np.float32))
    return out


def _ground(gray: Pixels) -> int:
    """The background: the median of the edge."""
    band = max(1, min(gray.shape) // _EDGE)
    sides = (gray[:band], gray[-band:], gray[:, :band], gray[:, -band:])
    edge = np.concatenate([side.ravel() for side in sides])
    edge.sort()
    return int(edge[edge.size // 2])


def _ink(above: Floats) -> Floats:
    """Difference from the background, 0 (background) to 1 (ink), with the contrast stretched."""
    ink = np.clip(above, 0, None)
    ink /= max(1e-6, float(ink.max()))
    middle = _threshold(ink)
    return np.asarray(np.clip((ink - middle / 2) * 2, 0, 1), np.float32)


def _threshold(values: Floats) -> float:
    """The threshold that best separates values (0 to 1) into two classes (Otsu, 1979)."""
    counts = np.bincount((255 * values).astype(np.uint8).ravel(), minlength=256).astype(np.float64)
    below = counts.cumsum()
    mass = (counts * np.arange(256)).cumsum()
    above = below[-1] - below
    inside = (below > 0) & (above > 0)
    apart = np.zeros(256)
    apart[inside] = (mass[-1] * below[inside] / below[-1] - mass[inside]) ** 2 / (below * above)[inside]
    best = np.flatnonzero(apart >= apart.max() * (1 - 1e-9))  # all levels in an empty valley are equally good
    return float(best.mean() + 1) / 256


def _bounds(ink: Floats) -> tuple[slice, slice]:
    """Rows and columns that contain ink."""
    mask = ink > 0.5 * float(ink.max())
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _center_of_mass(ink: Floats) -> tuple[float, float]:
    """Centre of mass (row, column), in pixels from the top left corner of the first pixel."""
    total = float(ink.sum())
    rows = float((ink.sum(axis=1) * (np.arange(ink.shape[0]) + 0.5)).sum()) / total
    columns = float((ink.sum(axis=0) * (np.arange(ink.shape[1]) + 0.5)).sum()) / total
    return rows, columns


def _is_placed(ink: Floats) -> bool:
    """Tell whether the digit has MNIST's size and position."""
    rows, columns = _bounds(ink)
    longest = max(rows.stop - rows.start, columns.stop - columns.start)
    expected = _BOX * min(ink.shape)
    off = max(abs(at - side / 2) for at, side in zip(_center_of_mass(ink), ink.shape, strict=True))
    return bool(abs(longest - expected) <= 2 * _SLACK and off <= _SLACK)


def _placed(ink: Floats, shape: tuple[int, int, int]) -> Pixels:
    """The digit cropped, scaled to its box, with its centre of mass in the middle."""
    rows, columns = _bounds(ink)
    cut = np.rint(255 * ink[rows, columns]).astype(np.uint8)[..., None]
    side = max(1.0, _BOX * min(shape[:2]))
    scale = side / max(cut.shape[:2])
    height, width = (max(1, round(n * scale)) for n in cut.shape[:2])
    # First across, then down: which comes first when both are asked for depends on the version of Pillow.
    small = resized(resized(cut, width, cut.shape[0]), width, height).astype(np.float32)[..., 0]
    small *= 255 / max(1.0, float(small.max()))  # thin strokes fade when they are reduced
    out = np.zeros(shape, np.uint8)
    at = [
        min(max(0, round(whole / 2 - middle)), whole - part)
        for whole, part, middle in zip(shape[:2], small.shape, _center_of_mass(small), strict=True)
    ]
    out[at[0] : at[0] + height, at[1] : at[1] + width, 0] = np.rint(small)
    return out
