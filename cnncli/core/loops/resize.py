"""Pictures of another size: weighted sums of rows, then of columns, as tables say.

`LANES` rows of a result are made together. Each row of the source is loaded once and added to those that it
is part of; the sums are transposed, so that a vector holds one column of all of them, and columns are added
up without gathering. Taps are added in ascending order, so that neither tiles nor bands show.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.loops.butterflies import transposed
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import (
    I64,
    LANES,
    VECTOR,
    VECTOR_BYTES,
    fma,
    load_f32,
    load_i64,
    loaded,
    record,
    splat,
    stored,
    vload,
    vstore,
    zeros,
)

JOB = jobs.RESIZE
GROUP = 4  # vectors of a row that are added at once


@intrinsic
def transpose_square(typing_context, src, src_step, dst, dst_step):
    """A square of `LANES` vectors, those of either side so many bytes apart."""

    def codegen(context, builder, signature, args):
        src, src_step, dst, dst_step = args

        def at(start, step, line):
            return builder.add(start, builder.mul(step, ir.Constant(I64, line)))

        rows = [loaded(builder, at(src, src_step, line), VECTOR, 4) for line in range(LANES)]
        for line, row in enumerate(transposed(builder, rows)):
            stored(builder, at(dst, dst_step, line), row, 4)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), codegen


@inline
def transpose_rows(src, src_step, samples, dst):
    """Rows of ``samples`` floats, rounded up to whole vectors, to one vector of all rows for each sample."""
    for i in range(0, samples, LANES):
        transpose_square(src + 4 * i, src_step, dst + i * VECTOR_BYTES, VECTOR_BYTES)


@inline
def add_row(src, weight, samples, to, begins):
    """Add a row times its weight to sums, which begin with it or are there; whole groups of vectors."""
    factor = splat(weight)
    for i in range(0, samples, GROUP * LANES):
        for v in range(GROUP):
            at = 4 * i + v * VECTOR_BYTES
            total = zeros() if begins else vload(to + at)
            vstore(to + at, fma(vload(src + at), factor, total))


@inline
def sum_rows(job, y, count, left, pixels, row, sums):
    """The sums of rows for ``count`` rows of the result, from row y on."""
    samples = pixels * job.channels
    last = y + count - 1
    first = load_i64(job.row_first + 8 * y)
    for each in range(y + 1, last + 1):
        first = min(first, load_i64(job.row_first + 8 * each))
    end = first
    for each in range(y, last + 1):
        taps = load_i64(job.row_ends + 8 * each + 8) - load_i64(job.row_ends + 8 * each)
        end = max(end, load_i64(job.row_first + 8 * each) + taps)
    for source in range(first, end):
        is_wanted = False
        for each in range(count):
            start = load_i64(job.row_ends + 8 * (y + each))
            tap = source - load_i64(job.row_first + 8 * (y + each))
            if 0 <= tap < load_i64(job.row_ends + 8 * (y + each) + 8) - start:
                if not is_wanted:
                    load_row(job, source, left, pixels, row)
                    is_wanted = True
                weight = load_f32(job.row_weights + 4 * (start + tap))
                add_row(row, weight, samples, sums + 4 * each * job.pitch, tap == 0)


@inline
def sum_columns(job, x0, width, left, turned, found):
    """Of vectors for each sample of the source those of the result."""
    channels = job.channels
    step = channels * VECTOR_BYTES
    to = found
    for x in range(x0, x0 + width):
        start, end = load_i64(job.column_ends + 8 * x), load_i64(job.column_ends + 8 * x + 8)
        first = turned + (load_i64(job.column_first + 8 * x) - left) * step
        for channel in range(channels):
            at = first + channel * VECTOR_BYTES
            total = zeros()
            for tap in range(start, end):
                total = fma(vload(at), splat(load_f32(job.column_weights + 4 * tap)), total)
                at += step
            vstore(to, total)
            to += VECTOR_BYTES


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    row = scratch + HEADER_BYTES
    sums, turned = scratch + job.sums_at, scratch + job.turned_at
    found, rows = scratch + job.found_at, scratch + job.rows_at
    for tile in range(lo, hi):
        tile_y = tile // job.tiles_x
        x0 = (tile - tile_y * job.tiles_x) * job.tile_width
        y = tile_y * LANES
        width = min(job.tile_width, job.out_width - x0)
        count = min(LANES, job.out_height - y)
        last = x0 + width - 1
        left = load_i64(job.column_first + 8 * x0)
        end = left
        for x in range(x0, last + 1):
            left = min(left, load_i64(job.column_first + 8 * x))
            taps = load_i64(job.column_ends + 8 * x + 8) - load_i64(job.column_ends + 8 * x)
            end = max(end, load_i64(job.column_first + 8 * x) + taps)
        pixels = end - left
        sum_rows(job, y, count, left, pixels, row, sums)
        transpose_rows(sums, 4 * job.pitch, pixels * job.channels, turned)
        sum_columns(job, x0, width, left, turned, found)
        samples = width * job.channels
        for i in range(0, samples, LANES):
            transpose_square(found + i * VECTOR_BYTES, VECTOR_BYTES, rows + 4 * i, job.out_row)
        for each in range(count):
            store_row(job, rows + each * job.out_row, y + each, x0, width, scratch)
