"""Canny's edges: its steps by their names."""

from dataclasses import dataclass
from math import hypot
from typing import cast

import numpy as np

from cnncli.filters.kinds.canny import SOBEL_STEP, Canny
from cnncli.filters.smoothing import gaussian_size, gaussian_taps
from cnncli.images.canvas import Box, Canvas, shorten
from cnncli.views.explain.arithmetic import Outcome, Result
from cnncli.views.explain.grids import LINE, MUTED
from cnncli.views.explain.model import (
    Branch,
    Explanation,
    Grid,
    Numbers,
    Place,
    as_printed,
    number,
    pixels_at,
)

_TEXT = 16
_MIDDLE = 2  # of the window, 5 x 5


def caption(e: Explanation) -> str:
    """Say what its steps do."""
    return (
        "Four steps lead to edges one pixel wide. Non-maximum suppression keeps a pixel whose gradient is "
        "larger than those of its two neighbours along it; hysteresis keeps edges above the high threshold, "
        "and those above the low one that are connected to them."
    )


def _canny(e: Explanation) -> Canny:
    return cast(Canny, e.filter)


def draw(canvas: Canvas, room: Box, e: Explanation) -> int:
    """Draw the steps as boxes with arrows from one to the next; return the y below them."""
    stages = _stages(_canny(e))
    y = room.top
    for i, stage in enumerate(stages):
        box = Box(room.left + 10, y, room.right - 10, y + 44)
        canvas.rect(box, fill="#f4f6f7", outline=LINE)
        canvas.text(box.center, shorten(stage, box.width - 16, size=_TEXT), size=_TEXT, anchor="mm")
        y = box.bottom
        if i + 1 < len(stages):
            canvas.arrow((box.center[0], y + 4), (box.center[0], y + 24), color=MUTED)
            y += 30
    return y


def _stages(f: Canny) -> tuple[str, ...]:
    return (
        f"Gaussian blur, sigma {f.sigma:g}",
        "gradient by Sobel: magnitude, direction",
        "non-maximum suppression along it",
        f"hysteresis: low {f.low:g}, high {f.high:g}",
    )


@dataclass(frozen=True, eq=False)
class Slopes:
    """Sobel's gradient of the smoothed image around a place, shape (5, 5), as shares of full scale."""

    dx: Numbers
    dy: Numbers

    @property
    def size(self) -> Numbers:
        """Magnitudes."""
        return np.hypot(self.dx, self.dy)

    @property
    def along(self) -> tuple[float, float]:
        """Magnitudes one step ahead and one behind the middle along its gradient, interpolated.

        Source: J. Canny: A Computational Approach to Edge Detection, 1986, section VI.
        """
        r, size = _MIDDLE, self.size
        dx, dy = float(self.dx[r, r]), float(self.dy[r, r])
        steep = abs(dy) > abs(dx)
        large, small = max(abs(dx), abs(dy)), min(abs(dx), abs(dy))
        if not large:
            return float(size[r, r]), float(size[r, r])
        step = (0, 1) if steep else (1, 0)  # (x, y)
        side = 1 if dx * dy > 0 else -1
        corner = (1, 1) if side > 0 else ((-1, 1) if steep else (1, -1))
        share = small / large  # of the corner's magnitude, the rest of the one straight ahead

        def beside(s: int) -> float:
            straight = size[r + s * step[1], r + s * step[0]]
            return float((1 - share) * straight + share * size[r + s * corner[1], r + s * corner[0]])

        return beside(1), beside(-1)


def work_out(e: Explanation, patch: Grid, place: Place, cell: int) -> Outcome:
    """Work out whether a place is an edge, step by step."""
    f = _canny(e)
    slopes = slopes_at(e, place, f.sigma)
    r = _MIDDLE
    reach = max(f.high, float(slopes.size.max()))
    grid = Grid(slopes.size, "signed", reach, 2, "gradient, 1 = full scale", marked=(r, r))
    steps = [("→", grid)]
    if e.stride == (1, 1):  # else the pixels of the feature map are no neighbours
        steps.append(("→", _written(e, place)))
    branch = Branch(tuple(steps), ())
    response = float(e.response[place[1], place[0]])
    lines = _lines(f, slopes, edge=bool(e.shown[place[1], place[0]] > 0))
    return Outcome((branch,), lines, Result(response, response, 0))


def _lines(f: Canny, slopes: Slopes, *, edge: bool) -> tuple[str, ...]:
    """Say what each step makes of the middle pixel; the last word is the run's."""
    r = _MIDDLE
    dx, dy = (float(as_printed(v[r, r], 3)) for v in (slopes.dx, slopes.dy))
    here = float(as_printed(hypot(dx, dy), 3))
    real = float(slopes.size[r, r])
    lines = [f"dx = {number(dx, 3)}, dy = {number(dy, 3)}", f"magnitude √(dx² + dy²) = {number(here, 3)}"]
    if not edge and real < f.low:
        return (*lines, f"below the low threshold, {f.low:g}: no edge")
    ahead, behind = slopes.along
    lines.append(f"its neighbours along the gradient: {number(ahead, 3)} and {number(behind, 3)}")
    if not edge and max(ahead, behind) >= real:
        return (*lines, "non-maximum suppression: not the largest, dropped")
    lines.append("non-maximum suppression: the largest, kept")
    if real >= f.high:
        return (*lines, f"hysteresis: at least high, {f.high:g}: a strong edge")
    joined = "connected to a strong one: kept" if edge else "connected to no strong one: dropped"
    return (*lines, f"hysteresis: between {f.low:g} and {f.high:g}, a weak edge, {joined}")


def _written(e: Explanation, place: Place) -> Grid:
    """Return what is written out around a place; cells off the feature map are 0 and faint."""
    h, w = e.shown.shape
    r = _MIDDLE
    ys, xs = place[1] + np.arange(-r, r + 1), place[0] + np.arange(-r, r + 1)
    off = ((ys < 0) | (ys >= h))[:, None] | ((xs < 0) | (xs >= w))[None, :]
    values = e.shown[np.ix_(np.clip(ys, 0, h - 1), np.clip(xs, 0, w - 1))].astype(np.float64)
    faint = off if off.any() else None
    return Grid(np.where(off, 0.0, values), "gray", 255.0, 0, "edges", marked=(r, r), faint=faint)


def slopes_at(e: Explanation, place: Place, sigma: float) -> Slopes:
    """Return Sobel's gradient of the smoothed image around a place."""
    size = gaussian_size(sigma)
    bell = gaussian_taps(sigma, size)
    x, y = e.center(place)
    far = _MIDDLE + 1 + size // 2
    values, _ = pixels_at(e, y + np.arange(-far, far + 1), x + np.arange(-far, far + 1))
    down = np.apply_along_axis(np.convolve, 0, values, bell, "valid")
    smooth = np.apply_along_axis(np.convolve, 1, down, bell, "valid")
    rows = smooth[:-2] + 2 * smooth[1:-1] + smooth[2:]
    columns = smooth[:, :-2] + 2 * smooth[:, 1:-1] + smooth[:, 2:]
    dx, dy = rows[:, 2:] - rows[:, :-2], columns[2:] - columns[:-2]
    return Slopes(dx / (SOBEL_STEP * e.full), dy / (SOBEL_STEP * e.full))
