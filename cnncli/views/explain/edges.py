"""Filters that answer edge or no edge, worked out: Canny's steps by their names, and zero-crossings."""

from dataclasses import dataclass, replace
from math import hypot

import numpy as np

from cnncli.filters.model import Canny, ZeroCrossings
from cnncli.filters.smoothing import gaussian_size, gaussian_taps
from cnncli.views.explain.arithmetic import Result, largest, weigh
from cnncli.views.explain.grids import fitted_decimals
from cnncli.views.explain.model import (
    CANNY_WINDOW,
    Branch,
    Explanation,
    Grid,
    Numbers,
    Place,
    as_printed,
    decimals_of,
    number,
    pixels_at,
)

OWN_CELL = 56  # pixels of a cell of a grid that is not of the window's size
_MIDDLE = CANNY_WINDOW // 2
_STEP = 4.0  # what the Sobel pair answers to a step of 1
Outcome = tuple[tuple[Branch, ...], tuple[str, ...], Result]


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


def canny(e: Explanation, f: Canny, place: Place) -> Outcome:
    """Work out whether a place is one of Canny's edges, step by step."""
    slopes = slopes_at(e, place, f.sigma)
    r = _MIDDLE
    reach = max(f.high, float(slopes.size.max()))
    grid = Grid(slopes.size, "signed", reach, 2, "gradient magnitude", marked=(r, r))
    steps = [("→", grid)]
    if e.stride == (1, 1):  # else the pixels of the feature map are no neighbours
        steps.append(("→", _written(e, place)))
    branch = Branch(tuple(steps), ())
    response = float(e.response[place[1], place[0]])
    lines = _canny_lines(f, slopes, edge=bool(e.shown[place[1], place[0]] > 0))
    return (branch,), lines, Result(response, response, 0)


def _canny_lines(f: Canny, slopes: Slopes, *, edge: bool) -> tuple[str, ...]:
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
    return Slopes(dx / (_STEP * e.full), dy / (_STEP * e.full))


def zero_crossings(e: Explanation, f: ZeroCrossings, patch: Grid, place: Place, cell: int) -> Outcome:
    """Work out whether the Laplacian of Gaussian changes its sign at a place."""
    branch, _ = weigh(patch, e.stack[0], "kernel", cell)
    near = _near(e, place)
    grid = Grid(near, "signed", largest(near), decimals_of(near), "sums here and around", marked=(1, 1))
    grid = replace(grid, decimals=fitted_decimals(grid, OWN_CELL, max(0, grid.decimals - 1)))
    branch = replace(branch, steps=(*branch.steps, ("→", grid)))
    edge = e.shown[place[1], place[0]] > 0
    response = float(e.response[place[1], place[0]])
    lines = _crossing_lines(e, f, grid, place, edge=bool(edge))
    return (branch,), lines, Result(response, response, 0)


def _near(e: Explanation, place: Place) -> Numbers:
    """Return the sums at a place and at its eight neighbours, (3, 3)."""
    h, w = e.window
    x, y = e.center(place)
    left, top = x - e.pivot[0], y - e.pivot[1]
    around, _ = pixels_at(e, np.arange(top - 1, top + h + 1), np.arange(left - 1, left + w + 1))
    return np.array([[(around[i : i + h, j : j + w] * e.stack[0]).sum() for j in range(3)] for i in range(3)])


def _crossing_lines(
    e: Explanation, f: ZeroCrossings, sums: Grid, place: Place, *, edge: bool
) -> tuple[str, ...]:
    """Say where the sign changes and by how much; the last word is the run's."""
    threshold = f.threshold * e.full
    least = number(threshold, decimals_of([threshold]))
    steps = [
        (abs(float(b - a)), f"from {number(a, sums.decimals)} to {number(b, sums.decimals)} {where}")
        for where, a, b in _pairs(e, sums.printed, place)
        if a * b < 0
    ]
    if not steps:
        return ("an edge",) if edge else ("no change of sign to the right or below: no edge",)
    step, text = max(steps)
    verdict = f"more than {least}, the threshold: an edge" if edge else f"no more than {least}: no edge"
    return f"the sign changes {text}", f"a step of {number(step, sums.decimals)}, {verdict}"


def _pairs(e: Explanation, sums: Numbers, place: Place) -> list[tuple[str, float, float]]:
    """Return the two sums that are compared in each direction; where the middle is 0, those around it."""
    H, W = e.gray.shape
    x, y = e.center(place)
    if not sums[1, 1]:
        return [
            ("from left to right", sums[1, 0], sums[1, 2]),
            ("from above to below", sums[0, 1], sums[2, 1]),
        ]
    right = [("to the right", sums[1, 1], sums[1, 2])] if x + 1 < W else []
    return [*right, ("below", sums[1, 1], sums[2, 1])] if y + 1 < H else right
