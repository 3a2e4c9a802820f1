"""The nearest of a million vectors of 512 floats (2 GB), exactly, against NumPy, faiss and usearch.

All sides read the same array in memory and give the ten largest dot products of each query, with the same
number of threads where they can be told (NumPy's linear algebra cannot, once it is loaded). Two rows map the
array from a file each time, as a gallery is: one with its pages in memory, one without (cold).
"""

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core.heap import aligned_empty
from cnncli.core.search import nearest

from . import amounts, peers
from .limits import limit_of
from .model import Case, Contest, Cost, Goal
from .timing import settle, timed, timed_block

ROWS, WIDTH, TOP = 1_000_000, 512, 10
GROUP = "search"
ONE, SEVERAL = Goal(1.2, 0.06), Goal(1.0)

Floats = NDArray[np.float32]
Positions = NDArray[np.integer[Any]]


def cases(folder: Path, threads: int) -> Iterator[Case]:
    """Rows for one query, for eight that share the reading, and for one in a file that is mapped anew.

    Parameters
    ----------
    folder : Path
        For the file of 2 GB.
    threads : int
        Of every side.
    """
    for queries, goal in ((1, ONE), (8, SEVERAL)):
        work = f"{ROWS:,} vectors of {WIDTH}"
        variant = "1 query" if queries == 1 else f"{queries} queries"
        yield Case(GROUP, work, variant, goal, functools.partial(_contest, queries, threads))
    for variant, dropped in (("1 query, mapped", False), ("1 query, cold", True)):
        prepare = functools.partial(_mapped_contest, folder / "vectors.f32", threads, dropped=dropped)
        yield Case(GROUP, work, variant, SEVERAL, prepare)


@functools.cache
def vectors() -> Floats:
    """Random vectors of length 1, shape (N, D)."""
    rng = np.random.default_rng(5)
    rows: Floats = aligned_empty((ROWS, WIDTH), np.float32)
    for lo in range(0, ROWS, 10_000):
        part = rng.standard_normal((10_000, WIDTH), dtype=np.float32)
        rows[lo : lo + 10_000] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return rows


Search = Callable[[Floats, Floats], Positions]


def _contest(count: int, threads: int) -> Contest:
    rows = vectors()
    queries = np.ascontiguousarray(rows[:: ROWS // count][:count])
    return _between(lambda search: timed_block(lambda: search(rows, queries)), count, threads)


def _mapped_contest(path: Path, threads: int, *, dropped: bool) -> Contest:
    """One query in a file that is mapped anew; its pages are ``dropped`` from memory before."""
    if not path.is_file():
        vectors().tofile(path)
    queries = np.array(vectors()[:1])

    def measured(search: Search) -> Callable[[], Cost]:
        once = timed(lambda: search(np.memmap(path, np.float32, "r", shape=(ROWS, WIDTH)), queries))

        def measure() -> Cost:
            if dropped:
                _drop(path)
            settle()
            return once()

        return measure

    return _between(measured, 1, threads)


def _drop(path: Path) -> None:
    """Let the system forget a file's pages."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _between(measured: Callable[[Search], Callable[[], Cost]], count: int, threads: int) -> Contest:
    """A contest of all sides, each measured in the same way."""
    found: dict[str, Positions] = {}
    searches: dict[str, Search | None] = {
        "numpy": _by_numpy,
        "faiss": _faiss(threads),
        "usearch": _usearch(threads),
    }

    def noted(name: str, search: Search) -> Search:
        def run(rows: Floats, queries: Floats) -> Positions:
            found[name] = search(rows, queries)
            return found[name]

        return run

    ours = measured(noted("ours", lambda rows, queries: nearest(rows, queries, TOP, threads=threads)[1]))
    entrants = {
        name: measured(noted(name, search)) for name, search in searches.items() if search is not None
    }

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


def _faiss(threads: int) -> Search | None:
    faiss = peers.faiss(threads)
    if faiss is None:
        return None
    # Its index would hold a copy of the array; this is the search beneath it.
    return lambda rows, queries: np.asarray(
        faiss.knn(queries, rows, TOP, metric=faiss.METRIC_INNER_PRODUCT)[1]
    )


def _usearch(threads: int) -> Search | None:
    usearch = peers.usearch()
    if usearch is None:
        return None

    def search(rows: Floats, queries: Floats) -> Positions:
        kind = usearch.MetricKind.IP
        found = usearch.search(rows, queries, TOP, kind, exact=True, threads=threads)
        return np.atleast_2d(np.asarray(found.keys)).astype(np.int64)

    return search
