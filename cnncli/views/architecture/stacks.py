"""A network as the boxes of its feature maps, from left to right, as the figures of papers show it.

A box is as high as its maps are, as deep as they are wide, and as thick as there are many: by their square
roots, so that 224 pixels and 7 are both seen. What has a single pixel stands upright. Norms and activations
are slices at the right of the layer they follow.
"""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

from cnncli.images.canvas import INK
from cnncli.models.summary import Summary
from cnncli.nn import INPUT, Graph, Shape
from cnncli.nn.blocks import outline
from cnncli.nn.graph import MAIN
from cnncli.views.architecture.cards import Card, cards, structure
from cnncli.views.architecture.flow import inset, lettered
from cnncli.views.architecture.layout import Gaps, Layout, forms
from cnncli.views.architecture.looks import COLORS, FAINT, Look, numbers_of, spoken
from cnncli.views.architecture.page import Heading, Piece, composed
from cnncli.views.figure.scene import Area, Figure, Group, Item, Line, Words, moved, rectangle

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


def stacks(graph: Graph, table: Summary, heading: Heading, *, whole: bool = False) -> Figure:
    """Draw a network as boxes.

    Parameters
    ----------
    graph : Graph
        The network.
    table : Summary
        Its summary.
    heading : Heading
        Above it.
    whole : bool
        Show every layer of every block in its place.

    Returns
    -------
    Figure
        On one page of A4, upright or across, or smaller.
    """
    shown = cards(outline(graph), table, whole=whole)
    kinds = lettered(shown)
    letters = {structure(card.block): letter for letter, card in kinds.items() if card.block}
    drawer = _Drawer(graph, letters)
    looks = {INPUT: drawer.entry(), **{card.name: drawer.look(card) for card in shown}}
    edges = [(name, card.name) for card in shown for name in dict.fromkeys(card.reads)]
    sizes = {name: (look.width, look.height) for name, look in looks.items()}
    mains = [
        Piece(layout.size[0], layout.size[1], tuple(drawer.drawn(layout, looks)))
        for layout in forms(sizes, edges, _GAPS)
    ]
    insets = [inset(letter, card, table) for letter, card in kinds.items()]
    inside = [each for card in kinds.values() if card.block for each in cards(card.block, table, whole=True)]
    return composed(mains, insets, heading, [*shown, *inside])


class _Drawer:
    """Draws boxes at the scale of a network."""

    def __init__(self, graph: Graph, letters: Mapping[tuple[Any, ...], str]) -> None:
        self._graph = graph
        self._letters = letters
        self._roles = {name: role for role, name in graph.outputs.items() if role != MAIN}
        self._scale = _HIGHEST / sqrt(max(graph.input_shape[:2]))

    def entry(self) -> Look:
        """The image."""
        shape = self._graph.input_shape
        return self._labelled(f"input {shape}", shape, [_INPUT], ["input", str(shape)])

    def look(self, card: Card) -> Look:
        """A box with its text."""
        letter = self._letters.get(structure(card.block), "") if card.block else ""
        layers = [node.name for node in card.block.nodes] if card.block else card.names
        note = next((f"{self._roles[name]}, training" for name in layers if name in self._roles), "")
        first = card.parts[0].words + (f" {letter}" if letter else "")
        times = f"{card.times} times" if card.times > 1 else ""
        lines = [first, times, str(card.shape), *numbers_of(card).split(", "), note]
        colors = [COLORS[part.family] for part in card.parts]
        return self._labelled(spoken(card), card.shape, colors, [line for line in lines if line])

    def _labelled(
        self, title: str, shape: Shape, colors: Sequence[tuple[str, str]], lines: Sequence[str]
    ) -> Look:
        """A box, sliced in colours, with lines of text below it."""
        depth, side, thick = self._extents(shape)
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

    def _extents(self, shape: Shape) -> tuple[float, float, float]:
        """Depth, height and thickness of a box."""
        if shape.height == shape.width == 1:
            return 3.0, max(8.0, _UPRIGHT * sqrt(shape.channels)), 6.0
        depth, side = (self._scale * sqrt(pixels) for pixels in (shape.width, shape.height))
        return _DEPTH * depth, side, max(3.0, _THICK * sqrt(shape.channels))

    def drawn(self, layout: Layout, looks: Mapping[str, Look]) -> list[Item]:
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
        return items


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
