"""Partial gradients: one for each range of chunks, a slot, summed when all are done."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native, nn_jobs
from cnncli.core.choices import LARGE_GRADIENT, PIECE_ROWS
from cnncli.core.nn_jobs import CACHE_LINE
from cnncli.nn.memory import SLACK, pieces

if TYPE_CHECKING:
    from cnncli.nn.graph import Node
    from cnncli.nn.network import Network
    from cnncli.nn.schedule import Schedule


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
        The sum of squares of each piece of the gradient, once all are summed.
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

    def address(self, name: str) -> int:
        """Where a parameter's gradient goes: in the first slot, or, without slots, the network's own."""
        if name not in self._offsets:
            return self._network.gradient_address(name)
        return int(self.memory.ctypes.data) + self._offsets[name]

    def sum_shared(self, schedule: Schedule, node: Node) -> None:
        """Add the calls that sum those gradients of a layer whose memory another layer uses."""
        for parameter in node.layer.parameters(node.input_shapes):
            name = f"{node.name}.{parameter.name}"
            if name in self._shared:
                schedule.barrier()
                self._sum(schedule, name)
                schedule.barrier()

    def sum_others(self, schedule: Schedule, names: Collection[str]) -> None:
        """Add the calls that sum the remaining ones of these gradients, and square them."""
        for name in names:
            if name not in self._shared and not self._network.parameters[name].sparse:
                self._sum(schedule, name)

    def squares_address(self, name: str) -> int:
        """Address of the sums of squares of a gradient's pieces."""
        first: int = self._first_square[name]
        return int(self.squares.ctypes.data) + 8 * first

    def _sum(self, schedule: Schedule, name: str) -> None:
        parameter = self._network.parameters[name]
        one = name not in self._offsets
        job = schedule.job(
            nn_jobs.REDUCE,
            slots=self.address(name),
            slot_count=schedule.constant(np.ones(1, np.int64)) if one else schedule.used_slots.ctypes.data,
            slot_pitch=self.pitch,
            out=self._network.gradient_address(name),
            taps=parameter.taps,
            blocks=parameter.blocks,
            last=parameter.outputs - (parameter.blocks - 1) * (self._network.row_bytes // 4),
            squares=self.squares_address(name),
            piece=PIECE_ROWS,
        )
        schedule.whole("reduce", job, pieces(parameter.rows, PIECE_ROWS))
