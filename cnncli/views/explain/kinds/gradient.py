"""A pair of derivative kernels: two sums, and the magnitude or direction of the gradient."""

from math import atan2, hypot

import numpy as np

from cnncli.images.canvas import Box, Canvas
from cnncli.views.explain.arithmetic import Outcome, angle_lines, noise, result, settled, weigh
from cnncli.views.explain.kernels import draw_kernels
from cnncli.views.explain.model import Explanation, Grid, Numbers, Place
from cnncli.views.explain.wording import rotated, scaled


def caption(e: Explanation) -> str:
    """Say what becomes of the two responses."""
    if e.filter.is_angle:
        what = "Their responses, dx and dy, form the gradient; it points to where brightness rises."
    else:
        what = (
            "Their responses, dx and dy, form the gradient; its magnitude, √(dx² + dy²), "
            "is the strength of the edge."
        )
    return f"{what}{rotated(e)}{scaled(e)}"


def draw(canvas: Canvas, room: Box, e: Explanation) -> int:
    """Draw both kernels; return the y below them."""
    return draw_kernels(canvas, room, e, _names(e.stack))


def _names(stack: Numbers) -> tuple[str, str]:
    """Name a gradient's kernels by their directions: along the axes, or (Roberts) along the diagonals."""
    dx, dy = stack[0], stack[1]
    rows = np.arange(dx.shape[0]) - (dx.shape[0] - 1) / 2
    columns = np.arange(dy.shape[1]) - (dy.shape[1] - 1) / 2
    aside = abs(float((dx * rows[:, None]).sum())) + abs(float((dy * columns).sum()))
    if aside > 1e-9 * float(np.abs(stack).sum()):
        return "dx: along a diagonal", "dy: along the other"
    return "dx: to the right", "dy: downwards"


def work_out(e: Explanation, patch: Grid, place: Place, cell: int) -> Outcome:
    """Multiply both kernels out, and combine their sums."""
    bx, dx = weigh(patch, e.stack[0], "dx kernel", cell)
    by, dy = weigh(patch, e.stack[1], "dy kernel", cell)
    parts = (f"dx = {dx.text}", f"dy = {dy.text}")
    if e.filter.is_angle:
        lines, found = angle_lines(
            "direction = atan2(dy, dx)",
            0.0 if hypot(dx.shown, dy.shown) <= noise(e) else atan2(dy.shown, dx.shown),
            0.0 if hypot(dx.real, dy.real) <= noise(e) else atan2(dy.real, dx.real),
        )
        return Outcome((bx, by), (*parts, *lines), found)
    found = result(hypot(dx.shown, dy.shown), hypot(dx.real, dy.real))
    line = f"√(dx² + dy²) = {found.text}"
    lines, found = settled(found)
    return Outcome((bx, by), (*parts, line, *lines), found)
