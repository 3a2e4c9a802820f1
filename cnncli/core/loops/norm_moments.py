"""Statistics of batch norm, of one chunk: mean, and sum of squared differences from it, of each channel.

Values are summed as differences from the mean of the first row, so that a large mean costs no accuracy;
float32 sums of at most a few hundred values are summed in float64.
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import (
    LANES,
    VECTOR_BYTES,
    load_f32,
    load_f64,
    record,
    splat,
    store_f64,
    vload,
    vstore,
)

JOB = nn_jobs.NORM
ZERO = np.float32(0)
RUN = 256  # pixels, at least, in a float32 sum
BUFFER = 512  # in scratch: one vector


@inline
def widen(total, at, buffer):
    """Add a vector to float64 sums."""
    vstore(buffer, total)
    for lane in range(LANES):
        store_f64(at + 8 * lane, load_f64(at + 8 * lane) + np.float64(load_f32(buffer + 4 * lane)))


@inline
def clear_sums(at):
    """A vector of float64 zeros."""
    for lane in range(LANES):
        store_f64(at + 8 * lane, 0.0)


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    moments = job.moments + 16 * job.padded * chunk
    pixel = 4 * job.channels
    width = job.width
    buffer = scratch + BUFFER
    count = np.float64((hi - lo) * job.height * width)
    for c in range(0, pixel, VECTOR_BYTES):
        first = splat(ZERO)
        for column in range(width):
            first = first + vload(x + column * pixel + c)
        first = first * splat(np.float32(1) / np.float32(width))
        means = moments + 2 * c
        squares = means + 8 * job.padded
        clear_sums(means)
        clear_sums(squares)
        total = splat(ZERO)
        squared = splat(ZERO)
        run = 0
        for each in range((hi - lo) * job.height):
            image = each // job.height
            at = x + image * job.x_image + (each - image * job.height) * job.x_row + c
            for column in range(width):
                gap = vload(at + column * pixel) - first
                total = total + gap
                squared = squared + gap * gap
            run += width
            if run >= RUN:
                widen(total, means, buffer)
                widen(squared, squares, buffer)
                total = splat(ZERO)
                squared = splat(ZERO)
                run = 0
        widen(total, means, buffer)
        widen(squared, squares, buffer)
        vstore(buffer, first)
        for lane in range(LANES):
            gap = load_f64(means + 8 * lane) / count
            least = load_f64(squares + 8 * lane) - gap * gap * count
            store_f64(squares + 8 * lane, least if least > 0.0 or least != least else 0.0)
            store_f64(means + 8 * lane, gap + np.float64(load_f32(buffer + 4 * lane)))
