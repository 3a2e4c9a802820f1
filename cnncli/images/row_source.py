"""Pictures whose rows are read when they are wanted, and forgotten."""

import math
from collections.abc import Callable
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.images.picture import Picture, Pixels

Fill = Callable[[Pixels, int], None]
"""Decode rows into an array (n, W, C), from a given one on; calls go downwards, or begin at the top again."""


def blank(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An array of zeros that takes no memory, for what depends on shape and type alone."""
    return np.broadcast_to(np.zeros((), dtype), shape)


class RowSource:
    """A picture of one frame that is read row by row.

    Parameters
    ----------
    picture : Picture
        What is known of it; its frame has the right shape and type, and no pixels (`blank`).
    fill : callable
        Decodes rows.
    """

    def __init__(self, picture: Picture, fill: Fill) -> None:
        self.picture = picture
        self._fill = fill
        self._held = np.empty((0, *picture.frames[0].shape[1:]), picture.dtype)
        self._first = 0  # row of the picture that is the first of those held

    def rows(self, start: int, stop: int) -> Pixels:
        """Rows of the picture, (stop - start, W, C); those shared with the last call are not decoded again.

        Parameters
        ----------
        start, stop : int
            Both at least those of the last call, or any to begin again.
        """
        held, end = self._held, self._first + len(self._held)
        rows = np.empty((stop - start, *held.shape[1:]), held.dtype)
        kept = min(end, stop) - start if self._first <= start < end else 0
        rows[:kept] = held[start - self._first : start - self._first + kept]
        self._held = held[:0]
        if kept < len(rows):
            self._fill(rows[kept:], start + kept)
        self._held, self._first = rows, start
        return rows


def read_numbers(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read an array at a stream's position.

    Raises
    ------
    EOFError
        Where the stream ends before it.
    """
    numbers = np.empty(math.prod(shape), dtype)
    view = numbers.view(np.uint8).data
    done = 0
    while done < len(view):
        count = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not count:
            raise EOFError(f"it ends {len(view) - done:,} bytes too early")
        done += count
    return numbers.reshape(shape)
