"""Zeros around the images of a tensor, for the convolutions that pad it."""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import LANES, VECTOR_BYTES, record, splat, store_f32, vstore

JOB = nn_jobs.FRAME


@inline
def clear(at, floats):
    """Zeros from an address on."""
    whole = 4 * (floats - floats % LANES)
    for i in range(0, whole, VECTOR_BYTES):
        vstore(at + i, splat(np.float32(0)))
    for i in range(whole, 4 * floats, 4):
        store_f32(at + i, np.float32(0))


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    out = place(job.out, job.out_chunk, scratch, lo // job.chunk)
    side = job.side_floats
    pitch = job.out_row // 4
    for image in range(hi - lo):
        first = out + image * job.out_image
        clear(first - job.lines_above * job.out_row - 4 * side, job.lines_above * pitch + side)
        for row in range(job.height):
            end = first + row * job.out_row + 4 * job.row_floats
            last = row == job.height - 1
            clear(end, side + job.lines_below * pitch if last else 2 * side)
