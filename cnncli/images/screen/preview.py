"""Small versions of pictures for people to look at, made row by row of pictures of any size."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.images.large import LargePicture, facts_of, open_large
from cnncli.images.levels import picture_white
from cnncli.images.picture import Picture, Pixels
from cnncli.images.read import read_picture

_AT_ONCE = 1 << 20  # samples that become floats at a time
_DARK, _LIGHT = 0x66, 0x99  # of the squares behind what is transparent


class Shrinker:
    """Means of squares of a picture that comes in bands of rows; colours are weighed by opacity.

    Parameters
    ----------
    shape : (H, W, C)
        Of the picture.
    alpha : bool
        Whether the last channel is opacity.
    most : int
        Pixels that the longer side is to have; it gets so many at least, where the picture has, and fewer
        than twice as many.
    """

    def __init__(self, shape: tuple[int, ...], *, alpha: bool, most: int) -> None:
        height, width, channels = shape
        self._step, self._alpha, self._row = max(1, max(height, width) // most), alpha, 0
        self._height, self._width = height, width
        rows, columns = -(-height // self._step), -(-width // self._step)
        self._sums = np.zeros((rows, columns, channels))

    def add(self, rows: Pixels) -> None:
        """Take the next rows, (h, W, C)."""
        count = max(1, _AT_ONCE // (self._width * rows.shape[2]))
        for top in range(0, len(rows), count):
            self._add(rows[top : top + count])

    def _add(self, rows: Pixels) -> None:
        step = self._step
        values = np.nan_to_num(np.asarray(rows, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        if self._alpha:
            values[..., :-1] *= values[..., -1:]
        across = np.add.reduceat(values, np.arange(0, self._width, step), axis=1, dtype=np.float64)
        first = self._row // step
        starts = np.arange(first * step, self._row + len(rows), step) - self._row
        starts[0] = 0
        down = np.add.reduceat(across, starts, axis=0)
        self._sums[first : first + len(down)] += down
        self._row += len(rows)

    def passing(self, bands: Iterable[Pixels]) -> Iterator[Pixels]:
        """Bands as they come, each of which is taken on the way."""
        for rows in bands:
            self.add(rows)
            yield rows

    def means(self) -> NDArray[np.float64]:
        """The small picture, (h, w, C): opacity as it is, colours 0 where nothing is to be seen."""
        step = self._step
        tall = np.minimum(step, self._height - np.arange(0, self._height, step))
        wide = np.minimum(step, self._width - np.arange(0, self._width, step))
        counts = (tall[:, None] * wide)[..., None]
        if not self._alpha:
            return np.asarray(self._sums / counts)
        weights = self._sums[..., -1:]
        colors = self._sums[..., :-1] / np.where(weights > 0, weights, 1)
        return np.concatenate([colors, weights / counts], axis=2)


def as_shown(values: NDArray[np.float64], *, alpha: bool, white: float) -> NDArray[np.uint8]:
    """Pixels for a screen: RGB or RGB and opacity, (h, w, 3 or 4).

    Numbers that lie below 0 or above white, which arrays hold, are stretched: the smallest becomes black and
    the largest white. Of channels that are neither gray nor RGB the first is shown.

    Parameters
    ----------
    values : ndarray, shape (h, w, C)
        Of any scale.
    alpha : bool
        Whether the last channel is opacity.
    white : float
        The value of white, and of opaque.
    """
    shades = values[..., :-1] if alpha else values
    if shades.shape[2] not in (1, 3):
        shades = shades[..., :1]
    low, high = float(shades.min()), float(shades.max())
    if low == high or (low >= 0 and high <= white * (1 + 1e-6)):
        low, high = 0.0, white
    shades = (shades - low) / (high - low)
    parts = [np.broadcast_to(shades, (*shades.shape[:2], 3))]
    if alpha:
        parts.append(values[..., -1:] / white)
    return np.rint(np.clip(np.concatenate(parts, axis=2), 0, 1) * 255).astype(np.uint8)


def preview_of(picture: Picture, most: int, *, white: float | None = None) -> NDArray[np.uint8]:
    """A small version of the first frame, as it is shown: (h, w, 3 or 4).

    Parameters
    ----------
    picture : Picture
        Of any kind.
    most : int
        Pixels of the longer side, as for `Shrinker`.
    white : float or None
        The value of white; None: as `picture_white` finds.
    """
    small = Shrinker(picture.frames[0].shape, alpha=picture.alpha, most=most)
    small.add(picture.frames[0])
    white = picture_white(picture) if white is None else white
    return as_shown(small.means(), alpha=picture.alpha, white=white)


def preview_of_file(source: Path | bytes, most: int, *, name: str) -> NDArray[np.uint8]:
    """A small version of a file's first frame; large pictures are read in bands.

    Parameters
    ----------
    source : Path or bytes
        A file, or its content.
    most : int
        As for `preview_of`.
    name : str
        Of the file, in errors.

    Raises
    ------
    CnncliError
        Where it cannot be read.
    """
    large = open_large(source) if isinstance(source, Path) else None
    if not isinstance(large, LargePicture):
        return preview_of(read_picture(source, name=name, first=True, bands=True), most)
    with closing(large):
        picture = large.picture
        small = Shrinker(picture.frames[0].shape, alpha=picture.alpha, most=most)
        for rows in large.bands():
            small.add(rows)
        return as_shown(small.means(), alpha=picture.alpha, white=facts_of(large).white)


def on_squares(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A picture, (H, W, 3 or 4), over gray squares of some pixels a side where it is transparent."""
    if pixels.shape[2] == 3:
        return pixels
    height, width = pixels.shape[:2]
    odd = (np.arange(height)[:, None] // side + np.arange(width) // side) % 2
    ground = np.where(odd, _DARK, _LIGHT)[..., None]
    opacity = pixels[..., 3:] / 255
    return np.rint(pixels[..., :3] * opacity + ground * (1 - opacity)).astype(np.uint8)
