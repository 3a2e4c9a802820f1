"""Kuwahara's filter: the four corners of a window, and the mean of the one that varies least."""

from typing import cast

import numpy as np

from cnncli.filters.kinds.kuwahara import CORNERS, Kuwahara, least
from cnncli.filters.worked import show
from cnncli.images.canvas import Box, Canvas
from cnncli.views.explain.arithmetic import Outcome, Result
from cnncli.views.explain.grids import MUTED, draw_grid
from cnncli.views.explain.model import Explanation, Grid, Place, channels_at

_SIDE = 110  # pixels of a drawn window, about; windows of more than half as many are drawn as one of half
_GAP = 44  # between two, with a caption


def _kuwahara(e: Explanation) -> Kuwahara:
    return cast(Kuwahara, e.filter)


def caption(e: Explanation) -> str:
    """Say which corner is averaged."""
    f = _kuwahara(e)
    if e.colors is None:
        return f.explained
    return f"{f.explained} The variances of all channels add up, so that all are taken from one corner."


def draw(canvas: Canvas, room: Box, e: Explanation) -> int:
    """Draw the window four times, each with one of its corners; return the y below them."""
    size = min(_kuwahara(e).size, _SIDE // 2)
    cell, shown = max(1, _SIDE // size), size // 2 + 1
    left = room.left + (room.width - 2 * size * cell - _GAP) // 2
    bottom = room.top
    for number, name in enumerate(CORNERS):
        row, column = divmod(number, 2)
        corner = np.zeros((size, size))
        corner[row * (size - shown) :, column * (size - shown) :][:shown, :shown] = 0.6
        grid = Grid(corner, "signed", 1.0, 0, "", marked=(size // 2, size // 2))
        at = left + column * (size * cell + _GAP), room.top + row * (size * cell + _GAP)
        box = draw_grid(canvas, at, grid, cell)
        canvas.text((box.center[0], box.bottom + 8), name, size=14, color=MUTED, anchor="mt")
        bottom = box.bottom + 30
    return bottom


def work_out(e: Explanation, patch: Grid, place: Place, cell: int) -> Outcome:
    """Add up the variances of each corner, and take the mean of the one that varies least."""
    f = _kuwahara(e)
    means, _ = f.corners(patch.values)
    variances = np.array([f.corners(pixels)[1] for pixels in channels_at(e, place)])
    lines = [
        f"{name}: mean {show(mean)}, variance {_sum(parts.tolist())}"
        for name, mean, parts in zip(CORNERS, means, variances.T, strict=True)
    ]
    best = least(variances.sum(axis=0).tolist())
    text = show(means[best])
    value = float(text) if np.isfinite(means[best]) else means[best]
    lines.append(f"least variance: {CORNERS[best]}, mean {text}")
    return Outcome((), tuple(lines), Result(value, means[best], len(text.partition(".")[2])))


def _sum(parts: list[float]) -> str:
    """The variances of the channels, as they are written, and what they come to."""
    texts = [show(part) for part in parts]
    if len(texts) == 1:
        return texts[0]
    return f"{' + '.join(texts)} = {show(sum(map(float, texts)))}"
