"""The numbers of a network: weights, what training keeps besides, and their names."""

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
    """A graph with its numbers, all in one array.

    Parameters
    ----------
    graph : Graph
        The layers.
    seed : int
        Of the initial weights.
    scheme : {"he", "glorot"} or None
        How weights start; None: all numbers are 0, to be loaded.

    Attributes
    ----------
    weights : ndarray of float32
        All trained numbers in the order and blocks in which the native loops read them: to average, to
        copy or to compare whole networks. `export` gives them by name.
    state : ndarray of float32
        Likewise, what training keeps track of besides, such as the running statistics of batch norm.
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
        self.weights = self._lay_out(self.parameters)
        self.state = self._lay_out(self.states)
        self._gradient: Floats | None = None
        for name, parameter in (*self.parameters.items(), *self.states.items()):
            if scheme is not None:
                self._put(name, initial_values(parameter, name=name, seed=seed, scheme=scheme))

    def _lay_out(self, parameters: Mapping[str, Parameter]) -> Floats:
        rows = 0
        for name, parameter in parameters.items():
            self._offsets[name] = rows * BLOCK
            rows += parameter.rows
        return aligned_zeros(4 * (rows + 1) * BLOCK).view(np.float32)

    @property
    def gradient(self) -> Floats:
        """The gradient of the last training step, laid out as `weights`."""
        if self._gradient is None:
            self._gradient = aligned_zeros(self.weights.nbytes).view(np.float32)
        return self._gradient

    @property
    def size(self) -> int:
        """Trained numbers."""
        return sum(parameter.size for parameter in self.parameters.values())

    @property
    def multiply_adds(self) -> int:
        """Of one sample, forward."""
        return sum(node.layer.multiply_adds(node.input_shapes) for node in self.graph.nodes.values())

    def address(self, name: str) -> int:
        """Address of a parameter's or state's rows."""
        home = self.weights if name in self.parameters else self.state
        return int(home.ctypes.data) + 4 * self._offsets[name]

    def gradient_address(self, name: str) -> int:
        """Address of the rows of a parameter's gradient."""
        return int(self.gradient.ctypes.data) + 4 * self._offsets[name]

    def row_range(self, name: str) -> tuple[int, int]:
        """First and last row of a parameter, of `BLOCK` numbers each."""
        first = self._offsets[name] // BLOCK
        return first, first + (self.parameters.get(name) or self.states[name]).rows

    def unpack(self, packed: Floats) -> Iterator[tuple[str, Floats]]:
        """Names and arrays, shaped as PyTorch has them, of numbers laid out as `weights`."""
        for name, parameter in self.parameters.items():
            yield name, packed[self._offsets[name] + parameter.order].reshape(parameter.shape)

    def pack(self, arrays: Mapping[str, Floats], out: Floats) -> None:
        """The reverse of `unpack`."""
        for name, parameter in self.parameters.items():
            out[self._offsets[name] + parameter.order] = arrays[name].reshape(parameter.order.shape)

    def export(self) -> dict[str, Floats]:
        """All numbers by name, as PyTorch names and shapes them: ``conv1.weight`` is (K, C, kh, kw).

        Returns
        -------
        dict of str to ndarray, float32
            Copies.
        """
        return {name: self.array(name) for name in (*self.parameters, *self.states)}

    def array(self, name: str) -> Floats:
        """A copy of the numbers of one name, as in `export`."""
        parameter = self.parameters.get(name) or self.states[name]
        home = self.weights if name in self.parameters else self.state
        return home[self._offsets[name] + parameter.order].reshape(parameter.shape)

    def load(self, arrays: Mapping[str, NDArray[np.generic]], *, replace_head: bool = False) -> list[str]:
        """Take over numbers by name.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            As `export` gives them; others are ignored.
        replace_head : bool
            Leave what does not fit in the layer of the output as it is, for another number of classes.

        Returns
        -------
        list of str
            Names that were left.

        Raises
        ------
        CnncliError
            If one is missing or has another shape.
        """
        head = f"{self.graph.output}."
        left = []
        for name, parameter in (*self.parameters.items(), *self.states.items()):
            found = arrays.get(name)
            if found is not None and found.shape == parameter.shape:
                self._put(name, np.asarray(found, np.float32))
            elif replace_head and name.startswith(head):
                left.append(name)
            else:
                raise _misfit(name, found, parameter.shape)
        return left

    def check(
        self, arrays: Mapping[str, NDArray[np.generic]], *, prefix: str = "", states: bool = True
    ) -> None:
        """Refuse arrays that `load` (or, without ``states``, `pack`) could not take over.

        Raises
        ------
        CnncliError
            If one, under its name with the prefix, is missing or has another shape.
        """
        for name, parameter in (*self.parameters.items(), *(self.states.items() if states else ())):
            found = arrays.get(prefix + name)
            if found is None or found.shape != parameter.shape:
                raise _misfit(prefix + name, found, parameter.shape)

    def _put(self, name: str, values: Floats) -> None:
        parameter = self.parameters.get(name) or self.states[name]
        home = self.weights if name in self.parameters else self.state
        home[self._offsets[name] + parameter.order] = values.reshape(parameter.order.shape)


def _misfit(name: str, found: NDArray[np.generic] | None, shape: tuple[int, ...]) -> CnncliError:
    what = "is missing" if found is None else f"has shape {found.shape}"
    return CnncliError(
        f"{name} {what}; expected shape {shape}",
        "Choose the model that these weights were trained for.",
    )
