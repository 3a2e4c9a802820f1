"""The base class of layers: shapes, parameters, and the native calls of the forward and backward pass."""

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
    """A learned array of a layer, and its layout in memory.

    It is packed into rows of `BLOCK` outputs: for each group and each block of outputs, one row per tap.
    Lanes of the last block beyond the outputs are zero and stay zero.

    Attributes
    ----------
    name : str
        Within the layer, such as ``weight``.
    shape : tuple of int
        As in PyTorch.
    taps : int
        Rows of a block.
    groups : int
        Groups of outputs, each with its own blocks.
    outputs : int
        Outputs of one group.
    order : ndarray of intp, shape ``shape``
        Offset of each value in the packed rows, in floats.
    initial : str
        Initialisation: ``he`` for weights, ``zeros`` or ``ones``.
    fan_in, fan_out : int
        Number of inputs of an output, and of outputs of an input.
    decay : bool
        Whether weight decay applies to it; not for biases and norms.
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
        """Number of values, without padding lanes."""
        return int(np.prod(self.shape))


def is_narrow(outputs: int) -> bool:
    """Whether one vector holds all outputs of the last block."""
    return 0 < outputs % BLOCK <= LANES


def vector_parameter(name: str, outputs: int, *, groups: int = 1, initial: Initial = "zeros") -> Parameter:
    """One value per output channel: a bias or a scale."""
    each = outputs // groups
    blocks = -(-each // BLOCK)
    group, lane = np.divmod(np.arange(outputs), each)
    return Parameter(name, (outputs,), 1, groups, each, group * blocks * BLOCK + lane, initial)


def refuse_flattened(shape: Shape, what: str) -> None:
    """Refuse flattened feature maps where their order matters, as it differs from PyTorch's.

    Raises
    ------
    CnncliError
        If the shape is that of flattened feature maps.
    """
    if shape.origin is not None:
        size = "x".join(map(str, shape.origin))
        raise CnncliError(
            f"{what} got flattened feature maps of {size}; expected feature maps before flattening",
            "Put it before the flatten, or a fully connected layer between them.",
        )


class Layer:
    """A layer's shapes and parameters, and its forward and backward pass.

    A layer is a frozen dataclass of its settings. `forward` and `backward` add native calls to a plan;
    they run once, when a network is planned, not in every step.
    """

    min_inputs: ClassVar[int] = 1
    max_inputs: ClassVar[int] = 1
    is_flatten: ClassVar[bool] = False
    is_norm: ClassVar[bool] = False  # a batch norm, which is folded into the layer before it at inference
    training_only: ClassVar[bool] = False  # the identity at inference
    epsilon: float = 0.0
    fuses_norm: ClassVar[bool] = False  # a following batch norm can be folded into it, at inference
    is_relu: ClassVar[bool] = False
    fuses_relu: ClassVar[bool] = False  # it can apply a ReLU that follows it

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """Shape of the output."""
        return inputs[0]

    def window(self, x: Shape) -> Window:
        """The window of an input of shape ``x`` that one output value depends on: rows and columns."""
        return POINT

    def parameters(self, inputs: Sequence[Shape]) -> tuple[Parameter, ...]:
        """Learned parameters."""
        return ()

    def state(self, inputs: Sequence[Shape]) -> tuple[Parameter, ...]:
        """Buffers that training updates, such as running statistics."""
        return ()

    def multiply_adds(self, inputs: Sequence[Shape]) -> int:
        """Multiply-adds of one sample."""
        return 0

    def input_halo(self, inputs: Sequence[Shape]) -> Halo:
        """Zeros that it needs around its input: rows above and below, columns left and right."""
        return 0, 0

    def output_halo(self, inputs: Sequence[Shape]) -> Halo:
        """Zeros that its backward pass needs around the gradient of its output."""
        return 0, 0

    def whole_gradient(self, parameter: Parameter, inputs: Sequence[Shape]) -> bool:
        """Whether its gradient is summed over the whole batch at once, not slot by slot."""
        return False

    def forward(self, plan: Plan, node: Node) -> None:
        """Emit the calls of the forward pass."""
        raise NotImplementedError

    def backward(self, plan: Plan, node: Node) -> None:
        """Emit the calls of the backward pass."""
        raise NotImplementedError
