"""Convolution with a large kernel: Fourier transforms of overlapping tiles.

A tile of the padded image is transformed, multiplied by the kernel's spectrum and transformed back;
of a tile of rows x columns the first (rows - kh + 1) x (columns - kw + 1) pixels are right, so tiles
overlap by the rest (overlap-save). Two real *planes* a and b, each one channel of a tile, go as
a + ib: a real kernel keeps them apart. In scratch a pair of planes lies in *strips* of `LANES`
columns: strip s holds, for each row, one point. Columns are transformed strip by strip, which fits the
first-level cache; rows `LANES` at a time, turned over into a buffer that fits it too.

Before the transform a plane's middle sample is taken off all of it, and afterwards added times the
kernel's sum: what is flat stays exactly flat, and rounding errors are relative to the contrast.

Scratch: count, planes' offsets, a row as loaded, rows of planes, a buffer of rows turned over, planes.
"""

import numpy as np

from cnncli.core import jobs
from cnncli.core.loops.butterflies import (
    POINT_BYTES,
    first_butterflies,
    forward_eight,
    forward_four,
    inverse_eight,
    inverse_four,
    last_butterflies,
    multiply_spectrum,
    pick_four,
    pick_three,
    pick_two,
    turn_over,
    weave_four,
    weave_three,
    weave_two,
)
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_pixel, load_row, store_row
from cnncli.core.simd import LANES, load_f32, load_i64, record, store_f32

JOB = jobs.FFT
OFFSET_BYTES = 64  # room for the offsets of a group's planes, 6 at most
ROOM = 256  # bytes that whole vectors may read or write behind a row
STRIP_ROOM = 512  # strips a power of two apart would fall into the same cache sets
ZERO = np.float32(0)


@inline
def _forward(base, passes, plan):
    """All passes of a forward transform, in place."""
    for step in range(passes):
        at = plan + 32 * step
        if load_i64(at) == 4:
            forward_four(base, load_i64(at + 8), load_i64(at + 16), load_i64(at + 24))
        else:
            forward_eight(base, load_i64(at + 8), load_i64(at + 16), load_i64(at + 24))


@inline
def _inverse(base, passes, plan):
    """The same passes back."""
    for step in range(passes - 1, -1, -1):
        at = plan + 32 * step
        if load_i64(at) == 4:
            inverse_four(base, load_i64(at + 8), load_i64(at + 16), load_i64(at + 24))
        else:
            inverse_eight(base, load_i64(at + 8), load_i64(at + 16), load_i64(at + 24))


@inline
def _tile_corner(job, tile):
    """First output column and row of a tile."""
    tile_y = tile // job.tiles_x
    return (tile - tile_y * job.tiles_x) * job.tile_width, tile_y * job.tile_height


@inline
def _plane_offset(job, tile, channel, line):
    """The sample in the middle of a plane, as far as it lies in the padded image."""
    x0, y0 = _tile_corner(job, tile)
    x0, y0 = x0 * job.stride_x, y0 * job.stride_y
    row = y0 + min(job.rows, job.padded_height - y0) // 2
    column = x0 + min(job.columns, job.padded_width - x0) // 2
    source_row, source_column = load_i64(job.ymap + 8 * row), load_i64(job.xmap + 8 * column)
    if source_row < 0 or source_column < 0:
        return job.fill
    load_pixel(job, job.src + source_row * job.src_pitch, source_column, line)
    return load_f32(line + 4 * channel)


@inline
def _load_pair(job, first, planes, pair, offsets, line, rows, pitch, strips):
    """A pair of planes, loaded, less their offsets, and through the first pass over columns."""
    channels = job.channels
    count = job.columns // LANES
    strip_bytes = job.rows * POINT_BYTES + STRIP_ROOM
    gap = job.rows // 4
    for side in range(2):
        plane = 2 * pair + side
        value = ZERO
        if plane < planes:
            value = _plane_offset(job, first + plane // channels, plane % channels, line)
        store_f32(offsets + 4 * plane, value)
    offset_a, offset_b = load_f32(offsets + 8 * pair), load_f32(offsets + 8 * pair + 4)
    for j in range(gap):
        for i in range(8):
            plane = 2 * pair + i % 2
            row = rows + (i % 2 * 4 + i // 2) * pitch
            have = 0
            if plane < planes:
                tile = first + plane // channels
                x0, y0 = _tile_corner(job, tile)
                x0, y0 = x0 * job.stride_x, y0 * job.stride_y + j + i // 2 * gap
                if y0 < job.padded_height:
                    have = min(job.columns, job.padded_width - x0)
                    if channels == 1:
                        load_row(job, y0, x0, have, row)
                    else:
                        # The channel before, of the same tile, has loaded these pixels already.
                        if i % 2 == 0 or plane % channels == 0:
                            load_row(job, y0, x0, have, line)
                        at = line + 4 * (plane % channels)
                        if channels == 2:
                            pick_two(at, row, 0, count)
                        elif channels == 3:
                            pick_three(at, row, 0, count)
                        else:
                            pick_four(at, row, 0, count)
            value = offset_b if i % 2 else offset_a
            for column in range(have, job.columns):
                store_f32(row + 4 * column, value)
        first_butterflies(
            rows, pitch, count, strips + j * POINT_BYTES, strip_bytes, gap * POINT_BYTES, job.turns + 24 * j,
            offset_a, offset_b,
        )  # fmt: skip


@inline
def _filter_pair(job, strips, buffer, kept):
    """The rest of the transform, the product with the spectrum, and back but for the last pass over columns.

    Only the strips that hold results, ``kept`` of them, are taken back.
    """
    count = job.columns // LANES
    strip_bytes = job.rows * POINT_BYTES + STRIP_ROOM
    block = LANES * POINT_BYTES
    passes, plan = job.row_passes, job.row_plan
    spectrum_step = job.columns * POINT_BYTES
    for strip in range(count):
        _forward(strips + strip * strip_bytes, job.column_passes, job.column_plan)
    spectrum = job.spectrum
    for row in range(0, job.rows, LANES):
        at = strips + row * POINT_BYTES
        turn_over(at, strip_bytes, buffer, block, count)
        _forward(buffer, passes, plan)
        multiply_spectrum(buffer, job.columns // 4, spectrum)
        _inverse(buffer, passes, plan)
        turn_over(buffer, block, at, strip_bytes, kept)
        spectrum += spectrum_step
    for strip in range(kept):
        _inverse(strips + strip * strip_bytes, job.column_passes, job.column_plan)


@inline
def _store_group(job, first, planes, kept, offsets, line, rows, pitch, strips, scratch):
    """The last pass over columns of all pairs of a group, and the rows of its tiles to the output."""
    channels = job.channels
    strip_bytes = job.rows * POINT_BYTES + STRIP_ROOM
    gap = job.rows // 4
    for j in range(gap):
        for pair in range((planes + 1) // 2):
            last_butterflies(
                strips + pair * job.plane_bytes + j * POINT_BYTES, strip_bytes, gap * POINT_BYTES, kept,
                job.turns + 24 * j, rows + 8 * pair * pitch, pitch,
                load_f32(offsets + 8 * pair) * job.kernel_sum, load_f32(offsets + 8 * pair + 4) * job.kernel_sum,
            )  # fmt: skip
        for i in range(4 * (planes // channels)):
            tile = first + i // 4
            dense_row = j + i % 4 * gap
            y = dense_row // job.stride_y
            x0, y0 = _tile_corner(job, tile)
            if y * job.stride_y == dense_row and y < min(job.tile_height, job.out_height - y0):
                # Rows of a pair are four of its first plane, four of its second.
                row = rows + (i // 4 * channels * 4 + i % 4) * pitch
                if channels == 2:
                    weave_two(row, line, 4 * pitch, kept)
                elif channels == 3:
                    weave_three(row, line, 4 * pitch, kept)
                elif channels == 4:
                    weave_four(row, line, 4 * pitch, kept)
                if channels > 1:
                    row = line
                store_row(job, row, y0 + y, x0, min(job.tile_width, job.out_width - x0), scratch)


def loop(job_pointer, scratch, lo, hi):
    """Groups lo to hi of tiles."""
    job = record(job_pointer)
    pitch = 4 * job.columns + ROOM
    planes_at_most = job.group * job.channels
    offsets = scratch + HEADER_BYTES
    line = offsets + OFFSET_BYTES
    rows = line + 4 * job.columns * job.channels + ROOM
    buffer = rows + 4 * (planes_at_most + planes_at_most % 2) * pitch
    strips = buffer + job.columns * POINT_BYTES
    dense = (job.tile_width - 1) * job.stride_x + 1
    kept = (dense + LANES - 1) // LANES
    for group in range(lo, hi):
        first = group * job.group
        planes = min(job.group, job.tile_count - first) * job.channels
        for pair in range((planes + 1) // 2):
            at = strips + pair * job.plane_bytes
            _load_pair(job, first, planes, pair, offsets, line, rows, pitch, at)
            _filter_pair(job, at, buffer, kept)
        _store_group(job, first, planes, kept, offsets, line, rows, pitch, strips, scratch)
