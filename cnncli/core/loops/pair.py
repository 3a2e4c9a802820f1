"""Arithmetic of two pictures in floats, whatever their types."""

import numpy as np

from cnncli.core import jobs
from cnncli.core.choices import ROWS_AHEAD
from cnncli.core.elements import FLOAT, U8
from cnncli.core.loads import load_sample, load_vectors
from cnncli.core.loops.kernel_rows import tile_at
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import LANES, load_i64, record, splat, store_f32, vabs, vload, vmax, vmin, vstore

JOB = jobs.PAIR
ADD, SUBTRACT, DIFFERENCE, DARKEN, LIGHTEN, MULTIPLY, SCREEN, BLEND = map(np.intp, jobs.PAIRS.values())


@inline
def load_other(job, y, x, samples, dst):
    """Samples of a row of the other picture, from the padded column ``x`` of the padded row ``y`` on."""
    kind = job.other_type
    row = job.other + load_i64(job.ymap + 8 * y) * job.other_pitch
    first = load_i64(job.xmap + 8 * x) * job.channels
    load_vectors(row, first, kind, samples, dst, ROWS_AHEAD * job.other_pitch)
    for i in range(samples - samples % LANES, samples):
        store_f32(dst + 4 * i, load_sample(row, first + i, kind))


@inline
def combine(job, row, other, size):
    """Combine ``size`` bytes of floats; the results replace the first."""
    factor, white_share, share = splat(job.factor), splat(job.white_share), splat(job.share)
    operation = job.operation
    for at in range(0, size, 4 * LANES):
        a, b = vload(row + at), vload(other + at)
        c = b * factor
        if operation == ADD:
            found = a + c
        elif operation == SUBTRACT:
            found = a - c
        elif operation == DIFFERENCE:
            found = vabs(a - c)
        elif operation == DARKEN:
            found = vmin(a, c)
        elif operation == LIGHTEN:
            found = vmax(a, c)
        elif operation == MULTIPLY:
            found = a * (b * white_share)
        elif operation == SCREEN:
            found = a + c - a * (b * white_share)
        else:
            found = a + share * (c - a)
        vstore(row + at, found)


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    row = scratch + HEADER_BYTES
    other = row + 4 * job.pitch
    assert U8 < FLOAT
    for tile in range(lo, hi):
        x0, y0, width, height, pixels, _ = tile_at(job, tile)
        samples = pixels * job.channels
        for y in range(y0, y0 + height):
            load_row(job, y * job.stride_y, x0 * job.stride_x, pixels, row)
            load_other(job, y * job.stride_y, x0 * job.stride_x, samples, other)
            combine(job, row, other, 4 * samples)
            store_row(job, row, y, x0, width, scratch)
