"""Batch norm, forward: the statistics of chunks are merged, in the order of the chunks, and applied.

Every chunk merges them itself, which takes less time than waiting for another.
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import (
    VECTOR_BYTES,
    fma,
    load_f32,
    load_f64,
    load_i64,
    record,
    root_f64,
    splat,
    store_f32,
    vload,
    vmax,
    vmin,
    vstore,
)

JOB = nn_jobs.NORM
RELU6 = np.intp(2)  # a value of ``relu``


@inline
def merged(job, channel):
    """Mean of a channel over the batch, sum of squared differences from it, and count.

    Source: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing sample
    variances, 1979.
    """
    samples = load_i64(job.samples)
    pixels = job.height * job.width
    mean = 0.0
    squares = 0.0
    count = 0.0
    chunk = 0
    while chunk * job.chunk < samples:
        more = np.float64(min(job.chunk, samples - chunk * job.chunk) * pixels)
        at = job.moments + 8 * (2 * chunk * job.padded + channel)
        gap = load_f64(at) - mean
        squares += load_f64(at + 8 * job.padded) + gap * gap * (count * more / (count + more))
        count += more
        mean += gap * (more / count)
        chunk += 1
    return mean, squares, count


@inline
def keep(address, momentum, value):
    """Update a running statistic."""
    store_f32(address, np.float32((1.0 - momentum) * np.float64(load_f32(address)) + momentum * value))


@inline
def prepare(job, factors, first):
    """Scale and shift of each channel; the first chunk also updates the running statistics."""
    for channel in range(job.channels):
        at = 4 * channel
        if job.fixed:
            mean = np.float64(load_f32(job.running_mean + at))
            spread = np.float64(load_f32(job.running_var + at))
        else:
            mean, squares, count = merged(job, channel)
            spread = squares / count
            if first:
                keep(job.running_mean + at, job.momentum, mean)
                keep(job.running_var + at, job.momentum, squares / (count - 1.0) if count > 1.0 else spread)
        scale = np.float64(load_f32(job.weight + at)) / root_f64(spread + job.epsilon)
        store_f32(factors + at, np.float32(scale))
        store_f32(
            factors + 4 * job.padded + at, np.float32(np.float64(load_f32(job.bias + at)) - mean * scale)
        )


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    factors = job.factors + 16 * job.padded * chunk
    prepare(job, factors, lo == 0)
    x = place(job.x, job.x_chunk, scratch, chunk)
    y = place(job.y, job.y_chunk, scratch, chunk)
    pixel = 4 * job.channels
    blocks = job.padded * 4 // VECTOR_BYTES
    lowest = splat(np.float32(0 if job.relu else -np.inf))
    highest = splat(np.float32(6 if job.relu == RELU6 else np.inf))
    for each in range((hi - lo) * job.height):
        image = each // job.height
        row = each - image * job.height
        for back in range(blocks):
            # Last channels first: their unused lanes overwrite the next pixel.
            c = (blocks - 1 - back) * VECTOR_BYTES
            scale = vload(factors + c)
            shift = vload(factors + 4 * job.padded + c)
            src = x + image * job.x_image + row * job.x_row + c
            dst = y + image * job.y_image + row * job.y_row + c
            for _ in range(job.width):
                vstore(dst, vmin(highest, vmax(lowest, fma(vload(src), scale, shift))))
                src += pixel
                dst += pixel
