"""Weighted sums of rows and columns of pixels, as tables say: upsampling, and its gradient."""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import LANES, fma, load_f32, load_i64, record, splat, store_f32, vload, vstore

JOB = nn_jobs.RESAMPLE
ZERO = np.float32(0)


@inline
def vector(job, x, rows, columns, c):
    """A vector of channels of a pixel, by the taps of its row and of its column."""
    total = splat(ZERO)
    for i in range(rows[0], rows[1]):
        line = x + load_i64(job.row_taps + 8 * i) * job.x_row + c
        across = splat(ZERO)
        for j in range(columns[0], columns[1]):
            value = vload(line + load_i64(job.column_taps + 8 * j) * 4 * job.channels)
            across = fma(value, splat(load_f32(job.column_weights + 4 * j)), across)
        total = fma(across, splat(load_f32(job.row_weights + 4 * i)), total)
    return total


@inline
def single(job, x, rows, columns, c):
    """The same of one channel."""
    total = ZERO
    for i in range(rows[0], rows[1]):
        line = x + load_i64(job.row_taps + 8 * i) * job.x_row + c
        across = ZERO
        for j in range(columns[0], columns[1]):
            value = load_f32(line + load_i64(job.column_taps + 8 * j) * 4 * job.channels)
            across += value * load_f32(job.column_weights + 4 * j)
        total += across * load_f32(job.row_weights + 4 * i)
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
    for image in range(hi - lo):
        x = place(job.x, job.x_chunk, scratch, chunk) + image * job.x_image
        y = place(job.y, job.y_chunk, scratch, chunk) + image * job.y_image
        for row in range(job.height):
            rows = bounds(job.row_ends, row)
            for column in range(job.width):
                columns = bounds(job.column_ends, column)
                at = y + row * job.y_row + column * pixel
                for c in range(0, whole, 4 * LANES):
                    value = vector(job, x, rows, columns, c)
                    vstore(at + c, vload(at + c) + value if job.add else value)
                for c in range(whole, pixel, 4):
                    one = single(job, x, rows, columns, c)
                    store_f32(at + c, load_f32(at + c) + one if job.add else one)
