"""Layers that change the shape or join branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnncli.errors import CnncliError
from cnncli.nn.graph import Node, Shape
from cnncli.nn.layer import Layer

if TYPE_CHECKING:
    from cnncli.nn.plan import Plan


@dataclass(frozen=True)
class Flatten(Layer):
    """A picture as a list of features."""

    is_flatten = True

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """(1, 1, H * W * C)."""
        x = inputs[0]
        if x.height == x.width == 1:
            return x
        return Shape(1, 1, x.size, x[:3])

    def forward(self, plan: Plan, node: Node) -> None:
        """Nothing, unless the picture has a halo."""
        from cnncli.nn.plan import Tensor

        x = plan.value(node.inputs[0])
        if x.halo == (0, 0):
            plan.values[node.name] = Tensor(node.shape, view_of=x.view_of or x)
        else:
            plan.apply("copy", x, x, Tensor(x.shape, view_of=plan.value(node.name)))

    def backward(self, plan: Plan, node: Node) -> None:
        """Nothing, if the gradients share memory."""
        from cnncli.nn.plan import Tensor

        dy = plan.gradient(node.name)
        if dy.view_of is None:
            dx, add = plan.gradient_target(node.inputs[0])
            picture = Tensor(dx.shape, view_of=dy)
            plan.apply("copy", picture, picture, dx, add=add)


@dataclass(frozen=True)
class Add(Layer):
    """Sum of two branches, such as a skip and what it skips."""

    least_inputs = 2
    most_inputs = 2
    takes_relu = True

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """That of both."""
        if inputs[0][:3] != inputs[1][:3]:
            raise CnncliError(
                f"a sum of {inputs[0]} and {inputs[1]}; expected two of the same shape",
                "give the skip a 1x1 convolution with the stride of the other branch",
            )
        return inputs[0]

    def forward(self, plan: Plan, node: Node) -> None:
        """One pass."""
        a, b = (plan.value(source) for source in node.inputs)
        plan.apply("sum relu" if plan.clips(node) else "sum", a, b, plan.value(node.name))

    def backward(self, plan: Plan, node: Node) -> None:
        """The same gradient to both."""
        dy = plan.gradient(node.name)
        for source in node.inputs:
            if plan.wants_gradient(source):
                dx, add = plan.gradient_target(source)
                plan.apply("copy", dy, dy, dx, add=add)
