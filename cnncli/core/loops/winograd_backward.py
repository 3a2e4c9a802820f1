"""The gradient of a 3 x 3 convolution's weights by tiles of 4 x 4 outputs: 36 multiplications, not 144.

Everything is the forward pass transposed: the gradient of the output is transformed as its inverse
transform is transposed, the transformed inputs are multiplied with it, tile by tile, and the sums
are brought back by the transposed transform of the weights.
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.conv_winograd import OUTPUTS, SIDE, number, transform_input
from cnncli.core.loops.gemm import BLOCK_BYTES, ROWS, outer_tile
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import LANES, VECTOR_BYTES, fma, record, store_i64, vload, vstore

JOB = nn_jobs.WINOGRAD_OUTER
SIXTH = np.float32(1 / 6)
BUFFER_ROW = SIDE * VECTOR_BYTES
PLACES = SIDE * SIDE


@inline
def spread_four(src, step, dst, pitch):
    """Four vectors to six."""
    x0 = vload(src)
    x1 = vload(src + step)
    x2 = vload(src + 2 * step)
    x3 = vload(src + 3 * step)
    even = x0 + x2
    odd = x1 + x3
    far_even = fma(x2, number(4), x0)
    far_odd = fma(x3, number(4), x1) * number(2)
    vstore(dst, x0)
    vstore(dst + pitch, even + odd)
    vstore(dst + 2 * pitch, even - odd)
    vstore(dst + 3 * pitch, far_even + far_odd)
    vstore(dst + 4 * pitch, far_even - far_odd)
    vstore(dst + 5 * pitch, x3)


@inline
def transform_slope(src, row_pitch, pixel, rows, columns, buffer, dst, step):
    """One vector of channels of dy, of which ``rows`` x ``columns`` pixels exist."""
    for row in range(OUTPUTS):
        to = buffer + row * BUFFER_ROW
        for column in range(OUTPUTS):
            if row < rows and column < columns:
                vstore(to + column * VECTOR_BYTES, vload(src + row * row_pitch + column * pixel))
            else:
                vstore(to + column * VECTOR_BYTES, number(0))
    for column in range(OUTPUTS):
        at = buffer + column * VECTOR_BYTES
        spread_four(at, BUFFER_ROW, at, BUFFER_ROW)
    for row in range(SIDE):
        spread_four(buffer + row * BUFFER_ROW, VECTOR_BYTES, dst + row * SIDE * step, step)


@inline
def gather_six(src, step, dst, pitch, add):
    """Six vectors of sums to three of the gradient."""
    x1 = vload(src + step)
    x2 = vload(src + 2 * step)
    x3 = vload(src + 3 * step)
    x4 = vload(src + 4 * step)
    near = (x1 + x2) * number(SIXTH)
    far = (x3 + x4) * number(SIXTH)
    first = fma(vload(src) + far, number(0.25), number(0) - near)
    middle = fma((x3 - x4), number(0.5), x2 - x1) * number(SIXTH)
    last = vload(src + 5 * step) + far - near
    if add:
        first = first + vload(dst)
        middle = middle + vload(dst + pitch)
        last = last + vload(dst + 2 * pitch)
    vstore(dst, first)
    vstore(dst + pitch, middle)
    vstore(dst + 2 * pitch, last)


@inline
def transform_tiles(job, x, dy, inputs, slopes, buffer, done, tiles):
    """Inputs and slopes of some tiles."""
    pixel = 4 * job.channels
    slope_pixel = job.panel_blocks * BLOCK_BYTES
    across = (job.width + OUTPUTS - 1) // OUTPUTS
    down = (job.height + OUTPUTS - 1) // OUTPUTS
    for tile in range(tiles):
        image = (done + tile) // (across * down)
        inside = done + tile - image * across * down
        row = inside // across * OUTPUTS
        column = (inside - inside // across * across) * OUTPUTS
        rows = job.height - row
        columns = job.width - column
        src = x + image * job.x_image + row * job.x_row + column * pixel
        for c in range(0, pixel, VECTOR_BYTES):
            to = inputs + c * PLACES * job.tiles + tile * VECTOR_BYTES
            transform_input(
                src + c, job.x_row, pixel, rows + 2, columns + 2, buffer, to, job.tiles * VECTOR_BYTES
            )
        src = dy + image * job.dy_image + row * job.dy_row + column * slope_pixel
        for k in range(0, slope_pixel, VECTOR_BYTES):
            block = k // BLOCK_BYTES
            to = (
                slopes
                + block * PLACES * job.tiles * BLOCK_BYTES
                + tile * BLOCK_BYTES
                + k
                - block * BLOCK_BYTES
            )
            transform_slope(
                src + k, job.dy_row, slope_pixel, rows, columns, buffer, to, job.tiles * BLOCK_BYTES
            )


@inline
def sum_tiles(job, inputs, slopes, sums, table, tiles, dweight, add):
    """The products of some tiles, summed, and brought back into the gradient."""
    channels = job.channels
    each_place = job.tiles * VECTOR_BYTES
    each_slope = job.tiles * BLOCK_BYTES
    tap = channels * BLOCK_BYTES
    back = sums + PLACES * ROWS * BLOCK_BYTES
    for block in range(job.panel_blocks):
        for c in range(0, channels, ROWS):
            for at in range(PLACES):
                for r in range(ROWS):
                    channel = min(c + r, channels - 1)
                    lane = channel % LANES
                    row = inputs + ((channel - lane) // LANES * PLACES + at) * each_place + 4 * lane
                    store_i64(table + 8 * r, row)
                    store_i64(table + 8 * (ROWS + r), sums + (at * ROWS + r) * BLOCK_BYTES)
                columns = slopes + (block * PLACES + at) * each_slope
                outer_tile(table, columns, 1, tiles, 0, 0, VECTOR_BYTES, BLOCK_BYTES, 0)
            for r in range(min(ROWS, channels - c)):
                for v in range(0, BLOCK_BYTES, VECTOR_BYTES):
                    src = sums + r * BLOCK_BYTES + v
                    out = dweight + (9 * block * channels + c + r) * BLOCK_BYTES + v
                    for column in range(SIDE):
                        step = ROWS * BLOCK_BYTES
                        gather_six(
                            src + column * step, SIDE * step, back + column * VECTOR_BYTES, BUFFER_ROW, 0
                        )
                    for row in range(3):
                        gather_six(back + row * BUFFER_ROW, VECTOR_BYTES, out + 3 * row * tap, tap, add)


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    dy = place(job.dy, job.dy_chunk, scratch, chunk)
    inputs = place(job.inputs, job.inputs_chunk, scratch, chunk)
    slopes = place(job.slopes, job.slopes_chunk, scratch, chunk)
    sums = slopes + job.panel_blocks * PLACES * job.tiles * BLOCK_BYTES
    across = (job.width + OUTPUTS - 1) // OUTPUTS
    down = (job.height + OUTPUTS - 1) // OUTPUTS
    total = (hi - lo) * across * down
    slot = chunk // job.slot_chunks
    dweight = job.dweight + slot * job.slot_pitch
    fresh = chunk == slot * job.slot_chunks
    done = 0
    while done < total:
        tiles = min(job.tiles, total - done)
        transform_tiles(job, x, dy, inputs, slopes, sums, done, tiles)
        sum_tiles(job, inputs, slopes, sums, scratch, tiles, dweight, 0 if fresh and done == 0 else 1)
        done += tiles
