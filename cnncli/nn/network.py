"""A network's parameters and buffers, and their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from cnncli.core.native import aligned_zeros
from cnncli.errors import CnncliError
from cnncli.nn.graph import Graph
from cnncli.nn.init import Scheme, initial_values
from cnncli.nn.layer import BLOCK, Parameter

Floats = NDArray[np.float32]


class Network:
    """A graph with its parameters, packed into one array.

    Parameters
    ----------
    graph : Graph
        The layers.
    seed : int
        Seed of the initial weights.
    scheme : {"he", "glorot"} or None
        Initialisation; None: everything is 0, to be loaded.

    Attributes
    ----------
    weights : ndarray of float32
        All learned parameters, packed as the native loops read them: to average, to copy or to compare whole
        networks. `export` returns them by name.
    state : ndarray of float32
        The same for the buffers, such as the running statistics of batch norm.
    """

    def __init__(self, graph: Graph, *, seed: int = 0, scheme: Scheme | None = "he") -> None:
        self.graph = graph
        self.row_bytes = 4 * BLOCK
        self.parameters: dict[str, Parameter] = {}
        self.states: dict[str, Parameter] = {}
        self._offsets: dict[str, int] = {}
        for node in graph.nodes.values():
            for parameter in node.layer.parameters(node.input_shapes):
                self.parameters[f"{node.name}.{parameter.name}"] = parameter
            for parameter in node.layer.state(node.input_shapes):
                self.states[f"{node.name}.{parameter.name}"] = parameter
        self.weights = self._allocate(self.parameters)
        self.state = self._allocate(self.states)
        self._gradient: Floats | None = None
        self.touched: dict[str, NDArray[np.int64]] = {}  # rows of tables in which the gradient is not 0
        for name, parameter in (*self.parameters.items(), *self.states.items()):
            if scheme is not None:
                self._store(name, initial_values(parameter, name=name, seed=seed, scheme=scheme))

    def _allocate(self, parameters: Mapping[str, Parameter]) -> Floats:
        rows = 0
        for name, parameter in parameters.items():
            self._offsets[name] = rows * BLOCK
            rows += parameter.rows
        return aligned_zeros(4 * (rows + 1) * BLOCK).view(np.float32)

    @property
    def gradient(self) -> Floats:
        """The gradient of the last training step, packed like `weights`."""
        if self._gradient is None:
            self._gradient = aligned_zeros(self.weights.nbytes).view(np.float32)
        return self._gradient

    @property
    def size(self) -> int:
        """Number of learned parameters."""
        return sum(parameter.size for parameter in self.parameters.values())

    def address(self, name: str) -> int:
        """Address of a parameter's or buffer's packed rows."""
        packed = self.weights if name in self.parameters else self.state
        return int(packed.ctypes.data) + 4 * self._offsets[name]

    def gradient_address(self, name: str) -> int:
        """Address of the packed rows of a parameter's gradient."""
        return int(self.gradient.ctypes.data) + 4 * self._offsets[name]

    def row_range(self, name: str) -> tuple[int, int]:
        """First row of a parameter and the row after its last, each of `BLOCK` floats."""
        first = self._offsets[name] // BLOCK
        return first, first + (self.parameters.get(name) or self.states[name]).rows

    def unpack(self, packed: Floats) -> Iterator[tuple[str, Floats]]:
        """Names and arrays, shaped as in PyTorch, of an array packed like `weights`."""
        for name, parameter in self.parameters.items():
            yield name, parameter.unpack(self._rows(name, parameter, packed))

    def pack(self, arrays: Mapping[str, Floats], out: Floats) -> None:
        """The inverse of `unpack`."""
        for name, parameter in self.parameters.items():
            parameter.pack(arrays[name], self._rows(name, parameter, out))

    def export(self) -> dict[str, Floats]:
        """All parameters and buffers, named and shaped as in PyTorch: ``conv1.weight`` is (K, C, kh, kw).

        Returns
        -------
        dict of str to ndarray, float32
            Copies.
        """
        return {name: self.array(name) for name in (*self.parameters, *self.states)}

    def array(self, name: str) -> Floats:
        """A copy of one parameter or buffer, as in `export`."""
        parameter = self.parameters.get(name) or self.states[name]
        packed = self.weights if name in self.parameters else self.state
        return parameter.unpack(self._rows(name, parameter, packed))

    def load(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Load parameters and buffers by name, as returned by `export`; other names are ignored.

        Raises
        ------
        CnncliError
            If one is missing or has another shape.
        """
        for name, parameter in (*self.parameters.items(), *self.states.items()):
            found = arrays.get(name)
            if found is None or found.shape != parameter.shape:
                raise _shape_error(name, found, parameter.shape)
            self._store(name, np.asarray(found, np.float32))

    def check(
        self, arrays: Mapping[str, NDArray[np.generic]], *, prefix: str = "", states: bool = True
    ) -> None:
        """Refuse arrays that do not fit `load` (or, without ``states``, `pack`).

        Raises
        ------
        CnncliError
            If an array, named with the prefix, is missing or has another shape.
        """
        for name, parameter in (*self.parameters.items(), *(self.states.items() if states else ())):
            found = arrays.get(prefix + name)
            if found is None or found.shape != parameter.shape:
                raise _shape_error(prefix + name, found, parameter.shape)

    def _store(self, name: str, values: Floats) -> None:
        parameter = self.parameters.get(name) or self.states[name]
        packed = self.weights if name in self.parameters else self.state
        parameter.pack(values, self._rows(name, parameter, packed))

    def _rows(self, name: str, parameter: Parameter, packed: Floats) -> Floats:
        """Packed rows of a parameter in an array packed like `weights`."""
        first = self._offsets[name]
        return packed[first : first + parameter.rows * BLOCK]


def _shape_error(name: str, found: NDArray[np.generic] | None, shape: tuple[int, ...]) -> CnncliError:
    what = "is missing" if found is None else f"has shape {found.shape}"
    return CnncliError(
        f"{name} {what}; expected shape {shape}",
        "Choose the model that these weights were trained for.",
    )
