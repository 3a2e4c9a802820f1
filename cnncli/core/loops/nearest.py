"""The rows with the largest dot products with each of several queries, at the speed of memory.

For up to four queries memory is the limit, and one row after the other is read: 33 GB/s on two cores of a
Zen 4 server, where four rows at once, 2 KB apart, come at 26. For more, four rows at a time are multiplied
with up to four queries, so that each load of a vector serves several products.
"""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import search
from cnncli.core.choices import SEARCH_AHEAD, SEARCH_BLOCK, SEARCH_FEW, SEARCH_NEAR
from cnncli.core.loops.rows import inline
from cnncli.core.simd import (
    I32,
    I64,
    LANES,
    LINE,
    TARGET,
    VECTOR,
    VECTOR_BYTES,
    constant,
    fused,
    load_f32,
    load_i64,
    loaded,
    prefetch,
    record,
    store_f32,
    store_i64,
    stored,
)

JOB = search.NEAREST
ROWS = 4
QUERIES = TARGET.search_queries


def _total(builder, value):
    """Sum of the lanes: halves are added until one is left."""
    lanes = LANES
    while lanes > 1:
        lanes //= 2
        order = [i + lanes if i < lanes else i for i in range(LANES)]
        places = ir.Constant(ir.VectorType(I32, LANES), order)
        value = builder.fadd(value, builder.shuffle_vector(value, value, places))
    return builder.extract_element(value, ir.Constant(I32, 0))


def _products(rows, queries):
    """An intrinsic: dot products of so many rows and queries of ``size`` bytes, stored row by row."""

    @intrinsic
    def multiply(typing_context, row, query, size, out):
        def codegen(context, builder, signature, args):
            row, query, size, out = args
            row_at = [builder.add(row, builder.mul(size, ir.Constant(I64, r))) for r in range(rows)]
            query_at = [builder.add(query, builder.mul(size, ir.Constant(I64, q))) for q in range(queries)]
            totals = [cgutils.alloca_once_value(builder, constant(0)) for _ in range(rows * queries)]
            for total in totals:
                builder.store(constant(0), total)
            step, ahead = ir.Constant(I64, LINE), ir.Constant(I64, SEARCH_AHEAD if rows > 1 else SEARCH_NEAR)
            with cgutils.for_range_slice(builder, ir.Constant(I64, 0), size, step, inc=True) as (line, _):
                for at in row_at:
                    prefetch(builder, builder.add(builder.add(at, line), ahead))
                for vector in range(0, LINE, VECTOR_BYTES):
                    place = builder.add(line, ir.Constant(I64, vector))
                    a = [loaded(builder, builder.add(at, place), VECTOR, 4) for at in row_at]
                    b = [loaded(builder, builder.add(at, place), VECTOR, 4) for at in query_at]
                    for i, total in enumerate(totals):
                        product = fused(builder, a[i // queries], b[i % queries], builder.load(total))
                        builder.store(product, total)
            for i, total in enumerate(totals):
                value = _total(builder, builder.load(total))
                stored(builder, builder.add(out, ir.Constant(I64, 4 * i)), value, 4)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.intp, types.intp), codegen

    return multiply


rows_by_queries, rows_by_query = _products(ROWS, QUERIES), _products(ROWS, 1)
row_by_queries, row_by_query = _products(1, QUERIES), _products(1, 1)


@inline
def insert(scores, positions, counter, top, score, position):
    """Put a row in its place among the best, behind those of the same score."""
    if score != score:  # it is no number
        return
    count = load_i64(counter)
    i = count
    if count == top:
        i -= 1
        if not score > load_f32(scores + 4 * i):
            return
    else:
        store_i64(counter, count + 1)
    while i > 0 and load_f32(scores + 4 * (i - 1)) < score:
        store_f32(scores + 4 * i, load_f32(scores + 4 * (i - 1)))
        store_i64(positions + 8 * i, load_i64(positions + 8 * (i - 1)))
        i -= 1
    store_f32(scores + 4 * i, score)
    store_i64(positions + 8 * i, position)


def loop(job_pointer, scratch, lo, hi):
    """Blocks lo to hi of rows."""
    job = record(job_pointer)
    size = job.row_bytes
    top = job.top
    count = job.query_count
    positions = scratch + 8 * count
    scores = positions + 8 * count * top
    out = scores + 4 * count * top
    end = min(hi * SEARCH_BLOCK, job.count)
    row = lo * SEARCH_BLOCK
    while row < end:
        rows = ROWS if row + ROWS <= end and count > SEARCH_FEW else 1
        at = job.rows + row * size
        q = 0
        while q < count:
            queries = QUERIES if q + QUERIES <= count else 1
            query = job.queries + q * size
            if rows == ROWS and queries == QUERIES:
                rows_by_queries(at, query, size, out)
            elif rows == ROWS:
                rows_by_query(at, query, size, out)
            elif queries == QUERIES:
                row_by_queries(at, query, size, out)
            else:
                row_by_query(at, query, size, out)
            for i in range(rows * queries):
                each = q + i % queries
                score = np.float32(load_f32(out + 4 * i))
                insert(
                    scores + 4 * each * top,
                    positions + 8 * each * top,
                    scratch + 8 * each,
                    top,
                    score,
                    row + i // queries,
                )
            q += queries
        row += rows
