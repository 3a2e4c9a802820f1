"""The kernels of a filter, drawn: as written, given half a turn, and as laid on the image."""

from dataclasses import dataclass, replace

import numpy as np

from cnncli.images.canvas import Box, Canvas, measure, shorten
from cnncli.views.explain.arithmetic import weights_grid
from cnncli.views.explain.grids import MUTED, draw_grid, draw_legend
from cnncli.views.explain.model import (
    Explanation,
    Grid,
    Numbers,
    decimals_of,
    number,
    whole_weights,
)

MOST_DRAWN = 24  # kernels of a bank
_GAP, _TURN = 24, 72  # pixels between kernels, and where the turn is drawn
_BELOW = 36  # pixels of a kernel's caption
_SIZE = 14


@dataclass(frozen=True, eq=False)
class Turn:
    """How a kernel comes to lie on the image.

    Attributes
    ----------
    written, laid : ndarray, shape (kh, kw)
        Before and after.
    turned : bool
        It was given half a turn, which has changed it.
    symmetric : bool
        Half a turn changes nothing.
    divisor : float
        What ``--normalize`` has divided it by; 1: nothing.
    """

    written: Numbers
    laid: Numbers
    turned: bool
    symmetric: bool
    divisor: float


def turn_of(written: Numbers, laid: Numbers) -> Turn:
    """Tell how a kernel was turned and divided."""
    sums = [float(np.abs(v).sum()) for v in (written, laid)]
    divisor = sums[0] / sums[1] if sums[1] else 1.0
    if np.isclose(divisor, 1.0, rtol=1e-9):
        divisor = 1.0
    for sign in (1.0, -1.0):  # a negative sum turns the signs round
        scaled = sign * divisor * laid
        if np.allclose(scaled, written[::-1, ::-1]) or np.allclose(scaled, written):
            divisor *= sign
            break
    half_turn = written[::-1, ::-1]
    symmetric = bool(np.allclose(written, half_turn))
    return Turn(
        written, laid, not symmetric and bool(np.allclose(divisor * laid, half_turn)), symmetric, divisor
    )


def turns(e: Explanation) -> list[Turn]:
    """Tell it of each kernel of a filter."""
    return [turn_of(written, laid) for written, laid in zip(e.written, e.stack, strict=True)]


def draw_kernels(canvas: Canvas, room: Box, e: Explanation, names: tuple[str, ...] = ()) -> int:
    """Draw one or two kernels as they are laid on the image, centred across ``room``.

    Parameters
    ----------
    canvas, room, e
        Where and of what.
    names : tuple of str
        Of a filter with two kernels; empty: there is one.

    Returns
    -------
    int
        The y below it.
    """
    found = turns(e)
    if len(found) > 1:
        bottom = _draw_pair_of_turns(canvas, room, found, names)
    elif found[0].turned:
        bottom = _draw_turn(canvas, room, found[0])
    else:
        bottom = _draw_one(canvas, room, found[0])
    return draw_legend(canvas, (room.center[0], bottom + 6)).bottom


def drawn_of(count: int) -> list[int]:
    """Return which kernels of a bank are drawn: all, or some evenly spaced."""
    return list(range(count)) if count <= MOST_DRAWN else [i * count // MOST_DRAWN for i in range(MOST_DRAWN)]


def draw_many(canvas: Canvas, room: Box, stack: Numbers, names: tuple[str, ...]) -> int:
    """Draw many kernels as they are laid on the image, side by side in rows; return the y below them."""
    h, w = (int(n) for n in stack.shape[1:])
    chosen = drawn_of(len(stack))
    across = min(len(chosen), 4)
    side = (room.width - (across - 1) * _GAP) // across
    cell = max(1, min(64, side // w, (200 if len(chosen) <= 4 else 96) // h))
    reach = float(np.abs(stack).max()) or 1.0
    y = room.top
    for first in range(0, len(chosen), across):
        row = chosen[first : first + across]
        x = room.left + (room.width - len(row) * side - (len(row) - 1) * _GAP) // 2
        for k in row:
            left = x + (side - w * cell) // 2
            _draw(canvas, (left, y), stack[k], names[k], (cell, side + _GAP - 6, reach))
            x += side + _GAP
        y += h * cell + _BELOW
    return draw_legend(canvas, (room.center[0], y + 6)).bottom


def _draw_one(canvas: Canvas, room: Box, turn: Turn) -> int:
    """Draw a kernel that lies on the image as it is written."""
    h, w = (int(n) for n in turn.laid.shape)
    cell = max(1, min(64, room.width // w, 320 // h))
    caption = "half a turn leaves it as it is" if turn.symmetric else "not turned: correlation"
    if turn.laid.size == 1:
        caption = "the weight"
    left = room.left + (room.width - w * cell) // 2
    style = (cell, room.width, float(np.abs(turn.laid).max()) or 1.0)
    _draw(canvas, (left, room.top), turn.laid, caption + _divided(turn), style)
    return room.top + h * cell + _BELOW


def _draw_turn(canvas: Canvas, room: Box, turn: Turn) -> int:
    """Draw a kernel as written, half a turn, and as laid: side by side, or one above the other if wide."""
    h, w = (int(n) for n in turn.laid.shape)
    reaches = [float(np.abs(v).max()) or 1.0 for v in (turn.written, turn.laid)]
    below = "as laid on the image" + _divided(turn)
    if w > h:
        cell = max(1, min(64, room.width // w, 140 // h))
        left = room.left + (room.width - w * cell) // 2
        style = (cell, room.width)
        _draw(canvas, (left, room.top), turn.written, "as written", (*style, reaches[0]))
        y = room.top + h * cell + _BELOW
        y = _draw_half_turn_down(canvas, (room.center[0], y))
        _draw(canvas, (left, y), turn.laid, below, (*style, reaches[1]))
        return y + h * cell + _BELOW
    side = (room.width - _TURN) // 2
    cell = max(1, min(64, side // w, 320 // h))
    inset = (side - w * cell) // 2
    _draw(canvas, (room.left + inset, room.top), turn.written, "as written", (cell, side, reaches[0]))
    right = room.left + side + _TURN + inset
    _draw(canvas, (right, room.top), turn.laid, below, (cell, side + 20, reaches[1]))
    middle, y = room.left + side + _TURN // 2, room.top + h * cell // 2
    canvas.text((middle, y - 10), "180°", size=_SIZE, color=MUTED, anchor="ms")
    canvas.arrow((middle - 16, y), (middle + 16, y), color=MUTED)
    return room.top + h * cell + _BELOW


def _draw_pair_of_turns(canvas: Canvas, room: Box, found: list[Turn], names: tuple[str, ...]) -> int:
    """Draw two kernels as written, and below each as it is laid on the image."""
    h, w = (int(n) for n in found[0].laid.shape)
    side = (room.width - _GAP) // 2
    cell = max(1, min(56, side // w, 144 // h))
    turned = all(turn.turned for turn in found)
    down = h * cell + _BELOW
    y = room.top
    if turned:
        for i, turn in enumerate(found):
            left = room.left + i * (side + _GAP) + (side - w * cell) // 2
            reach = max(float(np.abs(other.written).max()) for other in found) or 1.0
            name = names[i].partition(":")[0]
            _draw(canvas, (left, y), turn.written, f"{name} as written", (cell, side, reach))
        y = _draw_half_turn_down(canvas, (room.center[0], y + down))
    for i, turn in enumerate(found):
        left = room.left + i * (side + _GAP) + (side - w * cell) // 2
        reach = max(float(np.abs(other.laid).max()) for other in found) or 1.0
        _draw(canvas, (left, y), turn.laid, names[i] + _divided(turn), (cell, side + _GAP - 6, reach))
    return y + down


def _draw_half_turn_down(canvas: Canvas, at: tuple[int, int]) -> int:
    """Draw an arrow downwards that says half a turn; return the y below it."""
    x, y = at
    text = "half a turn (180°), as laid on the image"
    room = measure(text, size=_SIZE)[0]
    left = x - (room + 20) // 2
    canvas.arrow((left, y - 4), (left, y + 18), color=MUTED)
    canvas.text((left + 20, y + 7), text, size=_SIZE, color=MUTED, anchor="lm")
    return y + 32


def _divided(turn: Turn) -> str:
    if turn.divisor == 1:
        return ""
    return f", divided by {number(turn.divisor, decimals_of([turn.divisor]))}"


def _draw(
    canvas: Canvas, at: tuple[int, int], taps: Numbers, caption: str, style: tuple[int, int, float]
) -> Box:
    """Draw a kernel in whole numbers where it has them; ``style``: cell, room of the caption, reach."""
    cell, room, reach = style
    weights, divisor = whole_weights(taps)
    grid: Grid = replace(weights_grid(weights, "", cell), reach=reach * divisor)
    box = draw_grid(canvas, at, grid, cell)
    text = shorten(caption, room, size=_SIZE)
    canvas.text((box.center[0], box.bottom + 8), text, size=_SIZE, color=MUTED, anchor="mt")
    return box
