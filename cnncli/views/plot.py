"""Line charts on a canvas: axes with round ticks, a grid, lines, and their names at the lines' ends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from cnncli.images.canvas import INK, Box, Canvas, measure

GRID, FAINT = "#e4e8ed", "#67727e"
BLUE, ORANGE, GREEN, RED = "#2768b0", "#d9701c", "#2f8f57", "#c43d3d"

Series = tuple[Sequence[float], Sequence[float]]


@dataclass(frozen=True)
class Curve:
    """A line of a chart.

    Attributes
    ----------
    name : str
        Written at its end.
    points : (x, y)
        Two sequences of one length.
    color : str
        ``#rrggbb``.
    width : float
        In pixels.
    """

    name: str
    points: Series
    color: str = BLUE
    width: float = 2.5


@dataclass(frozen=True)
class Scale:
    """An axis: its range and its ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, 0 at the low end, 1 at the high end; values outside are at the ends."""
        if self.log:
            value, low, high = log10(max(value, 1e-300)), log10(self.low), log10(self.high)
        else:
            low, high = self.low, self.high
        return min(1.0, max(0.0, (value - low) / (high - low)))


def linear_scale(low: float, high: float, *, count: int = 5, whole: bool = False) -> Scale:
    """An axis from a round number at or below ``low`` to one at or above ``high``."""
    if not high > low:
        high = low + (abs(low) or 1.0)
    raw = (high - low) / count
    power = 10.0 ** floor(log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    if whole:
        step = max(1.0, round(step))
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    ticks = tuple(round(i * step, 12) for i in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], ticks)


def log_scale(low: float, high: float) -> Scale:
    """An axis of powers, with ticks at 1, 2 and 5 of each where there are few."""
    first, last = floor(log10(low)), ceil(log10(high))
    digits = (1,) if last - first > 3 else (1, 2, 5) if last - first > 1 else (1, 2, 3, 5, 7)
    ticks = [d * 10.0**e for e in range(first, last + 1) for d in digits]
    low = max((t for t in ticks if t <= low * 1.0001), default=low)
    high = min((t for t in ticks if t >= high * 0.9999), default=high)
    if high <= low:
        high = low * 10
    return Scale(low, high, tuple(t for t in ticks if low * 0.999 <= t <= high * 1.001), log=True)


@dataclass(frozen=True)
class Chart:
    """A chart's frame: where it is, its axes, and how their numbers are written."""

    box: Box
    x: Scale
    y: Scale
    title: str
    x_title: str
    x_text: Callable[[float], str]
    y_text: Callable[[float], str]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies on the canvas."""
        left, right, bottom, top = self.box.left, self.box.right, self.box.bottom, self.box.top
        return left + self.x.share(x) * (right - left), bottom - self.y.share(y) * (bottom - top)


def draw_frame(canvas: Canvas, chart: Chart) -> None:
    """Draw the title, the grid and the numbers on the axes."""
    box = chart.box
    canvas.text((box.left, box.top - 22), chart.title, size=20, anchor="ls", bold=True)
    for tick in chart.y.ticks:
        _, y = chart.at(chart.x.low, tick)
        canvas.rect(Box(box.left, round(y), box.right, round(y) + 1), fill=GRID)
        canvas.text((box.left - 10, y), chart.y_text(tick), size=15, color=FAINT, anchor="rm")
    end = -1e9
    for tick in chart.x.ticks:
        x, _ = chart.at(tick, chart.y.low)
        text = chart.x_text(tick)
        width = measure(text, size=15)[0]
        if x - width / 2 < end + 12:
            continue
        canvas.rect(Box(round(x), box.bottom, round(x) + 1, box.bottom + 6), fill=FAINT)
        end = canvas.text((x, box.bottom + 11), text, size=15, color=FAINT, anchor="mt").right
    canvas.rect(Box(box.left, box.bottom, box.right + 1, box.bottom + 1), fill=FAINT)
    canvas.text(
        ((box.left + box.right) / 2, box.bottom + 36), chart.x_title, size=15, color=FAINT, anchor="mt"
    )


def draw_curves(canvas: Canvas, chart: Chart, curves: Sequence[Curve]) -> None:
    """Draw lines, and their names to the right of their ends, moved apart where they would touch."""
    ends: list[tuple[float, Curve]] = []
    for curve in curves:
        points = [chart.at(x, y) for x, y in zip(*curve.points, strict=True)]
        if not points:
            continue
        if len(points) > 1:
            canvas.line(points, color=curve.color, width=curve.width)
        if len(points) < 40:
            for point in points:
                canvas.disc(point, curve.width * 1.1, fill=curve.color)
        ends.append((points[-1][1], curve))
    ends.sort(key=lambda end: end[0])
    heights = _spread_out([y for y, _ in ends], gap=22.0, most=float(chart.box.bottom))
    for y, (_, curve) in zip(heights, ends, strict=True):
        canvas.text((chart.box.right + 14, y), curve.name, size=16, color=curve.color, anchor="lm", bold=True)


def _spread_out(wanted: list[float], *, gap: float, most: float) -> list[float]:
    """Heights near those wanted, which rise, at least ``gap`` apart and none beyond ``most``."""
    heights = list(wanted)
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + gap)
    limit = most
    for i in range(len(heights) - 1, -1, -1):
        heights[i] = min(heights[i], limit)
        limit = heights[i] - gap
    return heights


def page_title(canvas: Canvas, title: str, subtitle: str) -> int:
    """Write a page's heading; returns where the rest may begin, in pixels from the top."""
    canvas.text((40, 58), title, size=28, anchor="ls", bold=True)
    box = canvas.text((40, 88), subtitle, size=17, color=FAINT, anchor="ls")
    return box.bottom


__all__ = [
    "BLUE",
    "FAINT",
    "GREEN",
    "GRID",
    "INK",
    "ORANGE",
    "RED",
    "Chart",
    "Curve",
    "Scale",
    "draw_curves",
    "draw_frame",
    "linear_scale",
    "log_scale",
    "page_title",
]
