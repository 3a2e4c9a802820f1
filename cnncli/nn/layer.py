"""The base class of layers: shapes, parameters, and the native calls of the forward and backward pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from cnncli.core.native import processor
from cnncli.errors import CnncliError
from cnncli.nn.graph import Shape
from cnncli.nn.window import POINT, Window

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.fusion import Stage

LANES = processor()[3].lanes
BLOCK = 2 * LANES  # output channels in one panel of weights: two vectors
Initial = Literal["he", "zeros", "ones", "own"]
Halo = tuple[int, int]
Scalar = TypeVar("Scalar", bound=np.generic)


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
        As in PyTorch: K first.
    groups : int
        Groups of outputs, each with its own blocks.
    kernel : (rows, columns)
        Of a weight: taps are in the order kernel row, kernel column, channel.
    inputs : (H, W, C)
        Of a weight: the channels of one group; (1, 1, C) unless they are flattened feature maps.
    origin : (H, W, C) or None
        Of a vector over flattened feature maps: their shape.
    initial : str
        Initialisation: ``he`` for weights, ``zeros`` or ``ones``, or ``own``, as `first_values` has it.
    fan_in, fan_out : int
        Number of inputs of an output, and of outputs of an input.
    decay : bool
        Whether weight decay applies to it; not for biases and norms.
    max_norm : float
        The most that the Euclidean norm of an output's weights may be after a step; 0 for no limit.
    """

    name: str
    shape: tuple[int, ...]
    groups: int = 1
    kernel: tuple[int, int] = (1, 1)
    inputs: tuple[int, int, int] = (1, 1, 1)
    origin: tuple[int, int, int] | None = None
    initial: Initial = "zeros"
    fan_in: int = 1
    fan_out: int = 1
    decay: bool = False
    max_norm: float = 0.0

    sparse: ClassVar[bool] = False  # only those rows have a gradient that occur in a batch: `listed`

    @property
    def outputs(self) -> int:
        """Outputs of one group."""
        return self.shape[0] // self.groups

    @property
    def taps(self) -> int:
        """Rows of a block."""
        return prod(self.kernel) * prod(self.inputs)

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
        return prod(self.shape)

    def pack(self, values: NDArray[Any], packed: NDArray[Any]) -> None:
        """Store values in packed rows.

        Parameters
        ----------
        values : ndarray, shape ``shape``
            As in PyTorch.
        packed : ndarray, shape (rows * BLOCK,)
            Contiguous; padding lanes are left as they are.
        """
        height, width, channels = self.inputs
        if self.origin is not None:
            values = np.moveaxis(values.reshape(self.origin[2], *self.origin[:2]), 0, 2)
        values = values.reshape(self.groups, self.outputs, channels, height, width, *self.kernel)
        for inside, part in self._blocks(packed):
            inside[:] = values[:, part].reshape(*inside.shape[:2], -1, *values.shape[2:]).transpose(_PACKED)

    def unpack(self, packed: NDArray[Scalar]) -> NDArray[Scalar]:
        """The inverse of `pack`: a copy, shaped as in PyTorch."""
        height, width, channels = self.inputs
        values = np.empty((self.groups, self.outputs, channels, height, width, *self.kernel), packed.dtype)
        for inside, part in self._blocks(packed):
            values[:, part] = inside.transpose(_PYTORCH).reshape(self.groups, -1, *values.shape[2:])
        if self.origin is not None:
            values = np.moveaxis(values.reshape(self.origin), 2, 0)
        return np.ascontiguousarray(values).reshape(self.shape)

    def first_values(self, random: np.random.Generator) -> NDArray[np.float32]:
        """Initial values of a parameter that has its own."""
        raise NotImplementedError

    def offsets(self) -> NDArray[np.intp]:
        """Offset of each value in the packed rows, in floats: shape ``shape``."""
        return self.unpack(np.arange(self.rows * BLOCK))

    def _blocks(self, packed: NDArray[Any]) -> Iterator[tuple[NDArray[Any], slice]]:
        """Views of the whole blocks and of the used lanes of the last one, with the outputs in them.

        The views have the axes group, block, kernel row, kernel column, H, W, C, lane.
        """
        rows = packed.reshape(self.groups, self.blocks, *self.kernel, *self.inputs, BLOCK)
        whole, rest = divmod(self.outputs, BLOCK)
        if whole:
            yield rows[:, :whole], slice(whole * BLOCK)
        if rest:
            yield rows[:, whole:, ..., :rest], slice(whole * BLOCK, None)


#: From group, block, lane, C, H, W, kernel row, kernel column to the axes of packed rows, and back.
_PACKED = (0, 1, 6, 7, 4, 5, 3, 2)
_PYTORCH = (0, 1, 7, 6, 4, 5, 2, 3)


def is_narrow(outputs: int) -> bool:
    """Whether one vector holds all outputs of the last block."""
    return 0 < outputs % BLOCK <= LANES


def vector_parameter(
    name: str,
    outputs: int,
    *,
    groups: int = 1,
    origin: tuple[int, int, int] | None = None,
    initial: Initial = "zeros",
) -> Parameter:
    """One value per output channel: a bias or a scale."""
    return Parameter(name, (outputs,), groups, origin=origin, initial=initial)


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

    A layer is a frozen dataclass of its settings. `forward` and `backward` add native calls to a step;
    they run once, when it is scheduled, not whenever it is run.
    """

    min_inputs: ClassVar[int] = 1
    max_inputs: ClassVar[int] = 1
    sets_frames: ClassVar[bool] = False  # its output may have another number of frames than its input

    @property
    def channel_axes(self) -> tuple[int, int] | None:
        """Axes of its weight along which its channels and those of its input are; None: it mixes none."""
        return None

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
        """Multiply-adds of one sample, or one frame of it."""
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

    def forward(self, plan: Emit, node: Stage) -> None:
        """Emit the calls of the forward pass."""
        raise NotImplementedError

    def backward(self, plan: Emit, node: Stage) -> None:
        """Emit the calls of the backward pass."""
        raise NotImplementedError
