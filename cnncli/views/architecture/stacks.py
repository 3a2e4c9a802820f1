"""A network as the boxes of its feature maps, from left to right, as the figures of papers show it.

A box is as high as its maps are, as deep as they are wide, and as thick as there are many: by their square
roots, so that 224 pixels and 7 are both seen. What has a single pixel stands upright. Norms and activations
are slices at the right of the layer they follow.
"""

from collections.abc import Mapping, Sequence
from math import sqrt

from cnncli.images.canvas import INK
from cnncli.nn import INPUT, Shape
from cnncli.views.architecture.cards import Card
from cnncli.views.architecture.layout import Gaps, Layout, Size
from cnncli.views.architecture.looks import COLORS, FAINT, Look, numbers_of, spoken
from cnncli.views.architecture.page import Piece
from cnncli.views.architecture.sheet import Sheet
from cnncli.views.figure.scene import Area, Group, Item, Line, Words, moved, rectangle

Extents = tuple[float, float, float]  # of a box: depth, height, thickness
_GAPS = Gaps(12.0, 16.0, ports=5.0)
_HIGHEST = 118.0  # of the input's box, in pixels
_DEPTH = 0.34  # of a side, drawn obliquely
_THICK = 0.8  # for the square root of the channels
_UPRIGHT = 1.7  # the same for what has a single pixel
_SLICE = 3.5
_LINE = 10.5
_LABEL = 5 * _LINE + 6  # height of the text below a box
_TITLE, _TEXT = 9.0, 8.5
#: Where a flow goes on in its next part: as far above its place's middle as the middle of a box.
_DOT = Look(4.0, 12.0, (rectangle((0, 4 - _LABEL / 2, 4, 8 - _LABEL / 2), FAINT),))
_INPUT = ("#ffffff", "#5b6670")


class Stacks:
    """Boxes of feature maps, from left to right."""

    gaps = _GAPS

    def looks(self, sheet: Sheet) -> dict[str, Look]:
        """The look of each card, and that of the input, at one scale."""
        shape = sheet.graph.input_shape
        scale = _HIGHEST / sqrt(max(shape[:2]))
        text = str(shape)
        entry = _labelled(f"input {text}", _extents(shape, scale), [_INPUT], ["input", text])
        return {INPUT: entry, **{card.name: _look(sheet, card, scale) for card in sheet.shown}}

    def size(self, look: Look) -> Size:
        """Along the flow, to the right, and across."""
        return look.width, look.height

    def piece(self, layout: Layout, looks: Mapping[str, Look]) -> Piece:
        """Boxes in their places, and arrows from one to the next."""
        items: list[Item] = []
        for (source, target), points in layout.routes.items():
            gutter = (2, 3) if (source, target) in layout.turns else ()
            raised = [
                (along, across if number in gutter else across - _LABEL / 2)
                for number, (along, across) in enumerate(points)
            ]
            start, end = looks.get(source, _DOT).margins[1], looks.get(target, _DOT).margins[0]
            raised.insert(0, (raised[0][0] - max(0.0, start - 2), raised[0][1]))  # level with the box
            raised.append((raised[-1][0] + max(0.0, end - 2), raised[-1][1]))
            items.append(Line(tuple(raised), FAINT, 1.1, arrow=True))
        for name, (left, _, top, _) in layout.places.items():
            items += [moved(item, (left, top)) for item in looks.get(name, _DOT).items]
        return Piece(layout.size[0], layout.size[1], tuple(items))


def _look(sheet: Sheet, card: Card, scale: float) -> Look:
    """A box with its text."""
    letter, role = sheet.letter_of(card), sheet.role_of(card)
    first = card.parts[0].words + (f" {letter}" if letter else "")
    times = f"{card.times} times" if card.times > 1 else ""
    note = f"{role}, training" if role else ""
    lines = [first, times, str(card.shape), *numbers_of(card).split(", "), note]
    colors = [COLORS[part.family] for part in card.parts]
    return _labelled(spoken(card), _extents(card.shape, scale), colors, [line for line in lines if line])


def _labelled(title: str, extents: Extents, colors: Sequence[tuple[str, str]], lines: Sequence[str]) -> Look:
    """A box, sliced in colours, with lines of text below it."""
    depth, side, thick = extents
    total = thick + _SLICE * (len(colors) - 1)
    texts = [
        Words((0, 0), line, _TITLE, INK, "middle", bold=True)
        if number == 0
        else Words((0, 0), line, _TEXT, FAINT, "middle")
        for number, line in enumerate(lines)
    ]
    room = max(total + depth, *(text.length for text in texts)) + 4
    left = (room - total - depth) / 2
    items: list[Item] = []
    x = left
    for number, pair in enumerate(colors):
        end = x + (_SLICE if number else thick)
        items.append(_front(x, end, (depth, side), pair))
        x = end
    items += [_top(left, x, (depth, side), colors[0]), _right(x, (depth, side), colors[0])]
    base = side + depth + 2
    for text in texts:
        base += _LINE
        items.append(Words((room / 2, base), text.text, text.size, text.color, "middle", text.bold))
    return Look(room, side + depth + _LABEL, (Group(title, tuple(items)),), (left, left))


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
