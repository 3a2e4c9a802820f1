"""Windows along the axes of maps, as attributes of ONNX describe them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnncli.nn.window import Padding, Pair
from cnncli.onnx.layout import Value
from cnncli.onnx.read import Operator
from cnncli.records import record

if TYPE_CHECKING:
    from cnncli.onnx.translation import Translation

_LARGEST = 1 << 16  # of a window, a stride and a dilation


@record
class Extent:
    """A window along an axis.

    Attributes
    ----------
    pixels, size, stride, dilation : int
        Of the input, of the window in taps, and their steps.
    pads : (before, after)
        Below 0: pixels that are left out.
    ceil : bool
        Windows may extend beyond the end.
    """

    pixels: int
    size: int
    stride: int
    dilation: int
    pads: tuple[int, int]
    ceil: bool = False

    @property
    def reach(self) -> int:
        """Pixels from the first tap to the last."""
        return (self.size - 1) * self.dilation + 1

    @property
    def padding(self) -> tuple[int, int]:
        """Zeros before and after."""
        return max(self.pads[0], 0), max(self.pads[1], 0)

    @property
    def count(self) -> int:
        """Windows."""
        room = self.pixels + sum(self.pads) - self.reach
        count = (-(-room // self.stride) if self.ceil else room // self.stride) + 1
        return count - (self.ceil and (count - 1) * self.stride >= self.pixels + self.pads[0])


ONE = Extent(1, 1, 1, 1, (0, 0))


def extents(
    t: Translation, op: Operator, x: Value, size: Sequence[int], *, transposed: bool = False
) -> list[Extent]:
    """The windows along all axes of an operator's maps.

    Raises
    ------
    CnncliError
        Where a number is missing or out of range, or no window fits.
    """
    axes = len(size)
    if len(x.dims) != axes + 2:
        raise t.fault(f"has a window of {axes} axes; its input has the shape {list(x.dims)}")
    strides, dilations = (_numbers(t, op, name, (1,) * axes, axes) for name in ("strides", "dilations"))
    if "kernel_shape" in op.attributes and tuple(op.attributes["kernel_shape"]) != tuple(size):
        raise t.fault(
            f"says kernel_shape {list(op.attributes['kernel_shape'])}; its weights have {list(size)}"
        )
    if min(*size, *strides, *dilations) < 1 or max(*size, *strides, *dilations) > _LARGEST:
        raise t.fault(
            f"has kernel {list(size)}, strides {list(strides)}, dilations {list(dilations)}; expected 1 on"
        )
    pads = _numbers(t, op, "pads", (0,) * (2 * axes), 2 * axes)
    ceil = bool(op.attributes.get("ceil_mode", 0))
    found = [
        Extent(pixels, k, s, d, (pads[at], pads[axes + at]), ceil)
        for at, (pixels, k, s, d) in enumerate(zip(x.dims[2:], size, strides, dilations, strict=True))
    ]
    if transposed:
        return _transposed(t, op, found)
    found = [_automatic(t, op, each) for each in found]
    if any(each.pixels + sum(each.pads) < each.reach for each in found):
        raise t.fault(f"has a window of {list(size)}, which does not fit into {list(x.dims)}")
    return found


def _numbers(t: Translation, op: Operator, name: str, usual: Sequence[int], count: int) -> tuple[int, ...]:
    found = tuple(op.attributes.get(name) or usual)
    if len(found) != count:
        raise t.fault(f"has {len(found)} {name}; expected {count}")
    return found


def _automatic(t: Translation, op: Operator, axis: Extent) -> Extent:
    """The window with the padding that auto_pad asks for."""
    how = op.attributes.get("auto_pad", "NOTSET")
    if how == "NOTSET":
        return axis
    if how == "VALID":
        return Extent(axis.pixels, axis.size, axis.stride, axis.dilation, (0, 0), axis.ceil)
    if how not in ("SAME_UPPER", "SAME_LOWER"):
        raise t.fault(f"has auto_pad {how!r}")
    outputs = -(-axis.pixels // axis.stride)
    zeros = max(0, (outputs - 1) * axis.stride + axis.reach - axis.pixels)
    less, more = zeros // 2, zeros - zeros // 2
    pads = (less, more) if how == "SAME_UPPER" else (more, less)
    return Extent(axis.pixels, axis.size, axis.stride, axis.dilation, pads)


def _transposed(t: Translation, op: Operator, axes: list[Extent]) -> list[Extent]:
    """Windows of a transposed convolution: their pads say what is left out of the output."""
    count = len(axes)
    extra = _numbers(t, op, "output_padding", (0,) * count, count)
    how = op.attributes.get("auto_pad", "NOTSET")
    wanted: Sequence[int | None] = op.attributes.get("output_shape") or (None,) * count
    wanted = wanted[-count:]
    found = []
    for axis, more, size in zip(axes, extra, wanted, strict=True):
        full = (axis.pixels - 1) * axis.stride + axis.reach + more
        before, after = axis.pads
        if size is None and how in ("SAME_UPPER", "SAME_LOWER"):
            size = axis.pixels * axis.stride  # noqa: PLW2901, what auto_pad stands for
        if size is not None:
            total = full - size
            less = total // 2
            before, after = (less, total - less) if how != "SAME_LOWER" else (total - less, less)
            if how == "NOTSET":
                before, after = total - total // 2, total // 2
        after -= more
        if full - before - after - more < 1:
            raise t.fault("leaves no output")
        found.append(Extent(axis.pixels, axis.size, axis.stride, axis.dilation, (before, after)))
    return found


def both(rows: int, columns: int) -> Pair:
    """One number where it is that of both."""
    return rows if rows == columns else (rows, columns)


def paddings(rows: Extent, columns: Extent) -> Padding:
    """The zeros of both axes, in as few numbers as say it."""
    above, below = rows.padding
    left, right = columns.padding
    if above == below and left == right:
        return both(above, left)
    return rows.padding, columns.padding


def sides_of(axes: Sequence[Extent]) -> tuple[Extent, Extent]:
    """Rows and columns; of one axis the columns."""
    return (ONE, axes[0]) if len(axes) == 1 else (axes[0], axes[1])
