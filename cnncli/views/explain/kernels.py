"""The kernels of a filter, drawn: as written, rotated by 180°, and as applied to the image."""

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
_GAP, _ARROW = 24, 72  # pixels between kernels, and where the rotation is drawn
_BELOW = 36  # pixels of a kernel's caption
_SIZE = 14


@dataclass(frozen=True, eq=False)
class Rotation:
    """How a kernel as written becomes the weights that are applied to the image.

    Attributes
    ----------
    written, applied : ndarray, shape (kh, kw)
        Before and after.
    rotated : bool
        It was rotated by 180°, which has changed it.
    symmetric : bool
        A rotation by 180° changes nothing.
    divisor : float
        What ``--normalize`` has divided it by; 1: nothing.
    """

    written: Numbers
    applied: Numbers
    rotated: bool
    symmetric: bool
    divisor: float


def rotation_of(written: Numbers, applied: Numbers) -> Rotation:
    """Tell how a kernel was rotated and divided."""
    sums = [float(np.abs(v).sum()) for v in (written, applied)]
    divisor = sums[0] / sums[1] if sums[1] else 1.0
    if np.isclose(divisor, 1.0, rtol=1e-9):
        divisor = 1.0
    for sign in (1.0, -1.0):  # a negative sum reverses the signs
        scaled = sign * divisor * applied
        if np.allclose(scaled, written[::-1, ::-1]) or np.allclose(scaled, written):
            divisor *= sign
            break
    turned_around = written[::-1, ::-1]
    symmetric = bool(np.allclose(written, turned_around))
    return Rotation(
        written,
        applied,
        not symmetric and bool(np.allclose(divisor * applied, turned_around)),
        symmetric,
        divisor,
    )


def rotations(e: Explanation) -> list[Rotation]:
    """Tell how each kernel of a filter was rotated and divided."""
    return [rotation_of(written, applied) for written, applied in zip(e.written, e.stack, strict=True)]


def draw_kernels(canvas: Canvas, room: Box, e: Explanation, names: tuple[str, ...] = ()) -> int:
    """Draw one or two kernels as written and as applied to the image, centred across ``room``.

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
    found = rotations(e)
    if len(found) > 1:
        bottom = _draw_pair(canvas, room, found, names)
    elif found[0].rotated:
        bottom = _draw_rotated(canvas, room, found[0])
    else:
        bottom = _draw_one(canvas, room, found[0])
    return draw_legend(canvas, (room.center[0], bottom + 6)).bottom


def drawn_of(count: int) -> list[int]:
    """Return which kernels of a bank are drawn: all, or some evenly spaced."""
    return list(range(count)) if count <= MOST_DRAWN else [i * count // MOST_DRAWN for i in range(MOST_DRAWN)]


def draw_many(canvas: Canvas, room: Box, stack: Numbers, names: tuple[str, ...]) -> int:
    """Draw many kernels as they are applied to the image, side by side in rows; return the y below them."""
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


def _draw_one(canvas: Canvas, room: Box, rotation: Rotation) -> int:
    """Draw a kernel that is applied as it is written."""
    h, w = (int(n) for n in rotation.applied.shape)
    cell = max(1, min(64, room.width // w, 320 // h))
    caption = "the same when rotated by 180°" if rotation.symmetric else "not rotated: correlation"
    if rotation.applied.size == 1:
        caption = "the weight"
    left = room.left + (room.width - w * cell) // 2
    style = (cell, room.width, float(np.abs(rotation.applied).max()) or 1.0)
    _draw(canvas, (left, room.top), rotation.applied, caption + _divided(rotation), style)
    return room.top + h * cell + _BELOW


def _draw_rotated(canvas: Canvas, room: Box, rotation: Rotation) -> int:
    """Draw a kernel as written and as applied: side by side, or one above the other if wide."""
    h, w = (int(n) for n in rotation.applied.shape)
    reaches = [float(np.abs(v).max()) or 1.0 for v in (rotation.written, rotation.applied)]
    below = "as applied to the image" + _divided(rotation)
    if w > h:
        cell = max(1, min(64, room.width // w, 140 // h))
        left = room.left + (room.width - w * cell) // 2
        style = (cell, room.width)
        _draw(canvas, (left, room.top), rotation.written, "as written", (*style, reaches[0]))
        y = room.top + h * cell + _BELOW
        y = _draw_rotation_down(canvas, (room.center[0], y))
        _draw(canvas, (left, y), rotation.applied, below, (*style, reaches[1]))
        return y + h * cell + _BELOW
    side = (room.width - _ARROW) // 2
    cell = max(1, min(64, side // w, 320 // h))
    inset = (side - w * cell) // 2
    _draw(canvas, (room.left + inset, room.top), rotation.written, "as written", (cell, side, reaches[0]))
    right = room.left + side + _ARROW + inset
    _draw(canvas, (right, room.top), rotation.applied, below, (cell, side + 20, reaches[1]))
    middle, y = room.left + side + _ARROW // 2, room.top + h * cell // 2
    canvas.text((middle, y - 10), "180°", size=_SIZE, color=MUTED, anchor="ms")
    canvas.arrow((middle - 16, y), (middle + 16, y), color=MUTED)
    return room.top + h * cell + _BELOW


def _draw_pair(canvas: Canvas, room: Box, found: list[Rotation], names: tuple[str, ...]) -> int:
    """Draw two kernels as written, and below each as it is applied to the image."""
    h, w = (int(n) for n in found[0].applied.shape)
    side = (room.width - _GAP) // 2
    cell = max(1, min(56, side // w, 144 // h))
    turned = all(rotation.rotated for rotation in found)
    down = h * cell + _BELOW
    y = room.top
    if turned:
        for i, rotation in enumerate(found):
            left = room.left + i * (side + _GAP) + (side - w * cell) // 2
            reach = max(float(np.abs(other.written).max()) for other in found) or 1.0
            name = names[i].partition(":")[0]
            _draw(canvas, (left, y), rotation.written, f"{name} as written", (cell, side, reach))
        y = _draw_rotation_down(canvas, (room.center[0], y + down))
    for i, rotation in enumerate(found):
        left = room.left + i * (side + _GAP) + (side - w * cell) // 2
        reach = max(float(np.abs(other.applied).max()) for other in found) or 1.0
        _draw(
            canvas, (left, y), rotation.applied, names[i] + _divided(rotation), (cell, side + _GAP - 6, reach)
        )
    return y + down


def _draw_rotation_down(canvas: Canvas, at: tuple[int, int]) -> int:
    """Draw an arrow downwards that says rotation by 180°; return the y below it."""
    x, y = at
    text = "rotated by 180°, as applied to the image"
    room = measure(text, size=_SIZE)[0]
    left = x - (room + 20) // 2
    canvas.arrow((left, y - 4), (left, y + 18), color=MUTED)
    canvas.text((left + 20, y + 7), text, size=_SIZE, color=MUTED, anchor="lm")
    return y + 32


def _divided(rotation: Rotation) -> str:
    if rotation.divisor == 1:
        return ""
    return f", divided by {number(rotation.divisor, decimals_of([rotation.divisor]))}"


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
