"""A network as the boxes of its feature maps, from left to right, as the figures of papers show it.

A box is as high as its maps are, as deep as they are wide, and as thick as there are many: by their square
roots, so that 224 pixels and 7 are both seen. What has a single pixel stands upright. Norms and activations
are slices at the right of the layer they follow.
"""

from collections.abc import Mapping, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from cnncli.images.canvas import INK
from cnncli.nn import INPUT, Shape
from cnncli.views.architecture.arrows import arrows
from cnncli.views.architecture.backward import BACK
from cnncli.views.architecture.cards import Card
from cnncli.views.architecture.ending import ending
from cnncli.views.architecture.example import column_picture, map_pictures
from cnncli.views.architecture.layout import Gaps, Layout, Route, Size
from cnncli.views.architecture.looks import CARD, COLORS, FAINT, Look, numbers_of, spoken, wrapped
from cnncli.views.architecture.page import Piece
from cnncli.views.architecture.sheet import END, Sheet
from cnncli.views.figure.scene import Area, Group, Item, Line, Picture, Point, Words, moved, rectangle

Extents = tuple[float, float, float]  # of a box: depth, height, thickness
_GAPS, _BACK_GAPS = Gaps(12.0, 16.0, ports=5.0), Gaps(22.0, 16.0, ports=8.0)
_APART = 4.5  # pixels between an arrow and the one back
_HIGHEST = 118.0  # of the input's box, in pixels
_DEPTH = 0.34  # of a side, drawn obliquely
_THICK = 0.8  # for the square root of the channels
_UPRIGHT = 1.7  # the same for what has a single pixel
_SLICE = 3.5
_LINE = 10.5
_TITLE, _TEXT = 9.0, 8.5
_WIDEST = 133  # of a line of the way back
_MOST_SHEETS, _STEP = 6, 4.0  # maps that lie on each other, and how far each shows
_ROWS, _CELL, _COLUMN = 20, 5.5, 12.0  # of a column of outputs: cells at most, a cell's height, and its width
_INPUT = ("#ffffff", "#5b6670")


class Stacks:
    """Boxes of feature maps, from left to right; of a picture its maps, facing the reader."""

    def gaps(self, *, back: bool) -> Gaps:
        """What is left free between cards, and for the arrows back."""
        return _BACK_GAPS if back else _GAPS

    def looks(self, sheet: Sheet) -> dict[str, Look]:
        """The look of each card, that of the input and of what stands at the end, at one scale."""
        shape = sheet.graph.input_shape
        scale = _HIGHEST / sqrt(max(shape[:2]))
        text = str(shape)
        picture = sheet.example.picture if sheet.example and sheet.example.drawn else None
        if picture is None:
            box = _boxed(_extents(shape, scale), [_INPUT])
        else:
            box = _stacked([picture], _extents(shape, scale), [_INPUT], shape)
        made = {INPUT: (box, f"input {text}", _texts(["input", text], []))}
        for card in sheet.shown:
            made[card.name] = _drawing(sheet, card, scale)
        below = _LINE * max(len(texts) for _, _, texts in made.values()) + 6
        looks = {
            name: _labelled(drawn, below, name, room=2 * _APART + 2 if sheet.back else 4.0)
            for name, drawn in made.items()
        }
        if sheet.has_end:
            end = ending(sheet)
            looks[END] = Look(end.width, end.height + below, end.items, below=below)
        return looks

    def size(self, look: Look) -> Size:
        """Along the flow, to the right, and across."""
        return look.width, look.height

    def piece(self, layout: Layout, looks: Mapping[str, Look], sheet: Sheet) -> Piece:
        """Boxes in their places, and arrows from one to the next, and back."""
        items: list[Item] = []
        below = looks[INPUT].below
        # where a flow goes on in its next part: as far above its place's middle as the middle of a box
        dot = Look(4.0, 12.0, (rectangle((0, 4 - below / 2, 4, 8 - below / 2), FAINT),))
        for (source, target), points in layout.routes.items():
            raised = _raised(points, below / 2, turns=(source, target) in layout.turns)
            start, end = looks.get(source, dot).margins[1], looks.get(target, dot).margins[0]
            raised.insert(0, (raised[0][0] - max(0.0, start - 2), raised[0][1]))  # level with the box
            raised.append((raised[-1][0] + max(0.0, end - 2), raised[-1][1]))
            items += arrows(
                (source, target), tuple(raised), (0.0, _APART) if sheet.goes_back(source) else None
            )
        for name, (left, _, top, _) in layout.places.items():
            items += [moved(item, (left, top)) for item in looks.get(name, dot).items]
        return Piece(layout.size[0], layout.size[1], tuple(items))


def _raised(points: Route, by: float, *, turns: bool) -> list[Point]:
    """A route whose ends are level with the boxes; where it passes others, it keeps its own place."""
    (_, first), (_, last) = points[0], points[-1]
    if turns:
        passing = [2, 3]
    else:
        passing = [number for number, (_, across) in enumerate(points) if across not in (first, last)]
    return [
        (along, across if number in passing else across - by) for number, (along, across) in enumerate(points)
    ]


_Box = tuple[float, float, list[Item]]  # width, height, and what is in it


def _drawing(sheet: Sheet, card: Card, scale: float) -> tuple[_Box, str, list[Words]]:
    """A card's box, what is said of it, and the text below it."""
    letter, role = sheet.letter_of(card), sheet.role_of(card)
    first = card.parts[0].words + (f" {letter}" if letter else "")
    times = f"{card.times} times" if card.times > 1 else ""
    note = f"{role}, training" if role else ""
    lines = [first, times, str(card.shape), *numbers_of(card).split(", "), note]
    colors = [COLORS[part.family] for part in card.parts]
    maps, back = sheet.maps_of(card), sheet.back_of(card)
    extents = _extents(card.shape, scale)
    if maps is None:
        box = _boxed(extents, colors)
    else:
        upright = maps.shape[:2] == (1, 1)
        pictures = [column_picture(maps, _ROWS)] if upright else map_pictures(maps, _sheets(extents))
        box = _stacked(pictures, extents, colors, card.shape)
    return box, spoken(card, back), _texts([line for line in lines if line], back)


def _texts(lines: Sequence[str], back: Sequence[str]) -> list[Words]:
    """Lines below a box: the first in bold, those of the way back in its colour."""
    lower = [line for text in back for line in wrapped(text, _WIDEST, _TEXT)]
    return [
        Words((0, 0), lines[0], _TITLE, INK, "middle", bold=True),
        *(Words((0, 0), line, _TEXT, FAINT, "middle") for line in lines[1:]),
        *(Words((0, 0), line, _TEXT, BACK, "middle") for line in lower),
    ]


def _labelled(drawn: tuple[_Box, str, list[Words]], below: float, key: str, *, room: float) -> Look:
    """A box with text below it, and so much room at its sides."""
    (total, height, items), title, texts = drawn
    width = room + max(total, *(text.length for text in texts))
    left = (width - total) / 2
    placed = [moved(item, (left, 0.0)) for item in items]
    base = height + 2
    for text in texts:
        base += _LINE
        placed.append(moved(text, (width / 2, base)))
    return Look(width, height + below, (Group(title, tuple(placed), (CARD, key)),), (left, left), below)


def _boxed(extents: Extents, colors: Sequence[tuple[str, str]]) -> _Box:
    """A box, sliced in colours."""
    depth, side, thick = extents
    items: list[Item] = []
    x = 0.0
    for number, pair in enumerate(colors):
        end = x + (_SLICE if number else thick)
        items.append(_front(x, end, (depth, side), pair))
        x = end
    items += [_top(0.0, x, (depth, side), colors[0]), _right(x, (depth, side), colors[0])]
    return x + depth, side + depth, items


def _sheets(extents: Extents) -> int:
    """Maps that lie on each other, for a box of some thickness."""
    return max(2, min(_MOST_SHEETS, round(extents[2] / 2)))


def _stacked(
    pictures: Sequence[NDArray[np.uint8]],
    extents: Extents,
    colors: Sequence[tuple[str, str]],
    shape: Shape,
) -> _Box:
    """Maps that lie on each other, the first in front; below them the colours of the layers."""
    height = extents[1]
    width = height * shape.width / shape.height
    if shape.height == shape.width == 1:
        height, width = max(height, _CELL * min(shape.channels, _ROWS)), _COLUMN
    reach = _STEP * (len(pictures) - 1)
    items: list[Item] = []
    for number, pixels in reversed(list(enumerate(pictures))):
        left, top = _STEP * number, reach - _STEP * number
        box = (left, top, left + width, top + height)
        items += [Picture(box, pixels), *_frame(box, colors[0][1])]
    base = reach + height + 2
    for number, (fill, outline) in enumerate(colors if colors[0] is not _INPUT else ()):
        items.append(
            rectangle((0, base + number * _SLICE, width, base + (number + 1) * _SLICE), fill, outline)
        )
    return width + reach, base + _SLICE * len(colors), items


def _frame(box: tuple[float, float, float, float], color: str) -> list[Item]:
    left, top, right, bottom = box
    corners = ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
    return [Line(corners, color, 0.8)]


def _extents(shape: Shape, scale: float) -> Extents:
    """Depth, height and thickness of a box, at pixels for the square root of one."""
    if shape.height == shape.width == 1:
        return 3.0, max(8.0, _UPRIGHT * sqrt(shape.channels)), 6.0
    depth, side = (scale * sqrt(pixels) for pixels in (shape.width, shape.height))
    return _DEPTH * depth, side, max(3.0, _THICK * sqrt(shape.channels))


def _front(left: float, right: float, size: tuple[float, float], colors: tuple[str, str]) -> Area:
    depth, side = size
    corners = ((left, depth), (right, depth), (right, depth + side), (left, depth + side))
    return Area(corners, colors[0], colors[1], 0.8)


def _top(left: float, right: float, size: tuple[float, float], colors: tuple[str, str]) -> Area:
    depth, _ = size
    corners = ((left, depth), (left + depth, 0.0), (right + depth, 0.0), (right, depth))
    return Area(corners, _shaded(colors[0], 1.03), colors[1], 0.8)


def _right(right: float, size: tuple[float, float], colors: tuple[str, str]) -> Area:
    depth, side = size
    corners = ((right, depth), (right + depth, 0.0), (right + depth, side), (right, depth + side))
    return Area(corners, _shaded(colors[0], 0.9), colors[1], 0.8)


def _shaded(color: str, factor: float) -> str:
    """A colour of a face that is turned to or from the light."""
    parts = (min(255, round(int(color[at : at + 2], 16) * factor)) for at in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in parts)
