"""Cells with numbers on a canvas: the look that kernels, patches and products share."""

from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from cnncli.images.canvas import INK, Box, Canvas, measure, wrap
from cnncli.views.explain.model import Grid, Place

OWN_CELL = 56  # pixels of a cell of a grid that is not of the window's size
MUTED = "#5b6670"
LINE = "#c9d0d6"
RULE = "#e3e7ea"
NEGATIVE, POSITIVE = (75, 143, 214), (240, 140, 46)
"""Blue below zero and orange above: apart for every kind of colour sight, and in lightness from black."""

SMALLEST_TEXT = 13
SMALLEST_CELL = 32
_SMALLEST_RULED = 9
_LEADING = 1.42


def draw_grid(canvas: Canvas, at: Place, grid: Grid, cell: int) -> Box:
    """Draw a grid's cells with its left top corner at ``at``, numbers where they fit.

    Parameters
    ----------
    canvas : Canvas
        What is drawn on.
    at : (x, y)
        The left top corner.
    grid : Grid
        The numbers and their look.
    cell : int
        Side of a cell in pixels; from 32 up the numbers are written.

    Returns
    -------
    Box
        The cells, grid lines included.
    """
    h, w = grid.values.shape
    box = Box(at[0], at[1], at[0] + w * cell + 1, at[1] + h * cell + 1)
    colors = shade(grid)
    if cell < SMALLEST_CELL:
        canvas.image(Box(box.left, box.top, box.right - 1, box.bottom - 1), colors)
        if cell >= _SMALLEST_RULED and grid.look == "signed":
            _rule(canvas, box, cell)
        canvas.rect(box, outline=LINE)
    else:
        _draw_cells(canvas, box, grid, cell)
    if grid.marked is not None:
        x, y = box.left + grid.marked[0] * cell, box.top + grid.marked[1] * cell
        cell_box = Box(x, y, x + cell + 1, y + cell + 1)
        canvas.rect(cell_box, outline=INK, width=2 if cell > 9 else 1)
        canvas.rect(cell_box.grown(-2 if cell > 9 else 1), outline="#ffffff")
    return box


def shade(grid: Grid) -> NDArray[np.uint8]:
    """Return the colour of every cell, shape (h, w, 3), uint8."""
    v = np.nan_to_num(grid.values / (grid.reach or 1.0))
    if grid.look == "gray":
        return np.repeat(np.rint(255 * np.clip(v, 0, 1)).astype(np.uint8)[:, :, None], 3, axis=2)
    v = np.clip(v, -1, 1)[:, :, None]
    deep = np.where(v < 0, np.array(NEGATIVE), np.array(POSITIVE))
    return np.rint(255 + np.abs(v) * (deep - 255.0)).astype(np.uint8)


def cell_texts(grid: Grid, cell: int) -> tuple[list[list[str]], int]:
    """Return the numbers as they fit into cells of ``cell`` pixels, and their font size (0: none fit)."""
    if cell < SMALLEST_CELL:
        return [], 0
    texts = grid.texts
    largest = grid.size or min(20, max(15, cell // 3))
    size = _fitting_size(texts, cell, largest)
    return (texts, size) if size else ([], 0)


def is_legible(grid: Grid, cell: int) -> bool:
    """Tell whether a grid's numbers stand in cells of ``cell`` pixels; 0 is as large as they need."""
    return cell == 0 or cell_texts(grid, cell)[1] > 0


def fitted_decimals(grid: Grid, cell: int, fewest: int) -> int:
    """Return the most decimals, from the grid's own down to ``fewest``, that its cells have room for.

    Where none have, the grid's own.
    """
    for decimals in range(grid.decimals, fewest - 1, -1):
        if is_legible(replace(grid, decimals=decimals), cell):
            return decimals
    return grid.decimals


def _fitting_size(texts: list[list[str]], cell: int, largest: int) -> int:
    """Return the largest font size with which all texts fit into a cell; 0: none does."""
    for size in range(largest, SMALLEST_TEXT - 1, -1):
        if max(measure(s, size=size)[0] for row in texts for s in row) <= cell - 6:
            return size
    return 0


def draw_lines(canvas: Canvas, at: Place, lines: tuple[str, ...], width: int, size: int = 16) -> Box:
    """Write lines from ``at`` down, each wrapped to ``width`` with a little space between them."""
    x, y = at
    right = x
    for line in lines:
        for part in wrap(line, width, size=size):
            right = max(right, canvas.text((x, y), part, size=size).right)
            y += round(_LEADING * size)
        y += size // 3
    return Box(at[0], at[1], right, y - size // 3 if lines else y)


def lines_height(lines: tuple[str, ...], width: int, size: int = 16) -> int:
    """Return the height that ``draw_lines`` would need."""
    wrapped = sum(len(wrap(line, width, size=size)) for line in lines)
    return wrapped * round(_LEADING * size) + max(0, len(lines) - 1) * (size // 3)


def draw_legend(canvas: Canvas, center: Place, width: int = 180) -> Box:
    """Draw the scale of blue, white and orange, centred below ``center``."""
    x, y = center[0] - width // 2, center[1]
    ramp = Grid(np.linspace(-1, 1, 61)[None, :], "signed", 1.0, 0, "")
    canvas.image(Box(x, y, x + width, y + 10), np.repeat(shade(ramp), 2, axis=0))
    canvas.rect(Box(x, y, x + width, y + 10), outline=LINE)
    for where, s in ((x, "negative"), (center[0], "0"), (x + width, "positive")):
        canvas.text((where, y + 14), s, size=SMALLEST_TEXT, color=MUTED, anchor="mt")
    return Box(x, y, x + width, y + 14 + ceil(1.1 * SMALLEST_TEXT))


def _draw_cells(canvas: Canvas, box: Box, grid: Grid, cell: int) -> None:
    texts, size = cell_texts(grid, cell)
    block = max((measure(s, size=size)[0] for row in texts for s in row), default=0)
    colors = shade(grid)
    h, w = grid.values.shape
    for i in range(h):
        for j in range(w):
            place = Box(
                box.left + j * cell, box.top + i * cell, box.left + (j + 1) * cell, box.top + (i + 1) * cell
            )
            outside = grid.faint is not None and bool(grid.faint[i, j])
            r, g, b = (int(c) for c in colors[i, j])
            if outside:
                # Pixels that the border made up are pale, so that they read as not of the image.
                r, g, b = (255 - (255 - c) * 2 // 5 for c in (r, g, b))
            canvas.rect(place, fill=f"#{r:02x}{g:02x}{b:02x}")
            if texts:
                light = 0.3 * r + 0.6 * g + 0.1 * b
                x, y = place.center
                color = INK if light > 128 else "#ffffff"
                canvas.text((x + (block + 1) // 2, y), texts[i][j], size=size, color=color, anchor="rm")
    _rule(canvas, box, cell)


def _rule(canvas: Canvas, box: Box, cell: int) -> None:
    """Draw the lines between the cells and around them."""
    for y in range(box.top, box.bottom, cell):
        canvas.rect(Box(box.left, y, box.right, y + 1), fill=LINE)
    for x in range(box.left, box.right, cell):
        canvas.rect(Box(x, box.top, x + 1, box.bottom), fill=LINE)
