"""Morphology: the structuring element, whose cells say which pixels of a window count."""

from typing import cast

import numpy as np

from cnncli.filters.kinds.morphology import Morphology
from cnncli.images.canvas import Box, Canvas
from cnncli.views.explain.grids import MUTED, draw_grid
from cnncli.views.explain.model import Explanation, Grid

_SIDE = 240  # pixels of a drawn element, about; one of more than half as many cells is drawn by its middle


def draw(canvas: Canvas, room: Box, e: Explanation) -> int:
    """Draw the element, the cell on the output pixel marked; return the y below it."""
    cells = cast(Morphology, e.filter).cells
    height, width = cells.shape
    top, left = max(0, (height - _SIDE // 2) // 2), max(0, (width - _SIDE // 2) // 2)
    shown = np.where(cells[top : height - top, left : width - left], 0.6, 0.0)
    rows, columns = shown.shape
    cell = max(1, min(40, _SIDE // max(rows, columns)))
    grid = Grid(shown, "signed", 1.0, 0, "", marked=(columns // 2, rows // 2))
    box = draw_grid(canvas, (room.left + (room.width - columns * cell) // 2, room.top + 10), grid, cell)
    caption = f"the element: {np.count_nonzero(cells)} cells of {width} x {height}"
    canvas.text((box.center[0], box.bottom + 8), caption, size=14, color=MUTED, anchor="mt")
    return box.bottom + 30
