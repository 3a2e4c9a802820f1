"""How cards look: colours of families of layers, and the text on a card."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.images.canvas import wrap
from cnncli.text import amount
from cnncli.views.architecture import cards as kinds
from cnncli.views.architecture.backward import BACK
from cnncli.views.architecture.cards import Card, Part
from cnncli.views.architecture.example import column_picture, map_pictures
from cnncli.views.figure.scene import Area, Group, Item, Picture, Words, rectangle

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
CARD = "card"  # first part of the key of a card; the other is its name
TITLE, SMALL = 11.0, 9.0  # font sizes
_PAD = 6.0
_ROW = 14.0
_CHIP = 12.0
_TILE = 30.0  # height of a map on a card
_STRIP = 100  # colours of a strip at most
_LEADING = 11.5
_MEASURED = 64  # size of letters at which lines are measured


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
    below : float
        Height of the text below its box.
    """

    width: float
    height: float
    items: tuple[Item, ...]
    margins: tuple[float, float] = (0.0, 0.0)
    below: float = 0.0


@dataclass(frozen=True, eq=False)
class Extra:
    """What is added to a card.

    Attributes
    ----------
    back : tuple of str
        What goes back.
    maps : ndarray, shape (H, W, C), or None
        What the layer computes.
    """

    back: tuple[str, ...] = ()
    maps: NDArray[np.float32] | None = None


NO_EXTRA = Extra()


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


def spoken(card: Card, back: Sequence[str] = ()) -> str:
    """All of a card, and of the way back there, for a screen reader."""
    parts = ", ".join(part.words for part in card.parts)
    times = f", {card.times} alike" if card.times > 1 else ""
    return (
        f"{', '.join(card.names)}: {parts}{times}; output {card.shape}; "
        f"{card.parameters:,} parameters, {card.multiply_adds:,} multiply-adds"
    ) + "".join(f"; {line}" for line in back)


def wide(
    card: Card, *, letter: str = "", note: str = "", width: float = 0.0, extra: Extra = NO_EXTRA
) -> Look:
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
    extra : Extra
        Shown below all that.
    """
    title = Words((_PAD, 0), title_of(card, letter), TITLE, bold=True)
    name = Words((0, 0), _name(card), SMALL, FAINT)
    shape = Words((0, 0), str(card.shape), TITLE, anchor="end")
    numbers = Words((0, 0), numbers_of(card), SMALL, FAINT, "end")
    role = [Part(note, kinds.COMBINE)] if note else []
    chips = _chips([*card.parts[1:], *role])
    least = max(
        title.length + name.length + shape.length + 5 * _PAD, _width(chips) + numbers.length + 4 * _PAD
    )
    width = max(width, least)
    two = bool(chips) or bool(numbers.text)
    height = 2 * _PAD + TITLE + (_ROW if two else 0.0) - 2
    more, added = _added(extra, width, height)
    height += added
    items: list[Item] = [_back(card, width, height), *more]
    base = _PAD + 0.8 * TITLE
    items += [
        _at(title, _PAD + 2, base),
        _at(name, _PAD + 8 + title.length, base),
        _at(shape, width - _PAD - 2, base),
    ]
    if two:
        items += _placed(chips, _PAD, base + _ROW)
        items.append(_at(numbers, width - _PAD - 2, base + _ROW))
    return Look(width, height, (Group(spoken(card, extra.back), tuple(items), (CARD, card.name)),))


def narrow(card: Card, extra: Extra = NO_EXTRA) -> Look:
    """A card within a block's figure: everything in lines under each other."""
    title = Words((0, 0), title_of(card), 10.0, bold=True)
    lines = [Words((0, 0), str(card.shape), SMALL)]
    if numbers_of(card):
        lines += [Words((0, 0), text, SMALL, FAINT) for text in numbers_of(card).split(", ")]
    chips = _chips(card.parts[1:])
    norms = [Words((0, 0), text, SMALL) for text in extra.back]
    width = 2 * _PAD + max(title.length, _width(chips), *(line.length for line in (*lines, *norms)))
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
    more, added = _added(extra, width, height)
    back = _back(card, width, height + added)
    return Look(width, height + added, (Group(spoken(card, extra.back), (back, *more, *items)),))


def _added(extra: Extra, width: float, top: float) -> tuple[list[Item], float]:
    """Pictures of maps in a row, then what goes back, below the rest of a card; and their height."""
    items: list[Item] = []
    room = width - 2 * _PAD
    base = top + 1 if extra.maps is not None else top - 3
    if extra.maps is not None:
        high, wide = _tile(extra.maps.shape, room)
        count = max(1, int((room + 3) // (wide + 3)))
        for number, pixels in enumerate(tiles_of(extra.maps, count)):
            left = _PAD + number * (wide + 3)
            items.append(Picture((left, base, left + wide, base + high), pixels))
        base += high + 2
    for line in (part for text in extra.back for part in wrapped(text, room, SMALL)):
        base += _LEADING
        items.append(Words((_PAD, base), line, SMALL, BACK))
    return items, base - top + 6 if items else 0.0


def wrapped(text: str, width: float, size: float) -> list[str]:
    """Lines of at most a width, of letters of a size that may be no whole number."""
    return wrap(text, int(width / size * _MEASURED) + 1, size=_MEASURED)


def _tile(shape: tuple[int, ...], room: float) -> tuple[float, float]:
    """Height and width of a map on a card; what has no extent is a strip across it."""
    if shape[:2] == (1, 1):
        return 7.0, room
    return _TILE, min(room, _TILE * shape[1] / shape[0])


def tiles_of(maps: NDArray[np.float32], count: int) -> list[NDArray[np.uint8]]:
    """Pictures of maps; what has no extent is one, from left to right."""
    if maps.shape[:2] == (1, 1):
        return [column_picture(maps, _STRIP).transpose(1, 0, 2)]
    return map_pictures(maps, count)


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
