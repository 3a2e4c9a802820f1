"""A network as a graph of layers; shapes are inferred and checked when a layer is added."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError

if TYPE_CHECKING:
    from cnncli.nn.layer import Layer


class Shape(NamedTuple):
    """Shape of one sample inside the network.

    Attributes
    ----------
    height, width, channels : int
        H, W, C.
    origin : (H, W, C) or None
        For flattened feature maps: their shape, so that exported weights can follow PyTorch's order.
    """

    height: int
    width: int
    channels: int
    origin: tuple[int, int, int] | None = None

    @property
    def size(self) -> int:
        """Number of values in one sample."""
        return self.height * self.width * self.channels

    @property
    def pytorch_order(self) -> NDArray[np.intp]:
        """Index here of each of PyTorch's channels: flattened feature maps are in the order C, H, W there."""
        here = np.arange(self.channels)
        return here if self.origin is None else here.reshape(self.origin).transpose(2, 0, 1).ravel()

    def __str__(self) -> str:
        return str(self.channels) if self.height == self.width == 1 else "x".join(map(str, self[:3]))


@dataclass(frozen=True)
class Node:
    """A layer in a graph.

    Attributes
    ----------
    name : str
        Unique in the graph; parameters are named ``name.weight`` and so on.
    layer : Layer
        Its kind and settings.
    inputs : tuple of str
        Names of the nodes it reads; ``"input"`` is the image.
    shape : Shape
        Of its output.
    input_shapes : tuple of Shape
        Of what it reads.
    """

    name: str
    layer: "Layer"
    inputs: tuple[str, ...]
    shape: Shape
    input_shapes: tuple[Shape, ...]

    @property
    def weight_count(self) -> int:
        """Number of weights without biases and norms, computed without allocating them."""
        return self.layer.multiply_adds(self.input_shapes) // (self.shape.height * self.shape.width)


INPUT = "input"


class Graph:
    """Layers and their inputs, in topological order.

    Parameters
    ----------
    input_shape : (H, W, C)
        Of one image.

    Examples
    --------
    >>> graph = Graph((28, 28, 1))
    >>> graph.add(Conv(8, 3), Relu(), MaxPool(2), Flatten(), Linear(10))
    'linear1'
    """

    def __init__(self, input_shape: tuple[int, int, int]) -> None:
        if len(input_shape) != 3 or min(input_shape) < 1:
            raise CnncliError(
                f"input shape is {tuple(input_shape)}; expected height, width and channels, each 1 or more",
                "Give (28, 28, 1) for a gray image of 28 x 28 pixels.",
            )
        self.input_shape = Shape(*input_shape)
        self.nodes: dict[str, Node] = {}
        self._readers: dict[str, list[Node]] = {}
        self.output = INPUT

    def add(
        self, *layers: "Layer", inputs: str | Sequence[str] | None = None, name: str | None = None
    ) -> str:
        """Add layers, each reading the one before it.

        Parameters
        ----------
        *layers : Layer
            In the order of computation.
        inputs : str or sequence of str
            Inputs of the first one; by default the current output.
        name : str
            Name of the last one; by default its kind and a number.

        Returns
        -------
        str
            Name of the last one, which becomes the output of the graph.

        Raises
        ------
        CnncliError
            If a layer does not fit the shape of its input, or a name is unknown or already used.
        """
        sources = (
            (self.output,) if inputs is None else (inputs,) if isinstance(inputs, str) else tuple(inputs)
        )
        for position, layer in enumerate(layers):
            last = position == len(layers) - 1
            self._append(layer, sources, name if last and name else self._fresh_name(layer))
            sources = (self.output,)
        return self.output

    def _append(self, layer: "Layer", sources: tuple[str, ...], name: str) -> None:
        if name in self.nodes or name == INPUT:
            raise CnncliError(
                f"two layers are named {name!r}; expected each name once", "Choose another name."
            )
        shapes = tuple(self.shape_of(source) for source in sources)
        if not layer.min_inputs <= len(shapes) <= layer.max_inputs:
            raise CnncliError(
                f"{name} reads {len(shapes)} inputs; expected {layer.min_inputs} to {layer.max_inputs}",
                "Give the names of the layers it reads as inputs.",
            )
        try:
            shape = layer.shape(shapes)
        except CnncliError as fault:
            raise CnncliError(f"{name}: {fault.message}", fault.hint) from fault
        node = self.nodes[name] = Node(name, layer, sources, shape, shapes)
        for source in dict.fromkeys(sources):
            self._readers.setdefault(source, []).append(node)
        self.output = name

    def _fresh_name(self, layer: "Layer") -> str:
        kind = type(layer).__name__.lower()
        number = 1
        while f"{kind}{number}" in self.nodes:
            number += 1
        return f"{kind}{number}"

    def set_output(self, name: str) -> None:
        """Choose the node whose output is that of the graph.

        Raises
        ------
        CnncliError
            If there is no such node.
        """
        self.shape_of(name)
        self.output = name

    def shape_of(self, name: str) -> Shape:
        """Shape of a node's output."""
        if name == INPUT:
            return self.input_shape
        if name not in self.nodes:
            known = ", ".join([INPUT, *self.nodes])
            raise CnncliError(f"there is no layer {name!r}; expected one of {known}", "Add it first.")
        return self.nodes[name].shape

    def readers(self, name: str) -> list[Node]:
        """Nodes that read a node's output."""
        return list(self._readers.get(name, ()))

    @property
    def output_shape(self) -> Shape:
        """Shape of the graph's output."""
        return self.shape_of(self.output)
