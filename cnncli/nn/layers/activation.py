"""Activation functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cnncli.nn.elementwise import apply
from cnncli.nn.graph import Shape
from cnncli.nn.layer import Layer

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.fusion import Stage


class Activation(Layer):
    """An elementwise function whose gradient is computed from its output or from its input."""

    kind: ClassVar[str]
    from_output: ClassVar[bool]
    slope: float = 0.0

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """Shape of the input."""
        return inputs[0]

    def forward(self, plan: Emit, node: Stage) -> None:
        """One pass over the values."""
        x = plan.value(node.inputs[0])
        apply(plan, self.kind, x, x, plan.value(node.name), alpha=self.slope)

    def backward(self, plan: Emit, node: Stage) -> None:
        """One pass over the gradient."""
        kept = plan.value(node.name if self.from_output else node.inputs[0])
        dx, add = plan.gradient_target(node.inputs[0])
        slope = plan.gradient(node.name)
        apply(plan, f"{self.kind} backward", kept, slope, dx, add=add, alpha=self.slope)


@dataclass(frozen=True)
class Relu(Activation):
    """max(0, x), computed along with the layer before it where `cnncli.nn.fusion` can."""

    kind = "relu"
    from_output = True


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
