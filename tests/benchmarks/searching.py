"""The nearest of a million vectors of 512 floats (2 GB), exactly, against NumPy, faiss and usearch.

All sides read the same array in memory and give the ten largest dot products of each query, with the same
number of threads where they can be told (NumPy's linear algebra cannot, once it is loaded).
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core.heap import aligned_empty
from cnncli.core.search import nearest

from . import amounts, peers
from .limits import limit_of
from .model import Case, Contest, Goal
from .timing import timed_block

ROWS, WIDTH, TOP = 1_000_000, 512, 10
GROUP = "search"
ONE, SEVERAL = Goal(1.2, 0.06), Goal(1.0)

Floats = NDArray[np.float32]
Positions = NDArray[np.integer[Any]]


def cases(threads: int) -> Iterator[Case]:
    """A row for one query, and one for eight that share the reading."""
    for queries, goal in ((1, ONE), (8, SEVERAL)):
        work = f"{ROWS:,} vectors of {WIDTH}"
        variant = "1 query" if queries == 1 else f"{queries} queries"
        yield Case(GROUP, work, variant, goal, functools.partial(_contest, queries, threads))


@functools.cache
def vectors() -> Floats:
    """Random vectors of length 1, shape (N, D)."""
    rng = np.random.default_rng(5)
    rows: Floats = aligned_empty((ROWS, WIDTH), np.float32)
    for lo in range(0, ROWS, 10_000):
        part = rng.standard_normal((10_000, WIDTH), dtype=np.float32)
        rows[lo : lo + 10_000] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return rows


def _contest(count: int, threads: int) -> Contest:
    rows = vectors()
    queries = np.ascontiguousarray(rows[:: ROWS // count][:count])
    found: dict[str, Positions] = {}
    searches: dict[str, Callable[[], Positions] | None] = {
        "numpy": lambda: _by_numpy(rows, queries),
        "faiss": _faiss(rows, queries, threads),
        "usearch": _usearch(rows, queries, threads),
    }

    def timed(name: str, search: Callable[[], Positions]) -> Any:
        return timed_block(lambda: found.update({name: search()}))

    ours = timed("ours", lambda: nearest(rows, queries, TOP, threads=threads)[1])
    entrants = {name: timed(name, search) for name, search in searches.items() if search is not None}

    def compare() -> dict[str, str]:
        return {
            name: "" if np.array_equal(found[name], found["ours"]) else "finds others" for name in entrants
        }

    missing = tuple(name for name, search in searches.items() if search is None)
    limit = functools.partial(limit_of, amounts.of_search(ROWS, WIDTH, count), threads)
    return Contest(ours, entrants, compare, missing, limit)


def _by_numpy(rows: Floats, queries: Floats) -> Positions:
    products = queries @ rows.T if len(queries) > 1 else (rows @ queries[0])[None]
    best = np.argpartition(products, -TOP, axis=1)[:, -TOP:]
    order = np.argsort(-np.take_along_axis(products, best, 1), axis=1)
    return np.take_along_axis(best, order, 1)


def _faiss(rows: Floats, queries: Floats, threads: int) -> Callable[[], Positions] | None:
    faiss = peers.faiss(threads)
    if faiss is None:
        return None
    # Its index would hold a copy of the array; this is the search beneath it.
    return lambda: np.asarray(faiss.knn(queries, rows, TOP, metric=faiss.METRIC_INNER_PRODUCT)[1])


def _usearch(rows: Floats, queries: Floats, threads: int) -> Callable[[], Positions] | None:
    usearch = peers.usearch()
    if usearch is None:
        return None

    def search() -> Positions:
        kind = usearch.MetricKind.IP
        found = usearch.search(rows, queries, TOP, kind, exact=True, threads=threads)
        return np.atleast_2d(np.asarray(found.keys)).astype(np.int64)

    return search
