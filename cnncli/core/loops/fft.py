"""Convolution with a large kernel: Fourier transforms of overlapping tiles.

A tile of the padded image is transformed, multiplied by the kernel's spectrum and transformed back; of a
tile of rows x columns, the first (rows - kh + 1) x (columns - kw + 1) pixels are valid, so tiles overlap by
the rest (overlap-save). Two real *planes* a and b, each one channel of a tile, are transformed as a + ib:
with a real kernel they remain separate. In scratch a pair of planes is stored in *strips* of `LANES` columns:
strip s has one point for each row. Columns are transformed strip by strip, which fits into the L1 cache;
rows `LANES` at a time, transposed into a buffer that fits too.

Before the transform one sample of the plane is subtracted from all of it, and afterwards added times the
kernel's sum: flat areas stay exactly flat, and rounding errors are relative to the contrast.

Rounding errors spread over a tile and its partner: the error of an output is a few 10^-7 of the root mean
square of both, even where the window contains much smaller values. So when rows are loaded, their squares
are summed, and the largest magnitude of each block of pixels is recorded, with blocks so small that every
window contains a whole one (only some rows of a block are checked, which can only make it smaller). If the
minimum of these is too small compared with the sum, the least value that is not 0 counts instead: the
magnitude of any window is at least that, or 0, and the answer of such a black window is 0 if small outputs
are set to 0. If that is too small as well, or anything is not finite, the tiles are skipped and reported to
the caller.

Source: A. V. Oppenheim, R. W. Schafer, Discrete-Time Signal Processing, section 8.7.3 (overlap-save).
"""

import numpy as np

from cnncli.core import jobs
from cnncli.core.loops.butterflies import (
    POINT_BYTES,
    first_butterflies,
    forward,
    inverse,
    last_butterflies,
    least_peak,
    multiply_spectrum,
    pick_channel,
    transpose_blocks,
    weave_channels,
)
from cnncli.core.loops.integers import clear, load_u8, load_u32, store_8, store_32
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import (
    LANES,
    VECTOR_BYTES,
    load_f32,
    record,
    root_f64,
    splat,
    store_f32,
    vabs,
    vload,
    vstore,
    where_greater,
)

JOB = jobs.FFT
ZERO = np.float32(0)
INFINITE = np.float32(np.inf)
LEAST = np.float32(1e-25)  # magnitude below which squares and products are not normal float32
INFINITE_BITS = 0x7F800000  # the least value of a tile that is black
# Bytes from the planes' offsets to the magnitudes up to which outputs of a pair become 0, and to the vectors
# of sums of squares and of the least magnitudes.
DARK, SQUARES, LOWEST = 32, 64, 128
OFFSET_SHARE = 1 / 256  # of its square, as it is added once and takes part in no transform


@inline
def _load_pair(job, first, planes, pair, scratch, strips):
    """Load a pair of planes, subtract their offsets, and run the first pass over columns."""
    channels, columns, pitch = job.channels, job.columns, job.row_bytes
    line, rows = scratch + job.line_at, scratch + job.rows_at
    gap = job.rows // 4
    offset_a = offset_b = ZERO
    squares, lowest = scratch + HEADER_BYTES + SQUARES, scratch + HEADER_BYTES + LOWEST
    clear(squares, VECTOR_BYTES)
    for lane in range(LANES):
        store_32(lowest + 4 * lane, -1)
    peaks, least = scratch + job.peaks_at, INFINITE
    for j in range(gap):
        for i in range(8):
            side = i % 2
            plane = 2 * pair + side
            tile = first + plane // channels
            channel = plane % channels
            tile_y = tile // job.tiles_x
            x0 = (tile - tile_y * job.tiles_x) * job.tile_width * job.stride_x
            y = tile_y * job.tile_height * job.stride_y + i // 2 * gap + j
            row = rows + (4 * side + i // 2) * pitch
            have = 0
            if plane < planes and y < job.padded_height:
                have = min(columns, job.padded_width - x0)
                # The previous plane has already loaded this row if it is another channel of this tile.
                if side == 0 or channel == 0:
                    load_row(job, y, x0, have, row if channels == 1 else line)
                pick_channel(line + 4 * channel, channels, row, columns // LANES)
                if j == 0 and i < 2 and job.prepares == 0:
                    value = load_f32(row + have // 2 * 4)
                    store_f32(scratch + HEADER_BYTES + 4 * plane, value)
                    if side == 0:
                        offset_a = value
                    else:
                        offset_b = value
            for column in range(have, columns):
                store_f32(row + 4 * column, offset_b if side else offset_a)
        first_butterflies(
            rows, pitch, columns // LANES, strips + j * POINT_BYTES, job.strip_bytes, gap * POINT_BYTES,
            job.turns + 24 * j, offset_a, offset_b,
            peaks if j % job.sampled_rows == 0 else 0, squares, lowest if job.checks else 0,
        )  # fmt: skip
        if job.checks and (j + 1) % job.block_rows == 0:
            least = _least_of_blocks(job, first, planes, pair, j, peaks, least)
    if job.checks:
        _check_pair(job, first, planes, pair, scratch, least, offset_a, offset_b)


@inline
def _check_pair(job, first, planes, pair, scratch, least, offset_a, offset_b):
    """Skip a pair of planes in which rounding errors could matter; note up to where its outputs become 0."""
    squares, lowest = scratch + HEADER_BYTES + SQUARES, scratch + HEADER_BYTES + LOWEST
    total = 0.0
    bits = INFINITE_BITS
    for lane in range(LANES):
        total += np.float64(load_f32(squares + 4 * lane))
        bits = min(bits, load_u32(lowest + 4 * lane) + 1)
    store_32(lowest, bits)
    dark = scratch + HEADER_BYTES + DARK + 4 * pair
    store_f32(dark, ZERO)
    magnitude = np.float64(max(least, job.floor))
    if total <= job.reach * magnitude * magnitude and magnitude >= LEAST:
        return
    offset = np.float64(max(abs(offset_a), abs(offset_b)))
    total += job.rows * job.columns * OFFSET_SHARE * offset * offset
    value = np.float64(load_f32(lowest))
    if total <= job.dark_reach * value * value and value >= LEAST:
        store_f32(dark, np.float32(job.dark * root_f64(total / (job.rows * job.columns))))
        return
    _leave_out(job, first, planes, pair)


@inline
def _least_of_blocks(job, first, planes, pair, j, peaks, least):
    """The minimum of the peaks of blocks that end with the j-th rows; resets the peaks."""
    channels, columns, gap = job.channels, job.columns, job.rows // 4
    for i in range(8):
        plane = 2 * pair + i % 2
        tile = first + plane // channels
        tile_y = tile // job.tiles_x
        x0 = (tile - tile_y * job.tiles_x) * job.tile_width * job.stride_x
        y = tile_y * job.tile_height * job.stride_y + i // 2 * gap + j
        row = peaks + (4 * (i % 2) + i // 2) * job.row_bytes
        if plane < planes and y < job.padded_height:
            inside = min(columns, job.padded_width - x0) // job.block_columns * job.block_columns
            vectors = (inside + LANES - 1) // LANES
            for column in range(inside, vectors * LANES):
                store_f32(row + 4 * column, INFINITE)
            least = least_peak(row, vectors, job.block_columns, least)
        clear(row, 4 * columns)
    return least


@inline
def _leave_out(job, first, planes, pair):
    """Mark the tiles of a pair of planes as skipped."""
    for plane in range(2 * pair, min(2 * pair + 2, planes)):
        store_8(job.left_out + first + plane // job.channels, 1)


@inline
def _is_left_out(job, first, planes, pair):
    """Whether all tiles of a pair of planes are skipped."""
    last = min(2 * pair + 1, planes - 1)
    return (
        job.checks
        and load_u8(job.left_out + first + 2 * pair // job.channels) != 0
        and load_u8(job.left_out + first + last // job.channels) != 0
    )


@inline
def _filter_pair(job, buffer, strips):
    """The rest of the transform, the product with the spectrum, and the inverse but for its last pass.

    A job that prepares stores the transform as the spectrum.
    """
    count = job.columns // LANES
    block = LANES * POINT_BYTES
    passes, plan = job.row_passes, job.row_plan
    for strip in range(count):
        forward(strips + strip * job.strip_bytes, job.column_passes, job.column_plan)
    spectrum = job.spectrum
    for row in range(0, job.rows, LANES):
        at = strips + row * POINT_BYTES
        into = spectrum if job.prepares else buffer
        transpose_blocks(at, job.strip_bytes, into, block, count)
        forward(into, passes, plan)
        if job.prepares == 0:
            multiply_spectrum(buffer, job.columns // 4, spectrum)
            inverse(buffer, passes, plan)
            transpose_blocks(buffer, block, at, job.strip_bytes, job.kept)
        spectrum += count * block
    for strip in range(job.kept):
        inverse(strips + strip * job.strip_bytes, job.column_passes, job.column_plan)


@inline
def _store_group(job, first, planes, scratch):
    """The last pass over columns of all pairs of a group, and the storing of its tiles."""
    channels, pitch = job.channels, job.row_bytes
    line, rows, strips = scratch + job.line_at, scratch + job.rows_at, scratch + job.strips_at
    gap = job.rows // 4
    for j in range(gap):
        for pair in range((planes + 1) // 2):
            if _is_left_out(job, first, planes, pair):
                continue
            offsets = scratch + HEADER_BYTES + 8 * pair
            last_butterflies(
                strips + pair * job.pair_bytes + j * POINT_BYTES, job.strip_bytes, gap * POINT_BYTES,
                job.kept, job.turns + 24 * j, rows + 8 * pair * pitch, pitch,
                load_f32(offsets) * job.kernel_sum, load_f32(offsets + 4) * job.kernel_sum,
            )  # fmt: skip
            _blacken(
                rows + 8 * pair * pitch, pitch, job.kept, load_f32(scratch + HEADER_BYTES + DARK + 4 * pair)
            )
            # A value that is not finite affects all of a transform, so one sample of each plane is enough.
            sample = load_f32(rows + 8 * pair * pitch) + load_f32(rows + (8 * pair + 4) * pitch)
            if j == 0 and job.left_out and sample - sample != ZERO:
                _leave_out(job, first, planes, pair)
        # Of each plane there are four rows, ``gap`` apart.
        for i in range(4 * (planes // channels)):
            tile = first + i // 4
            tile_y = tile // job.tiles_x
            x0 = (tile - tile_y * job.tiles_x) * job.tile_width
            y0 = tile_y * job.tile_height
            dense_row = j + i % 4 * gap
            y = dense_row // job.stride_y
            if job.left_out and load_u8(job.left_out + tile):
                continue
            if y * job.stride_y == dense_row and y < min(job.tile_height, job.out_height - y0):
                row = rows + (i // 4 * channels * 4 + i % 4) * pitch
                weave_channels(row, 4 * pitch, channels, line, job.kept)
                width = min(job.tile_width, job.out_width - x0)
                store_row(job, row if channels == 1 else line, y0 + y, x0, width, scratch)


@inline
def _blacken(rows, pitch, strips, most):
    """Set outputs of a pair's rows below a magnitude to 0; what is not a number stays."""
    if most > ZERO:
        limit, zero = splat(most), splat(ZERO)
        for row in range(8):
            for at in range(rows + row * pitch, rows + row * pitch + strips * VECTOR_BYTES, VECTOR_BYTES):
                value = vload(at)
                vstore(at, where_greater(limit, vabs(value), zero, value))


def loop(job_pointer, scratch, lo, hi):
    """Groups lo to hi of tiles."""
    job = record(job_pointer)
    for group in range(lo, hi):
        first = group * job.group
        planes = min(job.group, job.tile_count - first) * job.channels
        for pair in range((planes + 1) // 2):
            strips = scratch + job.strips_at + pair * job.pair_bytes
            _load_pair(job, first, planes, pair, scratch, strips)
            if not _is_left_out(job, first, planes, pair):
                _filter_pair(job, scratch + job.buffer_at, strips)
        if job.prepares == 0:
            _store_group(job, first, planes, scratch)
