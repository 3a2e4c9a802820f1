"""A network planned for one batch size: the memory of every tensor, and the native calls of a step.

The batch is split into chunks that depend only on the batch size, never on the number of threads. A tensor
that lives only while its chunk is processed is in the scratch memory of the thread; one that lives longer
(batch norm and fully connected layers use the whole batch) is in the arena, at the same offset in each
chunk's part. Both are laid out by liveness: memory is reused as soon as its last reader is done.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native, nn_jobs
from cnncli.core.nn_jobs import TABLE_BYTES
from cnncli.core.program import Call, Program
from cnncli.nn.fusion import Fusion
from cnncli.nn.graph import INPUT, Graph, Node, Shape
from cnncli.nn.memory import SLACK, Op, Part, Split, Tensor, assign_addresses, fill_in, pieces, widest
from cnncli.nn.slots import PIECE_ROWS, Slots

if TYPE_CHECKING:
    from cnncli.nn.layer import Halo
    from cnncli.nn.listed import ListedRows
    from cnncli.nn.network import Network

SLOTS = 8  # ranges of chunks, each with its own gradient: at most so many threads work on a batch
CHUNK = 16  # samples, at most
MIN_SHARED_WORK = 10_000_000  # multiply-adds (about 0.1 ms) of a network from which several threads pay …
MIN_PART_WORK = 300_000  # … and of a part, to outweigh synchronisation
FINAL_TASKS = 64  # into which a whole-batch call is split
PACK_FLOATS = 1 << 14  # in one task


class Plan:
    """The calls of a step, and their memory.

    Parameters
    ----------
    network : Network
        The network to plan.
    batch : int
        Most samples in a step.
    training : bool
        Plan the backward pass too, with layers in training mode.
    keep : sequence of str
        Layers whose own activations are needed, so nothing is fused into them; by default the main output.
        They and what they depend on are computed.
    input_gradient : bool
        Compute the gradient of the input too.
    parts : int
        Threads that share the work on a single sample. One thread computes each output: no bit changes.
    frozen : collection of str
        Parameters that are not trained. If nothing is trained in a layer or before it, it has no backward
        pass, and a batch norm uses its running statistics without updating them.
    """

    def __init__(
        self,
        network: Network,
        batch: int,
        *,
        training: bool,
        keep: Sequence[str] = (),
        input_gradient: bool = False,
        parts: int = 1,
        frozen: Collection[str] = (),
    ) -> None:
        self.network = network
        self.graph: Graph = network.graph.pruned(keep or (network.graph.output,))
        self.batch = batch
        self.training = training
        shares = batch == 1 and not training and self.graph.multiply_adds >= MIN_SHARED_WORK
        self._parts = parts if shares else 1
        self.slots = max(1, min(SLOTS, batch))
        per_slot = -(-batch // self.slots)
        self.chunk = -(-per_slot // -(-per_slot // CHUNK))
        self.slot_chunks = -(-per_slot // self.chunk)
        self.chunks = -(-batch // self.chunk)
        self.phases: list[list[Op]] = [[]]
        self.held: list[NDArray[np.generic]] = []
        self.listed: list[ListedRows] = []  # of tables whose rows are updated by a list of those in a batch
        self.samples = self.hold(np.zeros(1, np.int64))
        self.slot_count = self.hold(np.ones(1, np.int64))
        self._trained = self._trained_nodes({INPUT} if input_gradient else set(), frozen)
        self.fusion = Fusion(
            network, self.graph, trained=self._trained if training else (), keep=frozenset(keep)
        )
        self._buffers: dict[str, NDArray[np.uint8]] = {}
        self.step = self.hold(np.zeros(1, np.int64))
        self.norms: list[
            tuple[NDArray[np.void], float]
        ] = []  # records that update running statistics, and their momentum
        self.masked: set[str] = set()  # ReLUs whose gradient is masked by the layer after them
        self.values: dict[str, Tensor] = {}
        self.gradients: dict[str, Tensor] = {}
        self.packs: list[Op] = []
        self.transforms: list[Op] = []
        self._backward_transforms: list[Op] = []
        self._backward_from: int | None = None  # the first phase of the backward pass
        self._index = 0
        self._split: Split | None = None
        self._after_chunks: list[tuple[str, NDArray[np.void], int, Mapping[str, Tensor]]] = []
        self._scratch_bytes = TABLE_BYTES
        self._threads = 1
        self._slots = Slots(network, self.slots, self._trained) if training else None
        if self._slots is not None:
            self.hold(self._slots.memory)
            self.hold(self._slots.squares)

    # --- interface of layers ---------------------------------------------------------------------

    def hold(self, array: NDArray[Any]) -> NDArray[Any]:
        """Keep an array alive as long as the plan."""
        self.held.append(array)
        return array

    def constant(self, values: NDArray[np.generic]) -> int:
        """Address of an array that the plan keeps alive."""
        return int(self.hold(np.ascontiguousarray(values)).ctypes.data)

    def value(self, name: str) -> Tensor:
        """The activation of a node."""
        return self.values[self.canonical(name)]

    def canonical(self, name: str) -> str:
        """The last of the layers fused into a layer, which names their common output."""
        return self.fusion.canonical(name)

    @property
    def fused(self) -> dict[str, str]:
        """From a layer to the following layer that is fused into it."""
        return self.fusion.fused

    def gradient(self, name: str) -> Tensor:
        """The gradient of a node's output, summed over its readers so far."""
        return self.gradients[self.canonical(name)]

    def gradient_target(self, name: str) -> tuple[Tensor, bool]:
        """Where to write a gradient, and whether to add to that of another reader."""
        name = self.canonical(name)
        exists = name in self.gradients
        if not exists:
            self.gradients[name] = self._flattened_gradient(name) or Tensor(
                self.graph.shape_of(name), self._gradient_halo(name)
            )
        return self.gradients[name], exists

    def _flattened_gradient(self, name: str) -> Tensor | None:
        """The gradient of flattened feature maps, if it can share their memory."""
        node = self.graph.nodes.get(name)
        if node is None or not node.layer.is_flatten:
            return None
        source = node.inputs[0]
        if len(self.graph.readers(source)) > 1 or not self.needs_gradient(source):
            return None
        if self._gradient_halo(self.canonical(source)) != (0, 0) or self.canonical(source) in self.gradients:
            return None
        maps, _ = self.gradient_target(source)
        return Tensor(node.shape, view_of=maps.view_of or maps)

    def is_identity(self, node: Node) -> bool:
        """Whether the node's output is its input."""
        return node.layer.training_only and not self.training

    def needs_gradient(self, name: str) -> bool:
        """Whether something is trained in the node or before it."""
        return name in self._trained

    def applied(self, node: Node) -> str:
        """Kind of the ReLU that follows the node and is applied by it; empty if there is none."""
        return self.fusion.applied(node.name)

    def weight(self, node: Node, parameter: str) -> int:
        """Address of a parameter's packed rows."""
        return self.fusion.address(f"{node.name}.{parameter}")

    def bias(self, node: Node, absent: int) -> int:
        """Address of a layer's bias; of ``absent`` zeros if it has none."""
        if absent and f"{node.name}.bias" not in self.fusion.folded:
            return self.constant(np.zeros(absent, np.float32))
        return self.weight(node, "bias")

    def buffer(self, name: str, size: int, kind: type) -> int:
        """Address of a buffer outside the arena, the same for the same name."""
        if name not in self._buffers:
            self._buffers[name] = self.hold(native.aligned_zeros(size * np.dtype(kind).itemsize + SLACK))
        return int(self._buffers[name].ctypes.data)

    def weight_gradient(self, node: Node, parameter: str) -> int:
        """Address of the packed rows of a parameter's gradient: in the first slot, if it has slots."""
        name = f"{node.name}.{parameter}"
        if self._slots is not None and name in self._slots:
            return self._slots.address(name)
        return self.network.gradient_address(name)

    def squares_address(self, name: str) -> int:
        """Address of the sums of squares of a parameter's gradient."""
        return 0 if self._slots is None else self._slots.squares_address(name)

    @property
    def slot_pitch(self) -> int:
        """Bytes from one slot to the next."""
        return 0 if self._slots is None else self._slots.pitch

    def job(self, record_type: np.dtype[np.void], /, **values: float) -> NDArray[np.void]:
        """A record with some of its fields filled in."""
        record = np.zeros(1, record_type)
        assert record.dtype.names is not None
        if "chunk" in record.dtype.names:
            record["chunk"] = self.chunk
        for name, number in values.items():
            record[name] = number
        return record

    def each_chunk(
        self,
        loop: str,
        job: NDArray[np.void],
        tensors: Mapping[str, Tensor | tuple[Tensor, int]],
    ) -> None:
        """Add a call for every chunk; tensors by field, optionally with an offset in bytes."""
        self._emit(loop, job, tensors, None)

    def whole(
        self,
        loop: str,
        job: NDArray[np.void],
        tasks: Sequence[tuple[int, int]],
        tensors: Mapping[str, Tensor | tuple[Tensor, int]] | None = None,
    ) -> None:
        """Add calls that do not belong to a chunk, each its own task."""
        self._emit(loop, job, tensors or {}, list(tasks))

    def parts(self, multiply_adds: int) -> int:
        """Number of parts into which a layer's work on a sample is best split."""
        return max(1, min(self._parts, multiply_adds // MIN_PART_WORK))

    def split(self, loop: str, parts: Sequence[Part], out: Tensor) -> None:
        """Add concurrent calls that together compute one sample's output."""
        self.barrier()
        bands = [part.lines for part in parts if part.lines is not None]
        self._split = Split(self.phases[-1], len(self.phases), bands, [out] if bands else [])
        self._index += 1
        self._emit_parts(loop, parts)
        self.barrier()

    def _emit_parts(self, loop: str, parts: Sequence[Part]) -> None:
        """Add one part to each task of the split."""
        for number, part in enumerate(parts):
            self._emit(loop, part.job, part.tensors, [(0, 1)], band=number)

    def barrier(self) -> None:
        """Start a new phase: later calls need the results of all chunks."""
        if self.phases[-1]:
            self.phases.append([])

    def pack(self, source: int, order: NDArray[np.intp], *, fill: int = -1) -> int:
        """Address of weights in another order, copied at the start of every step."""
        out = self.hold(native.aligned_zeros(4 * order.size))
        job = self.job(
            nn_jobs.PACK,
            src=source,
            order=self.constant(order.ravel().astype(np.int32)),
            out=out.ctypes.data,
        )
        self.packs.append(Op("pack", job, {}, pieces(order.size, PACK_FLOATS)))
        return int(out.ctypes.data)

    def transform(self, loop: str, job: NDArray[np.void], items: int) -> None:
        """Transform weights at the start of the pass being planned, after they are packed."""
        transforms = self.transforms if self._backward_from is None else self._backward_transforms
        transforms.append(Op(loop, job, {}, pieces(items, PIECE_ROWS)))

    def with_weights(self, phases: list[list[Op]]) -> list[list[Op]]:
        """The phases, preceded by those that pack and transform the weights."""
        at = len(phases) if self._backward_from is None else self._backward_from
        return [self.packs, self.transforms, *phases[:at], self._backward_transforms, *phases[at:]]

    def chunk_scratch(self, floats: int) -> Tensor:
        """Scratch memory of ``floats`` for a whole chunk, not for each of its samples."""
        return Tensor(Shape(1, 1, -(-floats // self.chunk)))

    def zero_halo(self, tensor: Tensor) -> None:
        """Write zeros around the images of a tensor, after it has been written."""
        if tensor.halo == (0, 0):
            return
        job = self.job(
            nn_jobs.FRAME,
            height=tensor.shape.height,
            row_floats=tensor.shape.width * tensor.shape.channels,
            lines_above=tensor.halo[0],
            lines_below=tensor.halo[0],
            side_floats=tensor.halo[1] * tensor.shape.channels,
        )

        def part_of(lo: int, hi: int) -> Part:
            part = job.copy()
            part["height"] = hi - lo
            part["lines_above"] *= lo == 0
            part["lines_below"] *= hi == tensor.shape.height
            return Part(part, {"out": (tensor, lo * tensor.row)}, (lo, hi))

        self._by_lines("frame", part_of, tensor)

    def apply(
        self, kind: str, a: Tensor, b: Tensor, out: Tensor, *, add: bool = False, alpha: float = 0.0
    ) -> None:
        """Add an elementwise function."""

        def part_of(lo: int, hi: int) -> Part:
            rows, floats = hi - lo, out.shape.width * out.shape.channels
            if a.dense and b.dense and out.dense:
                rows, floats = 1, rows * floats
            job = self.job(
                nn_jobs.APPLY, kind=nn_jobs.KINDS[kind], rows=rows, floats=floats, add=add, alpha=alpha
            )
            return Part(
                job, {"a": (a, lo * a.row), "b": (b, lo * b.row), "out": (out, lo * out.row)}, (lo, hi)
            )

        self._by_lines("elementwise", part_of, a, b, out)

    def _by_lines(self, loop: str, part_of: Callable[[int, int], Part], *tensors: Tensor) -> None:
        """Add calls over lines of tensors: to the tasks of a split, if each can continue with its lines."""
        split = self._split
        just_emitted = split is not None and not self.phases[-1] and self.phases[-2] is split.phase
        if split is None or not just_emitted or not split.covers(*tensors):
            whole = part_of(0, tensors[-1].shape.height)
            self.each_chunk(loop, whole.job, whole.tensors)
            return
        self._emit_parts(loop, [part_of(lo, hi) for lo, hi in split.bands])
        split.computed += tensors

    def repeat(self, row: int, out: Tensor) -> None:
        """Write the same row of values into all rows of a tensor."""
        floats = out.shape.width * out.shape.channels
        job = self.job(
            nn_jobs.APPLY, kind=nn_jobs.KINDS["copy"], rows=out.shape.height, floats=floats, a=row, b=row
        )
        self.each_chunk("elementwise", job, {"out": out})

    def after_all_chunks(
        self, loop: str, job: NDArray[np.void], items: int, tensors: Mapping[str, Tensor]
    ) -> None:
        """Add a whole-batch call that runs after all chunks are done."""
        self._after_chunks.append((loop, job, items, tensors))

    def emit_after_chunks(self) -> None:
        """Add the calls of `after_all_chunks` to the phases."""
        for loop, job, items, tensors in self._after_chunks:
            self.whole(loop, job, pieces(items, max(1, items // FINAL_TASKS)), tensors)

    def sum_slots(self) -> NDArray[np.float64]:
        """Sum the slots of each gradient; returns an array that will hold sums of their squares."""
        assert self._slots is not None
        for name, parameter in self.network.parameters.items():
            done = parameter.sparse or self._slots.is_shared(name)
            if self.needs_gradient(name.rpartition(".")[0]) and not done:
                self._sum(self._slots, name)
        return self._slots.squares

    def _sum_shared(self, node: Node) -> None:
        """Sum the slots of a layer whose memory the next one needs."""
        assert self._slots is not None
        for name in self._slots.shared_by(node):
            self.barrier()
            self._sum(self._slots, name)
            self.barrier()

    def _sum(self, slots: Slots, name: str) -> None:
        node, _, short = name.rpartition(".")
        source = self.weight_gradient(self.graph.nodes[node], short)
        count = self.slot_count.ctypes.data if name in slots else self.constant(np.ones(1, np.int64))
        job = self.job(nn_jobs.REDUCE, slots=source, slot_count=count, **slots.reduction_fields(name))
        self.whole("reduce", job, pieces(self.network.parameters[name].rows, PIECE_ROWS))

    def limit_norms(self, frozen: Collection[str]) -> None:
        """Keep the norms of weights that have a limit within it, after they are updated."""
        self.barrier()
        for name, parameter in self.network.parameters.items():
            if parameter.max_norm and name not in frozen and name.rpartition(".")[0] in self.graph.nodes:
                job = self.job(
                    nn_jobs.LIMIT_NORMS,
                    weight=self.network.address(name),
                    taps=parameter.taps,
                    limit=parameter.max_norm,
                )
                self.whole("limit_norms", job, pieces(parameter.groups * parameter.blocks, 1))

    # --- passes ----------------------------------------------------------------------------------

    def forward(self) -> None:
        """Plan the forward pass: the input is copied into its tensor first."""
        dense = Tensor(self.graph.input_shape, external=1)
        self.values[INPUT] = Tensor(self.graph.input_shape, self._value_halo(INPUT))
        self.apply("copy", dense, dense, self.values[INPUT])
        self.input_job = self.phases[-1][-1].job
        self.zero_halo(self.values[INPUT])
        for node in self.graph.nodes.values():
            name = self.canonical(node.name)
            if self.is_identity(node):
                self.values[name] = self.value(node.inputs[0])
                continue
            if name not in self.values:
                self.values[name] = Tensor(node.shape, self._value_halo(name))
            node.layer.forward(self, node)
            if node.name not in self.fused.values():
                self.zero_halo(self.value(node.name))

    def backward(self) -> None:
        """Plan the backward pass, starting from the gradient of the output."""
        self.barrier()
        self._backward_from = len(self.phases) - 1
        for node in reversed(self.graph.nodes.values()):
            if self.needs_gradient(node.name) and self.canonical(node.name) in self.gradients:
                self.zero_gradient_halo(node)
                node.layer.backward(self, node)
                self._sum_shared(node)

    def zero_gradient_halo(self, node: Node) -> None:
        """Write zeros around the gradient of a node, unless a fused ReLU is still to change it."""
        if node.name not in self.fused.values():
            self.zero_halo(self.gradient(node.name))

    def start(self, images: NDArray[np.float32], samples: int, step: int) -> None:
        """Set the values that change from step to step."""
        self.input_job["a"] = self.input_job["b"] = images.ctypes.data
        self.step[0] = step
        self.samples[0] = samples
        self.slot_count[0] = -(-samples // (self.chunk * self.slot_chunks))
        for rows in self.listed:
            rows.start(images)

    def refresher(self) -> Program:
        """The calls that pack and transform the weights for the step."""
        phases = [self._tasks(phase) for phase in self.with_weights([]) if phase]
        return Program(phases, threads=1, scratch_bytes=TABLE_BYTES)

    # --- layout ----------------------------------------------------------------------------------

    def program(self, threads: int, *, also: Sequence[str] = ()) -> Program:
        """Lay out all tensors, fill in their addresses, and build the step's program."""
        self._threads = threads
        phases = [phase for phase in self.phases if phase]
        seen = [t.view_of or t for phase in phases for op in phase for t, _ in op.tensors.values()]
        tensors = {id(t): t for t in seen}
        inner = [t for t in tensors.values() if not t.external]
        local = [t for t in inner if len(t.phases) == 1 and not t.kept]
        kept = [t for t in inner if t not in local]
        self._scratch_bytes = TABLE_BYTES + assign_addresses(local, self.chunk) + SLACK
        chunk_bytes = assign_addresses(kept, self.chunk)
        self.arena = self.hold(native.aligned_zeros(chunk_bytes * self.chunks + SLACK))
        base = int(self.arena.ctypes.data)
        for t in local:
            t.address += TABLE_BYTES + t.lead
        for t in kept:
            t.address += base + t.lead
            t.chunk_pitch = chunk_bytes
        for phase in phases:
            for op in phase:
                fill_in(op, self.chunk)
        return Program(
            [self._tasks(phase) for phase in phases],
            threads=threads,
            scratch_bytes=self._scratch_bytes,
            also=also,
        )

    @property
    def memory(self) -> int:
        """Bytes of activations and gradients of the whole batch, and of the threads' scratch."""
        scratch = self._threads * self._scratch_bytes
        return sum(array.nbytes for array in self.held) + self.fusion.memory + scratch

    def _emit(
        self,
        loop: str,
        job: NDArray[np.void],
        tensors: Mapping[str, Tensor | tuple[Tensor, int]],
        tasks: list[tuple[int, int]] | None,
        *,
        band: int | None = None,
    ) -> None:
        number, phase = len(self.phases), self.phases[-1]
        if band is not None and self._split is not None:
            number, phase = self._split.number, self._split.phase
        elif phase and (phase[-1].tasks is None) != (tasks is None):
            self.barrier()
            number, phase = len(self.phases), self.phases[-1]
        placed = {name: each if isinstance(each, tuple) else (each, 0) for name, each in tensors.items()}
        phase.append(Op(loop, job, placed, tasks, band))
        if band is None:  # the tasks of a split run concurrently: none may reuse memory that another reads
            self._index += 1
        for view, _ in placed.values():
            t = view.view_of or view
            t.first = self._index if t.first < 0 else t.first
            t.last = self._index
            t.phases.add(number)
            t.kept |= tasks is not None

    def _tasks(self, phase: list[Op]) -> list[list[Call]]:
        if phase[0].band is not None:
            bands = {op.band for op in phase}
            return [[Call(op.loop, op.job, 0, 1, False) for op in phase if op.band == band] for band in bands]
        if phase[0].tasks is not None:
            return [[Call(op.loop, op.job, lo, hi, False)] for op in phase for lo, hi in op.tasks or []]
        tasks = []
        for slot in range(0, self.chunks, self.slot_chunks):
            calls = []
            for chunk in range(slot, min(slot + self.slot_chunks, self.chunks)):
                lo, hi = chunk * self.chunk, min((chunk + 1) * self.chunk, self.batch)
                calls += [Call(op.loop, op.job, lo, hi, True) for op in phase]
            tasks.append(calls)
        return tasks

    # --- properties of the graph -----------------------------------------------------------------

    def _trained_nodes(self, trained: set[str], frozen: Collection[str]) -> set[str]:
        for node in self.graph.nodes.values():
            names = [f"{node.name}.{each.name}" for each in node.layer.parameters(node.input_shapes)]
            if any(name not in frozen for name in names) or trained & set(node.inputs):
                trained.add(node.name)
        return trained

    def _value_halo(self, name: str) -> Halo:
        halos, names = [], [name]
        while names:
            for reader in self.graph.readers(names.pop()):
                if self.is_identity(reader):
                    names.append(reader.name)
                else:
                    halos.append(reader.layer.input_halo(reader.input_shapes))
        return widest(halos)

    def _gradient_halo(self, name: str) -> Halo:
        halos = []
        for each in (name, *(source for source in self.fused if self.canonical(source) == name)):
            if each in self.graph.nodes:
                node = self.graph.nodes[each]
                if any(map(self.needs_gradient, node.inputs)):
                    halos.append(node.layer.output_halo(node.input_shapes))
        return widest(halos)
