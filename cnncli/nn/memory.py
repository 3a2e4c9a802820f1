"""Memory layout of tensors, by liveness: memory is reused as soon as its last reader is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.core.nn_jobs import CACHE_LINE, LOCAL
from cnncli.nn.graph import Shape
from cnncli.nn.layer import Halo

SLACK = 256  # bytes after a tensor that vector loads and stores may touch


@dataclass(eq=False)
class Tensor:
    """An activation or a gradient of a whole batch, image by image within each chunk.

    Attributes
    ----------
    shape : Shape
        Of one image.
    halo : (rows, columns)
        Rows and columns of zeros around it.
    """

    shape: Shape
    halo: Halo = (0, 0)
    external: int = 0  # address of an array outside the arena, one image after the other
    view_of: Tensor | None = None  # the tensor whose memory this is, in another shape
    first: int = -1
    last: int = -1
    phases: set[int] = field(default_factory=set)
    kept: bool = False
    address: int = 0
    chunk_pitch: int = LOCAL

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
    def lead(self) -> int:
        """Bytes of halo before the first value."""
        return self.halo[0] * self.row + self.halo[1] * self.pixel

    @property
    def dense(self) -> bool:
        """Whether rows are contiguous."""
        return self.halo[1] == 0


@dataclass(eq=False)
class Op:
    """Calls of one native loop with one record."""

    loop: str
    job: NDArray[np.void]
    tensors: dict[str, tuple[Tensor, int]]
    tasks: list[tuple[int, int]] | None  # None: every chunk
    band: int | None = None  # operations of a phase with the same number form one task, in order


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
    tensors: Mapping[str, Tensor | tuple[Tensor, int]]
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
    placed: list[tuple[int, int, Tensor]] = []
    top = 0
    for t in sorted(tensors, key=lambda t: -t.image):
        size = -(-(t.image * chunk + SLACK) // CACHE_LINE) * CACHE_LINE
        start = 0
        for lo, hi, other in sorted(placed, key=lambda each: each[0]):
            if other.first <= t.last and t.first <= other.last and start < hi and lo < start + size:
                start = hi
        t.address = start
        placed.append((start, start + size, t))
        top = max(top, start + size)
    return ((top // CACHE_LINE) | 1) * CACHE_LINE if top else 0


def fill_in(op: Op, chunk: int) -> None:
    """Write the addresses and pitches of an operation's tensors into its record."""
    for name, (view, offset) in op.tensors.items():
        t = view.view_of or view
        op.job[name] = (t.external or t.address) + offset
        op.job[f"{name}_chunk"] = t.image * chunk if t.external else t.chunk_pitch
        op.job[f"{name}_image"] = t.image
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
