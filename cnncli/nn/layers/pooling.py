"""Max and average pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cnncli.core import nn_jobs
from cnncli.core.choices import VALUE_WORK
from cnncli.errors import CnncliError
from cnncli.nn.calls import Part
from cnncli.nn.graph import Shape
from cnncli.nn.layer import LANES, Layer, refuse_flattened
from cnncli.nn.memory import split_evenly
from cnncli.nn.window import Axis, Padding, Pair, Window, pair, whole, window_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnncli.nn.emit import Emit
    from cnncli.nn.fusion import Stage
    from cnncli.nn.memory import Tensor


class Pool(Layer):
    """Base class of pooling layers."""

    average: ClassVar[bool]
    adaptive: ClassVar[bool] = False  # windows divide the input as evenly as they can
    count_padding: bool = False

    def forward(self, plan: Emit, node: Stage) -> None:
        """One pass over the windows."""
        x, y = plan.value(node.inputs[0]), plan.value(node.name)
        job = self._job(plan, node)
        job["halves"] = self._is_max_2x2(x.shape)
        parts = self._parts(plan, job, x, y)
        if len(parts) > 1:
            plan.split("pooling", parts, y)
        else:
            plan.each_chunk("pooling", job, {"x": x, "y": y})

    def _parts(self, plan: Emit, job: NDArray[np.void], x: Tensor, y: Tensor) -> list[Part]:
        """The record split by lines, or a single pixel by channels; empty if stores overlap.

        It is not split by lines if windows depend on the whole height.
        """
        rows, columns = self.window(x.shape)
        if y.shape.channels % LANES != 0:
            return []
        if y.shape.height == y.shape.width == 1:
            return self._parts_of_channels(plan, job, x, y)
        work = max(VALUE_WORK * x.shape.size, y.shape.size * rows.size * columns.size)
        count = min(plan.parts(work), y.shape.height)
        counted = self.adaptive or (self.average and (rows.before or rows.after))
        if count == 1 or counted:
            return []
        made = []
        for lo, hi in split_evenly(y.shape.height, count):
            part = job.copy()
            top = max(0, lo * rows.stride - rows.before)
            part["height"], part["x_height"] = hi - lo, x.shape.height - top
            part["padding_y"] = max(0, rows.before - lo * rows.stride)
            made.append(Part(part, {"x": (x, top * x.row), "y": (y, lo * y.row)}, (lo, hi)))
        return made

    def _parts_of_channels(self, plan: Emit, job: NDArray[np.void], x: Tensor, y: Tensor) -> list[Part]:
        made = []
        for lo, hi in split_evenly(x.shape.channels, plan.parts(VALUE_WORK * x.shape.size), unit=LANES):
            part = job.copy()
            part["channels"] = hi - lo
            made.append(Part(part, {"x": (x, 4 * lo), "y": (y, 4 * lo)}, None))
        return made

    def backward(self, plan: Emit, node: Stage) -> None:
        """One pass over the windows; it also applies the gradient of a ReLU before it."""
        source = node.inputs[0]
        x, y, dy = plan.value(source), plan.value(node.name), plan.gradient(node.name)
        dx, add = plan.gradient_target(source)
        job = self._job(plan, node)
        job["add"] = add
        even = x.shape.height % 2 == x.shape.width % 2 == 0
        aligned = x.shape.channels < LANES or x.shape.channels % LANES == 0
        job["halves"] = self._is_max_2x2(x.shape) and even and aligned and not add
        job["masked"] = node.masks
        plan.each_chunk("pooling_backward", job, {"x": x, "y": y, "dx": dx, "dy": dy})

    def _is_max_2x2(self, x: Shape) -> bool:
        """Whether it is unpadded 2 x 2 max pooling."""
        return not self.average and self.window(x) == window_of(2, 2)

    def _job(self, plan: Emit, node: Stage) -> NDArray[np.void]:
        x, y = node.input_shapes[0], node.shape
        rows, columns = self.window(x)
        return plan.job(
            nn_jobs.POOL,
            average=self.average,
            adaptive=self.adaptive,
            channels=x.channels,
            pixel=4 * x.channels,
            x_height=x.height,
            x_width=x.width,
            height=y.height,
            width=y.width,
            window_y=rows.size,
            window_x=columns.size,
            stride_y=rows.stride,
            stride_x=columns.stride,
            padding_y=rows.before,
            padding_x=columns.before,
            after_y=rows.after,
            after_x=columns.after,
            count_padding=self.count_padding,
        )


@dataclass(frozen=True)
class MaxPool(Pool):
    """Maximum of each window.

    Attributes
    ----------
    size : int or (rows, columns)
        Size of the window.
    stride : int, (rows, columns) or None
        None: the size of the window.
    padding : int, (rows, columns) or ((above, below), (left, right))
        At most half the window; never the maximum.
    ceil : bool
        Include windows that extend beyond the end.
    """

    size: Pair
    stride: Pair | None = None
    padding: Padding = 0
    ceil: bool = False

    average = False

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """As many windows as fit."""
        return pooled(inputs[0], self.window(inputs[0]))

    def window(self, x: Shape) -> Window:
        """As set."""
        stride = self.size if self.stride is None else self.stride
        return window_of(self.size, stride, self.padding, ceil=self.ceil)


@dataclass(frozen=True)
class AvgPool(Pool):
    """Mean of each window.

    Attributes
    ----------
    size, stride, padding, ceil
        As for `MaxPool`.
    count_padding : bool
        Include the zeros of the padding in the mean.
    """

    size: Pair
    stride: Pair | None = None
    padding: Padding = 0
    ceil: bool = False
    count_padding: bool = True

    average = True

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """As many windows as fit."""
        return pooled(inputs[0], self.window(inputs[0]))

    def window(self, x: Shape) -> Window:
        """As set."""
        stride = self.size if self.stride is None else self.stride
        return window_of(self.size, stride, self.padding, ceil=self.ceil)


@dataclass(frozen=True)
class GlobalAvgPool(Pool):
    """Mean of each channel."""

    average = True

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """(1, 1, C)."""
        return Shape(1, 1, inputs[0].channels, inputs[0].origin)

    def window(self, x: Shape) -> Window:
        """The whole input."""
        return whole(x.height, x.width)


@dataclass(frozen=True)
class AdaptiveAvgPool(Pool):
    """Mean of windows that divide the input into a set number of rows and columns, as evenly as they can.

    Row r of h reads the rows of the input from floor(r H / h) to before ceil((r + 1) H / h): windows overlap
    by a line where h does not divide H, and repeat lines where the input is smaller than the output.

    Attributes
    ----------
    size : int or (rows, columns)
        Of the output, 1 or more.
    """

    size: Pair

    average = True
    adaptive = True

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """(rows, columns, C)."""
        height, width = pair(self.size)
        if min(height, width) < 1:
            raise CnncliError(
                f"an adaptive pooling to {height}x{width}; expected 1 or more of each", "Mend its size."
            )
        if (height, width) != (1, 1):
            refuse_flattened(inputs[0], "a pooling to more than one pixel")
        return Shape(height, width, inputs[0].channels, inputs[0].origin)

    def window(self, x: Shape) -> Window:
        """The largest of its windows, and the mean step between them, rounded down."""
        rows, columns = (
            Axis(
                max(-(-(i + 1) * pixels // count) - i * pixels // count for i in range(count)),
                max(1, pixels // count),
            )
            for pixels, count in zip(x[:2], pair(self.size), strict=True)
        )
        return rows, columns


def pooled(x: Shape, window: Window) -> Shape:
    """Shape after pooling, as in PyTorch.

    Raises
    ------
    CnncliError
        If a size is below 1, the padding is more than half the window, or no window fits.
    """
    sizes = []
    for size, axis in zip(x[:2], window, strict=True):
        padding = axis.before if axis.before == axis.after else f"{axis.before} and {axis.after}"
        widest, least = max(axis.before, axis.after), min(axis.before, axis.after)
        if axis.size < 1 or axis.stride < 1 or least < 0 or widest > axis.size // 2:
            raise CnncliError(
                f"a pooling has window {axis.size}, stride {axis.stride}, padding {padding}; "
                "expected 1 or more, 1 or more, and 0 to half the window",
                "Mend the pooling's sizes.",
            )
        count = axis.count(size)
        if count < 1:
            raise CnncliError(
                f"a pooling window of {axis.size} does not fit into {size} pixels with padding {padding}",
                "Use fewer poolings, or convolutions with padding.",
            )
        sizes.append(count)
    if sizes != [1, 1]:
        refuse_flattened(x, "a pooling to more than one pixel")
    return Shape(sizes[0], sizes[1], x.channels, x.origin)
