"""The window of a layer along each axis: the inputs that one output value depends on.

Shapes, receptive fields, exported attributes and figures are derived from it.
"""

from __future__ import annotations

from cnncli.records import record

Sides = tuple[int, int]
#: Rows and columns; for padding that differs between sides, (above, below) and (left, right).
Pair = int | tuple[int, int]
Padding = int | tuple[int, int] | tuple[Sides, Sides]


def pair(value: Pair) -> tuple[int, int]:
    """Rows and columns from one number or two."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def sides(padding: Padding) -> tuple[Sides, Sides]:
    """(above, below) and (left, right) from one number, from two, or from two of each."""
    if isinstance(padding, int):
        return (padding, padding), (padding, padding)
    rows, columns = padding
    return (
        (rows, rows) if isinstance(rows, int) else (rows[0], rows[1]),
        (columns, columns) if isinstance(columns, int) else (columns[0], columns[1]),
    )


@record
class Axis:
    """A window along rows or columns.

    Attributes
    ----------
    size : int
        Number of taps.
    stride : int
        Pixels from one window to the next.
    before, after : int
        Padding in front of the first pixel and behind the last.
    dilation : int
        Pixels from one tap to the next.
    ceil : bool
        Include a window that extends beyond the end, if it starts inside.
    upsampled : int
        Above 1 the layer enlarges: the window is the one that an input adds to, in outputs, and this many
        outputs lie from one such window to the next.
    """

    size: int = 1
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1
    ceil: bool = False
    upsampled: int = 1

    @property
    def extent(self) -> int:
        """Pixels from the first tap to the last."""
        return (self.size - 1) * self.dilation + 1

    def count(self, pixels: int) -> int:
        """Number of windows along this many pixels; 0 or less if none fits."""
        room = pixels + self.before + self.after - self.extent
        if room < 0:
            return 0
        if not self.ceil:
            return room // self.stride + 1
        count = -(-room // self.stride) + 1
        return count - ((count - 1) * self.stride >= pixels + self.before)


def same_sides(pixels: int, axis: Axis) -> Sides:
    """Zeros before and after so many pixels that give one output for every ``stride`` of them."""
    outputs = -(-pixels // max(axis.stride, 1))
    zeros = max(0, (outputs - 1) * axis.stride + axis.extent - pixels)
    return zeros // 2, zeros - zeros // 2


Window = tuple[Axis, Axis]
POINT: Window = (Axis(), Axis())


def window_of(
    size: Pair, stride: Pair = 1, padding: Padding = 0, dilation: Pair = 1, *, ceil: bool = False
) -> Window:
    """A window of rows and columns.

    Parameters
    ----------
    size, stride, dilation : int or (rows, columns)
        In pixels, from 1.
    padding : int, (rows, columns) or ((above, below), (left, right))
        In pixels, from 0.
    ceil : bool
        As in `Axis`.
    """
    settings = zip(pair(size), pair(stride), sides(padding), pair(dilation), strict=True)
    rows, columns = (Axis(k, s, *p, d, ceil) for k, s, p, d in settings)
    return rows, columns


def whole(height: int, width: int) -> Window:
    """A window that covers the whole input."""
    return Axis(height), Axis(width)
