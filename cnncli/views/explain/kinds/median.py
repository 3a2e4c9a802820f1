"""The median: the pixels of a window in their order."""

import numpy as np

from cnncli.images.canvas import Box, Canvas
from cnncli.views.explain.arithmetic import Outcome, Result
from cnncli.views.explain.grids import MUTED, draw_grid
from cnncli.views.explain.model import Branch, Explanation, Grid, Place


def caption(e: Explanation) -> str:
    """Say that pixels are sorted."""
    h, w = e.window
    return (
        f"No weights: the {w * h} pixels of the window are sorted and the middle one, the median, is "
        "taken. Outliers end up at the ends."
    )


def draw(canvas: Canvas, room: Box, e: Explanation) -> int:
    """Draw nine grays out of order, then sorted, the middle one marked; return the y below them."""
    grays = np.array([[118.0, 96, 140, 255, 104, 125, 0, 132, 110]])
    cell = 40
    x = room.left + (room.width - 9 * cell) // 2
    first = draw_grid(canvas, (x, room.top + 20), Grid(grays, "gray", 255.0, 0, ""), cell)
    canvas.text((first.center[0], first.bottom + 8), "for example", size=14, color=MUTED, anchor="mt")
    canvas.arrow((first.center[0], first.bottom + 34), (first.center[0], first.bottom + 66), color=MUTED)
    ordered = Grid(np.sort(grays), "gray", 255.0, 0, "", marked=(4, 0))
    second = draw_grid(canvas, (x, first.bottom + 78), ordered, cell)
    caption = "sorted: the median is in the middle"
    canvas.text((second.center[0], second.bottom + 8), caption, size=14, color=MUTED, anchor="mt")
    return second.bottom + 30


def work_out(e: Explanation, patch: Grid, place: Place, cell: int) -> Outcome:
    """Sort the window."""
    h, w = patch.values.shape
    ordered = np.sort(patch.values, axis=None)
    middle = (w // 2, h // 2)
    grid = Grid(ordered.reshape(h, w), "gray", e.full, patch.decimals, "from dark to light", marked=middle)
    nth = ordered.size // 2
    found = Result(float(grid.printed.ravel()[nth]), float(ordered[nth]), patch.decimals)
    lines = (f"number {nth + 1} of {ordered.size}, the median, is {found.text}",)
    return Outcome((Branch((("sort", grid),), ()),), lines, found)
