"""Layers that enlarge feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import nn_jobs
from cnncli.core.choices import MIN_LINES, VALUE_WORK
from cnncli.errors import CnncliError
from cnncli.nn.algorithms import direct, outer
from cnncli.nn.algorithms.gather import reach, spill
from cnncli.nn.calls import Part
from cnncli.nn.elementwise import copy, repeat, repeated
from cnncli.nn.graph import Shape
from cnncli.nn.layer import BLOCK, Halo, Layer, Parameter, refuse_flattened, vector_parameter
from cnncli.nn.layers.convolution import Conv
from cnncli.nn.memory import Tensor, split_evenly
from cnncli.nn.window import POINT, Axis, Pair, Window, pair

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.fusion import Stage

MODES = ("nearest", "bilinear")


class Resampling(Layer):
    """A layer whose outputs are weighted sums of rows and of columns of the input."""

    def tables(self, x: Shape) -> list[NDArray[np.float32]]:
        """(outputs, inputs) how much of each row is in each row of the output; the same of columns."""
        raise NotImplementedError

    def forward(self, plan: Emit, node: Stage) -> None:
        """One pass over the output."""
        x, y = plan.value(node.inputs[0]), plan.value(node.name)
        job = _resampling(plan, y.shape, self.tables(x.shape))
        count = min(plan.parts(VALUE_WORK * y.shape.size), y.shape.height)
        if count == 1:
            plan.each_chunk("resample", job, {"x": x, "y": y})
            return
        parts = []
        for lo, hi in split_evenly(y.shape.height, count):
            part = job.copy()
            part["height"] = hi - lo
            part["row_ends"] += 8 * lo
            parts.append(Part(part, {"x": x, "y": (y, lo * y.row)}, (lo, hi)))
        plan.split("resample", parts, y)

    def backward(self, plan: Emit, node: Stage) -> None:
        """One pass over the input, by the tables the other way round."""
        dy = plan.gradient(node.name)
        dx, add = plan.gradient_target(node.inputs[0])
        tables = [weights.T for weights in self.tables(dx.shape)]
        job = _resampling(plan, dx.shape, tables)
        job["add"] = add
        plan.each_chunk("resample", job, {"x": dy, "y": dx})


@dataclass(frozen=True)
class Upsample(Resampling):
    """Feature maps enlarged by a whole factor, as PyTorch's ``Upsample`` with ``align_corners=False``.

    Attributes
    ----------
    factor : int or (rows, columns)
        From 1.
    mode : {"nearest", "bilinear"}
        ``bilinear`` puts the centres of pixels where they are: half a pixel from the edge.
    """

    factor: Pair = 2
    mode: str = "nearest"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """(rows * H, columns * W, C)."""
        refuse_flattened(inputs[0], "an upsampling")
        rows, columns = pair(self.factor)
        if min(rows, columns) < 1:
            raise CnncliError(
                f"an upsampling by {rows}x{columns}; expected factors from 1", "Mend its factor."
            )
        if self.mode not in MODES:
            raise CnncliError(
                f"an upsampling is {self.mode!r}; expected one of {', '.join(MODES)}", "Mend its mode."
            )
        return Shape(inputs[0].height * rows, inputs[0].width * columns, inputs[0].channels)

    def window(self, x: Shape) -> Window:
        """The outputs that an input adds to."""
        rows, columns = (
            Axis(f, upsampled=f)
            if f == 1 or self.mode == "nearest"
            else Axis(2 * f - f % 2, before=f // 2, after=f // 2, upsampled=f)
            for f in pair(self.factor)
        )
        return rows, columns

    def tables(self, x: Shape) -> list[NDArray[np.float32]]:
        """Of rows and of columns."""
        sizes = zip(x[:2], pair(self.factor), strict=True)
        return [_taps(pixels, factor, self.mode) for pixels, factor in sizes]


def _taps(pixels: int, factor: int, mode: str) -> NDArray[np.float32]:
    """(factor * pixels, pixels) how much of each input is in each output."""
    weights = np.zeros((factor * pixels, pixels), np.float32)
    out = np.arange(factor * pixels)
    if mode == "nearest":
        weights[out, out // factor] = 1
        return weights
    place = np.clip((out + 0.5) / factor - 0.5, 0, pixels - 1)
    below = np.minimum(place.astype(np.intp), pixels - 1)
    share = place - below
    weights[out, below] = 1 - share
    inner = share > 0
    weights[out[inner], below[inner] + 1] = share[inner]
    return weights


def _resampling(plan: Emit, y: Shape, tables: Sequence[NDArray[np.float32]]) -> NDArray[np.void]:
    job = plan.job(nn_jobs.RESAMPLE, height=y.height, width=y.width, channels=y.channels)
    for name, weights in zip(("row", "column"), tables, strict=True):
        used = weights != 0
        ends = np.concatenate([[0], used.sum(axis=1).cumsum()])
        job[f"{name}_ends"] = plan.constant(ends.astype(np.int64))
        job[f"{name}_taps"] = plan.constant(np.nonzero(used)[1].astype(np.int64))
        job[f"{name}_weights"] = plan.constant(weights[used])
    return job


@dataclass(frozen=True)
class ConvTranspose(Layer):
    """Transposed convolution: each input pixel adds a kernel to the output.

    It is the gradient of a convolution with respect to its input, with a bias, and so it is computed.

    Attributes
    ----------
    out_channels : int
        K.
    kernel, stride : int or (rows, columns)
        From 1.
    padding : int or (rows, columns)
        Lines of the output that are left out at each edge.
    bias : bool
        Add a learned bias to each output channel.
    """

    out_channels: int
    kernel: Pair
    stride: Pair = 1
    padding: Pair = 0
    bias: bool = True

    @property
    def channel_axes(self) -> tuple[int, int]:
        """Of (C, K, kh, kw)."""
        return 1, 0

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """(H - 1) stride - 2 padding + kernel rows."""
        refuse_flattened(inputs[0], "a transposed convolution")
        settings = zip(*(pair(each) for each in (self.kernel, self.stride, self.padding)), strict=True)
        sizes = []
        for pixels, (kernel, stride, padding) in zip(inputs[0][:2], settings, strict=True):
            if min(kernel, stride, self.out_channels) < 1 or padding < 0:
                raise CnncliError(
                    f"{self} has a size that is too small", "Give channels, kernel and stride from 1 on."
                )
            sizes.append((pixels - 1) * stride - 2 * padding + kernel)
        if min(sizes) < 1:
            raise CnncliError(
                f"{self} leaves {sizes[0]}x{sizes[1]} pixels of {inputs[0]}; expected 1 or more",
                "Use less padding.",
            )
        return Shape(sizes[0], sizes[1], self.out_channels)

    def _mirror(self, x: Shape) -> Conv:
        """The convolution, from the output to the input, whose gradient it is."""
        return Conv(x.channels, self.kernel, self.stride, self.padding, bias=False)

    def window(self, x: Shape) -> Window:
        """The outputs that an input adds to."""
        rows, columns = (
            Axis(kernel, before=padding, after=padding, upsampled=stride)
            if stride > 1
            else Axis(kernel, before=kernel - 1 - padding, after=kernel - 1 - padding)
            for kernel, stride, padding in zip(
                pair(self.kernel), pair(self.stride), pair(self.padding), strict=True
            )
        )
        return rows, columns

    def parameters(self, inputs: Sequence[Shape]) -> tuple[Parameter, ...]:
        """weight (C, K, kh, kw), as PyTorch has it, and bias (K,)."""
        kh, kw = pair(self.kernel)
        weight = Parameter(
            "weight",
            (inputs[0].channels, self.out_channels, kh, kw),
            1,
            (kh, kw),
            (1, 1, self.out_channels),
            initial="he",
            fan_in=max(1, inputs[0].channels * kh * kw // int(np.prod(pair(self.stride)))),
            fan_out=self.out_channels * kh * kw,
            decay=True,
        )
        return (weight, vector_parameter("bias", self.out_channels)) if self.bias else (weight,)

    def multiply_adds(self, inputs: Sequence[Shape]) -> int:
        """One for each tap, output channel and input value."""
        kh, kw = pair(self.kernel)
        return inputs[0].size * kh * kw * self.out_channels

    def input_halo(self, inputs: Sequence[Shape]) -> Halo:
        """How far outputs reach beyond the input."""
        x, y = inputs[0], self.shape(inputs)
        mirror = self._mirror(x)
        return reach(mirror.phases(y, 0), x.height), reach(mirror.phases(y, 1), x.width)

    def output_halo(self, inputs: Sequence[Shape]) -> Halo:
        """The padding."""
        return self._mirror(inputs[0]).input_halo((self.shape(inputs),))

    def forward(self, plan: Emit, node: Stage) -> None:
        """The gradient of the mirrored convolution, added to the bias."""
        x, y = plan.value(node.inputs[0]), plan.value(node.name)
        blocks = -(-self.out_channels // BLOCK)
        bias = plan.bias(node, 0 if self.bias else blocks * BLOCK)
        offsets = vector_parameter("bias", self.out_channels).offsets()
        row = plan.pack(bias, np.tile(offsets, y.shape.width))
        mirror = self._mirror(x.shape)
        bands = self._bands(plan, mirror, node)
        if len(bands) == 1:
            repeat(plan, row, y)
        else:
            plan.split("elementwise", [repeated(plan, row, y, lines) for lines in bands], y)
        weight = plan.weight(node, "weight"), (x.shape.channels, self.out_channels, *pair(self.kernel))
        for rows, columns in product(*(mirror.phases(y.shape, axis) for axis in range(2))):
            if rows.count and columns.count:
                direct.emit_input_gradient(
                    plan, weight, (rows, columns), x, y, groups=1, add=True, shares=len(bands)
                )

    def _bands(self, plan: Emit, mirror: Conv, node: Stage) -> list[tuple[int, int]]:
        """Lines of the output that threads share: as many of each phase of the stride, or all in one."""
        height, stride = node.shape.height, pair(self.stride)[0]
        lines = height // stride
        count = min(plan.parts(self.multiply_adds(node.input_shapes)), lines // MIN_LINES)
        if count <= 1 or height % stride or spill(self.out_channels) > self.out_channels:
            return [(0, height)]
        return [(stride * lo, stride * hi) for lo, hi in split_evenly(lines, count)]

    def backward(self, plan: Emit, node: Stage) -> None:
        """The sums of outer products the other way round, then the mirrored convolution."""
        source = node.inputs[0]
        x, dy = plan.value(source), plan.gradient(node.name)
        mirror = self._mirror(x.shape)
        placed, window = (dy, mirror.corner(dy)), mirror.window(dy.shape)
        if plan.is_trained(node.name):
            dweight = plan.weight_gradient(node, "weight")
            outer.emit(plan, placed, x, window, groups=(1, 1), dweight=dweight, dbias=0, pairs=False)
            if self.bias:
                dbias = plan.weight_gradient(node, "bias")
                outer.emit(plan, (dy, 0), dy, POINT, groups=(1, 1), dweight=0, dbias=dbias, pairs=False)
        if plan.needs_gradient(source):
            dx, add = plan.gradient_target(source)
            own = Tensor(dx.shape) if add else dx
            zeros = plan.constant(np.zeros(-(-x.shape.channels // BLOCK) * BLOCK, np.float32))
            panel = plan.weight(node, "weight")
            direct.emit(plan, placed, own, window, groups=1, weights=(panel, zeros), adds=False, relu="")
            if add:
                copy(plan, own, dx, add=True)
