"""Exact search: the rows of an array that have the largest dot products with queries.

Legend: N rows, Q queries, D floats of a row, the last of which may be zeros that fill it up to whole cache
lines.
"""

import numpy as np
from numpy.typing import NDArray

from cnncli.core.choices import SEARCH_BLOCK, SEARCH_QUERIES
from cnncli.core.native import run

LINE_FLOATS = 16  # of a cache line; also the longest vector
TILE = 16  # dot products computed together, at most

#: Records of the loop ``nearest``. Results lie in scratch: for each query their number, then for each query
#: the scores and for each the positions of the rows.
NEAREST = np.dtype(
    [
        ("rows", "i8"),  # address of float32, (N, D)
        ("count", "i8"),  # N
        ("row_bytes", "i8"),  # 4 D, whole cache lines
        ("queries", "i8"),  # address of float32, (Q, D)
        ("query_count", "i8"),  # Q
        ("top", "i8"),  # results for each query, at most
    ],
    align=True,
)

Floats = NDArray[np.float32]


def padded_width(floats: int) -> int:
    """Floats of a row that holds so many and fills whole cache lines."""
    return -(-floats // LINE_FLOATS) * LINE_FLOATS


def nearest(rows: Floats, queries: Floats, top: int, *, threads: int) -> tuple[Floats, NDArray[np.int64]]:
    """The rows with the largest dot products, by one reading of all rows for up to `SEARCH_QUERIES` queries.

    Products are summed in an order that depends on nothing but D. Of equal ones the first rows are taken, so
    that results are the same whatever the number of threads and of queries.

    Parameters
    ----------
    rows : ndarray, shape (N, D), float32
        Contiguous; D is a multiple of `LINE_FLOATS`. It may be mapped from a file.
    queries : ndarray, shape (Q, D), float32
        Contiguous.
    top : int
        Results for each query, 1 or more.
    threads : int
        To use.

    Returns
    -------
    scores : ndarray, shape (Q, min(top, N)), float32
        Dot products, largest first. A product that is no number is none: a query has fewer then, and -inf
        fills the row.
    positions : ndarray, shape (Q, min(top, N)), int64
        Of the rows; -1 where there is none.

    Raises
    ------
    ValueError
        If shapes or types are others.
    """
    for array in (rows, queries):
        if array.ndim != 2 or array.dtype != np.float32 or not array.flags.c_contiguous:
            raise ValueError(f"an array has shape {array.shape} and type {array.dtype}; expected float32")
    if rows.shape[1] != queries.shape[1] or rows.shape[1] % LINE_FLOATS or top < 1:
        raise ValueError(f"{rows.shape} rows, {queries.shape} queries and top {top} do not fit")
    top = min(top, len(rows))
    scores = np.full((len(queries), top), -np.inf, np.float32)
    positions = np.full((len(queries), top), -1, np.int64)
    for lo in range(0, len(queries) if top else 0, SEARCH_QUERIES):
        part = slice(lo, lo + SEARCH_QUERIES)
        _search(rows, queries[part], (scores[part], positions[part]), threads)
    return scores, positions


def _search(rows: Floats, queries: Floats, results: tuple[Floats, NDArray[np.int64]], threads: int) -> None:
    """One reading of all rows; results are filled in."""
    scores, positions = results
    top = scores.shape[1]
    job = np.zeros(1, NEAREST)
    job["rows"], job["count"], job["row_bytes"] = rows.ctypes.data, len(rows), rows.strides[0]
    job["queries"], job["query_count"], job["top"] = queries.ctypes.data, len(queries), top
    each = len(queries) * top
    size = 8 * len(queries) + 12 * each + 4 * TILE
    found = run("nearest", job, -(-len(rows) // SEARCH_BLOCK), threads=threads, scratch_bytes=size)
    ends = np.cumsum([8 * len(queries), 8 * each, 4 * each])
    for q in range(len(queries)):
        parts = []
        for scratch in found:
            count = int(scratch[: ends[0]].view(np.int64)[q])
            places = scratch[ends[0] : ends[1]].view(np.int64)[q * top : q * top + count]
            parts.append((scratch[ends[1] : ends[2]].view(np.float32)[q * top : q * top + count], places))
        all_scores, places = (np.concatenate(each) for each in zip(*parts, strict=True))
        order = np.lexsort((places, -all_scores))[:top]
        scores[q, : len(order)], positions[q, : len(order)] = all_scores[order], places[order]
