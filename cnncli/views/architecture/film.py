"""A figure that is lit card by card: the signal runs forward through a network and, where drawn, back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cnncli.nn import INPUT
from cnncli.views.architecture.arrows import BACKWARD, FORTH
from cnncli.views.architecture.backward import BACK
from cnncli.views.architecture.layout import CONTINUED
from cnncli.views.architecture.looks import CARD
from cnncli.views.architecture.sheet import END, Sheet
from cnncli.views.figure.scene import Area, Figure, Group, Item, Line, Picture, Words, rectangle

_FADED = 0.22  # how much of its colour is left of what the signal has not reached
_STEP, _TURN, _LAST = 0.45, 1.2, 4.0  # seconds of a step, of the turn at the loss, of the end
_MOST = 40  # frames of one way; of larger networks several cards are lit at once
_WIDER = 2.2  # of an arrow along which the signal has just come


@dataclass(frozen=True)
class Moment:
    """A frame.

    Attributes
    ----------
    reached, back : tuple of str
        Names of the cards that the signal has reached on its way forward, and on its way back; the last ones
        are those that it has just reached.
    new : int
        How many those are.
    seconds : float
        How long it is shown.
    """

    reached: tuple[str, ...]
    back: tuple[str, ...]
    new: int
    seconds: float


def moments(sheet: Sheet) -> list[Moment]:
    """The frames of a network, in their order."""
    names = (INPUT, *(card.name for card in sheet.shown), *([END] if sheet.has_end else []))
    forth = list(_steps(names))
    found = [Moment(names[:end], (), end - start, _STEP) for start, end in forth]
    found[-1] = replace(found[-1], seconds=_TURN)
    if sheet.back:
        way = tuple(reversed(names))
        found += [Moment(names, way[:end], end - start, _STEP) for start, end in _steps(way)]
    found[-1] = replace(found[-1], seconds=_LAST)
    return found


def _steps(names: Sequence[str]) -> Iterator[tuple[int, int]]:
    """From which card to which each frame goes."""
    frames = min(_MOST, len(names))
    for frame in range(frames):
        yield frame * len(names) // frames, (frame + 1) * len(names) // frames


def lit(figure: Figure, moment: Moment) -> Figure:
    """The figure at a moment: what the signal has not reached is pale, and what comes back is not there."""
    made = Figure(figure.width, figure.height, figure.title, figure.description)
    newest = set((moment.back or moment.reached)[-moment.new :])
    for item in figure.items:
        kind, *names = item.key if isinstance(item, Group) and item.key else ("",)
        names = [name.removesuffix(CONTINUED) for name in names]
        if kind == CARD:
            shown = item if names[0] in moment.back else _without_back(item)
            made.items.append(shown if names[0] in moment.reached else _pale(shown))
        elif kind == FORTH:
            new = not moment.back and names[1] in newest
            shown = item if names[1] in moment.reached else _pale(item)
            made.items.append(_widened(shown) if new else shown)
        elif kind != BACKWARD:
            made.items.append(item)
        elif names[0] in moment.back:
            made.items.append(_widened(item) if names[0] in newest else item)
    return made


def _without_back(item: Item) -> Item:
    """A card without what stands there in the colour of the way back."""
    if isinstance(item, Group):
        kept = (each for each in item.items if not (isinstance(each, Words) and each.color == BACK))
        return Group(item.title, tuple(kept), item.key)
    return item


def _widened(item: Item) -> Item:
    if isinstance(item, Group):
        return Group(item.title, tuple(map(_widened, item.items)), item.key)
    return replace(item, width=item.width * _WIDER) if isinstance(item, Line) else item


def _pale(item: Item) -> Item:
    """An item in pale colours; pictures are empty."""
    if isinstance(item, Group):
        return Group(item.title, tuple(map(_pale, item.items)), item.key)
    if isinstance(item, Picture):
        return rectangle(item.box, "#ffffff")
    if isinstance(item, Area):
        return replace(item, fill=_mixed(item.fill), outline=item.outline and _mixed(item.outline))
    return replace(item, color=_mixed(item.color))


def _mixed(color: str) -> str:
    parts = (round(255 + _FADED * (int(color[at : at + 2], 16) - 255)) for at in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in parts)
