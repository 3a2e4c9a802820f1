"""What a translation leaves behind is put together: numbers that weights take in, and zeros around maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.nn import BatchNorm, Conv, ConvTranspose, Graph, Layer, Linear
from cnncli.nn.graph import INPUT, Node
from cnncli.nn.layers.activation import Sigmoid, Silu
from cnncli.nn.layers.arithmetic import Affine, Multiply
from cnncli.nn.layers.views import Take
from cnncli.nn.window import Sides, sides
from cnncli.onnx.naming import in_whole_scopes

Arrays = dict[str, NDArray[Any]]
#: Layers whose weights can take in a factor, and their axis of outputs.
_OUTPUTS: dict[type[Layer], int] = {Conv: 0, Linear: 0, ConvTranspose: 1, BatchNorm: 0}


def simplified(graph: Graph, arrays: Arrays, outputs: Sequence[str]) -> tuple[Graph, Arrays, list[str]]:
    """The same function in fewer layers.

    Parameters
    ----------
    graph : Graph
        As it was translated.
    arrays : dict of str to ndarray
        Its weights.
    outputs : sequence of str
        Layers whose outputs are wanted; others are left out where none of these depends on them.

    Returns
    -------
    graph, arrays, outputs
        The last are names in the new graph.
    """
    made = _Simplified(graph.pruned(list(outputs)), arrays, set(outputs))
    return made.build(outputs)


class _Simplified:
    def __init__(self, graph: Graph, arrays: Arrays, outputs: set[str]) -> None:
        self._graph = graph
        self._arrays = dict(arrays)
        self._outputs = outputs
        self._layers: dict[str, tuple[Layer, list[str]]] = {}
        self._sides = {INPUT: graph.input_shape[:2]}  # rows and columns of what layers give
        self._now: dict[str, str] = {}  # what stands for a layer that is no more
        for node in graph.nodes.values():
            inputs = [self._now.get(name, name) for name in node.inputs]
            self._sides[node.name] = node.shape[:2]
            if isinstance(node.layer, Affine) and self._takes_in(node, inputs[0]):
                self._now[node.name] = inputs[0]
            elif not self._joined(node, inputs) and not self._padded(node, inputs):
                self._layers[node.name] = (self._shorter(node, inputs), inputs)

    def build(self, outputs: Sequence[str]) -> tuple[Graph, Arrays, list[str]]:
        """The graph of what is left."""
        named = in_whole_scopes({name: inputs for name, (_, inputs) in self._layers.items()})
        named[INPUT] = INPUT
        names = [named[self._now.get(name, name)] for name in outputs]
        graph = Graph(self._graph.input_shape[:3])
        for name, (layer, inputs) in self._layers.items():
            graph.add(layer, inputs=[named[each] for each in inputs], name=named[name])
        graph.set_output(names[0])
        needed = graph.pruned(names)
        kept = {}
        for full, array in self._arrays.items():
            owner, _, of = full.rpartition(".")
            if named.get(owner) in needed.nodes:
                kept[f"{named[owner]}.{of}"] = array
        return needed, kept, names

    def _alone(self, node: Node) -> bool:
        """Whether the first input of a layer is read by it only."""
        source = node.inputs[0]
        return len(self._graph.readers(source)) == 1 and source not in self._outputs

    def _takes_in(self, node: Node, source: str) -> bool:
        """Multiply the weights of the layer before by the numbers of this one."""
        scale, shift = (self._arrays[f"{node.name}.{name}"].astype(np.float64) for name in ("scale", "shift"))
        if (scale == 1).all() and not shift.any():
            return True
        layer, inputs = self._layers.get(source, (None, []))
        if layer is None or not self._alone(node):
            return False
        if isinstance(layer, Affine):
            self._scale(source, ("scale",), 0, scale)
            self._scale(source, ("shift",), 0, scale, shift)
            return True
        axis = _OUTPUTS.get(type(layer))
        if axis is None:
            return False
        if isinstance(layer, Conv | Linear | ConvTranspose) and not layer.bias:
            self._layers[source] = (replace(layer, bias=True), inputs)
            self._arrays[f"{source}.bias"] = np.zeros(len(scale), np.float32)
        self._scale(source, ("weight",), axis, scale)
        self._scale(source, ("bias",), 0, scale, shift)
        return True

    def _scale(
        self,
        source: str,
        names: Sequence[str],
        axis: int,
        scale: NDArray[Any],
        shift: NDArray[Any] | float = 0,
    ) -> None:
        for name in names:
            full = f"{source}.{name}"
            array = self._arrays[full].astype(np.float64)
            shape = [-1 if at == axis else 1 for at in range(array.ndim)]
            self._arrays[full] = (array * scale.reshape(shape) + shift).astype(np.float32)

    def _joined(self, node: Node, inputs: list[str]) -> bool:
        """Take lines of lines that are taken of something else."""
        source = self._layers.get(inputs[0]) if inputs else None
        if not isinstance(node.layer, Take) or source is None or not isinstance(source[0], Take):
            return False
        inner, outer = source[0], node.layer
        fills = {each.fill for each in (inner, outer) if -1 in (*each.rows, *each.columns, *each.channels)}
        if not self._alone(node) or len(fills) > 1:
            return False
        rows, columns, channels = (
            tuple(-1 if line < 0 else of[line] for line in lines) if of and lines else lines or of
            for of, lines in zip(_lines(inner), _lines(outer), strict=True)
        )
        del self._layers[inputs[0]]
        self._layers[node.name] = (Take(rows, columns, channels, *fills), source[1])
        return True

    def _padded(self, node: Node, inputs: list[str]) -> bool:
        """Put the zeros that stand alone before a convolution into its padding."""
        source = self._layers.get(inputs[0]) if inputs else None
        if not isinstance(node.layer, Conv) or source is None or not isinstance(source[0], Take):
            return False
        zeros = _zeros(source[0], self._sides[source[1][0]])
        if zeros is None or not self._alone(node) or isinstance(node.layer.padding, str):
            return False
        rows, columns = (
            (a + b, c + d) for (a, c), (b, d) in zip(sides(node.layer.padding), zeros, strict=True)
        )
        del self._layers[inputs[0]]
        self._layers[node.name] = (replace(node.layer, padding=(rows, columns)), source[1])
        return True

    def _shorter(self, node: Node, inputs: list[str]) -> Layer:
        """x times its sigmoid is a layer of its own; the sigmoid is left out where nothing else reads it."""
        if isinstance(node.layer, Multiply):
            for gate, x in (inputs, inputs[::-1]):
                layer, sources = self._layers.get(gate, (None, []))
                if isinstance(layer, Sigmoid) and sources == [x]:
                    inputs[:] = [x]
                    return Silu()
        return node.layer


def _lines(take: Take) -> tuple[tuple[int, ...], ...]:
    return take.rows, take.columns, take.channels


def _zeros(take: Take, shape: tuple[int, ...]) -> tuple[Sides, Sides] | None:
    """Rows and columns of zeros that a layer puts around all of its input; None where it does more."""
    if take.channels or take.fill:
        return None
    found: list[Sides] = []
    for lines, pixels in zip((take.rows, take.columns), shape, strict=True):
        numbers = lines or tuple(range(pixels))
        before = next((at for at, line in enumerate(numbers) if line >= 0), len(numbers))
        after = len(numbers) - before - pixels
        if after < 0 or numbers != (-1,) * before + tuple(range(pixels)) + (-1,) * after:
            return None
        found.append((before, after))
    return found[0], found[1]
