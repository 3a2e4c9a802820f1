"""The third pass: memory for the tensors of a schedule, by liveness.

Memory is reused as soon as its last reader is done. A tensor that lives only while its chunk is processed is
in the scratch memory of the thread; one that lives longer (batch norm and fully connected layers use the
whole batch) is in the arena, at the same offset in each chunk's part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native
from cnncli.core.nn_jobs import CACHE_LINE, LOCAL, TABLE_BYTES
from cnncli.nn.graph import Shape
from cnncli.nn.layer import Halo
from cnncli.records import record

if TYPE_CHECKING:
    from cnncli.nn.calls import Op
    from cnncli.nn.chunks import Chunks

SLACK = 256  # bytes after a tensor that vector loads and stores may touch


@dataclass(eq=False)
class Tensor:
    """An activation or a gradient of a whole batch, image by image within each chunk.

    An image is a sample, or one frame of it; the frames of a sample follow one another.

    Attributes
    ----------
    shape : Shape
        Of one image, with how many of them a sample has.
    halo : (rows, columns)
        Rows and columns of zeros around it.
    private : bool
        Each call has one of its own: it is in the scratch memory of the thread that makes the call.
    """

    shape: Shape
    halo: Halo = (0, 0)
    external: int = 0  # address of an array outside the arena, one image after the other
    private: bool = False
    view_of: Tensor | None = None  # the tensor whose memory this is, in another shape
    first: int = -1  # number of the call that touches it first …
    last: int = -1  # … and of the last one
    phases: set[int] = field(default_factory=set)  # in which it is touched
    kept: bool = False  # read by a call for the whole batch
    address: int = 0
    chunk_pitch: int = LOCAL

    def touch(self, call: int, phase: int, *, whole: bool) -> None:
        """Note that a call reads or writes it: one for the whole batch, or for every chunk."""
        t = self.view_of or self
        t.first = call if t.first < 0 else t.first
        t.last = call
        t.phases.add(phase)
        t.kept |= whole and not t.private

    @property
    def pixel(self) -> int:
        """Bytes per pixel."""
        return 4 * self.shape.channels

    @property
    def row(self) -> int:
        """Bytes from one row to the next."""
        return (self.shape.width + 2 * self.halo[1]) * self.pixel

    @property
    def image(self) -> int:
        """Bytes from one image to the next: an odd number of cache lines, to avoid cache conflicts."""
        if self.view_of is not None:
            return self.view_of.image
        if self.external:
            return 4 * self.shape.size
        lines = -(-(self.shape.height + 2 * self.halo[0]) * self.row // CACHE_LINE)
        return (lines | 1) * CACHE_LINE

    @property
    def sample(self) -> int:
        """Bytes from one sample to the next: all of its frames."""
        return self.image * (self.view_of or self).shape.frames

    @property
    def lead(self) -> int:
        """Bytes of halo before the first value."""
        return self.halo[0] * self.row + self.halo[1] * self.pixel

    @property
    def dense(self) -> bool:
        """Whether rows are contiguous."""
        return self.halo[1] == 0

    @property
    def is_local(self) -> bool:
        """Whether it lives only while its chunk is processed."""
        return len(self.phases) == 1 and not self.kept


@record(eq=False)
class Layout:
    """Where the tensors of a schedule are.

    Attributes
    ----------
    arena : ndarray of uint8
        Memory of those that outlive a chunk's turn, for all chunks.
    scratch_bytes : int
        What each thread needs for the others.
    """

    arena: NDArray[np.uint8]
    scratch_bytes: int


def lay_out(phases: Sequence[Sequence[Op]], chunks: Chunks) -> Layout:
    """Give every tensor of the calls an address, and write it into their records."""
    ops = [op for phase in phases for op in phase]
    seen = [t.view_of or t for op in ops for t, _ in op.tensors.values()]
    inner = [t for t in {id(t): t for t in seen}.values() if not t.external]
    local = [t for t in inner if t.is_local]
    kept = [t for t in inner if not t.is_local]
    scratch_bytes = TABLE_BYTES + assign_addresses(local, chunks.size) + SLACK
    chunk_bytes = assign_addresses(kept, chunks.size)
    arena = native.aligned_zeros(chunk_bytes * chunks.count + SLACK)
    for t in local:
        t.address += TABLE_BYTES + t.lead
    for t in kept:
        t.address += int(arena.ctypes.data) + t.lead
        t.chunk_pitch = chunk_bytes
    for op in ops:
        _fill_in(op, chunks)
    return Layout(arena, scratch_bytes)


def assign_addresses(tensors: Sequence[Tensor], chunk: int) -> int:
    """Give each tensor the lowest address that no tensor alive at the same time occupies.

    Parameters
    ----------
    tensors : sequence of Tensor
        Their ``address`` is set, counted from the start of the memory.
    chunk : int
        Samples in a chunk.

    Returns
    -------
    int
        Total bytes: an odd number of cache lines, to avoid cache conflicts between chunks.
    """
    placed = np.zeros((4, 0), np.int64)  # by address: where each begins and ends, its first and its last call
    for t in sorted(tensors, key=lambda t: -t.sample):
        size = -(-(t.sample * chunk + SLACK) // CACHE_LINE) * CACHE_LINE
        starts, ends = placed[:2, (placed[2] <= t.last) & (t.first <= placed[3])]
        free = np.maximum.accumulate(np.concatenate(([0], ends)))  # from where on, up to each of them
        fits = np.flatnonzero(free[:-1] + size <= starts)
        t.address = int(free[fits[0] if len(fits) else -1])
        at = np.searchsorted(placed[0], t.address)
        placed = np.insert(placed, at, (t.address, t.address + size, t.first, t.last), axis=1)
    top = int(placed[1].max(initial=0))
    return ((top // CACHE_LINE) | 1) * CACHE_LINE if top else 0


def _fill_in(op: Op, chunks: Chunks) -> None:
    """Write the addresses and pitches of an operation's tensors into its record."""
    if "chunk" in (op.job.dtype.names or ()):
        op.job["chunk"] = chunks.batch if op.joined else op.frames * chunks.size
    for name, (view, offset) in op.tensors.items():
        t = view.view_of or view
        op.job[name] = (t.external or t.address) + offset
        op.job[f"{name}_chunk"] = t.sample * chunks.size if t.external else t.chunk_pitch
        # A call for whole clips steps over all the frames of one.
        op.job[f"{name}_image"] = t.chunk_pitch if op.joined else t.sample // op.frames
        op.job[f"{name}_row"] = view.row


def pieces(count: int, size: int) -> list[tuple[int, int]]:
    """Split 0 to ``count`` into pieces of ``size``; the last may be smaller."""
    return [(lo, min(lo + size, count)) for lo in range(0, count, size)]


def split_evenly(count: int, parts: int, *, unit: int = 1) -> list[tuple[int, int]]:
    """Split 0 to ``count`` into at most ``parts`` about equal parts: multiples of ``unit``, but the last."""
    units = -(-count // unit)
    size = -(-units // min(parts, units)) * unit
    return pieces(count, size)


def widest(halos: Sequence[Halo]) -> Halo:
    """The smallest halo that contains all of ``halos``."""
    return max((halo[0] for halo in halos), default=0), max((halo[1] for halo in halos), default=0)
