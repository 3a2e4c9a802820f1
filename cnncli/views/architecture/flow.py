"""A network as a flow of cards from top to bottom, in columns; blocks have figures of their own."""

from collections.abc import Mapping, Sequence
from typing import Any

from cnncli.models.summary import Summary
from cnncli.nn import INPUT, Graph
from cnncli.nn.blocks import outline
from cnncli.nn.graph import MAIN
from cnncli.views.architecture.cards import Card, cards, structure
from cnncli.views.architecture.layout import Gaps, Layout, forms, layered
from cnncli.views.architecture.looks import DOT, FAINT, SMALL, TITLE, Look, narrow, wide
from cnncli.views.architecture.page import Heading, Piece, composed
from cnncli.views.figure.scene import Figure, Group, Item, Line, Words, moved, rectangle

_GAPS = Gaps(17.0, 14.0)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def flow(graph: Graph, table: Summary, heading: Heading, *, whole: bool = False) -> Figure:
    """Draw a network.

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
    looks = _looks(graph, shown, letters)
    edges = [(name, card.name) for card in shown for name in dict.fromkeys(card.reads)]
    insets = [inset(letter, card, table) for letter, card in kinds.items()]
    inside = [each for card in kinds.values() if card.block for each in cards(card.block, table, whole=True)]
    sizes = {name: (look.height, look.width) for name, look in looks.items()}
    mains = [
        Piece(layout.size[1], layout.size[0], tuple(_drawn(layout, looks)))
        for layout in forms(sizes, edges, _GAPS)
    ]
    return composed(mains, insets, heading, [*shown, *inside])


def lettered(shown: Sequence[Card]) -> dict[str, Card]:
    """A letter for each kind of block, and the first card of that kind."""
    found: dict[object, Card] = {}
    for card in shown:
        if card.block is not None:
            found.setdefault(structure(card.block), card)
    return dict(zip(_LETTERS, found.values(), strict=False))


def _looks(graph: Graph, shown: Sequence[Card], letters: Mapping[tuple[Any, ...], str]) -> dict[str, Look]:
    """The look of each card, all equally wide, and that of the input."""
    roles = {name: role for role, name in graph.outputs.items() if role != MAIN}

    def look(card: Card, width: float) -> Look:
        letter = letters.get(structure(card.block), "") if card.block else ""
        layers = [node.name for node in card.block.nodes] if card.block else card.names
        note = next((f"{roles[name]}: for training alone" for name in layers if name in roles), "")
        return wide(card, letter=letter, note=note, width=width)

    width = max((look(card, 0).width for card in shown), default=120.0)
    text = f"input {graph.input_shape}"
    words = Words((width / 2, 15), text, TITLE, anchor="middle")
    entry = Look(width, 22.0, (Group(text, (rectangle((0, 0, width, 22), "#ffffff", FAINT), words)),))
    return {INPUT: entry, **{card.name: look(card, width) for card in shown}}


def inset(letter: str, card: Card, table: Summary) -> Piece:
    """A block's own figure, with the numbers of the first of its kind."""
    if card.block is None:
        raise AssertionError(f"{card.name} is no block")
    inside = cards(card.block, table, whole=True)
    known = {each.name for each in inside}
    entry = Words((0, 9), "input", SMALL, FAINT)
    looks = {INPUT: Look(entry.length, 12, (entry,)), **{each.name: narrow(each) for each in inside}}
    reads = [(name if name in known else INPUT, each.name) for each in inside for name in each.reads]
    sizes = {name: (look.height, look.width) for name, look in looks.items()}
    layout = layered(sizes, list(dict.fromkeys(reads)), _GAPS)
    kind = card.parts[0].words
    title = Words((10, 18), f"{letter}: {kind}", TITLE, bold=True)
    where = Words((10, 30), f"numbers of {card.block.name}", SMALL, FAINT)
    width = max(layout.size[1], title.length, where.length) + 20
    height = layout.size[0] + 50
    shift = ((width - layout.size[1]) / 2, 40.0)
    drawn = (moved(item, shift) for item in _drawn(layout, looks))
    back = rectangle((0, 0, width, height), "#fafbfc", "#c9d1d9")
    return Piece(width, height, (Group(f"{letter}: the inside of {kind}", (back, title, where, *drawn)),))


def _drawn(layout: Layout, looks: Mapping[str, Look]) -> list[Item]:
    items: list[Item] = [
        Line(tuple((across, along) for along, across in points), FAINT, 1.2, arrow=True)
        for points in layout.routes.values()
    ]
    for name, (top, _, left, _) in layout.places.items():
        items += [moved(item, (left, top)) for item in looks.get(name, DOT).items]
    return items
