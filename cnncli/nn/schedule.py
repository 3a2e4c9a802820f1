"""The second pass: stages become native calls in phases, those of the forward and those of the backward pass.

What is emitted names tensors that have no addresses yet; `cnncli.nn.memory` gives them theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core.heap import address_of
from cnncli.nn.calls import Calls
from cnncli.nn.chunks import chunked
from cnncli.nn.elementwise import apply, copy, zero_halo
from cnncli.nn.folding import FoldedWeights
from cnncli.nn.fusion import Stage, fuse
from cnncli.nn.graph import INPUT, Graph, Shape
from cnncli.nn.layers.activation import Relu
from cnncli.nn.layers.combine import Flatten
from cnncli.nn.memory import Tensor, widest

if TYPE_CHECKING:
    from cnncli.nn.layer import Halo, Parameter
    from cnncli.nn.listed import ListedRows
    from cnncli.nn.network import Network
    from cnncli.nn.slots import Slots


NONE: Mapping[str, Tensor] = MappingProxyType({})


class Schedule(Calls):
    """The calls of a step: what layers see of it is `cnncli.nn.emit.Emit`.

    Parameters
    ----------
    network : Network
        Holds the weights.
    graph : Graph
        Those of its layers that are computed.
    batch : int
        Most samples in a step.
    keep : sequence of str
        Layers whose own activations are needed, so that none that follows is computed along with them.
    trained : collection of str
        Layers that get a gradient, as `trained_layers` says. Others have no backward pass, and a batch norm
        uses its running statistics without updating them.
    slots : Slots or None
        Where gradients of parameters go; None: layers behave as in inference, and only what flows through
        them has gradients.
    threads : int
        That share the work on a single sample, or of a layer on all. One thread computes each output: no bit
        changes.

    Attributes
    ----------
    fused : FusedGraph
        What is computed.
    folded : FoldedWeights
        To fold again when weights have changed.
    norms : list of (record, momentum)
        Records that update running statistics.
    listed : list of ListedRows
        Of tables of which a step updates only rows that its batch reads.
    """

    def __init__(
        self,
        network: Network,
        graph: Graph,
        batch: int,
        *,
        keep: Sequence[str] = (),
        trained: Collection[str] = (),
        slots: Slots | None = None,
        threads: int = 1,
    ) -> None:
        self._frames = graph.frames
        # Threads share clips, not the work on the frames of one, and in training samples.
        super().__init__(
            chunked(batch, self._frames), threads=threads if self._frames == 1 else 1, apart=slots is not None
        )
        self.network = network
        self._slots = slots
        self.fused = fuse(graph, training=slots is not None, trained=trained, keep=keep)
        owners = self.fused.owners
        self._trained = {owners[name] for name in trained if name in owners}
        stages = self.fused.stages.values()
        self.folded = FoldedWeights(network, [stage for stage in stages if stage.norm is not None])
        self.norms: list[tuple[NDArray[np.void], float]] = []
        self.listed: list[ListedRows] = []
        self._added: dict[str, list[str]] = {}  # by stage: those that add onto its output
        for stage in stages:
            if stage.adds:
                self._added.setdefault(stage.adds, []).append(stage.name)
        self._values: dict[str, Tensor] = {}
        self._gradients: dict[str, Tensor] = {}
        self._samples: dict[int, NDArray[np.int64]] = {}
        self._step = self.hold(np.zeros(1, np.int64))
        self.used_slots = self.hold(np.ones(1, np.int64))
        self.slot_pitch = 0
        if slots is not None:
            self.slot_pitch = slots.pitch
            self.hold(slots.memory)
            self.hold(slots.squares)

    def samples_address(self, shape: Shape) -> int:
        """Of the number of samples of a shape in the step: of all frames of its clips, if it has several."""
        if shape.frames not in self._samples:
            self._samples[shape.frames] = self.hold(np.zeros(1, np.int64))
        return int(self._samples[shape.frames].ctypes.data)

    @property
    def step_address(self) -> int:
        """Of the number of the step."""
        return int(self._step.ctypes.data)

    # --- tensors ---

    def value(self, name: str) -> Tensor:
        """The activation of a layer."""
        return self._values[self.fused.owners[name]]

    def set_value(self, name: str, tensor: Tensor) -> None:
        """Let the activation of a layer be a view of another tensor."""
        self._values[self.fused.owners[name]] = tensor

    def gradient(self, name: str) -> Tensor:
        """The gradient of a layer's output, summed over its readers so far."""
        return self._gradients[self.fused.owners[name]]

    def gradient_target(self, name: str) -> tuple[Tensor, bool]:
        """Where to write a gradient, and whether to add to that of another reader."""
        name = self.fused.owners[name]
        exists = name in self._gradients
        if not exists:
            self._gradients[name] = self._flattened_gradient(name) or Tensor(
                self.fused.shape_of(name), self._gradient_halo(name)
            )
        return self._gradients[name], exists

    def _flattened_gradient(self, name: str) -> Tensor | None:
        """The gradient of flattened feature maps, if it can share their memory."""
        stage = self.fused.stages.get(name)
        if stage is None or not isinstance(stage.layer, Flatten):
            return None
        source = stage.inputs[0]
        if len(self.fused.readers(source)) > 1 or not self.needs_gradient(source):
            return None
        if self._gradient_halo(source) != (0, 0) or source in self._gradients:
            return None
        maps, _ = self.gradient_target(source)
        return Tensor(stage.shape, view_of=maps.view_of or maps)

    def needs_gradient(self, name: str) -> bool:
        """Whether something is trained in the layer or before it, or its gradient is asked for."""
        return name in self._trained

    def is_trained(self, name: str) -> bool:
        """Whether the layer's own parameters get gradients, and batch norms use the statistics of a batch."""
        return self._slots is not None and name in self._trained

    def _value_halo(self, name: str) -> Halo:
        halos = [reader.layer.input_halo(reader.input_shapes) for reader in self.fused.readers(name)]
        later = [self._value_halo(stage) for stage in self._added.get(name, ())]
        return widest(halos + later)

    def _gradient_halo(self, name: str) -> Halo:
        stage = self.fused.stages.get(name)
        if stage is None or not any(map(self.needs_gradient, stage.inputs)):
            return 0, 0
        return stage.layer.output_halo(stage.input_shapes)

    def joins(self, weights: int, values: int, *, single: bool = False) -> bool:
        """Whether all samples are computed in one call, as weights are more than a sample's values.

        Sample by sample, values stay in the caches, and weights are read once for each. Where layers are
        trained, only those of a ``single`` pixel are joined.
        """
        free = (single or not self._trained) and self._frames == 1
        return free and self.chunks.count == self.chunks.batch > 1 and weights > values

    # --- parameters ---

    def weight(self, stage: Stage, parameter: str) -> int:
        """Address of a parameter's packed rows."""
        return self.folded.address(f"{stage.name}.{parameter}")

    def bias(self, stage: Stage, absent: int) -> int:
        """Address of a layer's bias; of ``absent`` zeros if it has none."""
        if absent and f"{stage.name}.bias" not in self.folded:
            return self.constant(np.zeros(absent, np.float32))
        return self.weight(stage, "bias")

    def weight_gradient(self, stage: Stage, parameter: str) -> int:
        """Address of the packed rows of a parameter's gradient: in the first slot, if it has slots."""
        assert self._slots is not None
        return self._slots.address(f"{stage.name}.{parameter}")

    def listed_rows(self, stage: Stage, table: Parameter, *, words: int) -> ListedRows:
        """The rows of a table that a batch reads: a step updates them alone."""
        from cnncli.nn.listed import ListedRows

        self.listed.append(ListedRows(self, stage.name, table, words=words))
        return self.listed[-1]

    def squares_address(self, name: str) -> int:
        """Address of the sums of squares of a parameter's gradient."""
        assert self._slots is not None
        return self._slots.squares_address(name)

    def updates_statistics(self, job: NDArray[np.void], momentum: float) -> None:
        """Note a record whose ``momentum`` may change from step to step."""
        self.norms.append((job, momentum))

    # --- passes ---

    def forward(self) -> None:
        """Add the forward pass: the input is copied into its tensor first."""
        dense = Tensor(self.fused.input_shape, external=1)
        self._values[INPUT] = Tensor(self.fused.input_shape, self._value_halo(INPUT))
        copy(self, dense, self._values[INPUT])
        copies = [op for phase in self.phases for op in phase]
        self._inputs = [(op.job["a"], op.job["b"], op.tensors["a"][1]) for op in copies]
        zero_halo(self, self._values[INPUT])
        for stage in self.fused.stages.values():
            self._values[stage.name] = self._values.get(stage.adds) or Tensor(
                stage.shape, self._value_halo(stage.name)
            )
            stage.layer.forward(self, stage)
            zero_halo(self, self.value(stage.name))

    def start_backward(self) -> None:
        """What is added from here on belongs to the backward pass."""
        self.barrier()
        self._backward_from = len(self.phases) - 1

    def backward(self, *, kept: Mapping[str, Tensor] = NONE, guided: bool = False) -> None:
        """Add the backward pass, starting from gradients of outputs.

        Parameters
        ----------
        kept : mapping of str to Tensor
            By layer, or `INPUT`: where the gradient of its output is copied, if it has one.
        guided : bool
            A ReLU also holds back what is negative of the gradient of its output.
        """
        for stage in reversed(self.fused.stages.values()):
            if self.needs_gradient(stage.name) and stage.name in self._gradients:
                self._copy_gradient(stage.name, kept)
                self._backward_of(stage, guided=guided)
        self._copy_gradient(INPUT, kept)

    def _copy_gradient(self, stage: str, kept: Mapping[str, Tensor]) -> None:
        for name, out in kept.items():
            if self.fused.owners[name] == stage and stage in self._gradients:
                copy(self, self._gradients[stage], out)

    def _backward_of(self, stage: Stage, *, guided: bool) -> None:
        slope = self.gradient(stage.name)
        if guided and (stage.relu or isinstance(stage.layer, Relu)):
            apply(self, "relu", slope, slope, slope)
        if stage.relu and not stage.masked:
            apply(self, f"{stage.relu} backward", self.value(stage.name), slope, slope)
        zero_halo(self, slope)
        if self.is_trained(stage.name) or any(map(self.needs_gradient, stage.inputs)):
            stage.layer.backward(self, stage)
        if self._slots is not None:
            self._slots.sum_shared(self, stage)

    def start(self, images: NDArray[np.float32], samples: int, step: int) -> None:
        """Set the values that change from step to step."""
        address = address_of(images)
        for a, b, offset in self._inputs:
            a[0] = b[0] = address + offset
        self._step[0] = step
        for frames, held in self._samples.items():
            held[0] = frames * samples
        self.used_slots[0] = -(-samples // (self.chunks.size * self.chunks.per_slot))
        for rows in self.listed:
            rows.start(images)

    @property
    def memory(self) -> int:
        """Bytes that it holds, without the arena."""
        return sum(array.nbytes for array in self.held) + self.folded.memory


def trained_layers(graph: Graph, frozen: Collection[str], *, also: Collection[str] = ()) -> set[str]:
    """Layers in which, or before which, something is trained.

    Parameters
    ----------
    graph : Graph
        The layers that are computed.
    frozen : collection of str
        Parameters that are not trained.
    also : collection of str
        What needs a gradient besides, such as the input.
    """
    trained = set(also)
    for node in graph.nodes.values():
        names = [f"{node.name}.{each.name}" for each in node.layer.parameters(node.input_shapes)]
        if any(name not in frozen for name in names) or trained & set(node.inputs):
            trained.add(node.name)
    return trained
