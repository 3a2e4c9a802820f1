"""Flat structuring elements, and how the extremes of the pixels under one are found along rows."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.core.choices import MOST_PARTS, TALL, WIDENING
from cnncli.records import record

Mask = NDArray[np.bool_]
_MOST_WIDTHS = 20  # of runs that are kept, each for all rows of the element


@record
class Chord:
    """A run of cells of an element: the row, the first column, and the number of cells."""

    row: int
    first: int
    width: int


@record
class Stage:
    """Extremes of ``width`` neighbours, from those of fewer: places of windows (width, shift)."""

    width: int
    parts: tuple[tuple[int, int], ...]


@record
class Windows:
    """Windows along rows that together are an element.

    Attributes
    ----------
    stages : tuple of Stage
        How each width is made, narrow ones first.
    widths : tuple of int
        Those that are kept for as many rows as the element has.
    runs : tuple of Chord
        The windows of the element, of these widths.
    """

    stages: tuple[Stage, ...]
    widths: tuple[int, ...]
    runs: tuple[Chord, ...]


@record(eq=False)
class Element:
    """A flat structuring element.

    Attributes
    ----------
    cells : ndarray of bool, shape (kh, kw), both odd
        Its cells; the middle lies on the output pixel. The first and last rows and columns are not empty.
    """

    cells: Mask

    @property
    def reach(self) -> tuple[int, int]:
        """Cells to each side of the middle, (x, y)."""
        height, width = self.cells.shape
        return width // 2, height // 2

    @property
    def chords(self) -> tuple[Chord, ...]:
        """Its runs of cells, row by row."""
        found = []
        for row, cells in enumerate(self.cells):
            edges = np.flatnonzero(np.diff(np.concatenate([[False], cells, [False]])))
            for first, end in edges.reshape(-1, 2).tolist():
                found.append(Chord(row, first, end - first))
        return tuple(found)

    @property
    def is_tall_rectangle(self) -> bool:
        """Whether its columns are worth comparing in blocks."""
        return bool(self.cells.all()) and len(self.cells) > TALL

    def windows(self) -> "Windows":
        """How its runs are made of windows along rows."""
        chords = self.chords
        wanted = sorted({chord.width for chord in chords})
        if len(wanted) > _MOST_WIDTHS:  # rather than to keep all, each is the union of two
            wanted = [1 << power for power in range(wanted[-1].bit_length())]
        have, stages = [1], []
        for width in wanted:
            while -(-width // have[-1]) > MOST_PARTS:
                stages.append(_stage(WIDENING * have[-1], have[-1]))
                have.append(WIDENING * have[-1])
            stages.append(_stage(width, max(each for each in have if each <= width)))
            if width > have[-1]:
                have.append(width)
        runs = []
        for chord in chords:
            width = max(each for each in wanted if each <= chord.width)
            for first in dict.fromkeys((chord.first, chord.first + chord.width - width)):
                runs.append(Chord(chord.row, first, width))
        return Windows(tuple(dict.fromkeys(stages)), tuple(wanted), tuple(runs))


def _stage(width: int, narrow: int) -> Stage:
    """A window of windows that reach to its end, the last one overlapping the one before."""
    starts = [*range(0, width - narrow, narrow), width - narrow]
    return Stage(width, tuple((narrow, start) for start in starts))


def square(width: int, height: int) -> Mask:
    """A rectangle of odd sides."""
    return np.ones((height, width), bool)


def disk(radius: float) -> Mask:
    """The cells whose middle is at most ``radius`` from the centre."""
    half = int(radius)
    across = np.arange(-half, half + 1)
    return np.asarray(across**2 + across[:, None] ** 2 <= radius**2)


def diamond(radius: int) -> Mask:
    """The cells at most ``radius`` steps along rows and columns from the centre."""
    across = np.abs(np.arange(-radius, radius + 1))
    return np.asarray(across + across[:, None] <= radius)


def cross(size: int) -> Mask:
    """The middle row and the middle column of a square."""
    across = np.arange(-(size // 2), size // 2 + 1)
    return np.asarray((across == 0) | (across[:, None] == 0))


def line(length: float, angle: float) -> Mask:
    """A line through the centre, one cell for each row, or for each column where it is flatter.

    Parameters
    ----------
    length : float
        In pixels, from end to end.
    angle : float
        Degrees from the x axis towards the y axis, clockwise on the screen.
    """
    turn = math.radians(angle)
    across, down = math.cos(turn), math.sin(turn)
    longer = max(abs(across), abs(down))
    half = math.ceil(length * longer / 2 - 1 - 1e-9)
    steps = range(-half, half + 1)
    if abs(across) > abs(down) - 1e-12:
        cells = [(_rounded(step * down / across), step) for step in steps]
    else:
        cells = [(step, _rounded(step * across / down)) for step in steps]
    return _mask(cells)


def _rounded(value: float) -> int:
    """The nearest whole number, halves away from 0, so that a line is its own mirror image in its middle."""
    return int(math.copysign(math.floor(abs(value) + 0.5 + 1e-9), value))


def _mask(cells: Sequence[tuple[int, int]]) -> Mask:
    """Cells (row, column) around the middle of the smallest mask that holds them."""
    down, across = (max(abs(cell[axis]) for cell in cells) for axis in (0, 1))
    mask = np.zeros((2 * down + 1, 2 * across + 1), bool)
    for row, column in cells:
        mask[row + down, column + across] = True
    return mask
