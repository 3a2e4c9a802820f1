"""A network planned for one batch size: where every tensor lies, which native calls make up a step.

The batch is cut into chunks that depend on the batch alone, never on the threads. A tensor that lives
only while its chunk is worked on lies in the scratch of the thread; one that outlives it (batch norm and
fully connected layers look at the whole batch) lies in the arena, at the same place of each chunk's
part. Both are laid out by liveness: memory is used again as soon as its last reader is done.
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
from cnncli.nn.memory import SLACK, Op, Part, Split, Tensor, fill_in, lay_out, pieces, widest
from cnncli.nn.slots import PIECE_ROWS, Slots

if TYPE_CHECKING:
    from cnncli.nn.layer import Halo
    from cnncli.nn.network import Network

SLOTS = 8  # runs of chunks, each with a gradient of its own: the most threads that share a batch
CHUNK = 16  # samples, at most
LEAST_SHARED = 10_000_000  # multiply-adds, about 0.1 ms, of a network that is worth waking threads for …
LEAST_PART = 300_000  # … and of a part, that is worth their waiting for one another
LATE_TASKS = 64  # that a whole-batch call is cut into
MINIMUM_PACK = 1 << 14  # floats, in one task


class Plan:
    """The calls of a step, and the memory they work in.

    Parameters
    ----------
    network : Network
        What to plan.
    batch : int
        Most samples in a step.
    training : bool
        With backward passes, and layers as they are in training.
    keep : frozenset of str
        Layers whose activations are wanted as they are, so that nothing is fused into them.
    wants_input : bool
        The gradient of the input is wanted too.
    parts : int
        Threads that share the work on a single sample. They change no bit: each output is one thread's.
    frozen : collection of str
        Parameters that are not trained. Where nothing that is lies before a layer or in it, it has no
        backward pass, and a batch norm uses its running statistics and leaves them as they are.
    """

    def __init__(
        self,
        network: Network,
        batch: int,
        *,
        training: bool,
        keep: frozenset[str] = frozenset(),
        wants_input: bool = False,
        parts: int = 1,
        frozen: Collection[str] = (),
    ) -> None:
        self.network = network
        self.graph: Graph = network.graph
        self.batch = batch
        self.training = training
        shares = batch == 1 and not training and network.multiply_adds >= LEAST_SHARED
        self._parts = parts if shares else 1
        self.slots = max(1, min(SLOTS, batch))
        per_slot = -(-batch // self.slots)
        self.chunk = -(-per_slot // -(-per_slot // CHUNK))
        self.slot_chunks = -(-per_slot // self.chunk)
        self.chunks = -(-batch // self.chunk)
        self.phases: list[list[Op]] = [[]]
        self.held: list[NDArray[np.generic]] = []
        self.samples = self.hold(np.zeros(1, np.int64))
        self.slot_count = self.hold(np.ones(1, np.int64))
        self.fusion = Fusion(network, training=training, keep=keep)
        self._rooms: dict[str, NDArray[np.uint8]] = {}
        self.step = self.hold(np.zeros(1, np.int64))
        self.norms: list[tuple[NDArray[np.void], float]] = []  # that keep running statistics, and momenta
        self.masked: set[str] = set()  # ReLUs whose gradient someone else has masked
        self.values: dict[str, Tensor] = {}
        self.gradients: dict[str, Tensor] = {}
        self.packs: list[Op] = []
        self.transforms: list[Op] = []
        self._backward_transforms: list[Op] = []
        self._backward_from: int | None = None  # which phase the backward pass begins with
        self._index = 0
        self._split: Split | None = None
        self._late: list[tuple[str, NDArray[np.void], int, Mapping[str, Tensor]]] = []
        self._scratch_bytes = TABLE_BYTES
        self._threads = 1
        self._trained = self._with_parameters({INPUT} if wants_input else set(), frozen)
        self._slots = Slots(network, self.slots) if training else None
        if self._slots is not None:
            self.hold(self._slots.memory)
            self.hold(self._slots.squares)

    # --- what layers ask -------------------------------------------------------------------------

    def hold(self, array: NDArray[Any]) -> NDArray[Any]:
        """Keep an array alive as long as the plan."""
        self.held.append(array)
        return array

    def constant(self, values: NDArray[np.generic]) -> int:
        """Address of an array that the plan keeps."""
        return int(self.hold(np.ascontiguousarray(values)).ctypes.data)

    def value(self, name: str) -> Tensor:
        """The activation of a node."""
        return self.values[self.canonical(name)]

    def canonical(self, name: str) -> str:
        """The last of the layers that one layer does along."""
        return self.fusion.canonical(name)

    @property
    def fused(self) -> dict[str, str]:
        """A layer, and the one after it that it does along."""
        return self.fusion.fused

    def gradient(self, name: str) -> Tensor:
        """The gradient of a node's output, as its readers have left it."""
        return self.gradients[self.canonical(name)]

    def gradient_target(self, name: str) -> tuple[Tensor, bool]:
        """Where to put a gradient, and whether to add to what another reader has put there."""
        name = self.canonical(name)
        there = name in self.gradients
        if not there:
            self.gradients[name] = self._flat_gradient(name) or Tensor(
                self.graph.shape_of(name), self._gradient_halo(name)
            )
        return self.gradients[name], there

    def _flat_gradient(self, name: str) -> Tensor | None:
        """The gradient of a flattened picture, if it can share the picture's memory."""
        node = self.graph.nodes.get(name)
        if node is None or not node.layer.is_flatten:
            return None
        source = node.inputs[0]
        if len(self.graph.readers(source)) > 1 or not self.wants_gradient(source):
            return None
        if self._gradient_halo(self.canonical(source)) != (0, 0):
            return None
        picture, _ = self.gradient_target(source)
        return Tensor(node.shape, view_of=picture.view_of or picture)

    def passes(self, node: Node) -> bool:
        """The node's output is its input."""
        return node.layer.only_trains and not self.training

    def wants_gradient(self, name: str) -> bool:
        """Something that is trained lies behind a node."""
        return name in self._trained

    def clips(self, node: Node) -> bool:
        """The node is to do the ReLU that follows it."""
        return self.fusion.clips(node.name)

    def weight(self, node: Node, parameter: str) -> int:
        """Address of a parameter's rows."""
        return self.fusion.address(f"{node.name}.{parameter}")

    def bias(self, node: Node, absent: int) -> int:
        """Address of a layer's bias: zeros, if so many floats are ``absent``."""
        if absent and f"{node.name}.bias" not in self.fusion.folded:
            return self.constant(np.zeros(absent, np.float32))
        return self.weight(node, "bias")

    def room(self, name: str, size: int, kind: type) -> int:
        """Address of memory outside the arena, the same for the same name."""
        if name not in self._rooms:
            self._rooms[name] = self.hold(native.aligned_zeros(size * np.dtype(kind).itemsize + SLACK))
        return int(self._rooms[name].ctypes.data)

    def weight_gradient(self, node: Node, parameter: str) -> int:
        """Address of the rows of a parameter's gradient: in the first slot, if it has slots."""
        name = f"{node.name}.{parameter}"
        if self._slots is not None and name in self._slots:
            return self._slots.address(name)
        return self.network.gradient_address(name)

    @property
    def slot_pitch(self) -> int:
        """Bytes from slot to slot."""
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
        """Emit a call for every chunk; tensors by field, perhaps with an offset in bytes."""
        self._emit(loop, job, tensors, None)

    def whole(
        self,
        loop: str,
        job: NDArray[np.void],
        tasks: Sequence[tuple[int, int]],
        tensors: Mapping[str, Tensor | tuple[Tensor, int]] | None = None,
    ) -> None:
        """Emit calls that belong to no chunk, each a task of its own."""
        self._emit(loop, job, tensors or {}, list(tasks))

    def parts(self, multiply_adds: int) -> int:
        """How many parts a layer's work on a chunk is best cut into."""
        return max(1, min(self._parts, multiply_adds // LEAST_PART))

    def split(self, loop: str, parts: Sequence[Part], out: Tensor) -> None:
        """Emit calls that make one sample's output between them, at the same time."""
        self.barrier()
        bands = [part.lines for part in parts if part.lines is not None]
        self._split = Split(self.phases[-1], len(self.phases), bands, [out] if bands else [])
        self._index += 1
        self._at_once(loop, parts)
        self.barrier()

    def _at_once(self, loop: str, parts: Sequence[Part]) -> None:
        """Emit a part into each task of the split."""
        for number, part in enumerate(parts):
            self._emit(loop, part.job, part.tensors, [(0, 1)], band=number)

    def barrier(self) -> None:
        """What follows needs all that came before, of all chunks."""
        if self.phases[-1]:
            self.phases.append([])

    def pack(self, source: int, order: NDArray[np.intp], *, fill: int = -1) -> int:
        """Address of weights in another order, made anew at the start of every step."""
        out = self.hold(native.aligned_zeros(4 * order.size))
        job = self.job(
            nn_jobs.PACK,
            src=source,
            order=self.constant(order.ravel().astype(np.int32)),
            out=out.ctypes.data,
        )
        self.packs.append(Op("pack", job, {}, pieces(order.size, MINIMUM_PACK)))
        return int(out.ctypes.data)

    def transform(self, loop: str, job: NDArray[np.void], items: int) -> None:
        """Have weights transformed at the start of the pass that is planned, once they are in order."""
        transforms = self.transforms if self._backward_from is None else self._backward_transforms
        transforms.append(Op(loop, job, {}, pieces(items, PIECE_ROWS)))

    def prepared(self, phases: list[list[Op]]) -> list[list[Op]]:
        """Phases, with those that bring the weights into the order in which they are read."""
        at = len(phases) if self._backward_from is None else self._backward_from
        return [self.packs, self.transforms, *phases[:at], self._backward_transforms, *phases[at:]]

    def spare_floats(self, floats: int) -> Tensor:
        """Memory for one chunk at a time, not for each of its samples."""
        return Tensor(Shape(1, 1, -(-floats // self.chunk)))

    def frame(self, tensor: Tensor) -> None:
        """Emit zeros around the images of a tensor, after it has been written."""
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
        """Emit a function of single values."""

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
        """Emit calls over lines of tensors: into the tasks of a split, if each can go on with its own."""
        split = self._split
        just_emitted = split is not None and not self.phases[-1] and self.phases[-2] is split.phase
        if split is None or not just_emitted or not split.reaches(*tensors):
            whole = part_of(0, tensors[-1].shape.height)
            self.each_chunk(loop, whole.job, whole.tensors)
            return
        self._at_once(loop, [part_of(lo, hi) for lo, hi in split.bands])
        split.made += tensors

    def repeat(self, row: int, out: Tensor) -> None:
        """Emit the same row of values into all rows of a tensor."""
        floats = out.shape.width * out.shape.channels
        job = self.job(
            nn_jobs.APPLY, kind=nn_jobs.KINDS["copy"], rows=out.shape.height, floats=floats, a=row, b=row
        )
        self.each_chunk("elementwise", job, {"out": out})

    def at_end(self, loop: str, job: NDArray[np.void], items: int, tensors: Mapping[str, Tensor]) -> None:
        """Have a whole-batch call made after all chunks are done."""
        self._late.append((loop, job, items, tensors))

    def emit_late(self) -> None:
        """Emit what waited for the end."""
        for loop, job, items, tensors in self._late:
            self.whole(loop, job, pieces(items, max(1, items // LATE_TASKS)), tensors)

    def sum_slots(self) -> NDArray[np.float64]:
        """Emit the sums of each gradient's slots; an array that will hold sums of their squares."""
        assert self._slots is not None
        for name in self.network.parameters:
            if self.wants_gradient(name.rpartition(".")[0]) and not self._slots.shares(name):
                self._sum(self._slots, name)
        return self._slots.squares

    def _sum_shared(self, node: Node) -> None:
        """Add up the slots of a layer whose memory the next one needs."""
        assert self._slots is not None
        for name in self._slots.shared_by(node):
            self.barrier()
            self._sum(self._slots, name)
            self.barrier()

    def _sum(self, slots: Slots, name: str) -> None:
        node, _, short = name.rpartition(".")
        source = self.weight_gradient(self.graph.nodes[node], short)
        count = self.slot_count.ctypes.data if name in slots else self.constant(np.ones(1, np.int64))
        job = self.job(nn_jobs.REDUCE, slots=source, slot_count=count, **slots.sum_fields(name))
        self.whole("reduce", job, pieces(self.network.parameters[name].rows, PIECE_ROWS))

    # --- passes ----------------------------------------------------------------------------------

    def forward(self) -> None:
        """Emit the forward pass: the input is copied into place first."""
        dense = Tensor(self.graph.input_shape, external=1)
        self.values[INPUT] = Tensor(self.graph.input_shape, self._value_halo(INPUT))
        self.apply("copy", dense, dense, self.values[INPUT])
        self.input_job = self.phases[-1][-1].job
        self.frame(self.values[INPUT])
        for node in self.graph.nodes.values():
            name = self.canonical(node.name)
            if self.passes(node):
                self.values[name] = self.value(node.inputs[0])
                continue
            if name not in self.values:
                self.values[name] = Tensor(node.shape, self._value_halo(name))
            node.layer.forward(self, node)
            if node.name not in self.fused.values():
                self.frame(self.value(node.name))

    def backward(self) -> None:
        """Emit the backward pass, from the gradient of the output back."""
        self.barrier()
        self._backward_from = len(self.phases) - 1
        for node in reversed(self.graph.nodes.values()):
            if self.wants_gradient(node.name) and self.canonical(node.name) in self.gradients:
                self.frame_gradient(node)
                node.layer.backward(self, node)
                self._sum_shared(node)

    def frame_gradient(self, node: Node) -> None:
        """Emit zeros around the gradient of a node that no fused ReLU has still to change."""
        if node.name not in self.fused.values():
            self.frame(self.gradient(node.name))

    def start(self, images: NDArray[np.float32], samples: int, step: int) -> None:
        """Set what differs from step to step."""
        self.input_job["a"] = self.input_job["b"] = images.ctypes.data
        self.step[0] = step
        self.samples[0] = samples
        self.slot_count[0] = -(-samples // (self.chunk * self.slot_chunks))

    def refresher(self) -> Program:
        """The calls that bring weights into the order in which the step reads them."""
        phases = [self._tasks(phase) for phase in self.prepared([]) if phase]
        return Program(phases, threads=1, scratch_bytes=TABLE_BYTES)

    # --- layout ----------------------------------------------------------------------------------

    def program(self, threads: int, *, also: Sequence[str] = ()) -> Program:
        """Lay out all tensors, fill in their addresses, and make the step of it."""
        self._threads = threads
        phases = [phase for phase in self.phases if phase]
        seen = [t.view_of or t for phase in phases for op in phase for t, _ in op.tensors.values()]
        tensors = {id(t): t for t in seen}
        inner = [t for t in tensors.values() if not t.external]
        local = [t for t in inner if len(t.phases) == 1 and not t.kept]
        kept = [t for t in inner if t not in local]
        self._scratch_bytes = TABLE_BYTES + lay_out(local, self.chunk) + SLACK
        chunk_bytes = lay_out(kept, self.chunk)
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
        if band is None:  # the tasks of a split are of one moment: none may use memory that another reads
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

    # --- what is known before --------------------------------------------------------------------

    def _with_parameters(self, found: set[str], frozen: Collection[str]) -> set[str]:
        for node in self.graph.nodes.values():
            names = [f"{node.name}.{each.name}" for each in node.layer.parameters(node.input_shapes)]
            if any(name not in frozen for name in names) or found & set(node.inputs):
                found.add(node.name)
        return found

    def _value_halo(self, name: str) -> Halo:
        halos = [
            self._value_halo(reader.name)
            if self.passes(reader)
            else reader.layer.input_halo(reader.input_shapes)
            for reader in self.graph.readers(name)
        ]
        return widest(halos)

    def _gradient_halo(self, name: str) -> Halo:
        halos = []
        for each in (name, *(source for source in self.fused if self.canonical(source) == name)):
            if each in self.graph.nodes:
                node = self.graph.nodes[each]
                if any(map(self.wants_gradient, node.inputs)):
                    halos.append(node.layer.output_halo(node.input_shapes))
        return widest(halos)
