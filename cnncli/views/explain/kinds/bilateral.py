"""The bilateral filter: weights by distance and by difference in value."""

from dataclasses import replace
from typing import cast

import numpy as np

from cnncli.filters.kinds.bilateral import Bilateral
from cnncli.images.canvas import Box, Canvas
from cnncli.views.explain.arithmetic import Outcome, multiply, result, settled, sum_lines
from cnncli.views.explain.grids import MUTED, draw_grid, fitted_decimals, is_legible
from cnncli.views.explain.model import Branch, Explanation, Grid, Numbers, Place, channels_at


def caption(e: Explanation) -> str:
    """Say what a weight is made of."""
    return (
        "Each weight is the product of two, by distance and by difference: pixels that are near and similar "
        "count, those across an edge hardly do."
    )


def _bilateral(e: Explanation) -> Bilateral:
    return cast(Bilateral, e.filter)


def draw(canvas: Canvas, room: Box, e: Explanation) -> int:
    """Draw the two factors of a weight, by distance and by difference in value; return the y below."""
    f = _bilateral(e)
    r = f.size // 2
    i = np.arange(-r, r + 1)
    near = np.exp(-(i[:, None] ** 2 + i[None, :] ** 2) / (2 * f.sigma**2))
    cell = max(1, 170 // f.size)
    side = room.width // 2
    left = room.left + (side - f.size * cell) // 2
    box = draw_grid(canvas, (left, room.top), Grid(near, "signed", 1.0, 2, ""), cell)
    canvas.text((box.center[0], box.bottom + 8), "by distance", size=14, color=MUTED, anchor="mt")
    plot = Box(room.left + side + 20, room.top, room.right - 10, room.top + 170)
    canvas.rect(Box(plot.left, plot.bottom, plot.right, plot.bottom + 1), fill=MUTED)
    reach = min(1.0, round(4 * f.sigma_color, 2)) or 1.0
    steps = np.linspace(0, 1, 60)
    alike = np.exp(-((reach * steps) ** 2) / (2 * f.sigma_color**2))
    points = [
        (plot.left + s * plot.width, plot.bottom - 4 - a * (plot.height - 8))
        for s, a in zip(steps, alike, strict=True)
    ]
    canvas.line(points, color="#f08c2e", width=3)
    caption = f"by difference in {'value' if e.colors is None else 'colour'}"
    canvas.text((plot.center[0], plot.bottom + 8), caption, size=14, color=MUTED, anchor="mt")
    canvas.text((plot.left, plot.bottom + 28), "equal", size=13, color=MUTED)
    apart = f"{100 * reach:g}% of full scale"
    canvas.text((plot.right, plot.bottom + 28), apart, size=13, color=MUTED, anchor="rt")
    return plot.bottom + 46


def work_out(e: Explanation, patch: Grid, place: Place, cell: int) -> Outcome:
    """Multiply out the weights at this place, and divide by their sum."""
    f = _bilateral(e)
    r = f.size // 2
    i = np.arange(-r, r + 1)
    near = np.exp(-(i[:, None] ** 2 + i[None, :] ** 2) / (2 * f.sigma**2))
    alike = np.exp(-_squared_differences(e, patch, place) / (2 * (f.sigma_color * e.full) ** 2))
    weights = Grid(near * alike, "signed", 1.0, 3, "weights at this place", marked=(r, r))
    weights = replace(weights, decimals=fitted_decimals(weights, cell, 2))
    products, total = multiply(patch, weights, cell)
    by_hand = is_legible(products, cell)
    mass_real = float(weights.values.sum())
    mass = result(float((weights.printed if by_hand else weights.values).sum()), mass_real)
    found = result(total.shown / mass.shown if mass.shown else np.nan, total.real / mass_real)
    spelled = sum_lines(patch, weights, products, total)
    line = f"{total.text} ÷ {mass.text} = {found.text}"
    corrected, found = settled(found)
    lines = (f"the weights add up to {mass.text}", line, *corrected)
    branch = Branch((("×", weights), ("=", products)), tuple(spelled))
    return Outcome((branch,), lines, found)


def _squared_differences(e: Explanation, patch: Grid, place: Place) -> Numbers:
    """Return squared differences from the middle pixel: of grays, or summed over all channels of colours."""
    r = patch.values.shape[0] // 2
    return np.asarray(sum((values - values[r, r]) ** 2 for values in channels_at(e, place)))
