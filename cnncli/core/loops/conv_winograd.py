"""Convolution 3 x 3 with stride 1 by tiles of 4 x 4 outputs: 36 multiplications instead of 144.

A tile's 6 x 6 inputs are transformed, and so are the weights; the convolution becomes 36 products of
matrices, tiles by channels, of which the inverse transform makes the outputs. All coefficients are
small, so that little accuracy is lost: about one digit.
See ``winograd.py``.
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import (
    ADD,
    BLOCK_BYTES,
    HALF,
    NARROW,
    RELU,
    ROWS,
    gemm_half,
    gemm_narrow,
    gemm_tile,
)
from cnncli.core.loops.rows import inline, place
from cnncli.core.loops.winograd import (
    BUFFER_ROW,
    OUTPUTS,
    PLACES,
    SIDE,
    output_square_biased,
    rows_of,
    tile_origin,
    transform_input,
)
from cnncli.core.simd import VECTOR_BYTES, record, store_i64, vload, vstore

JOB = nn_jobs.WINOGRAD
LOWEST = np.float32(-np.inf)


@inline
def transform_output(src, step, buffer, dst, row_pitch, pixel, rows, columns, bias, mode):
    """One vector of channels of a tile, of which ``rows`` x ``columns`` outputs exist; one mode at most."""
    floor = np.float32(0) if mode & RELU else LOWEST
    if rows >= OUTPUTS and columns >= OUTPUTS and not mode & ADD:
        output_square_biased(src, SIDE * step, step, dst, row_pitch, pixel, bias, floor)
        return
    output_square_biased(src, SIDE * step, step, buffer, BUFFER_ROW, VECTOR_BYTES, bias, floor)
    for row in range(min(rows, OUTPUTS)):
        for column in range(min(columns, OUTPUTS)):
            to = dst + row * row_pitch + column * pixel
            value = vload(buffer + row * BUFFER_ROW + column * VECTOR_BYTES)
            vstore(to, value + vload(to) if mode & ADD else value)


@inline
def fill_table(table, x, y, tiles, rows, input_pitch, output_pitch):
    """Addresses of so many rows of inputs and of outputs; beyond the end, the last again."""
    for r in range(rows):
        each = min(r, tiles - 1)
        store_i64(table + 8 * r, x + each * input_pitch)
        store_i64(table + 8 * (rows + r), y + each * output_pitch)


@inline
def multiply(job, inputs, products, tiles, output_pitch, table):
    """The 36 products of matrices."""
    blocks, pitch, segments, no_bias = job.panel_blocks, job.input_pitch, job.segments, job.zeros
    panel_bytes = job.channels * BLOCK_BYTES
    for place_ in range(PLACES):
        x = inputs + place_ * job.tiles * pitch
        y = products + place_ * job.tiles * output_pitch
        panel = job.panel + place_ * job.panel_pitch
        for block in range(blocks):
            narrow = job.narrow and block == blocks - 1
            tile = 0
            while tile < tiles:
                rows = NARROW if narrow else rows_of(tiles - tile, ROWS, HALF)
                x_at = x + tile * pitch
                y_at = y + tile * output_pitch + block * BLOCK_BYTES
                fill_table(table, x_at, y_at, tiles - tile, rows, pitch, output_pitch)
                if narrow:
                    gemm_narrow(table, segments, 1, panel, panel_bytes, no_bias, 0, 0)
                elif rows == ROWS:
                    gemm_tile(table, segments, 1, panel, panel_bytes, no_bias, 0, 0)
                else:
                    gemm_half(table, segments, 1, panel, panel_bytes, no_bias, 0, 0)
                tile += rows
            panel += panel_bytes


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
    buffer = products + PLACES * job.tiles * output_pixel
    height = job.height
    width = job.width
    total = (hi - lo) * ((height + OUTPUTS - 1) // OUTPUTS) * ((width + OUTPUTS - 1) // OUTPUTS)
    input_step = job.tiles * job.input_pitch
    output_step = job.tiles * output_pixel
    done = 0
    while done < total:
        tiles = min(job.tiles, total - done)
        for tile in range(tiles):
            image, row, column = tile_origin(done + tile, height, width)
            src = x + image * job.x_image + row * job.x_row + column * pixel
            for c in range(0, job.input_pitch, VECTOR_BYTES):
                transform_input(
                    src + c,
                    job.x_row,
                    pixel,
                    height + 2 - row,
                    width + 2 - column,
                    buffer,
                    inputs + tile * job.input_pitch + c,
                    input_step,
                )
        multiply(job, inputs, products, tiles, output_pixel, scratch)
        for tile in range(tiles):
            image, row, column = tile_origin(done + tile, height, width)
            dst = y + image * job.y_image + row * job.y_row + column * job.y_pixel
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
                    job.bias + c,
                    job.mode,
                )
        done += tiles
