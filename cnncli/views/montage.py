"""A montage: small pictures in a grid, each with its name, on one sheet."""

from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.images.canvas import Box, Canvas, shorten
from cnncli.images.screen.preview import on_squares
from cnncli.records import record
from cnncli.views.contact_sheet import draw_picture
from cnncli.views.plot import FAINT, INK, page_title

SIDES = (208, 176, 144, 112, 96, 80, 64, 56, 48)  # of pictures, in pixels: the largest that is not too much
LEAST, MOST = 16, 1024  # pixels a side that may be asked for
_PLENTY = 12_000_000  # pixels of a sheet whose pictures are as large as may be
_MOST_PIXELS = 48_000_000  # of any sheet: 144 MB
_LONGEST = 32_000  # pixels of a sheet's side
_EDGE, _HEAD = 40, 122  # margins, and the heading, in pixels
_ASPECT = 4 / 3  # of the sheet, about
_SQUARE = 8  # pixels a side of the squares behind what is transparent

Pixels = NDArray[np.uint8]


@record
class Grid:
    """Where the pictures of a sheet go.

    Attributes
    ----------
    count : int
        Pictures.
    columns : int
        Pictures in a row.
    side : int
        Pixels of a picture's longer side.
    """

    count: int
    columns: int
    side: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the sheet in pixels."""
        across, down = _cell(self.side)
        rows = -(-self.count // self.columns)
        width = 2 * _EDGE + self.columns * across - _gap(self.side)
        return max(width, _HEAD * 3), _HEAD + rows * down + _EDGE - _gap(self.side)

    def place(self, number: int) -> tuple[int, int]:
        """Left and top of a picture, from 0 on."""
        across, down = _cell(self.side)
        row, column = divmod(number, self.columns)
        return _EDGE + column * across, _HEAD + row * down


def grid_for(count: int, *, columns: int | None = None, side: int | None = None) -> Grid:
    """Lay a sheet out.

    Parameters
    ----------
    count : int
        Pictures, 1 or more.
    columns : int or None
        Pictures in a row; None: as many as make the sheet a third wider than high.
    side : int or None
        Pixels of a picture's longer side; None: the largest of `SIDES` that makes no sheet of more than 12
        megapixels, or the smallest.

    Raises
    ------
    CnncliError
        Where the sheet would have more than 48 megapixels, or a side of more than 32,000 pixels.
    """
    grids = [_grid(count, columns, each) for each in ((side,) if side else SIDES)]
    found = next((grid for grid in grids if _area(grid) <= _PLENTY), grids[-1])
    if _area(found) > _MOST_PIXELS or max(found.size) > _LONGEST:
        width, height = found.size
        raise CnncliError(
            f"the montage of {count:,} pictures of {found.side} pixels a side would have {width:,} x "
            f"{height:,} "
            f"pixels; expected {_MOST_PIXELS // 1_000_000} megapixels and {_LONGEST:,} a side at most",
            "Make pictures smaller with --thumbnail, choose other --columns, or show some of them.",
        )
    return found


def _area(grid: Grid) -> int:
    width, height = grid.size
    return width * height


def _grid(count: int, columns: int | None, side: int) -> Grid:
    across, down = _cell(side)
    return Grid(count, min(count, columns or max(1, ceil(sqrt(count * down * _ASPECT / across)))), side)


def _cell(side: int) -> tuple[int, int]:
    """Width and height of what a picture takes up with its name and the gap to the next."""
    return side + _gap(side), side + _under(side) + _gap(side)


def _gap(side: int) -> int:
    return 20 if side >= 96 else 10


def _under(side: int) -> int:
    """Pixels for what is written under a picture."""
    return 44 if side >= 96 else 18 if side >= 48 else 0


class Montage:
    """A sheet in the making: pictures are painted as they come, in any order, and not kept.

    Parameters
    ----------
    grid : Grid
        From `grid_for`.
    title, subtitle : str
        The heading.
    """

    def __init__(self, grid: Grid, *, title: str, subtitle: str) -> None:
        self.grid = grid
        width, height = grid.size
        self.pixels: Pixels = np.full((height, width, 3), 255, np.uint8)
        head = Canvas(width, _HEAD)
        room = width - 2 * _EDGE
        page_title(head, shorten(title, room, size=28), shorten(subtitle, room, size=17))
        self.pixels[:_HEAD] = head.array()

    def add(self, number: int, pixels: Pixels | None, *, name: str, short: str = "", note: str = "") -> None:
        """Paint a picture.

        Parameters
        ----------
        number : int
            Its place, from 0 on.
        pixels : ndarray, shape (h, w, 3 or 4), uint8, or None
            None where there is none: a cross is painted.
        name, note : str
            Written under it where there is room.
        short : str
            Written under small pictures in their place; by default the name.
        """
        side = self.grid.side
        cell = Canvas(side, side + _under(side))
        opaque = None if pixels is None else on_squares(pixels, _SQUARE)
        draw_picture(cell, opaque, Box(0, 0, side, side), standing=True)
        if side >= 96:
            cell.text((0, side + 6), shorten(name, side, size=14), size=14, color=INK)
            cell.text((0, side + 25), shorten(note, side, size=13), size=13, color=FAINT)
        elif side >= 48:
            cell.text((0, side + 4), shorten(short or name, side, size=11), size=11, color=INK)
        left, top = self.grid.place(number)
        self.pixels[top : top + cell.height, left : left + side] = cell.array()
