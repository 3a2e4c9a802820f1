"""Winograd convolution: 3 x 3, stride 1, tiles of 4 x 4 outputs: 36 multiplications instead of 144.

A tile's 6 x 6 inputs are transformed, and so are the weights; the convolution becomes 36 matrix products,
tiles by channels, and the inverse transform gives the outputs. All coefficients are small, so that little
accuracy is lost: about one digit. See ``winograd.py``.

But that is a digit of the largest input of the *tile*, even for outputs whose windows do not contain it. So a
tile whose largest magnitude is more than 2^`OUTLIER` times that of one of its windows (or 1/16, if that is
larger) is convolved directly, and so is a tile with infinity, NaN, or values that would overflow in the
transform. The error of every output is thus at most 1e-4 of sum |weight| times the largest magnitude in its
own window (or 1/16, if that is larger); typically 1e-6. It depends only on the tile, never on threads.
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import (
    ADD,
    BLOCK,
    BLOCK_BYTES,
    HALF,
    NARROW,
    RELU,
    ROWS,
    gemm_half,
    gemm_narrow,
    gemm_single,
    gemm_single_narrow,
    gemm_tile,
    rows_of,
)
from cnncli.core.loops.rows import inline, place
from cnncli.core.loops.winograd import (
    BUFFER_ROW,
    OUTPUTS,
    PLACES,
    SIDE,
    input_square,
    output_square_biased,
    square_peak,
    tile_origin,
    whole_square,
    window_peak,
)
from cnncli.core.simd import (
    LANES,
    LINE,
    VECTOR_BYTES,
    record,
    store_i64,
    vload,
    vload_first,
    vstore,
    vstore_first,
    zeros,
)

JOB = nn_jobs.WINOGRAD
LOWEST = np.float32(-np.inf)
OUTLIER = np.intp(8)  # powers of two between a tile's largest magnitude and a window's
_EXPONENT = 23  # bits below the exponent of a float32
LEAST = np.intp((127 - 4) << _EXPONENT)  # bits of 1/16, the minimum magnitude assumed for a window …
USUAL = np.intp(LEAST + (OUTLIER << _EXPONENT))  # … so that tiles up to 16 need no further check
MOST = np.intp((127 + 120) << _EXPONENT)  # bits of 2^120, which does not overflow in the transform


@inline
def transform_output(src, step, buffer, dst, row_pitch, pixel, rows, columns, count, bias, mode):
    """Up to ``count`` of a vector of channels of a tile, of which ``rows`` x ``columns`` outputs exist.

    At most one mode.
    """
    floor = np.float32(0) if mode & RELU else LOWEST
    if rows >= OUTPUTS and columns >= OUTPUTS and count >= LANES and not mode & ADD:
        output_square_biased(src, SIDE * step, step, dst, row_pitch, pixel, bias, floor)
        return
    output_square_biased(src, SIDE * step, step, buffer, BUFFER_ROW, VECTOR_BYTES, bias, floor)
    for row in range(min(rows, OUTPUTS)):
        for column in range(min(columns, OUTPUTS)):
            to = dst + row * row_pitch + column * pixel
            value = vload(buffer + row * BUFFER_ROW + column * VECTOR_BYTES)
            if count >= LANES:
                vstore(to, value + vload(to) if mode & ADD else value)
            else:
                vstore_first(to, count, value + vload_first(to, count, zeros()) if mode & ADD else value)


@inline
def fill_table(table, x, y, tiles, rows, input_pitch, output_pitch):
    """Addresses of the rows of inputs and outputs; beyond the end, the last is repeated."""
    for r in range(rows):
        each = min(r, tiles - 1)
        store_i64(table + 8 * r, x + each * input_pitch)
        store_i64(table + 8 * (rows + r), y + each * output_pitch)


@inline
def multiply(job, inputs, products, tiles, output_pitch, table):
    """The 36 matrix products."""
    blocks, pitch, segments, no_bias = job.panel_blocks, job.input_pitch, job.segments, job.zeros
    panel_bytes = job.channels * BLOCK_BYTES
    for place_ in range(PLACES):
        x = inputs + place_ * job.input_step
        y = products + place_ * job.output_step
        panel = job.panel + place_ * job.panel_pitch
        for block in range(blocks):
            narrow = job.narrow and block == blocks - 1
            ahead, other = panel_bytes, LINE
            tile = 0
            while tile < tiles:
                rows = NARROW if narrow else rows_of(tiles - tile, ROWS, HALF)
                x_at = x + tile * pitch
                y_at = y + tile * output_pitch + block * BLOCK_BYTES
                fill_table(table, x_at, y_at, tiles - tile, rows, pitch, output_pitch)
                to = table + 8 * rows
                if narrow:
                    gemm_narrow(table, to, segments, 1, panel, ahead, no_bias, 0, 0)
                elif rows == ROWS:
                    gemm_tile(table, to, segments, 1, panel, ahead, no_bias, 0, 0)
                else:
                    gemm_half(table, to, segments, 1, panel, ahead, no_bias, 0, 0)
                tile += rows
                ahead += other
                other = -other
            panel += panel_bytes


@inline
def transform_tile(job, src, rows, columns, buffer, dst, step):
    """Transform the inputs of a tile, all channels; returns the bits of their largest magnitude."""
    pixel = 4 * job.channels
    peak = 0
    for c in range(0, job.input_pitch, VECTOR_BYTES):
        at, line, along = whole_square(src + c, job.x_row, pixel, rows, columns, buffer)
        input_square(at, line, along, dst + c, SIDE * step, step)
        peak = max(peak, square_peak(at, line, along, min(LANES, (pixel - c) // 4)))
    return peak


@inline
def stands_out(job, src, rows, columns, peak):
    """Whether a tile's largest magnitude is too large compared with one of its windows."""
    if peak > MOST:
        return True
    pixel = 4 * job.channels
    for row in range(min(rows, OUTPUTS)):
        for column in range(min(columns, OUTPUTS)):
            window = LEAST
            for c in range(0, job.input_pitch, VECTOR_BYTES):
                at = src + row * job.x_row + column * pixel + c
                window = max(window, window_peak(at, job.x_row, pixel, min(LANES, (pixel - c) // 4)))
            if peak > window + (OUTLIER << _EXPONENT):
                return True
    return False


@inline
def convolve_block(job, table, src, block, to):
    """A block of the outputs of a window, in whole vectors."""
    store_i64(table, src)
    store_i64(table + 8, to)
    panel = job.direct + block * 9 * job.channels * BLOCK_BYTES
    bias = job.bias + block * BLOCK_BYTES
    if job.narrow and block == job.panel_blocks - 1:
        gemm_single_narrow(table, table + 8, job.window, 3, panel, 0, bias, job.mode, 0)
    else:
        gemm_single(table, table + 8, job.window, 3, panel, 0, bias, job.mode, 0)


@inline
def convolve_directly(job, src, dst, rows, columns, buffer, table):
    """The outputs of a tile, one by one."""
    pixel = 4 * job.channels
    for row in range(min(rows, OUTPUTS)):
        for column in range(min(columns, OUTPUTS)):
            window = src + row * job.x_row + column * pixel
            for block in range(job.panel_blocks):
                to = dst + row * job.y_row + column * job.y_pixel + block * BLOCK_BYTES
                left = min(job.outputs - block * BLOCK, BLOCK)
                if left % LANES == 0:
                    convolve_block(job, table, window, block, to)
                    continue
                for i in range(0, left, LANES):
                    vstore(buffer + 4 * i, vload_first(to + 4 * i, left - i, zeros()))
                convolve_block(job, table, window, block, buffer)
                for i in range(0, left, LANES):
                    vstore_first(to + 4 * i, left - i, vload(buffer + 4 * i))


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    y = place(job.y, job.y_chunk, scratch, chunk)
    inputs = place(job.inputs, job.inputs_chunk, scratch, chunk)
    products = place(job.products, job.products_chunk, scratch, chunk)
    pixel = 4 * job.channels
    output_pixel = job.panel_blocks * BLOCK_BYTES - (VECTOR_BYTES if job.narrow else 0)
    buffer = products + PLACES * job.output_step
    height = job.height
    width = job.width
    total = (hi - lo) * ((height + OUTPUTS - 1) // OUTPUTS) * ((width + OUTPUTS - 1) // OUTPUTS)
    input_step = job.input_step
    output_step = job.output_step
    done = 0
    while done < total:
        tiles = min(job.tiles, total - done)
        direct = 0  # a bit for each tile
        for tile in range(tiles):
            image, row, column = tile_origin(done + tile, height, width)
            src = x + image * job.x_image + row * job.x_row + column * pixel
            to = inputs + tile * job.input_pitch
            peak = transform_tile(job, src, height + 2 - row, width + 2 - column, buffer, to, input_step)
            if peak > USUAL and stands_out(job, src, height - row, width - column, peak):
                direct |= 1 << tile
        multiply(job, inputs, products, tiles, output_pixel, scratch)
        for tile in range(tiles):
            image, row, column = tile_origin(done + tile, height, width)
            dst = y + image * job.y_image + row * job.y_row + column * job.y_pixel
            if direct >> tile & 1:
                src = x + image * job.x_image + row * job.x_row + column * pixel
                convolve_directly(job, src, dst, height - row, width - column, buffer, scratch)
                continue
            for c in range(0, output_pixel, VECTOR_BYTES):
                transform_output(
                    products + tile * output_pixel + c,
                    output_step,
                    buffer,
                    dst + c,
                    job.y_row,
                    job.y_pixel,
                    height - row,
                    width - column,
                    job.outputs - c // 4,
                    job.bias + c,
                    job.mode,
                )
        done += tiles
