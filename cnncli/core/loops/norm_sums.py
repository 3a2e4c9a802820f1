"""Batch norm, backward, first part: sums of dy and of dy * x over a chunk, x less its mean."""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.norm_forward import merged
from cnncli.core.loops.norm_moments import BUFFER, RUN, clear_sums, widen
from cnncli.core.loops.rows import place
from cnncli.core.simd import LANES, VECTOR_BYTES, fma, record, splat, store_f32, vload

JOB = nn_jobs.NORM
ZERO = np.float32(0)


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    dy = place(job.dy, job.dy_chunk, scratch, chunk)
    pixel = 4 * job.channels
    width = job.width
    buffer = scratch + BUFFER
    for c in range(0, pixel, VECTOR_BYTES):
        for lane in range(LANES):
            mean, _, _ = merged(job, min(c // 4 + lane, job.channels - 1))
            store_f32(buffer + 4 * lane, np.float32(mean))
        mean = vload(buffer)
        plain = job.sums + 16 * job.padded * chunk + 2 * c
        product = plain + 8 * job.padded
        clear_sums(plain)
        clear_sums(product)
        total = splat(ZERO)
        crossed = splat(ZERO)
        run = 0
        for each in range((hi - lo) * job.height):
            image = each // job.height
            row = each - image * job.height
            at = x + image * job.x_image + row * job.x_row + c
            at_dy = dy + image * job.dy_image + row * job.dy_row + c
            for column in range(width):
                slope = vload(at_dy + column * pixel)
                total = total + slope
                crossed = fma(slope, vload(at + column * pixel) - mean, crossed)
            run += width
            if run >= RUN:
                widen(total, plain, buffer)
                widen(crossed, product, buffer)
                total = splat(ZERO)
                crossed = splat(ZERO)
                run = 0
        widen(total, plain, buffer)
        widen(crossed, product, buffer)
