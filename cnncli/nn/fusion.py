"""Layer fusion: a ReLU, and at inference a batch norm, computed by the layer before it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core.native import aligned_zeros
from cnncli.nn.graph import INPUT, Graph, Node
from cnncli.nn.layer import vector_parameter
from cnncli.nn.layers.activation import Relu

if TYPE_CHECKING:
    from cnncli.nn.network import Network


def fused_pairs(graph: Graph, *, trained: Collection[str] = (), keep: Collection[str] = ()) -> dict[str, str]:
    """From a layer to the following layer that it computes as well; parameters as those of `Fusion`."""
    found: dict[str, str] = {}
    for node in graph.nodes.values():
        source = node.inputs[0]
        if source == INPUT or source in keep or len(graph.readers(source)) > 1:
            continue
        layer = graph.nodes[source].layer
        folds = node.layer.is_norm and layer.fuses_norm and node.name not in trained
        if folds or (isinstance(node.layer, Relu) and node.layer.kind in layer.fuses_relu):
            found[source] = node.name
    return found


class Fusion:
    """Which layers of a network are fused into the layer before them, and the folded weights.

    Parameters
    ----------
    network : Network
        Holds the weights.
    graph : Graph
        The layers that are computed, searched once.
    trained : collection of str
        Nodes that get a gradient: their batch norms use the statistics of the batch, so they are not folded.
    keep : frozenset of str
        Layers whose own activations are needed, so nothing is fused into them.

    Attributes
    ----------
    fused : dict of str to str
        From a layer to the following layer that is fused into it.
    folded : dict of str to ndarray
        From a parameter's full name to its packed rows with the batch norm folded in.
    """

    def __init__(
        self, network: Network, graph: Graph, *, trained: Collection[str], keep: frozenset[str]
    ) -> None:
        self.network = network
        self.graph = graph
        self.fused = fused_pairs(graph, trained=trained, keep=keep)
        self.folded: dict[str, NDArray[np.uint8]] = {}
        for source, node in self.fused.items():
            if graph.nodes[node].layer.is_norm:
                self._allocate(graph.nodes[source])

    def _allocate(self, node: Node) -> None:
        for parameter in node.layer.parameters(node.input_shapes):
            size = parameter.rows * self.network.row_bytes
            self.folded[f"{node.name}.{parameter.name}"] = aligned_zeros(size)
            if parameter.name == "weight":
                size //= parameter.taps
                self.folded.setdefault(f"{node.name}.bias", aligned_zeros(size))

    def canonical(self, name: str) -> str:
        """The last of the layers fused into a layer, which names their common output."""
        while name in self.fused:
            name = self.fused[name]
        return name

    def applied(self, name: str) -> str:
        """Kind of the ReLU that follows the layer and is applied by it; empty if there is none."""
        last = self.graph.nodes[self.canonical(name)]
        return last.layer.kind if isinstance(last.layer, Relu) and last.name != name else ""

    def address(self, name: str) -> int:
        """Address of a parameter's packed rows, folded if there is a batch norm."""
        return int(self.folded[name].ctypes.data) if name in self.folded else self.network.address(name)

    def fold(self) -> None:
        """Fold each batch norm into the current weights and bias of the layer before it."""
        array = self.network.array
        for source, norm in self.fused.items():
            layer = self.graph.nodes[norm].layer
            if not layer.is_norm:
                continue
            weight, bias, mean, variance = (
                array(f"{norm}.{name}").astype(np.float64)
                for name in ("weight", "bias", "running_mean", "running_var")
            )
            scale = weight / np.sqrt(variance + layer.epsilon)
            kernel = array(f"{source}.weight")
            self._write(source, "weight", kernel * scale.reshape(-1, *[1] * (kernel.ndim - 1)))
            before = (
                array(f"{source}.bias")
                if f"{source}.bias" in self.network.parameters
                else np.zeros_like(mean)
            )
            self._write(source, "bias", (before - mean) * scale + bias)

    def _write(self, source: str, name: str, values: NDArray[np.float64]) -> None:
        full = f"{source}.{name}"
        parameter = self.network.parameters.get(full)
        if parameter is None:
            weight = self.network.parameters[f"{source}.weight"]
            parameter = vector_parameter(name, len(values), groups=weight.groups)
        parameter.pack(values, self.folded[full].view(np.float32))

    @property
    def memory(self) -> int:
        """Bytes of the folded weights."""
        return sum(array.nbytes for array in self.folded.values())
