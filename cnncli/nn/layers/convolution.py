"""Convolution.

A network's convolution is a cross-correlation: the kernel is not flipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.nn.algorithms import depthwise, direct, outer, pairs, scatter, winograd
from cnncli.nn.algorithms.gather import AxisPhase, axis_phases, reach
from cnncli.nn.elementwise import apply, repeat
from cnncli.nn.graph import Shape
from cnncli.nn.layer import (
    BLOCK,
    LANES,
    Halo,
    Layer,
    Parameter,
    refuse_flattened,
    vector_parameter,
)
from cnncli.nn.window import Padding, Pair, Sides, Window, pair, same_sides, sides, window_of

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.fusion import Stage
    from cnncli.nn.memory import Tensor

Algorithm = Literal["winograd", "depthwise", "pairs", "direct"]


@dataclass(frozen=True)
class Conv(Layer):
    """Convolution with a bias.

    Attributes
    ----------
    out_channels : int
        K.
    kernel, stride, dilation : int or (rows, columns)
        The kernel of a convolution along one axis is (1, k) or (k, 1).
    padding : int, (rows, columns), ((above, below), (left, right)) or "same"
        Zeros on each side. ``"same"`` gives one output for each pixel or, with a stride s, for every s
        pixels, the last ones included. How many zeros that takes depends on the size of the input; an odd
        one is put below or on the right, as in TensorFlow.
    groups : int
        Input and output channels are divided into this many groups; each output depends only on its group.
    bias : bool
        Add a learned bias to each output channel.
    """

    out_channels: int
    kernel: Pair
    stride: Pair = 1
    padding: Padding | str = 0
    dilation: Pair = 1
    groups: int = 1
    bias: bool = True

    @property
    def channel_axes(self) -> tuple[int, int] | None:
        """Of (K, C, kh, kw), where all channels are in one group."""
        return (0, 1) if self.groups == 1 else None

    def paddings(self, x: Shape) -> tuple[Sides, Sides]:
        """Rows of zeros above and below, columns of zeros left and right of an input of shape ``x``."""
        if not isinstance(self.padding, str):
            return sides(self.padding)
        rows, columns = (
            same_sides(size, axis)
            for size, axis in zip(x[:2], window_of(self.kernel, self.stride, 0, self.dilation), strict=True)
        )
        return rows, columns

    def window(self, x: Shape) -> Window:
        """Kernel, stride, padding and dilation of the convolution."""
        return window_of(self.kernel, self.stride, self.paddings(x), self.dilation)

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """(H + padding before and after - dilation (kernel - 1) - 1) // stride + 1 rows."""
        self._check(inputs[0])
        sizes = []
        for size, axis in zip(inputs[0][:2], self.window(inputs[0]), strict=True):
            count = axis.count(size)
            if count < 1:
                padding = axis.before if axis.before == axis.after else f"{axis.before} and {axis.after}"
                raise CnncliError(
                    f"a kernel of {axis.size} does not fit into {size} pixels with padding {padding}",
                    "Use a smaller kernel, more padding, or fewer poolings before it.",
                )
            sizes.append(count)
        return Shape(sizes[0], sizes[1], self.out_channels)

    def _check(self, x: Shape) -> None:
        if isinstance(self.padding, str) and self.padding != "same":
            raise CnncliError(
                f"padding is {self.padding!r}; expected numbers, or 'same'", "Give the padding as a number."
            )
        numbers = (
            self.out_channels,
            self.groups,
            *pair(self.kernel),
            *pair(self.stride),
            *pair(self.dilation),
        )
        if min(numbers) < 1 or min(map(min, self.paddings(x))) < 0:
            raise CnncliError(
                f"{self} has a size below 1", "Give channels, kernel, stride, dilation and groups from 1 on."
            )
        if x.channels % self.groups or self.out_channels % self.groups:
            raise CnncliError(
                f"{x.channels} channels in, {self.out_channels} out do not divide into {self.groups} groups",
                "Choose groups that divide both.",
            )
        if self.groups > 1:
            refuse_flattened(x, "groups of channels")

    def order(self, x: Shape) -> NDArray[np.intp]:
        """Offset of each weight in the packed rows, in floats: (K, C / groups, kh, kw)."""
        (weight, *_) = self.parameters((Shape(*x[:3]),))
        return weight.offsets()

    def parameters(self, inputs: Sequence[Shape]) -> tuple[Parameter, ...]:
        """weight (K, C / groups, kh, kw) and bias (K,); after a flatten, C is in PyTorch's order."""
        (kh, kw), each = pair(self.kernel), inputs[0].channels // self.groups
        groups = self._packed_groups(inputs[0])
        weight = Parameter(
            "weight",
            (self.out_channels, each, kh, kw),
            groups,
            (kh, kw),
            inputs[0].origin or (1, 1, each),
            initial="he",
            fan_in=kh * kw * each,
            fan_out=self.out_channels // self.groups * kh * kw,
            decay=True,
        )
        if not self.bias:
            return (weight,)
        return weight, vector_parameter("bias", self.out_channels, groups=groups)

    def _is_depthwise(self, x: Shape) -> bool:
        """Each channel has its own kernel: then lanes are channels, not outputs of one group."""
        return 1 < self.groups == self.out_channels == x.channels

    def _packed_groups(self, x: Shape) -> int:
        """Groups of outputs that start a block of their own in memory."""
        return 1 if self._is_depthwise(x) else self.groups

    def _is_padded(self, x: Shape) -> bool:
        return self.paddings(x) != ((0, 0), (0, 0))

    def multiply_adds(self, inputs: Sequence[Shape]) -> int:
        """One for each tap, input and output channel of a group, and output pixel."""
        kh, kw = pair(self.kernel)
        return self.shape(inputs).size * kh * kw * (inputs[0].channels // self.groups)

    def input_halo(self, inputs: Sequence[Shape]) -> Halo:
        """The padding: on each axis the larger of the two sides."""
        rows, columns = self.paddings(inputs[0])
        return max(rows), max(columns)

    def output_halo(self, inputs: Sequence[Shape]) -> Halo:
        """How far the mirrored kernel reaches beyond the gradient."""
        y = self.shape(inputs)
        if self._scatters(inputs[0], y):
            return 0, 0
        rows, columns = (self.phases(inputs[0], axis) for axis in range(2))
        return reach(rows, y.height), reach(columns, y.width)

    def whole_gradient(self, parameter: Parameter, inputs: Sequence[Shape]) -> bool:
        """A fully connected layer has as many weights as multiply-adds."""
        return parameter.name == "weight" and self._is_dense(inputs)

    def _is_dense(self, inputs: Sequence[Shape]) -> bool:
        """Input and output are single pixels, fully connected: a matrix product."""
        one = inputs[0].height == inputs[0].width == 1 and not self._is_padded(inputs[0])
        return one and pair(self.kernel) == (1, 1) and self.groups == 1

    def accumulates(self, inputs: Sequence[Shape]) -> bool:
        """Whether it can add to what its output holds: sums over the channels of one pixel."""
        return pair(self.kernel) == (1, 1) and self.groups == 1 and inputs[0].channels > 1

    def forward(self, plan: Emit, node: Stage) -> None:
        """By the algorithm that is fastest for the sizes."""
        x, y = plan.value(node.inputs[0]), plan.value(node.name)
        placed = x, self.corner(x)
        bias = plan.bias(node, self._padded_outputs(x.shape) if not self.bias else 0)
        panel, mode = plan.weight(node, "weight"), direct.RELUS[node.relu]
        algorithm = self.algorithm(node.input_shapes, x.shape.frames * plan.chunks.size)
        if algorithm == "winograd":
            later = node.relu == "relu6"  # these loops know no upper limit
            winograd.emit(plan, node.name, placed, y, panel=panel, bias=bias, mode=0 if later else mode)
            if later:
                apply(plan, node.relu, y, y, y)
        elif algorithm == "depthwise":
            depthwise.emit(plan, placed, (y, 0), self._taps(x), panel=panel, bias=bias, mode=mode)
        elif algorithm == "pairs":
            weight = panel, self.order(node.input_shapes[0])
            lines = (pair(self.stride)[0], *pair(self.dilation))
            pairs.emit(plan, placed, y, weight, lines=lines, bias=bias, mode=mode)
        else:
            window = self.window(x.shape)
            direct.emit(
                plan,
                placed,
                y,
                window,
                groups=self.groups,
                weights=(panel, bias),
                adds=bool(node.adds),
                relu=node.relu,
            )

    def algorithm(self, inputs: Sequence[Shape], samples: int) -> Algorithm:
        """The fastest way from inputs of these shapes to outputs, for so many samples at a time."""
        x, y = inputs[0], self.shape(inputs)
        if self._uses_winograd(x.channels, y, samples=samples):
            return "winograd"
        if self._is_depthwise(x):
            return "depthwise"
        return "pairs" if pairs.is_faster(x, y, pair(self.stride)) else "direct"

    def corner(self, x: Tensor) -> int:
        """Bytes from the first pixel of an input to the first tap of the first window."""
        rows, columns = self.paddings(x.shape)
        return -rows[0] * x.row - columns[0] * x.pixel

    def _uses_winograd(self, channels: int, y: Shape, *, samples: int) -> bool:
        """Whether Winograd's algorithm can compute y, and is fastest for it."""
        return self._is_plain and winograd.is_faster(channels, y.channels, y, samples=samples)

    @property
    def _is_plain(self) -> bool:
        """Whether it is 3 x 3 and looks at all inputs around each pixel."""
        plain = (pair(self.stride), pair(self.dilation), self.groups) == ((1, 1), (1, 1), 1)
        return plain and pair(self.kernel) == (3, 3)

    def _taps(self, x: Tensor) -> depthwise.Taps:
        """A kernel over the channels of x."""
        (kh, kw), (stride_y, stride_x) = pair(self.kernel), pair(self.stride)
        rows = [i * self._dilated(0) * x.row for i in range(kh)]
        return depthwise.Taps(rows, kw, self._dilated(1) * x.pixel, stride_x * x.pixel, stride_y * x.row)

    def _padded_outputs(self, x: Shape) -> int:
        groups = self._packed_groups(x)
        return groups * -(-self.out_channels // groups // BLOCK) * BLOCK

    def backward(self, plan: Emit, node: Stage) -> None:
        """Gradient of weights and bias, then of the input."""
        if plan.is_trained(node.name):
            self._backward_weight(plan, node)
        source = node.inputs[0]
        if plan.needs_gradient(source):
            dy = plan.gradient(node.name)
            dx, add = plan.gradient_target(source)
            if self._scatters(dx.shape, dy.shape):
                weight = plan.weight(node, "weight"), self.order(node.input_shapes[0])
                lines = (*pair(self.stride), self._dilated(0))
                scatter.emit(plan, dy, dx, weight, lines=lines, add=add)
                return
            # With a stride or groups, stores may overlap pixels already written: then every store adds.
            if not add and self._overlaps(dx.shape):
                repeat(plan, plan.constant(np.zeros(dx.shape.width * dx.shape.channels, np.float32)), dx)
                add = True
            for rows, columns in product(*(self.phases(dx.shape, axis) for axis in range(2))):
                if rows.count and columns.count:
                    self._backward_input(plan, node, (rows, columns), (dy, dx, add))

    def _backward_input(
        self,
        plan: Emit,
        node: Stage,
        phases: tuple[AxisPhase, AxisPhase],
        tensors: tuple[Tensor, Tensor, bool],
    ) -> None:
        """One phase of the stride: pixels of dx that are reached by the same taps."""
        dy, dx, add = tensors
        shape = (self.out_channels, dx.shape.channels // self.groups, *pair(self.kernel))
        weight = plan.weight(node, "weight"), shape
        if self._is_depthwise(dx.shape):
            placed = weight[0], self.order(node.input_shapes[0])
            depthwise.emit_input_gradient(plan, placed, phases, dy, dx, add=add)
        elif self._uses_winograd(dy.shape.channels, dx.shape, samples=dx.shape.frames * plan.chunks.size):
            panel, zeros = direct.pack_mirrored(plan, weight, phases, groups=1)
            at = phases[0].offsets[0] * dy.row + phases[1].offsets[0] * dy.pixel
            mode = direct.ADD if add else 0
            winograd.emit(plan, node.name, (dy, at), dx, panel=panel, bias=zeros, mode=mode)
        else:
            direct.emit_input_gradient(plan, weight, phases, dy, dx, groups=self.groups, add=add)

    def _overlaps(self, x: Shape) -> bool:
        """Stores of the gradient of the input reach over pixels that may be there already."""
        strided = max(pair(self.stride)) > 1
        if self._is_depthwise(x):
            return strided and x.channels % LANES != 0
        return (strided or self.groups > 1) and x.channels // self.groups % BLOCK != 0

    def _backward_weight(self, plan: Emit, node: Stage) -> None:
        x, dy = plan.value(node.inputs[0]), plan.gradient(node.name)
        placed = x, self.corner(x)
        dweight = plan.weight_gradient(node, "weight")
        dense = self._is_dense(node.input_shapes)
        elsewhere = True
        samples = x.shape.frames * plan.chunks.size
        if self._is_plain and winograd.sums_weights(
            x.shape.channels, dy.shape.channels, dy.shape, samples=samples
        ):
            winograd.emit_weight_gradient(plan, placed, dy, dweight)
        elif self._is_depthwise(x.shape):
            depthwise.emit_weight_gradient(plan, placed, dy, self._taps(x), dweight)
        else:
            elsewhere = dense
        if self.bias or not elsewhere:
            outer.emit(
                plan,
                placed,
                dy,
                self.window(x.shape),
                groups=(self.groups, self._packed_groups(x.shape)),
                dweight=0 if elsewhere else dweight,
                dbias=plan.weight_gradient(node, "bias") if self.bias else 0,
                pairs=pairs.is_faster(x.shape, dy.shape, pair(self.stride)),
            )
        if dense:
            outer.emit_dense(plan, x, dy, dweight)

    def _scatters(self, x: Shape, y: Shape) -> bool:
        """Scattering kernel rows is the fastest way to the gradient of the input."""
        plain = not self._is_padded(x) and self.groups == 1 and self._dilated(1) == 1
        has_winograd = self._uses_winograd(y.channels, x, samples=winograd.TILES)
        return plain and not has_winograd and scatter.is_faster(x, y, pair(self.kernel), pair(self.stride))

    def phases(self, x: Shape, axis: int) -> list[AxisPhase]:
        """Positions along an axis of an input that the same taps reach in the backward pass."""
        along = self.window(x)[axis]
        return axis_phases(
            x[:2][axis],
            kernel=along.size,
            stride=along.stride,
            dilation=along.dilation,
            padding=along.before,
        )

    def _dilated(self, axis: int) -> int:
        return pair(self.dilation)[axis]
