"""Maximum and average over windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cnncli.core import nn_jobs
from cnncli.errors import CnncliError
from cnncli.nn.graph import Node, Shape
from cnncli.nn.layer import LANES, Layer, refuse_flattened
from cnncli.nn.memory import Part, Tensor, shares
from cnncli.nn.window import Padding, Pair, Window, whole, window_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnncli.nn.plan import Plan


class Pool(Layer):
    """What poolings have in common."""

    average: ClassVar[bool]
    count_padding: bool = False

    def forward(self, plan: Plan, node: Node) -> None:
        """One pass over the windows."""
        x, y = plan.value(node.inputs[0]), plan.value(node.name)
        job = self._job(plan, node)
        job["halves"] = self._halves(x.shape)
        parts = self._parts(plan, job, x, y)
        if len(parts) > 1:
            plan.split("pooling", parts, y)
        else:
            plan.each_chunk("pooling", job, {"x": x, "y": y})

    def _parts(self, plan: Plan, job: NDArray[np.void], x: Tensor, y: Tensor) -> list[Part]:
        """The record cut by lines; none if stores overlap, or if a part could not tell what a mean counts."""
        rows, columns = self.window(x.shape)
        count = min(plan.parts(y.shape.size * rows.size * columns.size), y.shape.height)
        if count == 1 or y.shape.channels % LANES != 0 or (self.average and (rows.before or rows.after)):
            return []
        made = []
        for lo, hi in shares(y.shape.height, count):
            part = job.copy()
            top = max(0, lo * rows.stride - rows.before)
            part["height"], part["x_height"] = hi - lo, x.shape.height - top
            part["padding_y"] = max(0, rows.before - lo * rows.stride)
            made.append(Part(part, {"x": (x, top * x.row), "y": (y, lo * y.row)}, (lo, hi)))
        return made

    def backward(self, plan: Plan, node: Node) -> None:
        """One pass over the windows; it does the gradient of a ReLU before it along."""
        source = node.inputs[0]
        x, y, dy = plan.value(source), plan.value(node.name), plan.gradient(node.name)
        dx, add = plan.gradient_target(source)
        job = self._job(plan, node)
        job["add"] = add
        even = x.shape.height % 2 == x.shape.width % 2 == 0
        aligned = x.shape.channels < LANES or x.shape.channels % LANES == 0
        job["halves"] = self._halves(x.shape) and even and aligned and not add
        before = plan.graph.nodes.get(source)
        # An average's gradient does not tell where its inputs were 0.
        if not self.average and before and before.layer.is_relu and len(plan.graph.readers(source)) == 1:
            job["masked"] = 1
            if before.inputs[0] in plan.fused:
                plan.masked.add(source)
        plan.each_chunk("pooling_backward", job, {"x": x, "y": y, "dx": dx, "dy": dy})

    def _halves(self, x: Shape) -> bool:
        """The largest of 2 x 2 pixels, all in the picture."""
        return not self.average and self.window(x) == window_of(2, 2)

    def _job(self, plan: Plan, node: Node) -> NDArray[np.void]:
        x, y = node.input_shapes[0], node.shape
        rows, columns = self.window(x)
        return plan.job(
            nn_jobs.POOL,
            average=self.average,
            channels=x.channels,
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
    """Greatest value of each window.

    Attributes
    ----------
    size : int or (rows, columns)
        Of a window.
    stride : int, (rows, columns) or None
        None: the window's size.
    padding : int, (rows, columns) or ((above, below), (left, right))
        At most half the window; never the greatest.
    ceil : bool
        Windows that stick out at the end count too.
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
        Zeros of the padding count in the mean.
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
        """All of it."""
        return whole(x.height, x.width)


def pooled(x: Shape, window: Window) -> Shape:
    """Shape after pooling, as PyTorch counts windows.

    Raises
    ------
    CnncliError
        If a size is below 1, the padding above half the window, or no window fits.
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
