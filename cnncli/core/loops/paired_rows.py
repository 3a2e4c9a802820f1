"""What filters of one kernel share: rows read where they lie, two output rows at a time stored as pixels."""

import numpy as np

from cnncli.core.convert import FLOAT, U8, U16
from cnncli.core.loops.taps import CHUNK, two_sums_as
from cnncli.core.loops.tile_io import AHEAD, inline, store_row
from cnncli.core.simd import fetch_to_read, fetch_to_write, load_i64

ONE = np.float32(1)
ZERO = np.float32(0)


@inline
def tile_columns(job, number):
    """First column and width of the so-manieth tile of a row."""
    if number == 0:
        return 0, min(job.lead, job.out_width)
    start = job.lead + (number - 1) * job.tile_width
    return start, min(job.tile_width, job.out_width - start)


@inline
def in_place(job, row, rows, column, pixels, size):
    """Address of a padded pixel if all rows from it on can be read where they lie, else 0.

    They can if the source's samples, of ``size`` bytes, are those that the loop works on, if they touch
    no border, and if the chunks that reach beyond their last pixel stay within the image's memory.
    """
    if not job.reads_in_place or column < job.inner_lo or column + pixels > job.inner_hi:
        return 0
    first = load_i64(job.ymap + 8 * row)
    if first < 0 or load_i64(job.ymap + 8 * (row + rows - 1)) != first + rows - 1:
        return 0
    if first + rows + 1 >= job.src_rows:
        return 0
    return job.src + first * job.src_pitch + size * job.channels * load_i64(job.xmap + 8 * column)


@inline
def store_sums(job, src, ahead, offsets, row, column, pixels, rows, spare, scratch):
    """Sums over all taps for one or two output rows, from a column on, stored as pixels.

    ``src`` is under the first cell. Whole chunks go straight from the registers to the output; a rest,
    and a single row, by way of two rows of scratch at ``spare``. Two source rows from ``ahead`` on are
    fetched into the cache meanwhile, unless it is 0.
    """
    channels, out_type, row_bytes = job.channels, job.out_type, 4 * job.pitch
    taps, upper, lower, weights = job.tap_count, job.upper_taps, job.lower_taps, job.tap_weights
    size = 1 if out_type == U8 else 2 if out_type == U16 else 4
    out = job.out + row * job.out_pitch + column * channels * size
    samples = ((pixels - 1) * job.stride_x + 1) * channels
    whole = samples - samples % CHUNK if rows == 2 and job.stores_chunks else 0
    clipped = 0
    for i in range(0, samples, CHUNK):
        to0, to1 = spare + 4 * i, spare + row_bytes + 4 * i
        element, absolute, scale, bias = FLOAT, 0, ONE, ZERO
        if i < whole:
            to0 = out + i * size
            to1 = to0 + job.out_pitch
            element, absolute, scale, bias = out_type, job.absolute, job.scale, job.bias
            fetch_to_write(to0 + AHEAD * job.out_pitch, CHUNK * size)
            fetch_to_write(to1 + AHEAD * job.out_pitch, CHUNK * size)
        if ahead:
            fetch_to_read(ahead + 4 * i, 4 * CHUNK)
            fetch_to_read(ahead + job.src_pitch + 4 * i, 4 * CHUNK)
        clipped += two_sums_as(
            src + 4 * i, upper, lower, taps, offsets, weights, to0, to1, element, absolute, scale, bias
        )
    if whole < samples:
        done = whole // channels
        for each in range(rows):
            rest = spare + each * row_bytes + 4 * whole
            store_row(job, rest, row + each, column + done, pixels - done, scratch)
    return clipped
