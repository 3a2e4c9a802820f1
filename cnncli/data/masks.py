"""Masks of objects, as runs of pixels.

Legend: M masks, each of an image of H rows and W columns. Pixels are counted down the columns, the left one
first, as COCO counts them: pixel (row, column) is number column * H + row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native
from cnncli.core.object_jobs import MASK_OVERLAP

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Masks:
    """Masks of M objects.

    Attributes
    ----------
    sizes : ndarray, shape (M, 2), int64
        Height and width of each one's image.
    starts, ends : ndarray, shape (R,), int64
        The first pixel of each run and the one after its last, in rising order within a mask.
    first : ndarray, shape (M + 1,), int64
        Runs ``first[m]`` to ``first[m + 1]`` are those of mask m.
    """

    sizes: Ints
    starts: Ints
    ends: Ints
    first: Ints

    @classmethod
    def of(cls, sizes: Sequence[tuple[int, int]], runs: Sequence[tuple[Ints, Ints]]) -> Self:
        """Of each mask height and width, and starts and ends of its runs."""
        counts = [len(starts) for starts, _ in runs]
        empty = np.empty(0, np.int64)
        return cls(
            np.asarray(sizes, np.int64).reshape(-1, 2),
            np.concatenate([empty, *(starts for starts, _ in runs)]),
            np.concatenate([empty, *(ends for _, ends in runs)]),
            np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
        )

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def areas(self) -> Ints:
        """(M,) pixels of each mask."""
        covered = np.concatenate([[0], np.cumsum(self.ends - self.starts)])
        return np.asarray(np.diff(covered[self.first]), np.int64)

    @property
    def boxes(self) -> NDArray[np.float64]:
        """(M, 4) the smallest boxes around them, x, y, width and height; zeros of an empty mask."""
        boxes = np.zeros((len(self), 4))
        there = np.flatnonzero(np.diff(self.first))
        if not len(there):
            return boxes
        height = np.repeat(self.sizes[:, 0], np.diff(self.first))
        (left, top), (right, bottom) = (divmod(each, height) for each in (self.starts, self.ends - 1))
        top, bottom = (np.where(left == right, row, edge) for row, edge in ((top, 0), (bottom, height - 1)))
        first = self.first[there]
        corner = [np.minimum.reduceat(each, first) for each in (left, top)]
        beyond = [np.maximum.reduceat(each, first) + 1 for each in (right, bottom)]
        boxes[there] = np.stack([*corner, beyond[0] - corner[0], beyond[1] - corner[1]], axis=1)
        return boxes

    def _runs(self, at: int | np.intp) -> tuple[Ints, Ints]:
        here = slice(self.first[at], self.first[at + 1])
        return self.starts[here], self.ends[here]

    def take(self, positions: NDArray[np.intp]) -> Self:
        """Those at these positions, in this order."""
        counts = np.diff(self.first)[positions]
        first = np.concatenate([[0], np.cumsum(counts)])
        runs = np.repeat(self.first[:-1][positions] - first[:-1], counts) + np.arange(first[-1])
        return type(self)(self.sizes[positions], self.starts[runs], self.ends[runs], first)

    def between(self, start: int, end: int) -> Self:
        """Those from one position to another, whose runs are shared."""
        runs = slice(self.first[start], self.first[end])
        first = self.first[start : end + 1] - self.first[start]
        return type(self)(self.sizes[start:end], self.starts[runs], self.ends[runs], first)

    def joined(self, others: Sequence[Self]) -> Self:
        """These, and after them others."""
        every = (self, *others)
        counts = np.concatenate([np.diff(each.first) for each in every])
        return type(self)(
            np.concatenate([each.sizes for each in every]),
            np.concatenate([each.starts for each in every]),
            np.concatenate([each.ends for each in every]),
            np.concatenate([[0], np.cumsum(counts)]),
        )

    def dense(self, at: int) -> NDArray[np.bool_]:
        """(H, W) whether each pixel belongs to a mask."""
        height, width = self.sizes[at]
        changes = np.zeros(height * width + 1, np.int8)
        starts, ends = self._runs(at)
        changes[starts] = 1
        changes[ends] = -1
        inside = np.cumsum(changes[:-1], dtype=np.int8).astype(bool)
        return inside.reshape(width, height).T

    def overlap(self, one: NDArray[np.intp], other: NDArray[np.intp], *, threads: int = 1) -> Ints:
        """(P,) pixels in common of P pairs of masks, each pair of images of one size."""
        one, other = (np.ascontiguousarray(each, np.int64) for each in (one, other))
        starts, ends, first = (np.ascontiguousarray(each) for each in (self.starts, self.ends, self.first))
        common = np.zeros(len(one), np.int64)
        job = np.zeros(1, MASK_OVERLAP)
        job["starts"], job["ends"], job["first"] = starts.ctypes.data, ends.ctypes.data, first.ctypes.data
        job["one"], job["other"], job["common"] = one.ctypes.data, other.ctypes.data, common.ctypes.data
        native.run("mask_overlap", job, len(one), threads=threads)
        return common


def runs_of_counts(counts: Ints) -> tuple[Ints, Ints]:
    """Starts and ends of runs, of the lengths of runs without and with the object in turn (COCO's RLE)."""
    edges = np.cumsum(counts)
    ends = edges[1::2]
    return _merged(edges[0::2][: len(ends)], ends)


def runs_of_crossings(crossings: Ints, pixels: int) -> tuple[Ints, Ints]:
    """Starts and ends of runs between the positions, in rising order, at which inside and outside change."""
    if len(crossings) % 2:
        crossings = np.append(crossings, pixels)
    return _merged(crossings[0::2], crossings[1::2])


def union(runs: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """Starts and ends of the runs that cover all that some runs cover."""
    if len(runs) == 1:
        return runs[0]
    starts, ends = (np.concatenate(each) for each in zip(*runs, strict=True))
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    return _merged(starts, ends)


def runs_of_dense(mask: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Starts and ends of the runs of a mask (H, W)."""
    flat = np.zeros(mask.size + 2, np.int8)
    flat[1:-1] = mask.T.ravel()
    changes = np.diff(flat)
    return np.flatnonzero(changes == 1), np.flatnonzero(changes == -1)


def _merged(starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Runs in rising order without empty ones, and those that touch or overlap as one."""
    there = ends > starts
    starts, ends = starts[there], ends[there]
    if not len(starts):
        return starts, ends
    apart = starts[1:] > ends[:-1]
    return starts[np.concatenate([[True], apart])], ends[np.concatenate([apart, [True]])]
