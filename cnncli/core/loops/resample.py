"""Weighted sums of rows and columns of pixels, as tables say: upsampling, and its gradient."""

from cnncli.core import nn_jobs
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import (
    LANES,
    fma,
    load_f32,
    load_i64,
    record,
    splat,
    vload,
    vload_first,
    vstore,
    vstore_first,
    zeros,
)

JOB = nn_jobs.RESAMPLE


@inline
def vector(job, x, rows, columns, c, lanes):
    """Some channels of a pixel, a vector at most, by the taps of its row and of its column."""
    total = zeros()
    for i in range(rows[0], rows[1]):
        line = x + load_i64(job.row_taps + 8 * i) * job.x_row + c
        across = zeros()
        for j in range(columns[0], columns[1]):
            at = line + load_i64(job.column_taps + 8 * j) * 4 * job.channels
            value = vload(at) if lanes == LANES else vload_first(at, lanes, zeros())
            across = fma(value, splat(load_f32(job.column_weights + 4 * j)), across)
        total = fma(across, splat(load_f32(job.row_weights + 4 * i)), total)
    return total


@inline
def bounds(ends, at):
    """First and end tap of a row or column."""
    return load_i64(ends + 8 * at), load_i64(ends + 8 * at + 8)


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    pixel = 4 * job.channels
    whole = job.channels // LANES * LANES * 4
    rest = job.channels % LANES
    for image in range(hi - lo):
        x = place(job.x, job.x_chunk, scratch, chunk) + image * job.x_image
        y = place(job.y, job.y_chunk, scratch, chunk) + image * job.y_image
        for row in range(job.height):
            rows = bounds(job.row_ends, row)
            for column in range(job.width):
                columns = bounds(job.column_ends, column)
                at = y + row * job.y_row + column * pixel
                for c in range(0, whole, 4 * LANES):
                    value = vector(job, x, rows, columns, c, LANES)
                    vstore(at + c, vload(at + c) + value if job.add else value)
                if rest > 0:
                    value = vector(job, x, rows, columns, whole, rest)
                    held = vload_first(at + whole, rest, zeros()) if job.add else zeros()
                    vstore_first(at + whole, rest, held + value if job.add else value)
