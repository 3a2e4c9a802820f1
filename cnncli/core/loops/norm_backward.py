"""Batch norm, backward, second part: gradients of weight and bias, and of the input.

dx = weight / deviation * (dy - mean(dy) - normalised x * mean(dy * normalised x)), which is
a * dy + b * x + c with coefficients for each channel.
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.norm_forward import merged
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import (
    LANES,
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
    vstore,
    where_greater,
)

JOB = nn_jobs.NORM
LANE_NUMBERS = 512  # in scratch: 0, 1, 2 …


@inline
def prepare(job, factors, first):
    """Coefficients a, b, c of each channel; the first chunk also stores the gradients of weight and bias."""
    samples = load_i64(job.samples)
    for channel in range(job.channels):
        at = 4 * channel
        mean, squares, count = merged(job, channel)
        inverse = 1.0 / root_f64(squares / count + job.epsilon)
        plain = 0.0
        crossed = 0.0
        chunk = 0
        while chunk * job.chunk < samples:
            sums = job.sums + 8 * (2 * chunk * job.padded + channel)
            plain += load_f64(sums)
            crossed += load_f64(sums + 8 * job.padded)
            chunk += 1
        # The sums used x minus its mean, rounded to float32.
        crossed = (crossed + plain * (np.float64(np.float32(mean)) - mean)) * inverse
        if first:
            store_f32(job.dbias + at, np.float32(plain))
            store_f32(job.dweight + at, np.float32(crossed))
        a = np.float64(load_f32(job.weight + at)) * inverse
        b = -a * inverse * crossed / count
        store_f32(factors + at, np.float32(a))
        store_f32(factors + 4 * job.padded + at, np.float32(b))
        store_f32(factors + 8 * job.padded + at, np.float32(-a * plain / count))
        store_f32(factors + 12 * job.padded + at, np.float32(mean))


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    factors = job.factors + 16 * job.padded * chunk
    prepare(job, factors, lo == 0)
    for i in range(LANES):
        store_f32(scratch + LANE_NUMBERS + 4 * i, np.float32(i))
    lanes = vload(scratch + LANE_NUMBERS)
    x = place(job.x, job.x_chunk, scratch, chunk)
    dy = place(job.dy, job.dy_chunk, scratch, chunk)
    dx = place(job.dx, job.dx_chunk, scratch, chunk)
    pixel = 4 * job.channels
    blocks = job.padded * 4 // VECTOR_BYTES
    zero = splat(np.float32(0))
    add = job.add
    for each in range((hi - lo) * job.height):
        image = each // job.height
        row = each - image * job.height
        for back in range(blocks):
            # Last channels first: their unused lanes overwrite the next pixel.
            c = (blocks - 1 - back) * VECTOR_BYTES
            a = vload(factors + c)
            b = vload(factors + 4 * job.padded + c)
            rest = vload(factors + 8 * job.padded + c)
            mean = vload(factors + 12 * job.padded + c)
            valid = splat(np.float32(job.channels - c // 4))
            src = x + image * job.x_image + row * job.x_row + c
            slope = dy + image * job.dy_image + row * job.dy_row + c
            dst = dx + image * job.dx_image + row * job.dx_row + c
            for _ in range(job.width):
                value = fma(vload(slope), a, fma(vload(src) - mean, b, rest))
                if add:
                    value = vload(dst) + where_greater(valid, lanes, value, zero)
                vstore(dst, value)
                src += pixel
                slope += pixel
                dst += pixel
