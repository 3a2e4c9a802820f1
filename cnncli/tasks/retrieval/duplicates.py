"""Groups of images that are nearly the same.

Legend: N images, D floats of a vector.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.records import record
from cnncli.threaded import in_threads

_BLOCK = 256  # images that are compared with all others at a time

Floats = NDArray[np.float32]


@record
class Group:
    """Images of which each is near another of the group.

    Attributes
    ----------
    positions : tuple of int
        In the gallery, in its order.
    distances : tuple of float
        Of each from the first.
    exact : bool
        All are copies of one file.
    """

    positions: tuple[int, ...]
    distances: tuple[float, ...]
    exact: bool


class _Sets:
    """Sets of numbers that are joined, each known by its smallest number."""

    def __init__(self, count: int) -> None:
        self.of = np.arange(count)
        self.members = {i: [i] for i in range(count)}

    def join(self, names: NDArray[np.intp]) -> None:
        first, *others = np.unique(names).tolist()
        for other in others:
            moved = self.members.pop(other)
            self.of[moved] = first
            self.members[first] += moved


def groups(vectors: Floats, digests: Sequence[str], within: float, *, threads: int) -> list[Group]:
    """Find copies and near copies.

    Every image is compared with every other, exact copies once for all of them.

    Parameters
    ----------
    vectors : ndarray, shape (N, D), float32
        Of length 1.
    digests : sequence of str
        Of the N files.
    within : float
        The largest distance of two images that are nearly the same; with 0 only exact copies are found.
    threads : int
        To use.

    Returns
    -------
    list of Group
        Of two images or more, in the order of their first ones.
    """
    first: dict[str, int] = {}
    original = [first.setdefault(digest, position) for position, digest in enumerate(digests)]
    distinct = np.array(sorted(first.values()), np.intp)
    sets = _Sets(len(digests))
    for position, copied in enumerate(original):
        if copied != position:
            sets.join(np.array([sets.of[copied], position]))
    if within > 0:
        _join_near(sets, vectors, distinct, within, threads)
    found = [tuple(sorted(each)) for each in sets.members.values() if len(each) > 1]
    return [_group(each, vectors, digests) for each in sorted(found)]


def _join_near(sets: _Sets, vectors: Floats, distinct: NDArray[np.intp], within: float, threads: int) -> None:
    """Join the sets of all pairs that are near enough."""
    rows = vectors if len(distinct) == len(vectors) else vectors[distinct]
    for lo in range(0, len(rows), _BLOCK * threads):
        starts = range(lo, min(lo + _BLOCK * threads, len(rows)), _BLOCK)

        def near(index: int, starts: range = starts) -> NDArray[np.bool_]:
            at = starts[index]
            return np.asarray(rows[at : at + _BLOCK] @ rows[at:].T >= 1 - within)

        for start, block in zip(starts, in_threads(near, len(starts), threads=threads), strict=True):
            for row in np.flatnonzero(block.sum(axis=1) > 1):
                sets.join(sets.of[distinct[start + np.flatnonzero(block[row])]])


def _group(positions: tuple[int, ...], vectors: Floats, digests: Sequence[str]) -> Group:
    first = vectors[positions[0]]
    distances = tuple(
        0.0 if digests[each] == digests[positions[0]] else distance(first, vectors[each])
        for each in positions
    )
    return Group(positions, distances, len({digests[each] for each in positions}) == 1)


def distance(a: Floats, b: Floats) -> float:
    """1 minus the cosine of the angle of two vectors of length 1: 0 for the same, at most 2."""
    return max(0.0, 1 - float(a.astype(np.float64) @ b.astype(np.float64)))
