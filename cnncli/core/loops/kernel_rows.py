"""Shared parts of filters with one kernel: tiles, rows read in place, sums stored from registers."""

import numpy as np

from cnncli.core.choices import ROWS_AHEAD
from cnncli.core.elements import COLORS, FLOAT, RGBX_BYTES, U8, U16
from cnncli.core.jobs import RGBX, STREAMED
from cnncli.core.loops.integers import copy_bytes
from cnncli.core.loops.taps import LONE_CHUNK, ROW_CHUNK, ROWS, one_sum, row_sums
from cnncli.core.loops.tile_io import inline, store_row
from cnncli.core.simd import fetch_to_read, fetch_to_write, load_i64

SHARE_BITS = 16  # of the fraction of what weights lack
ONE = np.float32(1)
ZERO = np.float32(0)


@inline
def tile_at(job, tile):
    """First column and row of a tile, its width and height, and the padded columns and rows under it."""
    tile_y = tile // job.tiles_x
    number = tile - tile_y * job.tiles_x
    x0, y0 = 0, tile_y * job.tile_height
    width = min(job.lead, job.out_width)
    if number > 0:
        x0 = job.lead + (number - 1) * job.tile_width
        width = min(job.tile_width, job.out_width - x0)
    height = min(job.tile_height, job.out_height - y0)
    pixels = (width - 1) * job.stride_x + job.extent_x
    return x0, y0, width, height, pixels, (height - 1) * job.stride_y + job.extent_y


@inline
def output_at(job, row, column):
    """Address of an output pixel, and bytes of one of its samples."""
    if job.out_type == RGBX:
        return job.out + row * job.out_pitch + column * RGBX_BYTES, 1
    size = 1 if job.out_type == U8 else 2 if job.out_type == U16 else 4
    return job.out + row * job.out_pitch + column * job.channels * size, size


@inline
def sample_at(job, out, i, size):
    """Address of the i-th sample, the first of a pixel, from that of the output's at ``out`` on."""
    return out + (i // COLORS * RGBX_BYTES if job.out_type == RGBX else i * size)


@inline
def in_place(job, row, rows, column, pixels, size):
    """Address of a padded pixel if all rows from it on can be read in place, else 0.

    They can if the source's samples, of ``size`` bytes, have the loop's type, if they touch no border, and
    if the chunks that extend beyond their last pixel stay within the image's memory.
    """
    if not job.reads_in_place or column < job.inner_lo or column + pixels > job.inner_hi:
        return 0
    first = load_i64(job.ymap + 8 * row)
    if first < 0 or load_i64(job.ymap + 8 * (row + rows - 1)) != first + rows - 1:
        return 0
    if first + rows + ROWS - 1 >= job.src_rows:
        return 0
    return job.src + first * job.src_pitch + size * job.channels * load_i64(job.xmap + 8 * column)


@inline
def start_and_doubt(job, low, high):
    """The start of sums of bytes with integer weights, and their doubt.

    With samples from ``low`` to ``high``, what the weights lack sums to at most (high - low) / 2 times its
    magnitudes more or less than (low + high) / 2 times its sum.
    """
    error = job.error + (((high - low) * job.spread) >> SHARE_BITS)
    return job.start + (((high + low) * job.lean) >> SHARE_BITS) + error, 2 * error


@inline
def move_up(rows, first, end, pitch):
    """Move the rows from ``first`` to ``end`` to the start of scratch, to make room for more."""
    for row in range(first, end):
        copy_bytes(rows + (row - first) * pitch, rows + row * pitch, pitch)


@inline
def sum_along(job, row, samples, rank, dst):
    """Sums of a row over the taps along it, of one rank."""
    skip = rank * job.row_count
    offsets, weights = job.row_offsets + 8 * skip, job.row_weights + 4 * skip
    for i in range(0, 4 * samples, 4 * LONE_CHUNK):
        one_sum(row + i, job.row_count, offsets, weights, dst + i)


@inline
def store_sums(job, src, ahead, offsets, row, column, pixels, rows, spare, scratch):
    """Sums over all taps for output rows that share their loads, from a column on, stored as pixels.

    ``src`` is under the first cell. Whole chunks of `ROWS` rows are stored directly from registers to the
    output; the remainder, and fewer rows, through rows of scratch at ``spare``. As many source rows from
    ``ahead`` on are prefetched, unless it is 0.
    """
    channels, row_bytes = job.channels, 4 * job.pitch
    ends, weights = job.tap_ends, job.tap_weights
    out, size = output_at(job, row, column)
    samples = ((pixels - 1) * job.stride_x + 1) * channels
    whole = samples - samples % ROW_CHUNK if rows == ROWS and job.stores_chunks else 0
    fetched = 0 if job.out_type == STREAMED else ROW_CHUNK * size
    clipped = 0
    for i in range(0, samples, ROW_CHUNK):
        to, pitch = spare + 4 * i, row_bytes
        element, absolute, scale, bias = FLOAT, 0, ONE, ZERO
        if i < whole:
            to, pitch = sample_at(job, out, i, size), job.out_pitch
            element, absolute, scale, bias = job.out_type, job.absolute, job.scale, job.bias
            for each in range(ROWS):
                fetch_to_write(to + (ROWS + each) * pitch, fetched)
        if ahead:
            for each in range(ROWS):
                fetch_to_read(ahead + each * job.src_pitch + 4 * i, 4 * ROW_CHUNK)
        counted = row_sums(src + 4 * i, ends, offsets, weights, to, pitch, element, absolute, scale, bias)
        clipped += counted if i < whole else 0
    if whole < samples:
        done = whole // channels
        for each in range(rows):
            rest = spare + each * row_bytes + 4 * whole
            store_row(job, rest, row + each, column + done, pixels - done, scratch)
    return clipped


def storing_chunks(chunk, sum_chunk):
    """A function that stores a row of sums as pixels, ``chunk`` at a time.

    ``sum_chunk(job, src, table, count, i, to, kind, absolute, scale, bias, final)`` stores the sums from
    the i-th on as pixels, final ones or floats for scratch, and counts the clipped.
    """

    @inline
    def store_sums(job, src, table, count, row, column, pixels, spare, scratch):
        """Store whole chunks directly, the remainder through scratch at ``spare``; counts the clipped."""
        channels = job.channels
        out, size = output_at(job, row, column)
        samples = ((pixels - 1) * job.stride_x + 1) * channels
        unit = chunk if chunk % channels == 0 else chunk * channels
        whole = samples - samples % unit if job.stride_x == 1 else 0
        fetched = 0 if job.out_type == STREAMED else chunk * size
        clipped = 0
        for i in range(0, samples, chunk):
            to, kind, absolute, scale, bias = spare + 4 * i, FLOAT, 0, ONE, ZERO
            if i < whole:
                to = sample_at(job, out, i, size)
                kind, absolute, scale, bias = job.out_type, job.absolute, job.scale, job.bias
                fetch_to_write(to + ROWS_AHEAD * job.out_pitch, fetched)
            clipped += sum_chunk(job, src, table, count, i, to, kind, absolute, scale, bias, i < whole)
        if whole < samples:
            done = whole // channels
            store_row(job, spare + 4 * whole, row, column + done, pixels - done, scratch)
        return clipped

    return store_sums
