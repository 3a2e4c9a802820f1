"""A network as a flow of cards from top to bottom, in columns; blocks have figures of their own."""

from collections.abc import Mapping, Sequence

from cnncli.nn import INPUT
from cnncli.views.architecture.cards import Card
from cnncli.views.architecture.layout import Gaps, Layout, Size, layered
from cnncli.views.architecture.looks import DOT, FAINT, SMALL, TITLE, Look, narrow, wide
from cnncli.views.architecture.page import Piece
from cnncli.views.architecture.sheet import Sheet
from cnncli.views.figure.scene import Group, Item, Line, Words, moved, rectangle

_GAPS = Gaps(17.0, 14.0)


class Flow:
    """Cards with all there is to say, from top to bottom."""

    gaps = _GAPS

    def looks(self, sheet: Sheet) -> dict[str, Look]:
        """The look of each card, all equally wide, and that of the input."""

        def look(card: Card, width: float) -> Look:
            role = sheet.role_of(card)
            note = f"{role}: for training alone" if role else ""
            return wide(card, letter=sheet.letter_of(card), note=note, width=width)

        width = max((look(card, 0).width for card in sheet.shown), default=120.0)
        text = f"input {sheet.graph.input_shape}"
        words = Words((width / 2, 15), text, TITLE, anchor="middle")
        entry = Look(width, 22.0, (Group(text, (rectangle((0, 0, width, 22), "#ffffff", FAINT), words)),))
        return {INPUT: entry, **{card.name: look(card, width) for card in sheet.shown}}

    def size(self, look: Look) -> Size:
        """Along the flow, downwards, and across."""
        return look.height, look.width

    def piece(self, layout: Layout, looks: Mapping[str, Look]) -> Piece:
        """Cards in their places, and the arrows between them."""
        return Piece(layout.size[1], layout.size[0], tuple(_drawn(layout, looks)))


def inset(letter: str, card: Card, inside: Sequence[Card]) -> Piece:
    """A block's own figure: the cards inside the first of its kind."""
    known = {each.name for each in inside}
    entry = Words((0, 9), "input", SMALL, FAINT)
    looks = {INPUT: Look(entry.length, 12, (entry,)), **{each.name: narrow(each) for each in inside}}
    reads = [(name if name in known else INPUT, each.name) for each in inside for name in each.reads]
    sizes = {name: (look.height, look.width) for name, look in looks.items()}
    layout = layered(sizes, list(dict.fromkeys(reads)), _GAPS)
    kind = card.parts[0].words
    title = Words((10, 18), f"{letter}: {kind}", TITLE, bold=True)
    where = Words((10, 30), f"numbers of {card.name}", SMALL, FAINT)
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
