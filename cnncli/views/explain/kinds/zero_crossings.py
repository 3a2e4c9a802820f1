"""Zero-crossings: the sums around a pixel, and where their sign changes."""

from dataclasses import replace
from typing import cast

import numpy as np

from cnncli.filters.kinds.zero_crossings import ZeroCrossings
from cnncli.images.canvas import Box, Canvas
from cnncli.views.explain.arithmetic import Outcome, Result, largest, weigh
from cnncli.views.explain.grids import OWN_CELL, fitted_decimals
from cnncli.views.explain.kernels import draw_kernels
from cnncli.views.explain.model import Explanation, Grid, Numbers, Place, decimals_of, number, pixels_at
from cnncli.views.explain.wording import scaled


def caption(e: Explanation) -> str:
    """Say where an edge is."""
    return f"The sum changes sign at an edge.{scaled(e)}"


def draw(canvas: Canvas, room: Box, e: Explanation) -> int:
    """Draw the kernel; return the y below it."""
    return draw_kernels(canvas, room, e)


def work_out(e: Explanation, patch: Grid, place: Place, cell: int) -> Outcome:
    """Work out whether the Laplacian of Gaussian changes its sign at a place."""
    branch, _ = weigh(patch, e.stack[0], "kernel", cell)
    near = _near(e, place)
    grid = Grid(near, "signed", largest(near), decimals_of(near), "responses here and around", marked=(1, 1))
    grid = replace(grid, decimals=fitted_decimals(grid, OWN_CELL, max(0, grid.decimals - 1)))
    branch = replace(branch, steps=(*branch.steps, ("→", grid)))
    edge = e.shown[place[1], place[0]] > 0
    response = float(e.response[place[1], place[0]])
    lines = _lines(e, cast(ZeroCrossings, e.filter), grid, place, edge=bool(edge))
    return Outcome((branch,), lines, Result(response, response, 0))


def _near(e: Explanation, place: Place) -> Numbers:
    """Return the sums at a place and at its eight neighbours, (3, 3)."""
    h, w = e.window
    x, y = e.center(place)
    left, top = x - e.pivot[0], y - e.pivot[1]
    around, _ = pixels_at(e, np.arange(top - 1, top + h + 1), np.arange(left - 1, left + w + 1))
    return np.array([[(around[i : i + h, j : j + w] * e.stack[0]).sum() for j in range(3)] for i in range(3)])


def _lines(e: Explanation, f: ZeroCrossings, sums: Grid, place: Place, *, edge: bool) -> tuple[str, ...]:
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
    verdict = (
        f"above the threshold of {least}: an edge" if edge else f"not above the threshold of {least}: no edge"
    )
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
