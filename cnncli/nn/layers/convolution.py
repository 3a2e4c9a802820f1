"""Convolution and the fully connected layer, which is a 1x1 convolution of one pixel.

A network's convolution is a cross-correlation: the kernel is not flipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import nn_jobs
from cnncli.core.native import processor
from cnncli.errors import CnncliError
from cnncli.nn.algorithms import depthwise, pairs, scatter, winograd
from cnncli.nn.algorithms.gather import AxisPhase, Gather, axis_phases, reach
from cnncli.nn.elementwise import apply, repeat
from cnncli.nn.graph import Shape
from cnncli.nn.layer import (
    BLOCK,
    LANES,
    Halo,
    Layer,
    Parameter,
    is_narrow,
    refuse_flattened,
    vector_parameter,
)
from cnncli.nn.window import POINT, Axis, Padding, Pair, Sides, Window, pair, sides, whole, window_of

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.fusion import Stage
    from cnncli.nn.memory import Tensor

ROWS = processor()[3].gemm_rows
MAX_ROWS = max(ROWS, processor()[3].gemm_narrow_rows)
ADD = 1  # modes of the register tile …
RELUS = {"": 0, "relu": 2, "relu6": 6}  # … and of the ReLU that it applies
LINE_PIXELS = 128  # pixels of a gradient processed together, so that they stay in the L1 cache


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

    def paddings(self, x: Shape) -> tuple[Sides, Sides]:
        """Rows of zeros above and below, columns of zeros left and right of an input of shape ``x``."""
        if not isinstance(self.padding, str):
            return sides(self.padding)
        rows, columns = (
            _same(size, axis)
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
        rows, columns = (self._phases(inputs[0], axis) for axis in range(2))
        return reach(rows, y.height), reach(columns, y.width)

    def whole_gradient(self, parameter: Parameter, inputs: Sequence[Shape]) -> bool:
        """A fully connected layer has as many weights as multiply-adds."""
        return parameter.name == "weight" and self._is_dense(inputs)

    def _is_dense(self, inputs: Sequence[Shape]) -> bool:
        """Input and output are single pixels, fully connected: a matrix product."""
        one = inputs[0].height == inputs[0].width == 1 and not self._is_padded(inputs[0])
        return one and pair(self.kernel) == (1, 1) and self.groups == 1

    def forward(self, plan: Emit, node: Stage) -> None:
        """Sum over segments: the rows of the window, or single taps if they are not adjacent in memory."""
        x, y = plan.value(node.inputs[0]), plan.value(node.name)
        corner = self._corner(x)
        bias = plan.bias(node, self._padded_outputs(x.shape) if not self.bias else 0)
        relu = node.relu
        mode = RELUS[relu]
        if self._is_plain_3x3 and winograd.is_faster(
            x.shape.channels, self.out_channels, y.shape, samples=plan.chunks.size
        ):
            panel = plan.weight(node, "weight")
            later = relu == "relu6"  # these loops know no upper limit
            winograd.emit(plan, node.name, (x, corner), y, panel=panel, bias=bias, mode=0 if later else mode)
            if later:
                apply(plan, relu, y, y, y)
            return
        if self._is_depthwise(x.shape):
            panel = plan.weight(node, "weight")
            depthwise.emit(plan, (x, corner), (y, 0), self._taps(x), panel=panel, bias=bias, mode=mode)
            return
        if pairs.is_faster(x.shape, y.shape, pair(self.stride)):
            weight = plan.weight(node, "weight"), self.order(node.input_shapes[0])
            lines = (pair(self.stride)[0], *pair(self.dilation))
            pairs.emit(plan, (x, corner), y, weight, lines=lines, bias=bias, mode=mode)
            return
        kh, kw = pair(self.kernel)
        dilation_y, dilation_x = pair(self.dilation)
        stride_y, stride_x = pair(self.stride)
        each = x.shape.channels // self.groups
        joined = dilation_x == 1 and self.groups == 1
        columns = 1 if joined else kw
        length = kw * each if joined else each
        segments = [
            (i * dilation_y * x.row + j * dilation_x * x.pixel, length)
            for i in range(kh)
            for j in range(columns)
        ]
        gather = Gather(segments, self.groups, each, self.out_channels // self.groups)
        job = gather.job(plan, y.shape, panel=plan.weight(node, "weight"), bias=bias)
        job["x_step"], job["x_line"] = stride_x * x.pixel, stride_y * x.row
        job["y_step"], job["y_line"] = y.pixel, y.row
        if gather.overlaps:
            pattern = gather.pattern(plan, bias, y.shape.width)
            repeat(plan, pattern, y)
            job["mode"] = ADD
        late = relu and (gather.overlaps or (gather.sum_blocks > 1 and self.out_channels % BLOCK != 0))
        if not late:
            job["mode"] |= mode
        gather.split(job, x.image, stride_y * x.row, y.shape)
        parts = 1 if gather.overlaps else plan.parts(self.multiply_adds(node.input_shapes))
        cut = gather.parts(job, (x, corner), y, parts)
        if len(cut) > 1:
            plan.split("conv_forward", cut, y)
        else:
            plan.each_chunk("conv_forward", job, {"x": (x, corner), "y": y})
        if late:
            apply(plan, relu, y, y, y)

    def _corner(self, x: Tensor) -> int:
        """Bytes from the first pixel of an input to the first tap of the first window."""
        rows, columns = self.paddings(x.shape)
        return -rows[0] * x.row - columns[0] * x.pixel

    @property
    def _is_plain_3x3(self) -> bool:
        """A plain 3 x 3 convolution with stride 1, for which Winograd's algorithm is used."""
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
        self._backward_weight(plan, node)
        source = node.inputs[0]
        if plan.needs_gradient(source):
            dy = plan.gradient(node.name)
            dx, add = plan.gradient_target(source)
            if self._scatters(dx.shape, dy.shape):
                order = self.order(node.input_shapes[0])
                weight = plan.weight(node, "weight"), order
                lines = (*pair(self.stride), self._dilated(0))
                scatter.emit(plan, dy, dx, weight, lines=lines, add=add)
                return
            # With a stride or groups, stores may overlap pixels already written: then every store adds.
            if not add and self._overlaps(dx.shape):
                repeat(plan, plan.constant(np.zeros(dx.shape.width * dx.shape.channels, np.float32)), dx)
                add = True
            for rows, columns in product(*(self._phases(dx.shape, axis) for axis in range(2))):
                if not rows.count or not columns.count:
                    continue
                if self._is_depthwise(dx.shape):
                    weight = plan.weight(node, "weight"), self.order(node.input_shapes[0])
                    depthwise.emit_input_gradient(plan, weight, (rows, columns), dy, dx, add=add)
                else:
                    self._backward_input(plan, node, (rows, columns), (dy, dx, add))

    def _overlaps(self, x: Shape) -> bool:
        """Stores of the gradient of the input reach over pixels that may be there already."""
        strided = max(pair(self.stride)) > 1
        if self._is_depthwise(x):
            return strided and x.channels % LANES != 0
        return (strided or self.groups > 1) and x.channels // self.groups % BLOCK != 0

    def _backward_weight(self, plan: Emit, node: Stage) -> None:
        x, dy = plan.value(node.inputs[0]), plan.gradient(node.name)
        kh, kw = pair(self.kernel)
        each = x.shape.channels // self.groups
        i, j, c = np.ogrid[:kh, :kw, :each]
        taps = (i * self._dilated(0) * x.row + j * self._dilated(1) * x.pixel + 4 * c).ravel()
        dense = self._is_dense(node.input_shapes)
        corner = self._corner(x)
        uses_winograd = self._is_plain_3x3 and winograd.is_faster(
            x.shape.channels, self.out_channels, dy.shape, samples=plan.chunks.size
        )
        if uses_winograd:
            winograd.emit_weight_gradient(plan, (x, corner), dy, plan.weight_gradient(node, "weight"))
        separate = self._is_depthwise(x.shape)
        if separate:
            address = plan.weight_gradient(node, "weight")
            depthwise.emit_weight_gradient(plan, (x, corner), dy, self._taps(x), address)
        elsewhere = dense or uses_winograd or separate
        groups = self._packed_groups(x.shape)
        outputs = self.out_channels // groups
        blocks = -(-outputs // BLOCK)
        job = plan.job(
            nn_jobs.OUTER,
            height=dy.shape.height,
            width=dy.shape.width,
            x_step=pair(self.stride)[1] * x.pixel,
            x_line=pair(self.stride)[0] * x.row,
            dy_step=dy.pixel,
            lines=max(1, LINE_PIXELS // dy.shape.width),
            groups=groups,
            x_group=4 * each,
            dy_group=4 * outputs,
            taps=plan.constant(np.concatenate([taps, np.repeat(taps[-1:], MAX_ROWS)]).astype(np.int64)),
            tap_count=0 if elsewhere else taps.size,
            dweight=plan.weight_gradient(node, "weight"),
            slot_pitch=plan.slot_pitch,
            slot_chunks=plan.chunks.per_slot,
            panel_blocks=blocks,
            narrow=is_narrow(outputs),
            pairs=pairs.is_faster(x.shape, dy.shape, pair(self.stride)) and dy.shape.width % 2 == 0,
            dbias=plan.weight_gradient(node, "bias") if self.bias else 0,
        )
        if self.bias or not elsewhere:
            plan.each_chunk("conv_backward", job, {"x": (x, corner), "dy": dy})
        if dense:
            whole = plan.job(
                nn_jobs.DENSE,
                taps=taps.size,
                panel_blocks=blocks,
                dweight=plan.weight_gradient(node, "weight"),
                samples=plan.samples_address,
            )
            plan.after_all_chunks("dense_backward", whole, -(-taps.size // ROWS), {"x": x, "dy": dy})

    def _scatters(self, x: Shape, y: Shape) -> bool:
        """Scattering kernel rows is the fastest way to the gradient of the input."""
        plain = not self._is_padded(x) and self.groups == 1 and self._dilated(1) == 1
        has_winograd = self._is_plain_3x3 and winograd.is_faster(
            y.channels, x.channels, x, samples=winograd.TILES
        )
        return plain and not has_winograd and scatter.is_faster(x, y, pair(self.kernel), pair(self.stride))

    def _phases(self, x: Shape, axis: int) -> list[AxisPhase]:
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

    def _backward_input(
        self,
        plan: Emit,
        node: Stage,
        phases: tuple[AxisPhase, AxisPhase],
        tensors: tuple[Tensor, Tensor, bool],
    ) -> None:
        """One phase of the stride: pixels of dx that are reached by the same taps."""
        dy, dx, add = tensors
        rows, columns = phases
        outputs = self.out_channels // self.groups
        each = dx.shape.channels // self.groups
        taps = [(i, j) for i in rows.taps for j in columns.taps]
        lengths = [outputs] * len(taps)
        offsets = [oy * dy.row + ox * dy.pixel for oy in rows.offsets for ox in columns.offsets]
        if self.groups == 1 and columns.consecutive:
            step = max(len(columns.taps), 1)
            lengths = [outputs * step] * (len(taps) // step)
            offsets = offsets[::step]
        panel = plan.pack(plan.weight(node, "weight"), self._mirrored(node, taps))
        zeros = plan.constant(np.zeros(self.groups * -(-each // BLOCK) * BLOCK, np.float32))
        if self._is_plain_3x3 and winograd.is_faster(outputs, each, dx.shape, samples=plan.chunks.size):
            mode = ADD if add else 0
            winograd.emit(plan, node.name, (dy, offsets[0]), dx, panel=panel, bias=zeros, mode=mode)
            return
        gather = Gather(list(zip(offsets, lengths, strict=True)) or [(0, 0)], self.groups, outputs, each)
        shape = Shape(rows.count, columns.count, dx.shape.channels)
        job = gather.job(plan, shape, panel=panel, bias=zeros)
        job["x_step"], job["x_line"] = dy.pixel, dy.row
        job["y_step"], job["y_line"] = columns.stride * dx.pixel, rows.stride * dx.row
        first = rows.first * dx.row + columns.first * dx.pixel
        job["mode"] = ADD if add else 0
        gather.split(job, dy.image, dy.row, shape)
        plan.each_chunk("conv_forward", job, {"x": dy, "y": (dx, first)})

    def _mirrored(self, node: Stage, taps: list[tuple[int, int]]) -> NDArray[np.intp]:
        """Indices of the weights in a panel for the gradient of the input; -1 where there is none."""
        order = self.order(node.input_shapes[0])
        outputs, each = self.out_channels // self.groups, order.shape[1]
        blocks = -(-each // BLOCK)
        panel = np.full((self.groups, blocks * BLOCK, len(taps), outputs), -1, np.intp)
        grouped = order.reshape(self.groups, outputs, *order.shape[1:])
        for position, (i, j) in enumerate(taps):
            panel[:, :each, position] = grouped[..., i, j].transpose(0, 2, 1)
        panel = panel.reshape(self.groups, blocks, BLOCK, -1)
        return np.ascontiguousarray(panel.transpose(0, 1, 3, 2))


def _same(pixels: int, axis: Axis) -> Sides:
    """Zeros before and after so many pixels that give one output for every ``stride`` of them."""
    outputs = -(-pixels // max(axis.stride, 1))
    zeros = max(0, (outputs - 1) * axis.stride + axis.extent - pixels)
    return zeros // 2, zeros - zeros // 2


@dataclass(frozen=True)
class Linear(Layer):
    """Fully connected: every output is a weighted sum of all inputs, plus a bias.

    Attributes
    ----------
    out_features : int
        Number of outputs.
    bias : bool
        Add a learned bias to each output.
    """

    out_features: int
    bias: bool = True

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """(1, 1, out_features); the input must be a vector."""
        if inputs[0][:2] != (1, 1):
            raise CnncliError(
                f"a fully connected layer got {inputs[0]}; expected a vector of features",
                "Put a flatten or a global pooling before it.",
            )
        return self._conv.shape(inputs)

    def window(self, x: Shape) -> Window:
        """All of the feature maps that were flattened, if any."""
        return POINT if x.origin is None else whole(*x.origin[:2])

    @property
    def _conv(self) -> Conv:
        return Conv(self.out_features, 1, bias=self.bias)

    def parameters(self, inputs: Sequence[Shape]) -> tuple[Parameter, ...]:
        """weight (out, in) and bias (out,)."""
        weight, *rest = self._conv.parameters(inputs)
        flat = replace(weight, shape=weight.shape[:2])
        return flat, *rest

    def multiply_adds(self, inputs: Sequence[Shape]) -> int:
        """One for each weight."""
        return self.out_features * inputs[0].channels

    def whole_gradient(self, parameter: Parameter, inputs: Sequence[Shape]) -> bool:
        """As a convolution of one pixel."""
        return self._conv.whole_gradient(parameter, inputs)

    def forward(self, plan: Emit, node: Stage) -> None:
        """As a convolution of one pixel."""
        self._conv.forward(plan, node)

    def backward(self, plan: Emit, node: Stage) -> None:
        """As a convolution of one pixel."""
        self._conv.backward(plan, node)
