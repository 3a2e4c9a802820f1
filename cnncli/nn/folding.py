"""Weights and biases with the batch norms folded in that `cnncli.nn.fusion` has joined to their layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core.native import aligned_zeros
from cnncli.nn.layer import vector_parameter
from cnncli.nn.layers.normalisation import BatchNorm

if TYPE_CHECKING:
    from cnncli.nn.fusion import Stage
    from cnncli.nn.network import Network


class FoldedWeights:
    """The folded weights of a network's stages.

    Parameters
    ----------
    network : Network
        Holds the weights.
    stages : list of Stage
        Those with a batch norm.
    """

    def __init__(self, network: Network, stages: list[Stage]) -> None:
        self.network = network
        self.stages = stages
        self._folded: dict[str, NDArray[np.uint8]] = {}  # packed rows by a parameter's full name
        for stage in stages:
            self._allocate(stage)

    def _allocate(self, stage: Stage) -> None:
        for parameter in stage.layer.parameters(stage.input_shapes):
            size = parameter.rows * self.network.row_bytes
            self._folded[f"{stage.name}.{parameter.name}"] = aligned_zeros(size)
            if parameter.name == "weight":
                size //= parameter.taps
                self._folded.setdefault(f"{stage.name}.bias", aligned_zeros(size))

    def __contains__(self, name: str) -> bool:
        """Whether a parameter is folded, also the bias of a layer that has none of its own."""
        return name in self._folded

    def address(self, name: str) -> int:
        """Address of a parameter's packed rows, folded if there is a batch norm."""
        return int(self._folded[name].ctypes.data) if name in self._folded else self.network.address(name)

    def fold(self) -> None:
        """Fold each batch norm into the current weights and bias of the layer before it."""
        array = self.network.array
        for stage in self.stages:
            norm = stage.norm
            assert norm is not None
            assert isinstance(norm.layer, BatchNorm)
            weight, bias, mean, variance = (
                array(f"{norm.name}.{name}").astype(np.float64)
                for name in ("weight", "bias", "running_mean", "running_var")
            )
            scale = weight / np.sqrt(variance + norm.layer.epsilon)
            kernel = array(f"{stage.name}.weight")
            self._write(stage, "weight", kernel * scale.reshape(-1, *[1] * (kernel.ndim - 1)))
            has_bias = f"{stage.name}.bias" in self.network.parameters
            before = array(f"{stage.name}.bias") if has_bias else np.zeros_like(mean)
            self._write(stage, "bias", (before - mean) * scale + bias)

    def _write(self, stage: Stage, name: str, values: NDArray[np.float64]) -> None:
        full = f"{stage.name}.{name}"
        parameter = self.network.parameters.get(full)
        if parameter is None:
            weight = self.network.parameters[f"{stage.name}.weight"]
            parameter = vector_parameter(name, len(values), groups=weight.groups)
        parameter.pack(values, self._folded[full].view(np.float32))

    @property
    def memory(self) -> int:
        """Bytes of the folded weights."""
        return sum(array.nbytes for array in self._folded.values())
