"""A network as a flow of cards from top to bottom, in columns; blocks have figures of their own."""

from collections.abc import Callable, Mapping, Sequence

from cnncli.nn import INPUT
from cnncli.views.architecture.arrows import arrows
from cnncli.views.architecture.backward import BACK, kinds_of
from cnncli.views.architecture.cards import Card
from cnncli.views.architecture.ending import ending
from cnncli.views.architecture.layout import Gaps, Layout, Size, layered
from cnncli.views.architecture.looks import (
    CARD,
    COLORS,
    DOT,
    FAINT,
    SMALL,
    TITLE,
    Extra,
    Look,
    narrow,
    wide,
    wrapped,
)
from cnncli.views.architecture.page import Piece
from cnncli.views.architecture.sheet import END, Sheet
from cnncli.views.figure.scene import Group, Item, Picture, Words, moved, rectangle

_GAPS, _BACK_GAPS = Gaps(17.0, 14.0), Gaps(20.0, 14.0)
_APART = 6.0  # pixels between an arrow and the one back
_PICTURE = 56.0  # height of the picture that goes in
_PANEL = 330.0


class Flow:
    """Cards with all there is to say, from top to bottom."""

    def gaps(self, *, back: bool) -> Gaps:
        """What is left free between cards, and for the arrows back."""
        return _BACK_GAPS if back else _GAPS

    def looks(self, sheet: Sheet) -> dict[str, Look]:
        """The look of each card, all equally wide, and that of the input."""

        def look(card: Card, width: float) -> Look:
            role = sheet.role_of(card)
            note = f"{role}: for training alone" if role else ""
            extra = Extra(tuple(sheet.back_of(card)), sheet.maps_of(card))
            return wide(card, letter=sheet.letter_of(card), note=note, width=width, extra=extra)

        width = max((look(card, 0).width for card in sheet.shown), default=120.0)
        text = f"input {sheet.graph.input_shape}"
        words = Words((width / 2, 15), text, TITLE, anchor="middle")
        items: list[Item] = [words]
        height = 22.0
        if sheet.example is not None and sheet.example.drawn:
            pixels = sheet.example.picture
            high, wide_ = _PICTURE, min(width - 12, _PICTURE * pixels.shape[1] / pixels.shape[0])
            left = (width - wide_) / 2
            items.append(Picture((left, height, left + wide_, height + high), pixels))
            height += high + 6
        back = rectangle((0, 0, width, height), "#ffffff", FAINT)
        entry = Look(width, height, (Group(text, (back, *items), (CARD, INPUT)),))
        ends = {END: ending(sheet)} if sheet.has_end else {}
        return {INPUT: entry, **{card.name: look(card, width) for card in sheet.shown}, **ends}

    def size(self, look: Look) -> Size:
        """Along the flow, downwards, and across."""
        return look.height, look.width

    def piece(self, layout: Layout, looks: Mapping[str, Look], sheet: Sheet) -> Piece:
        """Cards in their places, and the arrows between them, and back."""
        return Piece(layout.size[1], layout.size[0], tuple(_drawn(layout, looks, sheet.goes_back)))


def inset(letter: str, sheet: Sheet) -> Piece:
    """A block's own figure: the cards inside the first of its kind."""
    card, inside = sheet.kinds[letter], sheet.insides[letter]
    known = {each.name for each in inside}
    entry = Words((0, 9), "input", SMALL, FAINT)
    readers = sum(name not in known for each in inside for name in each.reads)

    def look(each: Card) -> Look:
        return narrow(each, Extra(tuple(sheet.back_of(each)), sheet.maps_of(each)))

    looks = {
        INPUT: _source(entry, readers if sheet.back else 0),
        **{each.name: look(each) for each in inside},
    }
    reads = [(name if name in known else INPUT, each.name) for each in inside for name in each.reads]
    sizes = {name: (look.height, look.width) for name, look in looks.items()}
    gaps = _BACK_GAPS if sheet.back else _GAPS
    layout = layered(sizes, list(dict.fromkeys(reads)), gaps)
    kind = card.parts[0].words
    title = Words((10, 18), f"{letter}: {kind}", TITLE, bold=True)
    where = Words((10, 30), f"numbers of {card.name}", SMALL, FAINT)
    width = max(layout.size[1], title.length, where.length) + 20
    height = layout.size[0] + 50
    shift = ((width - layout.size[1]) / 2, 40.0)
    drawn = (moved(item, shift) for item in _drawn(layout, looks, lambda _: sheet.back))
    back = rectangle((0, 0, width, height), "#fafbfc", "#c9d1d9")
    return Piece(width, height, (Group(f"{letter}: the inside of {kind}", (back, title, where, *drawn)),))


def _source(words: Words, arrows_back: int) -> Look:
    """What a block reads: a word, on a bar that is wide enough for what comes back."""
    width = 2.8 * _APART * arrows_back
    if width <= words.length:
        return Look(words.length, 12, (words,))
    back = rectangle((0, 0, width, 14), "#ffffff", FAINT)
    return Look(width, 14, (back, Words((width / 2, 10.5), words.text, words.size, words.color, "middle")))


def panel(sheet: Sheet, inner: Sequence[Card]) -> Piece:
    """The way back at each kind of layer: for networks in which it does not stand at the layers."""
    items: list[Item] = [Words((10, 18), "The way back, by the chain rule", TITLE, BACK, bold=True)]
    base = 20.0
    for terms, (words, family) in kinds_of(sheet.graph, [*sheet.shown, *inner]).items():
        base += 15
        items += [
            rectangle((10, base - 8, 18, base), *COLORS[family]),
            Words((24, base), words, SMALL, bold=True),
        ]
        for line in (part for term in terms for part in wrapped(term, _PANEL - 34, SMALL)):
            base += 11.5
            items.append(Words((24, base), line, SMALL, BACK))
    height = base + 10
    back = rectangle((0, 0, _PANEL, height), "#fffafa", "#e3c4c1")
    return Piece(_PANEL, height, (Group("the way back", (back, *items)),))


def _drawn(layout: Layout, looks: Mapping[str, Look], back: Callable[[str], bool]) -> list[Item]:
    items: list[Item] = []
    for edge, points in layout.routes.items():
        way = tuple((across, along) for along, across in points)
        items += arrows(edge, way, (-_APART, 0.0) if back(edge[0]) else None)
    for name, (top, _, left, _) in layout.places.items():
        items += [moved(item, (left, top)) for item in looks.get(name, DOT).items]
    return items
