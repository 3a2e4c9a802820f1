"""A figure as pixels."""

from collections.abc import Iterator
from itertools import pairwise
from math import hypot

import numpy as np
from numpy.typing import NDArray

from cnncli.images.canvas import Box, Canvas
from cnncli.views.figure.scene import Area, Figure, Line, Picture, Point, Words, head_of

_DASH, _GAP = 4.0, 3.0


def as_pixels(figure: Figure, scale: float = 2.0) -> NDArray[np.uint8]:
    """Paint a figure.

    Parameters
    ----------
    figure : Figure
        What to paint.
    scale : float
        Pixels of the picture for each of the figure: 2 is 192 to the inch.

    Returns
    -------
    ndarray, shape (H, W, 3), uint8
    """
    canvas = Canvas(round(figure.width * scale), round(figure.height * scale))
    for item in figure.flat:
        if isinstance(item, Words):
            _write(canvas, item, scale)
        elif isinstance(item, Picture):
            canvas.image(Box(*(round(scale * value) for value in item.box)), item.pixels)
        elif isinstance(item, Area):
            _fill(canvas, item, scale)
        else:
            _draw(canvas, item, scale)
    return canvas.array()


def _write(canvas: Canvas, words: Words, scale: float) -> None:
    anchor = {"start": "ls", "middle": "ms", "end": "rs"}[words.anchor]
    at = (words.at[0] * scale, words.at[1] * scale)
    canvas.text(
        at, words.text, size=round(words.size * scale), color=words.color, anchor=anchor, bold=words.bold
    )


def _fill(canvas: Canvas, area: Area, scale: float) -> None:
    points = _scaled(area.points, scale)
    canvas.area(points, fill=area.fill)
    if area.outline:
        canvas.line([*points, points[0]], color=area.outline, width=area.width * scale)


def _draw(canvas: Canvas, line: Line, scale: float) -> None:
    parts = _dashes(line.points) if line.dashed else iter([line.points])
    for part in parts:
        canvas.line(_scaled(part, scale), color=line.color, width=line.width * scale)
    if line.arrow:
        canvas.area(_scaled(head_of(line), scale), fill=line.color)


def _scaled(points: tuple[Point, ...], scale: float) -> list[Point]:
    return [(x * scale, y * scale) for x, y in points]


def _dashes(points: tuple[Point, ...]) -> Iterator[tuple[Point, ...]]:
    """The dashes of a line, each of its straight parts for itself."""
    for (x0, y0), (x1, y1) in pairwise(points):
        length = hypot(x1 - x0, y1 - y0)
        at = 0.0
        while at < length:
            start, end = at / length, min(length, at + _DASH) / length
            yield (
                (x0 + start * (x1 - x0), y0 + start * (y1 - y0)),
                (x0 + end * (x1 - x0), y0 + end * (y1 - y0)),
            )
            at += _DASH + _GAP
