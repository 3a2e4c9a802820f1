"""Partial gradients: one for each range of chunks, summed when all are done."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native
from cnncli.core.nn_jobs import CACHE_LINE
from cnncli.nn.graph import Node
from cnncli.nn.memory import SLACK, pieces

if TYPE_CHECKING:
    from cnncli.nn.network import Network

LARGE_GRADIENT = 1 << 20  # bytes from which a barrier pays, so that layers share the memory
PIECE_ROWS = 256  # rows of a parameter in one task


class Slots:
    """Memory for several copies of a network's gradient.

    Small gradients have their own memory in a slot. Large ones of different layers share memory: those of
    a layer are summed before the next layer writes there. Gradients that are summed over the whole batch
    at once have no slots; they are written directly into the network's gradient.

    Parameters
    ----------
    network : Network
        The network whose gradients are summed.
    count : int
        Number of slots.
    nodes : collection of str
        Nodes whose gradients are computed; those of frozen layers take no memory.

    Attributes
    ----------
    pitch : int
        Bytes from one slot to the next.
    squares : ndarray of float64
        The sum of squares of each piece of the gradient.
    """

    def __init__(self, network: Network, count: int, nodes: Collection[str]) -> None:
        self._network = network
        self._offsets: dict[str, int] = {}
        self._shared: dict[str, int] = {}  # parameter: offset in the shared part
        private = most = 0
        for node in network.graph.nodes.values():
            if node.name not in nodes:
                continue
            shared = 0
            for parameter in node.layer.parameters(node.input_shapes):
                name = f"{node.name}.{parameter.name}"
                size = parameter.rows * network.row_bytes
                if parameter.sparse or node.layer.whole_gradient(parameter, node.input_shapes):
                    continue
                if size >= LARGE_GRADIENT:
                    self._shared[name] = shared
                    shared += size
                else:
                    self._offsets[name] = private
                    private += size
            most = max(most, shared)
        self._offsets |= {name: private + offset for name, offset in self._shared.items()}
        self.pitch = private + most + CACHE_LINE
        self.memory = native.aligned_zeros(count * self.pitch + SLACK)
        counts = [len(pieces(p.rows, PIECE_ROWS)) for p in network.parameters.values()]
        starts = np.cumsum([0, *counts])
        self._first_square = dict(zip(network.parameters, starts.tolist(), strict=False))
        self.squares: NDArray[np.float64] = np.zeros(starts[-1], np.float64)

    def __contains__(self, name: str) -> bool:
        """Whether a parameter's gradient has slots."""
        return name in self._offsets

    def address(self, name: str) -> int:
        """Address of a gradient in the first slot."""
        return int(self.memory.ctypes.data) + self._offsets[name]

    def is_shared(self, name: str) -> bool:
        """Whether another layer's gradient uses the same memory."""
        return name in self._shared

    def shared_by(self, node: Node) -> list[str]:
        """Names of a layer's gradients whose memory another layer uses."""
        names = [f"{node.name}.{parameter.name}" for parameter in node.layer.parameters(node.input_shapes)]
        return [name for name in names if name in self._shared]

    def squares_address(self, name: str) -> int:
        """Address of the sums of squares of a gradient's pieces."""
        first: int = self._first_square[name]
        return int(self.squares.ctypes.data) + 8 * first

    def reduction_fields(self, name: str) -> dict[str, int]:
        """Fields of the record that sums a gradient's slots."""
        parameter = self._network.parameters[name]
        return {
            "slot_pitch": self.pitch,
            "out": self._network.gradient_address(name),
            "taps": parameter.taps,
            "blocks": parameter.blocks,
            "last": parameter.outputs - (parameter.blocks - 1) * (self._network.row_bytes // 4),
            "squares": self.squares_address(name),
            "piece": PIECE_ROWS,
        }
