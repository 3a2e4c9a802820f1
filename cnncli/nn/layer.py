"""What every layer is: shapes, parameters, and the native calls of its forward and backward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from cnncli.core.native import processor
from cnncli.errors import CnncliError
from cnncli.nn.graph import Node, Shape
from cnncli.nn.window import POINT, Window

if TYPE_CHECKING:
    from cnncli.nn.plan import Plan

LANES = processor()[3].lanes
BLOCK = 2 * LANES  # output channels in one panel of weights: two vectors
Initial = Literal["he", "zeros", "ones"]
Halo = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Parameter:
    """A trained array of a layer, and how it lies in memory.

    In memory it is a list of rows of `BLOCK` outputs: for each group and block of outputs, a row a tap.
    Lanes of the last block beyond the outputs are zero and stay so.

    Attributes
    ----------
    name : str
        Of the layer's, such as ``weight``.
    shape : tuple of int
        As PyTorch has it.
    taps : int
        Rows of a block.
    groups : int
        Groups of outputs, each with blocks of its own.
    outputs : int
        Outputs of one group.
    order : ndarray of intp, shape ``shape``
        Where each value lies in the rows, counted in floats.
    initial : str
        ``he`` for weights that are followed by a ReLU, ``zeros`` or ``ones``.
    fan_in, fan_out : int
        Inputs that reach an output, and outputs that an input reaches.
    decay : bool
        Weight decay applies to it: not for biases and norms.
    """

    name: str
    shape: tuple[int, ...]
    taps: int
    groups: int
    outputs: int
    order: NDArray[np.intp]
    initial: Initial
    fan_in: int = 1
    fan_out: int = 1
    decay: bool = False

    @property
    def blocks(self) -> int:
        """Blocks of one group."""
        return -(-self.outputs // BLOCK)

    @property
    def rows(self) -> int:
        """Rows in memory."""
        return self.groups * self.blocks * self.taps

    @property
    def size(self) -> int:
        """Values, without filling."""
        return int(np.prod(self.shape))


def is_narrow(outputs: int) -> bool:
    """One vector holds all outputs of the last block."""
    return 0 < outputs % BLOCK <= LANES


def vector_parameter(name: str, outputs: int, *, groups: int = 1, initial: Initial = "zeros") -> Parameter:
    """A value for each output channel: a bias, a scale."""
    each = outputs // groups
    blocks = -(-each // BLOCK)
    group, lane = np.divmod(np.arange(outputs), each)
    return Parameter(name, (outputs,), 1, groups, each, group * blocks * BLOCK + lane, initial)


def refuse_flattened(shape: Shape, what: str) -> None:
    """Refuse the features of a flattened picture where their order counts, which here is not PyTorch's.

    Raises
    ------
    CnncliError
        If the shape is that of a flattened picture.
    """
    if shape.origin is not None:
        size = "x".join(map(str, shape.origin))
        raise CnncliError(
            f"{what} got the features of a flattened picture of {size}; expected a picture or plain features",
            "Put it before the flatten, or a fully connected layer between them.",
        )


class Layer:
    """What a layer does to a batch, forward and backward.

    A layer is a frozen dataclass of its settings. `forward` and `backward` emit native calls into a
    plan; they run once, when a network is planned, not in a step.
    """

    least_inputs: ClassVar[int] = 1
    most_inputs: ClassVar[int] = 1
    is_flatten: ClassVar[bool] = False
    is_norm: ClassVar[bool] = False  # a batch norm, which inference folds into what is before it
    only_trains: ClassVar[bool] = False  # at inference, the output is the input
    epsilon: float = 0.0
    takes_norm: ClassVar[bool] = False  # can do a batch norm that follows it along, at inference
    is_relu: ClassVar[bool] = False
    takes_relu: ClassVar[bool] = False  # can do a ReLU that follows it along

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """Shape of the output."""
        return inputs[0]

    def window(self, x: Shape) -> Window:
        """What one value of the output looks at in an input of a shape: rows and columns."""
        return POINT

    def parameters(self, inputs: Sequence[Shape]) -> tuple[Parameter, ...]:
        """What is trained."""
        return ()

    def state(self, inputs: Sequence[Shape]) -> tuple[Parameter, ...]:
        """What training keeps track of besides."""
        return ()

    def multiply_adds(self, inputs: Sequence[Shape]) -> int:
        """Multiply-adds of one sample."""
        return 0

    def input_halo(self, inputs: Sequence[Shape]) -> Halo:
        """Zeros that it wants around its input: rows above and below, columns left and right."""
        return 0, 0

    def output_halo(self, inputs: Sequence[Shape]) -> Halo:
        """Zeros that its backward pass wants around the gradient of its output."""
        return 0, 0

    def whole_gradient(self, parameter: Parameter, inputs: Sequence[Shape]) -> bool:
        """Its gradient is a sum over the whole batch at once, not slot by slot."""
        return False

    def forward(self, plan: Plan, node: Node) -> None:
        """Emit the calls of the forward pass."""
        raise NotImplementedError

    def backward(self, plan: Plan, node: Node) -> None:
        """Emit the calls of the backward pass."""
        raise NotImplementedError
