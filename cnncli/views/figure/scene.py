"""What there is to see in a figure, as data.

Legend: x runs to the right and y downwards, in pixels of 1/96 inch; colours are ``#rrggbb``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import hypot
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cnncli.images.canvas import INK, measure

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]
_HEAD = 7.0  # pixels of an arrow's head
_SHORTEST = 0.01  # pixels: what is shorter has no direction
_MEASURED = 64  # font size at which text is measured


@dataclass(frozen=True)
class Line:
    """A line through points.

    Attributes
    ----------
    points : tuple of (x, y)
    color : str
    width : float
    arrow : bool
        It ends in a head.
    dashed : bool
    """

    points: tuple[Point, ...]
    color: str = INK
    width: float = 1.0
    arrow: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class Area:
    """A filled polygon, with an outline.

    Attributes
    ----------
    points : tuple of (x, y)
        Its corners.
    fill : str
    outline : str or None
    width : float
        Of the outline.
    """

    points: tuple[Point, ...]
    fill: str
    outline: str | None = None
    width: float = 1.0


@dataclass(frozen=True)
class Words:
    """A line of text.

    Attributes
    ----------
    at : (x, y)
        Of its baseline: where it starts, its middle, or its end, as ``anchor`` says.
    text : str
    size : float
        Of the font, in pixels.
    color : str
    anchor : str
        ``start``, ``middle`` or ``end``.
    bold : bool
    """

    at: Point
    text: str
    size: float = 11
    color: str = INK
    anchor: Anchor = "start"
    bold: bool = False

    @property
    def length(self) -> float:
        """Its width in pixels, with the font that PNGs have; other fonts are made to fit it."""
        return measure(self.text, size=_MEASURED)[0] * self.size / _MEASURED * (1.03 if self.bold else 1.0)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        left = self.at[0] - {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor] * self.length
        return left, self.at[1] - 0.8 * self.size, left + self.length, self.at[1] + 0.25 * self.size


@dataclass(frozen=True, eq=False)
class Picture:
    """An image.

    Attributes
    ----------
    box : (left, top, right, bottom)
    pixels : ndarray, shape (H, W) or (H, W, 3), uint8
    """

    box: tuple[float, float, float, float]
    pixels: NDArray[np.uint8]

    @property
    def channels_last(self) -> NDArray[np.uint8]:
        """Its pixels, (H, W, 1) or (H, W, 3)."""
        return np.ascontiguousarray(self.pixels.reshape(*self.pixels.shape[:2], -1))


@dataclass(frozen=True)
class Group:
    """Things that are one to a reader.

    Attributes
    ----------
    title : str
        What a screen reader says, and what a browser shows under the pointer.
    items : tuple
        What is in it.
    key : tuple of str
        What it stands for, where others look for it; not shown.
    """

    title: str
    items: tuple["Item", ...]
    key: tuple[str, ...] = ()


Item = Line | Area | Words | Picture | Group


@dataclass
class Figure:
    """A figure.

    Attributes
    ----------
    width, height : float
        In pixels.
    title, description : str
        For those who do not see it.
    items : list
        In the order in which they are painted.
    """

    width: float
    height: float
    title: str
    description: str = ""
    items: list[Item] = field(default_factory=list)

    @property
    def flat(self) -> Iterator[Line | Area | Words | Picture]:
        """All items, also those in groups, in the order in which they are painted."""
        yield from _flat(self.items)


def _flat(items: Sequence[Item]) -> Iterator[Line | Area | Words | Picture]:
    for item in items:
        if isinstance(item, Group):
            yield from _flat(item.items)
        else:
            yield item


def moved(item: Item, by: Point) -> Item:
    """An item elsewhere: ``by`` (x, y) pixels to the right and down."""
    dx, dy = by
    if isinstance(item, Group):
        return Group(item.title, tuple(moved(each, by) for each in item.items), item.key)
    if isinstance(item, Words):
        at = (item.at[0] + dx, item.at[1] + dy)
        return Words(at, item.text, item.size, item.color, item.anchor, item.bold)
    if isinstance(item, Picture):
        left, top, right, bottom = item.box
        return Picture((left + dx, top + dy, right + dx, bottom + dy), item.pixels)
    points = tuple((x + dx, y + dy) for x, y in item.points)
    if isinstance(item, Line):
        return Line(points, item.color, item.width, item.arrow, item.dashed)
    return Area(points, item.fill, item.outline, item.width)


def scaled(item: Item, by: float) -> Item:
    """An item enlarged around (0, 0), with its text."""
    if isinstance(item, Group):
        return Group(item.title, tuple(scaled(each, by) for each in item.items), item.key)
    if isinstance(item, Words):
        at = (item.at[0] * by, item.at[1] * by)
        return Words(at, item.text, item.size * by, item.color, item.anchor, item.bold)
    if isinstance(item, Picture):
        left, top, right, bottom = item.box
        return Picture((left * by, top * by, right * by, bottom * by), item.pixels)
    points = tuple((x * by, y * by) for x, y in item.points)
    if isinstance(item, Line):
        return Line(points, item.color, item.width * by, item.arrow, item.dashed)
    return Area(points, item.fill, item.outline, item.width * by)


def rectangle(box: tuple[float, float, float, float], fill: str, outline: str | None = None) -> Area:
    """An upright rectangle: left, top, right, bottom."""
    left, top, right, bottom = box
    return Area(((left, top), (right, top), (right, bottom), (left, bottom)), fill, outline)


def parallel(points: tuple[Point, ...], by: Point) -> tuple[Point, ...]:
    """A line beside another.

    Parameters
    ----------
    points : tuple of (x, y)
        Of the other.
    by : (x, y)
        What its ends are moved by. Between them it keeps that distance, on the same side.
    """
    kept = [points[0]]
    ways = []
    for x, y in points[1:]:
        length = hypot(x - kept[-1][0], y - kept[-1][1])
        if length > _SHORTEST:
            ways.append(((x - kept[-1][0]) / length, (y - kept[-1][1]) / length))
            kept.append((x, y))
    apart = hypot(*by) * (1 if ways[0][0] * by[1] - ways[0][1] * by[0] >= 0 else -1)
    found = [(kept[0][0] + by[0], kept[0][1] + by[1])]
    for (x, y), before, after in zip(kept[1:-1], ways[:-1], ways[1:], strict=True):
        # where the two ways meet; not far beyond sharp corners
        stretch = apart / max(0.5, 1 + before[0] * after[0] + before[1] * after[1])
        found.append((x - stretch * (before[1] + after[1]), y + stretch * (before[0] + after[0])))
    found.append((kept[-1][0] + by[0], kept[-1][1] + by[1]))
    if len(found) > 2:  # a corner cut short by a sharp turn would turn the end around
        (ux, uy), (vx, vy) = ways[0], ways[-1]
        found[1] = _ahead(found[1], found[0], (ux, uy))
        found[-2] = _ahead(found[-2], found[-1], (-vx, -vy))
    return tuple(found)


def _ahead(corner: Point, end: Point, way: Point) -> Point:
    """A corner, moved along a way until it is far enough from an end for an arrow's head."""
    least = min(_HEAD, max(0.0, _HEAD - ((corner[0] - end[0]) * way[0] + (corner[1] - end[1]) * way[1])))
    return corner[0] + least * way[0], corner[1] + least * way[1]


def head_of(line: Line) -> tuple[Point, Point, Point]:
    """The corners of the head of a line's arrow: left, tip, right."""
    (x0, y0), (x1, y1) = line.points[-2], line.points[-1]
    length = max(1e-9, hypot(x1 - x0, y1 - y0))
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    back, half = 4.0 + 2 * line.width, 2.0 + 1.2 * line.width
    base = (x1 - back * ux, y1 - back * uy)
    return (base[0] - half * uy, base[1] + half * ux), (x1, y1), (base[0] + half * uy, base[1] - half * ux)
