"""The fully connected layer, which is computed as a 1x1 convolution of one pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cnncli.errors import CnncliError
from cnncli.nn.graph import Shape
from cnncli.nn.layer import Layer, Parameter
from cnncli.nn.layers.convolution import Conv
from cnncli.nn.window import POINT, Window, whole

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.fusion import Stage


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

    @property
    def channel_axes(self) -> tuple[int, int]:
        """Of (out, in)."""
        return 0, 1

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
