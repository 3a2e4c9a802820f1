"""Layers that change the shape or join branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import nn_jobs
from cnncli.errors import CnncliError
from cnncli.nn.calls import Part
from cnncli.nn.elementwise import apply, copy
from cnncli.nn.graph import Shape
from cnncli.nn.layer import LANES, Layer, refuse_flattened
from cnncli.nn.memory import Tensor

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.fusion import Stage


@dataclass(frozen=True)
class Flatten(Layer):
    """Feature maps to a vector of features."""

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """(1, 1, H * W * C)."""
        x = inputs[0]
        if x.height == x.width == 1:
            return x
        return Shape(1, 1, x.size, x[:3])

    def forward(self, plan: Emit, node: Stage) -> None:
        """Nothing is copied, unless the input or the output has a halo."""
        x, y = plan.value(node.inputs[0]), plan.value(node.name)
        if x.halo != (0, 0):
            dense = Tensor(x.shape, view_of=y) if y.halo == (0, 0) else Tensor(x.shape)
            copy(plan, x, dense)
            x = dense
        features = Tensor(node.shape, view_of=x.view_of or x)
        if y.halo == (0, 0):
            plan.set_value(node.name, features)
        else:
            copy(plan, features, y)

    def backward(self, plan: Emit, node: Stage) -> None:
        """Nothing is copied if the gradients share memory."""
        dy = plan.gradient(node.name)
        if dy.view_of is None:
            dx, add = plan.gradient_target(node.inputs[0])
            image = Tensor(dx.shape, view_of=dy)
            copy(plan, image, dx, add=add)


@dataclass(frozen=True)
class Add(Layer):
    """Sum of two branches, such as a residual branch and its skip connection."""

    min_inputs = 2
    max_inputs = 2

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """Shape of both inputs."""
        if inputs[0][:3] != inputs[1][:3]:
            raise CnncliError(
                f"a sum of {inputs[0]} and {inputs[1]}; expected two of the same shape",
                "Give the skip a 1x1 convolution with the stride of the other branch.",
            )
        if inputs[0].origin != inputs[1].origin:
            refuse_flattened(inputs[0], "a sum")
            refuse_flattened(inputs[1], "a sum")
        return inputs[0]

    def forward(self, plan: Emit, node: Stage) -> None:
        """One pass."""
        a, b = (plan.value(source) for source in node.inputs)
        apply(plan, "sum relu" if node.relu else "sum", a, b, plan.value(node.name))

    def backward(self, plan: Emit, node: Stage) -> None:
        """Both inputs get the same gradient."""
        dy = plan.gradient(node.name)
        for source in node.inputs:
            if plan.needs_gradient(source):
                dx, add = plan.gradient_target(source)
                copy(plan, dy, dx, add=add)


@dataclass(frozen=True)
class Concat(Layer):
    """Concatenation of several branches along the channels."""

    min_inputs = 2
    max_inputs = 64

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """The common height and width, and the sum of all channels."""
        if len({x[:2] for x in inputs}) > 1:
            raise CnncliError(
                f"branches of {', '.join(map(str, inputs))} do not fit; expected one height and width",
                "Give all branches the same strides and paddings.",
            )
        for x in inputs:
            refuse_flattened(x, "a concatenation")
        return Shape(inputs[0].height, inputs[0].width, sum(x.channels for x in inputs))

    def forward(self, plan: Emit, node: Stage) -> None:
        """A copy of each branch."""
        y = plan.value(node.name)
        at = 0
        for source in node.inputs:
            plan.by_lines("slices", partial(_part, plan, plan.value(source), (y, at)), y)
            at += plan.value(source).pixel

    def backward(self, plan: Emit, node: Stage) -> None:
        """Each branch gets the gradient of its channels."""
        dy = plan.gradient(node.name)
        at = 0
        for source, shape in zip(node.inputs, node.input_shapes, strict=True):
            if plan.needs_gradient(source):
                dx, add = plan.gradient_target(source)
                job = _slice(plan, dx, dy.pixel, dx.pixel)
                job["add"] = add
                plan.each_chunk("slices", job, {"x": (dy, at), "y": dx})
            at += 4 * shape.channels


@dataclass(frozen=True)
class PadChannels(Layer):
    """Channels of zeros before and after those of the input.

    Attributes
    ----------
    before, after : int
        How many.

    Source: He et al., Deep residual learning, 2015, section 3.3: option A of the shortcuts.
    """

    before: int
    after: int

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """(H, W, before + C + after)."""
        if min(self.before, self.after) < 0:
            raise CnncliError(
                f"{self.before} and {self.after} channels of zeros; expected 0 or more of each",
                "Mend the numbers of channels.",
            )
        x = inputs[0]
        refuse_flattened(x, "a padding of channels")
        return Shape(x.height, x.width, self.before + x.channels + self.after)

    def forward(self, plan: Emit, node: Stage) -> None:
        """One pass."""
        x, y = plan.value(node.inputs[0]), plan.value(node.name)
        job = _slice(plan, x, x.pixel, y.pixel)
        job["before"], job["after"] = self.before, self.after
        plan.each_chunk("slices", job, {"x": x, "y": (y, 4 * self.before)})

    def backward(self, plan: Emit, node: Stage) -> None:
        """The gradient of the input's channels."""
        dy = plan.gradient(node.name)
        dx, add = plan.gradient_target(node.inputs[0])
        job = _slice(plan, dx, dy.pixel, dx.pixel)
        job["add"] = add
        plan.each_chunk("slices", job, {"x": (dy, 4 * self.before), "y": dx})


def _part(plan: Emit, x: Tensor, to: tuple[Tensor, int], lo: int, hi: int) -> Part:
    """Some lines of a branch, copied to a place in each pixel of the output."""
    y, at = to
    job = _slice(plan, x, x.pixel, y.pixel)
    job["height"] = hi - lo
    return Part(job, {"x": (x, lo * x.row), "y": (y, at + lo * y.row)}, (lo, hi))


def _slice(plan: Emit, part: Tensor, x_pixel: int, y_pixel: int) -> NDArray[np.void]:
    shape = part.shape
    return plan.job(
        nn_jobs.SLICE,
        height=shape.height,
        width=shape.width,
        floats=shape.channels,
        x_pixel=x_pixel,
        y_pixel=y_pixel,
    )


@dataclass(frozen=True)
class ScaleChannels(Layer):
    """Each channel of the first input times its own factor, given by the second input.

    Source: Hu, Shen and Sun, Squeeze-and-excitation networks, 2018.
    """

    min_inputs = 2
    max_inputs = 2

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """Shape of the first input."""
        if inputs[1][:3] != (1, 1, inputs[0].channels):
            raise CnncliError(
                f"channels of {inputs[0]} scaled by {inputs[1]}; expected {inputs[0].channels} factors",
                "End the second branch with as many features as the first has channels.",
            )
        refuse_flattened(inputs[0], "a scaling of channels")
        return inputs[0]

    def forward(self, plan: Emit, node: Stage) -> None:
        """One pass, which adds to what the output holds, and applies a ReLU, where these are fused."""
        x, scale = (plan.value(source) for source in node.inputs)
        y = plan.value(node.name)
        job = self._job(plan, node)
        job["add"], job["relu"] = bool(node.adds), bool(node.relu)

        def part_of(lo: int, hi: int) -> Part:
            part = job.copy()
            part["height"] = hi - lo
            return Part(part, {"x": (x, lo * x.row), "scale": scale, "y": (y, lo * y.row)}, (lo, hi))

        if x.shape.channels % LANES:  # stores reach into the next pixel
            whole = part_of(0, x.shape.height)
            plan.each_chunk("scale_channels", whole.job, whole.tensors)
        else:
            plan.by_lines("scale_channels", part_of, x, y)

    def accumulates(self, inputs: Sequence[Shape]) -> bool:
        """It can add to what its output holds."""
        return True

    def backward(self, plan: Emit, node: Stage) -> None:
        """One pass for both inputs, of those that need a gradient."""
        job = self._job(plan, node)
        job["backward"] = 1
        x, scale = (plan.value(source) for source in node.inputs)
        tensors = {"x": x, "scale": scale, "y": plan.gradient(node.name)}
        for field, source in zip(("dx", "dscale"), node.inputs, strict=True):
            if plan.needs_gradient(source):
                tensors[field], job[f"add_{field}"] = plan.gradient_target(source)
                job[f"want_{field}"] = 1
        plan.each_chunk("scale_channels", job, tensors)

    def _job(self, plan: Emit, node: Stage) -> NDArray[np.void]:
        x = node.input_shapes[0]
        return plan.job(nn_jobs.SCALE, height=x.height, width=x.width, channels=x.channels)
