"""A contact sheet: each query at the left, what was found for it at the right, the nearest first."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.images.canvas import Box, Canvas, shorten
from cnncli.records import record
from cnncli.views.plot import BLUE, FAINT, GRID, INK, page_title

MOST = 60  # rows of a sheet
PICTURE = 208  # pixels of a query's longer side
_HIT, _GAP, _COLUMNS = 148, 18, 8
_EDGE, _ARROW = 40, 76  # margins, and the room between a query and its hits
_LINES = 50  # pixels under a picture: its bar, its distance and its name

Pixels = NDArray[np.uint8]


@record(eq=False)
class Shot:
    """A picture of a sheet.

    Attributes
    ----------
    pixels : ndarray, shape (h, w, 3), uint8, or None
        None where it cannot be read.
    name : str
        Written under it.
    distance : float or None
        From the query, 0 to 2; None of a query itself.
    note : str
        Written under the name of a query.
    """

    pixels: Pixels | None
    name: str
    distance: float | None = None
    note: str = ""


@record(eq=False)
class SheetRow:
    """A query, and what was found for it."""

    query: Shot
    hits: tuple[Shot, ...]


def contact_sheet(rows: Sequence[SheetRow], *, title: str, subtitle: str) -> Canvas:
    """Draw a sheet.

    Parameters
    ----------
    rows : sequence of SheetRow
        From the top; at most `MOST`.
    title, subtitle : str
        The heading.

    Returns
    -------
    Canvas
    """
    columns = min(_COLUMNS, max(4, *(len(row.hits) for row in rows)))
    left = _EDGE + PICTURE + _ARROW
    canvas = Canvas(left + columns * (_HIT + _GAP) - _GAP + _EDGE)
    room = canvas.width - 2 * _EDGE
    top = page_title(canvas, shorten(title, room, size=28), shorten(subtitle, room, size=17)) + 30
    for number, row in enumerate(rows):
        if number:
            canvas.line([(_EDGE, top - 16), (canvas.width - _EDGE, top - 16)], color=GRID, width=1.5)
        height = _query(canvas, row.query, top)
        if row.hits:
            y = top + _HIT / 2
            canvas.arrow((_EDGE + PICTURE + 20, y), (left - 20, y), color=FAINT, width=2)
        for place, hit in enumerate(row.hits):
            line, column = divmod(place, columns)
            at = left + column * (_HIT + _GAP), top + line * (_HIT + _LINES + _GAP)
            _found(canvas, hit, at)
            height = max(height, (line + 1) * (_HIT + _LINES + _GAP) - _GAP)
        top += height + 36
    return canvas


def _query(canvas: Canvas, query: Shot, top: int) -> int:
    """The picture that was searched for; returns its height with what is written under it."""
    bottom = draw_picture(canvas, query.pixels, Box(_EDGE, top, _EDGE + PICTURE, top + PICTURE)).bottom
    name = shorten(query.name, PICTURE, size=16)
    canvas.text((_EDGE, bottom + 8), name, size=16, color=INK, bold=True)
    if query.note:
        canvas.text((_EDGE, bottom + 30), shorten(query.note, PICTURE, size=14), size=14, color=FAINT)
    return bottom - top + (52 if query.note else 30)


def _found(canvas: Canvas, hit: Shot, at: tuple[int, int]) -> None:
    """A hit: its picture, a bar that is the longer the nearer it is, its distance and its name."""
    left, top = at
    draw_picture(canvas, hit.pixels, Box(left, top, left + _HIT, top + _HIT), standing=True)
    distance = hit.distance or 0.0
    bar = Box(left, top + _HIT + 6, left + _HIT, top + _HIT + 10)
    canvas.rect(bar, fill=GRID)
    filled = round(_HIT * max(0.0, 1 - distance))
    canvas.rect(Box(left, bar.top, left + filled, bar.bottom), fill=BLUE)
    number = canvas.text((left, bar.bottom + 5), f"{distance:.3f}", size=15, color=INK, bold=True)
    canvas.text((left, number.bottom), shorten(hit.name, _HIT, size=13), size=13, color=FAINT)


def draw_picture(canvas: Canvas, pixels: Pixels | None, square: Box, *, standing: bool = False) -> Box:
    """A picture that fills a square's width or height, at its top or standing at its bottom; else a cross."""
    if pixels is None:
        canvas.rect(square, fill="#f3f5f7", outline=GRID)
        box = square.grown(-square.width // 3)
        canvas.line([(box.left, box.top), (box.right, box.bottom)], color=FAINT, width=2)
        canvas.line([(box.left, box.bottom), (box.right, box.top)], color=FAINT, width=2)
        return square
    height, width = pixels.shape[:2]
    scale = square.width / max(height, width)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    left = square.left + (square.width - w) // 2
    top = square.bottom - h if standing else square.top
    return canvas.image(Box(left, top, left + w, top + h), pixels)
