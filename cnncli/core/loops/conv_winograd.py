"""Convolution 3 x 3 with stride 1 by tiles of 4 x 4 outputs: 36 multiplications instead of 144.

A tile's 6 x 6 inputs are transformed, and so are the weights; the convolution becomes 36 products of
matrices, tiles by channels, of which the inverse transform makes the outputs. All coefficients are
small, so that little accuracy is lost: about one digit.
See ``winograd.py``.
"""

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import ADD, BLOCK_BYTES, RELU, ROWS, gemm_tile
from cnncli.core.loops.rows import inline, place
from cnncli.core.loops.winograd import (
    BUFFER_ROW,
    OUTPUTS,
    PLACES,
    SIDE,
    output_four,
    tile_origin,
    transform_input,
)
from cnncli.core.simd import VECTOR_BYTES, record, store_i64, vload, vmax, vstore, zeros

JOB = nn_jobs.WINOGRAD


@inline
def transform_output(src, step, buffer, dst, row_pitch, pixel, rows, columns, bias, mode):
    """One vector of channels of a tile, of which ``rows`` x ``columns`` outputs exist."""
    for column in range(SIDE):
        output_four(src + column * step, SIDE * step, buffer + column * VECTOR_BYTES, BUFFER_ROW)
    for row in range(min(rows, OUTPUTS)):
        at = buffer + row * BUFFER_ROW
        output_four(at, VECTOR_BYTES, at, VECTOR_BYTES)
        for column in range(min(columns, OUTPUTS)):
            to = dst + row * row_pitch + column * pixel
            value = vload(at + column * VECTOR_BYTES) + bias
            if mode & ADD:
                value = value + vload(to)
            vstore(to, vmax(zeros(), value) if mode & RELU else value)


@inline
def multiply(job, inputs, products, tiles, table):
    """The 36 products of matrices."""
    blocks = job.panel_blocks
    input_pitch = job.input_pitch
    output_pitch = blocks * BLOCK_BYTES
    panel = job.panel
    panel_bytes = job.channels * BLOCK_BYTES
    segments = job.segments
    no_bias = job.zeros
    for place_ in range(PLACES):
        x = inputs + place_ * job.tiles * input_pitch
        y = products + place_ * job.tiles * output_pitch
        for block in range(blocks):
            for tile in range(0, tiles, ROWS):
                for r in range(ROWS):
                    each = min(tile + r, tiles - 1)
                    store_i64(table + 8 * r, x + each * input_pitch)
                    store_i64(table + 8 * (ROWS + r), y + each * output_pitch + block * BLOCK_BYTES)
                gemm_tile(table, segments, 1, panel, no_bias, 0, 0)
            panel += panel_bytes


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    y = place(job.y, job.y_chunk, scratch, chunk)
    inputs = place(job.inputs, job.inputs_chunk, scratch, chunk)
    products = place(job.products, job.products_chunk, scratch, chunk)
    buffer = products + PLACES * job.tiles * job.panel_blocks * BLOCK_BYTES
    pixel = 4 * job.channels
    output_pixel = job.panel_blocks * BLOCK_BYTES
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
        multiply(job, inputs, products, tiles, scratch)
        for tile in range(tiles):
            image, row, column = tile_origin(done + tile, height, width)
            dst = y + image * job.y_image + row * job.y_row + column * output_pixel
            for c in range(0, output_pixel, VECTOR_BYTES):
                transform_output(
                    products + tile * output_pixel + c,
                    output_step,
                    buffer,
                    dst + c,
                    job.y_row,
                    output_pixel,
                    height - row,
                    width - column,
                    vload(job.bias + c),
                    job.mode,
                )
        done += tiles
