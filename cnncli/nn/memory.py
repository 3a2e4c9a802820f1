"""Where tensors lie: by liveness, memory is used again as soon as its last reader is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.core.nn_jobs import CACHE_LINE, LOCAL
from cnncli.nn.graph import Shape
from cnncli.nn.layer import Halo

SLACK = 256  # bytes after a tensor that vectors may touch


@dataclass(eq=False)
class Tensor:
    """An activation or a gradient of a whole batch, one image after the other, chunk by chunk.

    Attributes
    ----------
    shape : Shape
        Of one image.
    halo : (rows, columns)
        Zeros around it.
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
        """Bytes of a pixel."""
        return 4 * self.shape.channels

    @property
    def row(self) -> int:
        """Bytes from one row to the next."""
        return (self.shape.width + 2 * self.halo[1]) * self.pixel

    @property
    def image(self) -> int:
        """Bytes from one image to the next: an odd number of cache lines, so that images do not collide."""
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
        """Nothing lies between the rows."""
        return self.halo[1] == 0


@dataclass(eq=False)
class Op:
    """Native calls of one loop with one record."""

    loop: str
    job: NDArray[np.void]
    tensors: dict[str, tuple[Tensor, int]]
    tasks: list[tuple[int, int]] | None  # None: every chunk
    band: int | None = None  # operations of a phase with the same number are one task, in their order


class Part(NamedTuple):
    """One thread's share of a layer's work on a sample.

    Attributes
    ----------
    job : ndarray of void, shape (1,)
        The record.
    tensors : mapping
        By field, perhaps with an offset in bytes.
    lines : (int, int) or None
        Which lines of the output it makes, if it makes whole ones.
    """

    job: NDArray[np.void]
    tensors: Mapping[str, Tensor | tuple[Tensor, int]]
    lines: tuple[int, int] | None


@dataclass(eq=False)
class Split:
    """A phase in which each thread makes its own lines of a layer's output, and what it makes of them.

    Attributes
    ----------
    phase, number : list of Op, int
        The phase, and which it is.
    bands : list of (int, int)
        Lines of each task.
    made : list of Tensor
        What the tasks have made so far, each its lines.
    """

    phase: list[Op]
    number: int
    bands: list[tuple[int, int]]
    made: list[Tensor]

    def reaches(self, *tensors: Tensor) -> bool:
        """Whether each task can go on with its lines of what is read and written."""
        read = [t for t in tensors if any(t is each for each in self.made)]
        return bool(read) and all(
            t.view_of is None
            and not t.external
            and t.shape.height == self.bands[-1][1]
            and (t in read or self.number not in t.phases)
            for t in tensors
        )


def lay_out(tensors: Sequence[Tensor], chunk: int) -> int:
    """Give each tensor the lowest place that none alive at the same time has.

    Parameters
    ----------
    tensors : sequence of Tensor
        Their ``address`` is set, counted from the start of the memory.
    chunk : int
        Samples that lie in it at a time.

    Returns
    -------
    int
        Bytes of all: an odd number of cache lines, so that chunks do not collide in the caches.
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
    """Write addresses and pitches of its tensors into the record of an operation."""
    for name, (view, offset) in op.tensors.items():
        t = view.view_of or view
        op.job[name] = (t.external or t.address) + offset
        op.job[f"{name}_chunk"] = t.image * chunk if t.external else t.chunk_pitch
        op.job[f"{name}_image"] = t.image
        op.job[f"{name}_row"] = view.row


def pieces(count: int, size: int) -> list[tuple[int, int]]:
    """0 to count in pieces of a size."""
    return [(lo, min(lo + size, count)) for lo in range(0, count, size)]


def shares(count: int, parts: int, *, unit: int = 1) -> list[tuple[int, int]]:
    """0 to count in so many parts or fewer, about equal and each of whole units but the last."""
    units = -(-count // unit)
    size = -(-units // min(parts, units)) * unit
    return pieces(count, size)


def widest(halos: Sequence[Halo]) -> Halo:
    """The halo in which all of some lie."""
    return max((halo[0] for halo in halos), default=0), max((halo[1] for halo in halos), default=0)
