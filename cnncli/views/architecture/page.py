"""The page of a figure: a heading, the network in rows or columns, the figures of its blocks."""

from collections.abc import Sequence
from dataclasses import dataclass

from cnncli.images.canvas import wrap
from cnncli.views.architecture.cards import Card
from cnncli.views.architecture.layout import GUTTER
from cnncli.views.architecture.looks import COLORS, FAINT, SMALL, TITLE
from cnncli.views.figure.scene import Figure, Item, Words, moved, rectangle, scaled

PAGE = (794.0, 1123.0)  # A4 at 96 pixels to the inch
PAPERS = {"A4": PAGE, "A3": (1123.0, 1587.0), "A2": (1587.0, 2245.0), "A1": (2245.0, 3179.0)}
_READABLE = 0.85  # of the text's full size: 5.4 points and more
MARGIN = 36.0
BETWEEN = 14.0
_WIDEST_NOTE = 640


@dataclass(frozen=True)
class Piece:
    """Items and the room that they take; their corner is (0, 0)."""

    width: float
    height: float
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Heading:
    """What stands above a network.

    Attributes
    ----------
    title : str
    notes : tuple of str
        Lines below it.
    spoken : str
        The network in words, for those who do not see it.
    """

    title: str
    notes: tuple[str, ...] = ()
    spoken: str = ""


def composed(
    mains: Sequence[Piece],
    insets: Sequence[Piece],
    heading: Heading,
    shown: Sequence[Card],
    *,
    enough: float = 1.0,
    papers: Sequence[str] = ("A4",),
) -> Figure:
    """The figure whose text is largest on a page, upright or across; of several the smallest.

    Parameters
    ----------
    mains : sequence of Piece
        Forms of the network: in one row or column, in two, and so on.
    insets : sequence of Piece
        Figures of its blocks.
    heading : Heading
        Above it.
    shown : sequence of Card
        All cards, for the legend.
    enough : float
        The scale from which forms in few rows are preferred to larger text.
    papers : sequence of str
        Names of `PAPERS`, in rising order: the first on which text is at least as large as it is readable.
    """
    head = _head(heading, {part.family for card in shown for part in card.parts})
    for name in papers:
        scale, piece = _best(mains, insets, head, PAPERS[name], enough)
        if scale >= _READABLE:
            break
    width = max(piece.width * scale, head.width)
    height = head.height + piece.height * scale
    figure = Figure(width + 2 * MARGIN, height + 2 * MARGIN, heading.title, heading.spoken)
    figure.items += [moved(item, (MARGIN, MARGIN)) for item in head.items]
    left = MARGIN + (width - piece.width * scale) / 2
    figure.items += [moved(scaled(item, scale), (left, MARGIN + head.height)) for item in piece.items]
    return figure


def _best(
    mains: Sequence[Piece],
    insets: Sequence[Piece],
    head: Piece,
    paper: tuple[float, float],
    enough: float,
) -> tuple[float, Piece]:
    """The scale at which a form and an arrangement fit on a page, and these."""
    best: tuple[tuple[float, int, float], float, Piece] | None = None
    for rows, main in enumerate(mains):
        for page in (paper, paper[::-1]):
            room = (page[0] - 2 * MARGIN, page[1] - 2 * MARGIN - head.height)
            for piece in _arranged(main, insets, room):
                scale = min(1.0, room[0] / piece.width, room[1] / piece.height)
                area = max(piece.width * scale, head.width) * (piece.height * scale + head.height)
                found = (min(enough, round(scale, 2)), -rows if enough < 1 else 0, -area)
                if best is None or found > best[0]:
                    best = (found, scale, piece)
    if best is None:
        raise AssertionError("there is at least one form of a network")
    return best[1:]


def paper_of(figure: Figure) -> str:
    """The name of the smallest page that a figure fits on; empty if it is none of `PAPERS`."""
    sides = sorted((figure.width, figure.height))
    fitting = (
        name for name, page in PAPERS.items() if sides[0] <= page[0] + 0.5 and sides[1] <= page[1] + 0.5
    )
    return next(fitting, "")


def _head(heading: Heading, families: set[str]) -> Piece:
    """The title, the notes, and what the colours mean."""
    items: list[Item] = [Words((0, 18), heading.title, 18.0, bold=True)]
    y = 22.0
    for note in (line for each in heading.notes for line in wrap(each, _WIDEST_NOTE, size=round(TITLE))):
        y += 14
        items.append(Words((0, y), note, TITLE, FAINT))
    y += 12
    x = 0.0
    for family, (fill, outline) in COLORS.items():
        if family in families:
            words = Words((x + 14, y + 9), family, SMALL, FAINT)
            items += [rectangle((x, y, x + 10, y + 10), fill, outline), words]
            x += 14 + words.length + 12
    width = max(x, *(item.box[2] for item in items if isinstance(item, Words)))
    return Piece(width, y + 24, tuple(items))


def _arranged(main: Piece, insets: Sequence[Piece], room: tuple[float, float]) -> list[Piece]:
    """The network with the figures of its blocks to its right, and below it."""
    if not insets:
        return [main]
    widest = max(piece.width for piece in insets)
    beside = _shelves(insets, max(widest, room[0] - main.width - GUTTER))
    below = _shelves(insets, max(widest, room[0], main.width))
    return [
        Piece(
            main.width + GUTTER + beside.width,
            max(main.height, beside.height),
            (*main.items, *(moved(item, (main.width + GUTTER, 0)) for item in beside.items)),
        ),
        Piece(
            max(main.width, below.width),
            main.height + BETWEEN + below.height,
            (*main.items, *(moved(item, (0, main.height + BETWEEN)) for item in below.items)),
        ),
    ]


def _shelves(pieces: Sequence[Piece], width: float) -> Piece:
    """Pieces in rows of at most a width."""
    items: list[Item] = []
    x = y = high = widest = 0.0
    for piece in pieces:
        if x and x + piece.width > width:
            x, y, high = 0.0, y + high + BETWEEN, 0.0
        items += [moved(item, (x, y)) for item in piece.items]
        x += piece.width + BETWEEN
        high, widest = max(high, piece.height), max(widest, x - BETWEEN)
    return Piece(widest, y + high, tuple(items))
