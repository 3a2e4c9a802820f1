"""The native calls of a step, in phases, as layers add them.

Calls that are made for every chunk of the batch follow one another within a phase, chunk by chunk, so that a
chunk's values stay in the cache. A call that needs the results of all chunks starts a new phase.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native, nn_jobs
from cnncli.core.choices import FINAL_TASKS, MIN_PART_WORK, PACK_FLOATS, PIECE_ROWS, VALUE_WORK
from cnncli.core.program import Call, Program
from cnncli.nn.chunks import Chunks
from cnncli.nn.graph import Shape
from cnncli.nn.layer import BLOCK
from cnncli.nn.memory import SLACK, Tensor, pieces, split_evenly

Tensors = Mapping[str, Tensor | tuple[Tensor, int]]  # by field, optionally with an offset in bytes


@dataclass(eq=False)
class Op:
    """Calls of one native loop with one record."""

    loop: str
    job: NDArray[np.void]
    tensors: dict[str, tuple[Tensor, int]]
    tasks: list[tuple[int, int]] | None  # None: every chunk
    band: int | None = None  # operations of a phase with the same number form one task, in order
    joined: bool = False  # one call for all samples, which are chunks of their own

    @property
    def frames(self) -> int:
        """Items of one sample: its frames, where they are computed one by one."""
        return max((view.shape.frames for view, _ in self.tensors.values()), default=1)


class Part(NamedTuple):
    """One thread's part of a layer's work on a sample.

    Attributes
    ----------
    job : ndarray of void, shape (1,)
        The record.
    tensors : mapping
        By field, optionally with an offset in bytes.
    lines : (int, int) or None
        Lines of the output that it computes, if it computes whole lines.
    """

    job: NDArray[np.void]
    tensors: Tensors
    lines: tuple[int, int] | None


@dataclass(eq=False)
class Split:
    """A phase in which each thread computes its own lines of a layer's output, and continues with them.

    Attributes
    ----------
    phase, number : list of Op, int
        The phase and its index.
    bands : list of (int, int)
        Lines of each task.
    computed : list of Tensor
        Tensors computed so far, each task its own lines.
    """

    phase: list[Op]
    number: int
    bands: list[tuple[int, int]]
    computed: list[Tensor]

    def covers(self, *tensors: Tensor) -> bool:
        """Whether each task can continue with its own lines of these tensors."""
        read = [t for t in tensors if any(t is each for each in self.computed)]
        return bool(read) and all(
            t.view_of is None
            and not t.external
            and t.shape.height == self.bands[-1][1]
            and (t in read or self.number not in t.phases)
            for t in tensors
        )


class Calls:
    """Phases of calls.

    Parameters
    ----------
    chunks : Chunks
        How the batch is divided.
    threads : int
        That share the work on a sample, where there is only one, or on all at once.
    apart : bool
        Each sample is computed by one thread, even where there is only one.

    Attributes
    ----------
    phases : list of list of Op
        Those of the passes; `passes` adds what prepares the weights.
    held : list of ndarray
        Arrays whose addresses are in the calls' records.
    """

    def __init__(self, chunks: Chunks, *, threads: int = 1, apart: bool = False) -> None:
        self.chunks = chunks
        self._apart = apart
        self.phases: list[list[Op]] = [[]]
        self.held: list[NDArray[Any]] = []
        self._threads = threads
        self._buffers: dict[str, NDArray[np.uint8]] = {}
        self._packs: list[Op] = []
        self._transforms: list[Op] = []
        self._backward_transforms: list[Op] = []
        self._backward_from: int | None = None  # the first phase of the backward pass
        self._index = 0
        self._split: Split | None = None
        self._after_chunks: list[tuple[str, NDArray[np.void], int, Mapping[str, Tensor]]] = []

    # --- records and memory outside the layout ---

    def job(self, record_type: np.dtype[np.void], /, **values: float) -> NDArray[np.void]:
        """A record with some of its fields filled in."""
        record = np.zeros(1, record_type)
        for name, number in values.items():
            record[name] = number
        return record

    def hold(self, array: NDArray[Any]) -> NDArray[Any]:
        """Keep an array alive as long as the calls."""
        self.held.append(array)
        return array

    def constant(self, values: NDArray[np.generic]) -> int:
        """Address of an array that is kept alive."""
        return int(self.hold(np.ascontiguousarray(values)).ctypes.data)

    def buffer(self, name: str, size: int, kind: type) -> int:
        """Address of memory outside the arena, the same for the same name."""
        if name not in self._buffers:
            self._buffers[name] = self.hold(native.aligned_zeros(size * np.dtype(kind).itemsize + SLACK))
        return int(self._buffers[name].ctypes.data)

    def chunk_scratch(self, floats: int) -> Tensor:
        """Scratch memory of ``floats`` for a whole chunk, not for each of its samples."""
        return Tensor(Shape(1, 1, -(-floats // self.chunks.size)), private=True)

    # --- weights in other orders ---

    def pack(self, source: int, order: NDArray[np.intp]) -> int:
        """Address of weights in another order, copied at the start of every step."""
        out = self.hold(native.aligned_zeros(4 * order.size))
        job = self.job(
            nn_jobs.PACK,
            src=source,
            order=self.constant(order.ravel().astype(np.int32)),
            out=out.ctypes.data,
        )
        self._packs.append(Op("pack", job, {}, pieces(order.size, PACK_FLOATS)))
        return int(out.ctypes.data)

    def mirror(
        self, source: int, taps: Sequence[int], *, of: int, groups: int, inputs: int, outputs: int
    ) -> int:
        """Address of weights for the gradient of the input, in panels of inputs, made as `pack` does.

        Of the taps, ``of`` in all, ``taps`` are used, in this order; inputs and outputs are those of a group.
        """
        items = groups * -(-inputs // BLOCK) * len(taps)
        out = self.hold(native.aligned_zeros(4 * BLOCK * outputs * max(items, 1)))
        job = self.job(
            nn_jobs.MIRROR,
            src=source,
            out=out.ctypes.data,
            order=self.constant(np.array(taps, np.int64)),
            used=len(taps),
            taps=of,
            inputs=inputs,
            outputs=outputs,
        )
        if items:
            size = max(1, PACK_FLOATS // (BLOCK * outputs))
            self._packs.append(Op("mirror", job, {}, pieces(items, size)))
        return int(out.ctypes.data)

    def transform(self, loop: str, job: NDArray[np.void], items: int) -> None:
        """Transform weights at the start of the pass being scheduled, after they are packed."""
        transforms = self._transforms if self._backward_from is None else self._backward_transforms
        transforms.append(Op(loop, job, {}, pieces(items, PIECE_ROWS)))

    def preparing(self) -> list[list[Op]]:
        """The phases that pack and transform the weights of the forward pass; none of them is empty."""
        return [phase for phase in (self._packs, self._transforms) if phase]

    def passes(self) -> tuple[list[list[Op]], list[list[Op]]]:
        """The phases of the forward and of the backward pass; none of them is empty.

        Each pass begins with those that pack and transform its weights: both use the same memory for them.
        """
        at = len(self.phases) if self._backward_from is None else self._backward_from
        backward = (self._backward_transforms, *self.phases[at:])
        return (
            [*self.preparing(), *(phase for phase in self.phases[:at] if phase)],
            [phase for phase in backward if phase],
        )

    # --- calls ---

    def each_chunk(self, loop: str, job: NDArray[np.void], tensors: Tensors) -> None:
        """Add a call for every chunk."""
        self._add(loop, job, tensors, None)

    def whole(
        self,
        loop: str,
        job: NDArray[np.void],
        tasks: Sequence[tuple[int, int]],
        tensors: Tensors | None = None,
    ) -> None:
        """Add calls that do not belong to a chunk, each its own task."""
        self._add(loop, job, tensors or {}, list(tasks))

    def after_all_chunks(
        self, loop: str, job: NDArray[np.void], items: int, tensors: Mapping[str, Tensor]
    ) -> None:
        """Add a whole-batch call that runs after all chunks are done."""
        self._after_chunks.append((loop, job, items, tensors))

    def emit_after_chunks(self) -> None:
        """Add the calls of `after_all_chunks` to the phases."""
        for loop, job, items, tensors in self._after_chunks:
            self.whole(loop, job, pieces(items, max(1, items // FINAL_TASKS)), tensors)

    def barrier(self) -> None:
        """Start a new phase: later calls need the results of all chunks."""
        if self.phases[-1]:
            self.phases.append([])

    def parts(self, multiply_adds: int, *, joined: bool = False) -> int:
        """Number of parts into which a layer's work on a sample, or on all of them, is best split."""
        work = multiply_adds * self.chunks.batch if joined else multiply_adds
        shared = joined or (
            self.chunks.batch == 1 and not self._apart
        )  # else threads share samples, not the work on one
        return max(1, min(self._threads, work // MIN_PART_WORK)) if shared else 1

    def split(self, loop: str, parts: Sequence[Part], out: Tensor, *, joined: bool = False) -> None:
        """Add concurrent calls that together compute one sample's output, or that of all samples."""
        self.barrier()
        bands = [part.lines for part in parts if part.lines is not None]
        self._split = Split(self.phases[-1], len(self.phases), bands, [out] if bands else [])
        self._index += 1
        self._add_parts(loop, parts, joined=joined)
        self.barrier()

    def go_on(self, loop: str, parts: Sequence[Part]) -> None:
        """Add one call to each task of the split that was just added."""
        split = self._last_split()
        if split is None or len(split.bands) != len(parts):
            raise ValueError(f"{len(parts)} parts of {loop}; expected one for each task of the last split")
        self._add_parts(loop, parts)

    def by_lines(self, loop: str, part_of: Callable[[int, int], Part], *tensors: Tensor) -> None:
        """Add calls over lines of tensors.

        They go to the tasks of a split, if each can continue with its lines; else they are a split of their
        own, if that is worth it.
        """
        split, out = self._last_split(), tensors[-1]
        if split is not None and split.covers(*tensors):
            self._add_parts(loop, [part_of(lo, hi) for lo, hi in split.bands])
            split.computed += tensors
            return
        count = min(self.parts(VALUE_WORK * out.shape.size), out.shape.height)
        parts = [part_of(lo, hi) for lo, hi in split_evenly(out.shape.height, count)]
        if len(parts) > 1:
            self.split(loop, parts, out)
        else:
            self.each_chunk(loop, parts[0].job, parts[0].tensors)

    def around(self, loop: str, part_of: Callable[[int, int], Part], tensor: Tensor) -> None:
        """Add calls around the values of a tensor, which may be made while those are computed.

        Part by part as in `by_lines`; after a split of another kind, one task makes them all.
        """
        split = self._last_split()
        if split is not None and split.bands == [] and self.chunks.batch == 1:
            whole = part_of(0, tensor.shape.height)
            self._add(loop, whole.job, whole.tensors, [(0, 1)], band=0)
            return
        self.by_lines(loop, part_of, tensor)

    def _last_split(self) -> Split | None:
        """The split that was just added, if no other call was added since."""
        split = self._split
        return split if split and not self.phases[-1] and self.phases[-2] is split.phase else None

    def _add_parts(self, loop: str, parts: Sequence[Part], *, joined: bool = False) -> None:
        """Add one part to each task of the split."""
        for number, part in enumerate(parts):
            self._add(loop, part.job, part.tensors, [(0, 1)], band=number, joined=joined)

    def _add(
        self,
        loop: str,
        job: NDArray[np.void],
        tensors: Tensors,
        tasks: list[tuple[int, int]] | None,
        *,
        band: int | None = None,
        joined: bool = False,
    ) -> None:
        number, phase = len(self.phases), self.phases[-1]
        if band is not None and self._split is not None:
            number, phase = self._split.number, self._split.phase
        elif phase and (phase[-1].tasks is None) != (tasks is None):
            self.barrier()
            number, phase = len(self.phases), self.phases[-1]
        placed = {name: each if isinstance(each, tuple) else (each, 0) for name, each in tensors.items()}
        phase.append(Op(loop, job, placed, tasks, band, joined))
        if band is None:  # the tasks of a split run concurrently: none may reuse memory that another reads
            self._index += 1
        for t, _ in placed.values():
            t.touch(self._index, number, whole=tasks is not None)


def program(
    phases: Sequence[Sequence[Op]],
    chunks: Chunks,
    *,
    threads: int,
    scratch_bytes: int,
    also: Sequence[str] = (),
) -> Program:
    """The native program of phases whose tensors have addresses."""
    tasks = [tasks_of(phase, chunks, range(chunks.slots)) for phase in phases]
    return Program(tasks, threads=threads, scratch_bytes=scratch_bytes, also=also)


def tasks_of(phase: Sequence[Op], chunks: Chunks, own: range) -> list[list[Call]]:
    """Calls of each task: parts of a sample, pieces of a whole-batch call, or the chunks of a slot.

    Parameters
    ----------
    phase : sequence of Op
        Their tensors have addresses.
    chunks : Chunks
        How the batch is divided.
    own : range
        Slots whose chunks are worked on.
    """
    if phase[0].band is not None:
        bands = {op.band for op in phase}
        return [[_whole_call(op, chunks) for op in phase if op.band == band] for band in bands]
    if phase[0].tasks is not None:
        return [[Call(op.loop, op.job, lo, hi, 0)] for op in phase for lo, hi in op.tasks or []]
    slots = [
        [_chunk_call(op, chunks.samples(chunk)) for chunk in chunks.of_slot(slot) for op in phase]
        for slot in own
    ]
    return [calls for calls in slots if calls]


def _chunk_call(op: Op, samples: tuple[int, int]) -> Call:
    """The call for a chunk: for its samples, or all of their frames."""
    first, after = samples
    return Call(op.loop, op.job, op.frames * first, op.frames * after, op.frames)


def _whole_call(op: Op, chunks: Chunks) -> Call:
    """The call of a part: for the only sample, or for all of the batch."""
    return Call(op.loop, op.job, 0, chunks.batch if op.joined else 1, int(op.joined))
