"""How cards look: colours of families of layers, and the text on a card."""

from collections.abc import Sequence
from dataclasses import dataclass

from cnncli.text import amount
from cnncli.views.architecture import cards as kinds
from cnncli.views.architecture.cards import Card, Part
from cnncli.views.figure.scene import Area, Group, Item, Words, rectangle

FAINT = "#5b6670"
#: Fill and outline of each family: told apart by lightness as well, and named in the legend.
COLORS = {
    kinds.CONV: ("#d7e5f7", "#2768b0"),
    kinds.POOL: ("#d9efdf", "#2f8f57"),
    kinds.ACTIVATION: ("#fde6cf", "#c8641a"),
    kinds.NORM: ("#eceff2", "#7a8591"),
    kinds.FC: ("#e7daf3", "#7447a8"),
    kinds.COMBINE: ("#fff3b8", "#a58200"),
    kinds.BLOCK: ("#cfd9e4", "#3c5873"),
}
TITLE, SMALL = 11.0, 9.0  # font sizes
_PAD = 6.0
_ROW = 14.0
_CHIP = 12.0


@dataclass(frozen=True)
class Look:
    """A card that has been laid out.

    Attributes
    ----------
    width, height : float
    items : tuple of Item
        Its corner is (0, 0).
    margins : (float, float)
        Blank pixels at its left and right.
    """

    width: float
    height: float
    items: tuple[Item, ...]
    margins: tuple[float, float] = (0.0, 0.0)


#: Where a flow goes on in its next part.
DOT = Look(12.0, 4.0, (rectangle((4, 0, 8, 4), FAINT),), (0.0, 0.0))


def title_of(card: Card, letter: str = "") -> str:
    """The heading of a card: ``Bottleneck A, 3 times``."""
    part = card.parts[0]
    words = part.words + (f", {part.count:,}" if part.count else "") + (f" {letter}" if letter else "")
    return words + (f", {card.times} times" if card.times > 1 else "")


def _name(card: Card) -> str:
    """The names of a card's first and last block, or that of its layer."""
    if card.times > 1:
        return f"{card.name} to {card.names[-1]}"
    return "" if card.name == card.parts[0].words else card.name


def numbers_of(card: Card) -> str:
    """Parameters and multiply-adds; empty where there are none."""
    if not card.parameters and not card.multiply_adds:
        return ""
    return f"{amount(card.parameters)} par., {amount(card.multiply_adds)} mult-adds"


def spoken(card: Card) -> str:
    """All of a card, for a screen reader."""
    parts = ", ".join(part.words for part in card.parts)
    times = f", {card.times} alike" if card.times > 1 else ""
    return (
        f"{', '.join(card.names)}: {parts}{times}; output {card.shape}; "
        f"{card.parameters:,} parameters, {card.multiply_adds:,} multiply-adds"
    )


def wide(card: Card, *, letter: str = "", note: str = "", width: float = 0.0) -> Look:
    """A card of the main flow: the layer and the shape, below them what follows it and the numbers.

    Parameters
    ----------
    card : Card
        What it shows.
    letter : str
        Of the block's own figure.
    note : str
        Shown after the title, such as the role of an output.
    width : float
        At least so wide.
    """
    title = Words((_PAD, 0), title_of(card, letter), TITLE, bold=True)
    name = Words((0, 0), _name(card), SMALL, FAINT)
    shape = Words((0, 0), str(card.shape), TITLE, anchor="end")
    numbers = Words((0, 0), numbers_of(card), SMALL, FAINT, "end")
    extra = [Part(note, kinds.COMBINE)] if note else []
    chips = _chips([*card.parts[1:], *extra])
    least = max(
        title.length + name.length + shape.length + 5 * _PAD, _width(chips) + numbers.length + 4 * _PAD
    )
    width = max(width, least)
    two = bool(chips) or bool(numbers.text)
    height = 2 * _PAD + TITLE + (_ROW if two else 0.0) - 2
    items: list[Item] = [_back(card, width, height)]
    base = _PAD + 0.8 * TITLE
    items += [
        _at(title, _PAD + 2, base),
        _at(name, _PAD + 8 + title.length, base),
        _at(shape, width - _PAD - 2, base),
    ]
    if two:
        items += _placed(chips, _PAD, base + _ROW)
        items.append(_at(numbers, width - _PAD - 2, base + _ROW))
    return Look(width, height, (Group(spoken(card), tuple(items)),))


def narrow(card: Card) -> Look:
    """A card within a block's figure: everything in lines under each other."""
    title = Words((0, 0), title_of(card), 10.0, bold=True)
    lines = [Words((0, 0), str(card.shape), SMALL)]
    if numbers_of(card):
        lines += [Words((0, 0), text, SMALL, FAINT) for text in numbers_of(card).split(", ")]
    chips = _chips(card.parts[1:])
    width = 2 * _PAD + max(title.length, _width(chips), *(line.length for line in lines))
    items: list[Item] = [_at(title, _PAD, _PAD + 8)]
    base = _PAD + 8.0
    if chips:
        base += _ROW
        items += _placed(chips, _PAD, base)
        base += 2.5
    for line in lines:
        base += 11.5
        items.append(_at(line, _PAD, base))
    height = base + _PAD
    return Look(width, height, (Group(spoken(card), (_back(card, width, height), *items)),))


def _back(card: Card, width: float, height: float) -> Area:
    fill, outline = COLORS[card.family]
    return rectangle((0, 0, width, height), fill, outline)


def _at(words: Words, x: float, base: float) -> Words:
    return Words((x, base), words.text, words.size, words.color, words.anchor, words.bold)


_Chip = tuple[float, Words, tuple[str, str]]


def _chips(parts: Sequence[Part]) -> list[_Chip]:
    """Width, text and colours of what follows a layer."""
    texts = [(Words((0, 0), part.words, SMALL), COLORS[part.family]) for part in parts]
    return [(text.length + 8, text, colors) for text, colors in texts]


def _width(chips: Sequence[_Chip]) -> float:
    return sum(width + 3 for width, _, _ in chips)


def _placed(chips: Sequence[_Chip], x: float, base: float) -> list[Item]:
    items: list[Item] = []
    for width, text, (fill, outline) in chips:
        items.append(rectangle((x, base - 9, x + width, base - 9 + _CHIP), fill, outline))
        items.append(_at(text, x + 4, base))
        x += width + 3
    return items
