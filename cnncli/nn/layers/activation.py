"""Activation functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cnncli.nn.graph import Node, Shape
from cnncli.nn.layer import Layer

if TYPE_CHECKING:
    from cnncli.nn.plan import Plan


class Activation(Layer):
    """An elementwise function whose gradient is computed from its output or from its input."""

    kind: ClassVar[str]
    from_output: ClassVar[bool]
    slope: float = 0.0

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """Shape of the input."""
        return inputs[0]

    def forward(self, plan: Plan, node: Node) -> None:
        """One pass over the values."""
        x = plan.value(node.inputs[0])
        plan.apply(self.kind, x, x, plan.value(node.name), alpha=self.slope)

    def backward(self, plan: Plan, node: Node) -> None:
        """One pass over the gradient."""
        kept = plan.value(node.name if self.from_output else node.inputs[0])
        dx, add = plan.gradient_target(node.inputs[0])
        plan.apply(f"{self.kind} backward", kept, plan.gradient(node.name), dx, add=add, alpha=self.slope)


@dataclass(frozen=True)
class Relu(Activation):
    """max(0, x). Fused into the layer before it where possible."""

    kind = "relu"
    from_output = True
    is_relu = True

    def forward(self, plan: Plan, node: Node) -> None:
        """Nothing if it is fused into the layer before it."""
        if node.inputs[0] not in plan.fused:
            super().forward(plan, node)

    def backward(self, plan: Plan, node: Node) -> None:
        """In place if it is fused into the layer before it."""
        if node.inputs[0] not in plan.fused:
            super().backward(plan, node)
        elif node.name not in plan.masked:
            dy = plan.gradient(node.name)
            plan.apply(f"{self.kind} backward", plan.value(node.name), dy, dy)


@dataclass(frozen=True)
class Relu6(Relu):
    """max(0, x), but at most 6.

    Source: Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010.
    """

    kind = "relu6"


@dataclass(frozen=True)
class LeakyRelu(Activation):
    """x above 0, slope * x below 0.

    Attributes
    ----------
    slope : float
        Slope below 0.
    """

    slope: float = 0.01
    kind = "leaky"
    from_output = False


@dataclass(frozen=True)
class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    kind = "sigmoid"
    from_output = True


@dataclass(frozen=True)
class Tanh(Activation):
    """Hyperbolic tangent."""

    kind = "tanh"
    from_output = True


@dataclass(frozen=True)
class Silu(Activation):
    """x * sigmoid(x)."""

    kind = "silu"
    from_output = False


@dataclass(frozen=True)
class Gelu(Activation):
    """x times the cumulative distribution function of the standard normal distribution at x."""

    kind = "gelu"
    from_output = False
