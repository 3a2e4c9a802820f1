"""Convolution 3 x 3 with stride 1 by tiles of 4 x 4 outputs: 36 multiplications instead of 144.

A tile's 6 x 6 inputs are transformed, and so are the weights; the convolution becomes 36 products of
matrices, tiles by channels, of which the inverse transform makes the outputs. All coefficients are
small, so that little accuracy is lost: about one digit.

Source: Lavin and Gray, Fast algorithms for convolutional neural networks, 2016, F(4x4, 3x3).
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import ADD, BLOCK_BYTES, RELU, ROWS, gemm_tile
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import VECTOR_BYTES, fma, record, splat, store_i64, vload, vmax, vstore

JOB = nn_jobs.WINOGRAD
ZERO = np.float32(0)
SIDE = 6
OUTPUTS = 4
BUFFER_ROW = SIDE * VECTOR_BYTES


@inline
def number(x):
    """A constant in all lanes."""
    return splat(np.float32(x))


@inline
def forward_six(x0, x1, x2, x3, x4, x5, dst, step):
    """The input transform of six vectors."""
    even = fma(x2, number(-4), x4)
    odd = fma(x1, number(-4), x3)
    near = x4 - x2
    far = (x3 - x1) * number(2)
    vstore(dst, fma(x0, number(4), fma(x2, number(-5), x4)))
    vstore(dst + step, even + odd)
    vstore(dst + 2 * step, even - odd)
    vstore(dst + 3 * step, near + far)
    vstore(dst + 4 * step, near - far)
    vstore(dst + 5 * step, fma(x1, number(4), fma(x3, number(-5), x5)))


@inline
def row_or_zero(src, pitch, row, rows):
    """A vector of a row of the picture, zeros below its last."""
    return vload(src + row * pitch) if row < rows else number(0)


@inline
def transform_input(src, row_pitch, pixel, rows, columns, buffer, dst, step):
    """One vector of channels of a tile, of which ``rows`` x ``columns`` inputs exist."""
    for column in range(SIDE):
        at = src + column * pixel
        to = buffer + column * VECTOR_BYTES
        if column >= columns:
            for row in range(SIDE):
                vstore(to + row * BUFFER_ROW, number(0))
        else:
            x0 = vload(at)
            x1 = vload(at + row_pitch)
            x2 = vload(at + 2 * row_pitch)
            x3 = row_or_zero(at, row_pitch, 3, rows)
            x4 = row_or_zero(at, row_pitch, 4, rows)
            x5 = row_or_zero(at, row_pitch, 5, rows)
            forward_six(x0, x1, x2, x3, x4, x5, to, BUFFER_ROW)
    for row in range(SIDE):
        at = buffer + row * BUFFER_ROW
        x0 = vload(at)
        x1 = vload(at + VECTOR_BYTES)
        x2 = vload(at + 2 * VECTOR_BYTES)
        x3 = vload(at + 3 * VECTOR_BYTES)
        x4 = vload(at + 4 * VECTOR_BYTES)
        forward_six(x0, x1, x2, x3, x4, vload(at + 5 * VECTOR_BYTES), dst + row * SIDE * step, step)


@inline
def back_six(src, step, dst, pitch, bias):
    """The inverse transform of six vectors to four."""
    x0 = vload(src)
    x1 = vload(src + step)
    x2 = vload(src + 2 * step)
    x3 = vload(src + 3 * step)
    x4 = vload(src + 4 * step)
    x5 = vload(src + 5 * step)
    near = x1 + x2
    near_gap = x1 - x2
    far = x3 + x4
    far_gap = x3 - x4
    vstore(dst, x0 + near + far + bias)
    vstore(dst + pitch, fma(far_gap, number(2), near_gap) + bias)
    vstore(dst + 2 * pitch, fma(far, number(4), near) + bias)
    vstore(dst + 3 * pitch, fma(far_gap, number(8), near_gap) + x5 + bias)


@inline
def transform_output(src, step, buffer, dst, row_pitch, pixel, rows, columns, bias, mode):
    """One vector of channels of a tile, of which ``rows`` x ``columns`` outputs exist."""
    for column in range(SIDE):
        back_six(src + column * step, SIDE * step, buffer + column * VECTOR_BYTES, BUFFER_ROW, number(0))
    for row in range(min(rows, OUTPUTS)):
        at = buffer + row * BUFFER_ROW
        back_six(at, VECTOR_BYTES, at, VECTOR_BYTES, bias)
        for column in range(min(columns, OUTPUTS)):
            to = dst + row * row_pitch + column * pixel
            value = vload(at + column * VECTOR_BYTES)
            if mode & ADD:
                value = value + vload(to)
            if mode & RELU:
                value = vmax(number(0), value)
            vstore(to, value)


@inline
def multiply(job, inputs, products, tiles, table):
    """The 36 products of matrices."""
    blocks = job.panel_blocks
    input_pitch = job.input_pitch
    output_pitch = blocks * BLOCK_BYTES
    panel = job.panel
    panel_bytes = job.channels * BLOCK_BYTES
    segments = job.segments
    zeros = job.zeros
    for place_ in range(SIDE * SIDE):
        x = inputs + place_ * job.tiles * input_pitch
        y = products + place_ * job.tiles * output_pitch
        for block in range(blocks):
            for tile in range(0, tiles, ROWS):
                for r in range(ROWS):
                    each = min(tile + r, tiles - 1)
                    store_i64(table + 8 * r, x + each * input_pitch)
                    store_i64(table + 8 * (ROWS + r), y + each * output_pitch + block * BLOCK_BYTES)
                gemm_tile(table, segments, 1, panel, zeros, 0)
            panel += panel_bytes


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    y = place(job.y, job.y_chunk, scratch, chunk)
    inputs = place(job.inputs, job.inputs_chunk, scratch, chunk)
    products = place(job.products, job.products_chunk, scratch, chunk)
    buffer = products + SIDE * SIDE * job.tiles * job.panel_blocks * BLOCK_BYTES
    pixel = 4 * job.channels
    output_pixel = job.panel_blocks * BLOCK_BYTES
    across = (job.width + OUTPUTS - 1) // OUTPUTS
    down = (job.height + OUTPUTS - 1) // OUTPUTS
    total = (hi - lo) * across * down
    input_step = job.tiles * job.input_pitch
    output_step = job.tiles * output_pixel
    done = 0
    while done < total:
        tiles = min(job.tiles, total - done)
        for tile in range(tiles):
            image = (done + tile) // (across * down)
            inside = done + tile - image * across * down
            row = inside // across * OUTPUTS
            column = (inside - inside // across * across) * OUTPUTS
            src = x + image * job.x_image + row * job.x_row + column * pixel
            for c in range(0, job.input_pitch, VECTOR_BYTES):
                transform_input(
                    src + c,
                    job.x_row,
                    pixel,
                    job.height + 2 - row,
                    job.width + 2 - column,
                    buffer,
                    inputs + tile * job.input_pitch + c,
                    input_step,
                )
        multiply(job, inputs, products, tiles, scratch)
        for tile in range(tiles):
            image = (done + tile) // (across * down)
            inside = done + tile - image * across * down
            row = inside // across * OUTPUTS
            column = (inside - inside // across * across) * OUTPUTS
            dst = y + image * job.y_image + row * job.y_row + column * output_pixel
            for c in range(0, output_pixel, VECTOR_BYTES):
                transform_output(
                    products + tile * output_pixel + c,
                    output_step,
                    buffer,
                    dst + c,
                    job.y_row,
                    output_pixel,
                    job.height - row,
                    job.width - column,
                    vload(job.bias + c),
                    job.mode,
                )
        done += tiles
