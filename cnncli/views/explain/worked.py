"""One output pixel of a filter, worked out from the patch under its window."""

from dataclasses import replace

import numpy as np

from cnncli.views.explain.arithmetic import UNROUNDED, result
from cnncli.views.explain.grids import fitted_decimals
from cnncli.views.explain.looks import look_of
from cnncli.views.explain.model import Explanation, Grid, Place, Working, decimals_of, patch_at
from cnncli.views.explain.pixels import pixel_lines


def work_out(e: Explanation, place: Place, cell: int = 0) -> Working:
    """Return the numbers that lead from the patch around ``place`` to its pixel.

    Parameters
    ----------
    e : Explanation
        A filter's run.
    place : (x, y)
        A pixel of the feature map.
    cell : int
        Side of the cells that the numbers have to fit into, in pixels; 0: as large as they need.
    """
    values, outside = patch_at(e, place)
    patch = Grid(values, "gray", e.full, decimals_of(values), "pixels", marked=e.pivot)
    fewest = patch.decimals - (patch.decimals not in (0, 2))
    patch = replace(patch, decimals=fitted_decimals(patch, cell, fewest))
    patch = replace(patch, faint=outside if outside.any() else None)
    outcome = look_of(e).work_out(e, patch, place, cell)
    found, lines = outcome.found, outcome.lines
    pixel = int(e.shown[place[1], place[0]])
    ran = float(e.response[place[1], place[0]])
    if not np.isclose(found.real, ran, rtol=1e-3, atol=1e-3 * e.full, equal_nan=True):
        # Weighted by opacity, repeated, or chosen by all channels: the page shows one pass over one channel.
        found = result(ran, ran)
        run = "in the whole run" if e.colors is None else "in the whole run, with all channels"
        lines = (*lines, f"{run}: {found.text}")
    lines = _corrected_once((*lines, *pixel_lines(e, found, pixel)))
    return Working(place, patch, outcome.branches, lines, found.real, pixel, outcome.bars)


def _corrected_once(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Drop a corrected number that is followed by the same with more digits."""
    return tuple(
        line
        for line, after in zip(lines, (*lines, "")[1:], strict=True)
        if not (line.startswith(UNROUNDED) and after.startswith(UNROUNDED))
    )
