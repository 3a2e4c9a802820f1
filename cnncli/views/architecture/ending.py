"""What stands after a network's main output: its answer, and the loss from which the way back starts."""

from cnncli.images.canvas import shorten
from cnncli.views.architecture.backward import BACK, LOSS_TERM
from cnncli.views.architecture.looks import CARD, FAINT, SMALL, TITLE, Look, wrapped
from cnncli.views.architecture.sheet import END, Sheet
from cnncli.views.colors import short
from cnncli.views.figure.scene import Group, Item, Words, rectangle

WIDTH = 132.0
_PAD, _ROW = 7.0, 13.0
_BAR = "#9fc5b0"
_SHOWN = 3  # classes


def ending(sheet: Sheet) -> Look:
    """A card with the most probable classes, and the loss where the way back is drawn."""
    example = sheet.example
    items: list[Item] = []
    spoken = []
    base = 4.0
    room = WIDTH - 2 * _PAD
    if example is not None and example.drawn:
        base += 11
        items.append(Words((_PAD, base), "answer", TITLE, bold=True))
        for number, (label, share) in enumerate(example.answers[:_SHOWN]):
            base += _ROW
            items.append(rectangle((_PAD, base - 9.5, _PAD + max(0.5, room * share), base + 2.5), _BAR))
            percent = Words((WIDTH - _PAD, base), _percent(share), SMALL, anchor="end")
            text = shorten(label, int(room - percent.length - 6), size=round(SMALL))
            items += [Words((_PAD + 2, base), text, SMALL, bold=number == 0), percent]
            spoken.append(f"{label} {_percent(share)}")
        base += 3
    if sheet.back:
        base += 12
        items.append(Words((_PAD, base), "loss: cross-entropy", SMALL, BACK, bold=True))
        for line in _loss_lines(sheet, int(room)):
            base += 11.5
            items.append(Words((_PAD, base), line, SMALL, BACK))
            spoken.append(line)
    height = base + _PAD
    back = rectangle((0, 0, WIDTH, height), "#ffffff", BACK if sheet.back else FAINT)
    return Look(WIDTH, height, (Group("; ".join(spoken), (back, *items), (CARD, END)),))


def _loss_lines(sheet: Sheet, room: int) -> list[str]:
    """The gradient at which the way back starts and, of an example, the loss."""
    terms = wrapped(LOSS_TERM, room, SMALL)
    if sheet.example is None:
        return terms
    true = shorten(f"true class: {sheet.example.true}", room, size=round(SMALL))
    return [true, f"Loss = {short(sheet.example.loss)}", *terms]


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 5e-4 or not share else "< 0.1%"
