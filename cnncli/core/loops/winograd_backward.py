"""The gradient of a 3 x 3 convolution's weights by tiles of 4 x 4 outputs: 36 multiplications, not 144.

It is the transpose of the forward pass: the gradient of the output is transformed by the transposed inverse
transform, multiplied with the transformed inputs tile by tile, and the sums are transformed back by the
transposed transform of the weights.
"""

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import (
    BLOCK_BYTES,
    HALF,
    NARROW,
    ROWS,
    outer_half,
    outer_narrow,
    outer_narrow_half,
    outer_tile,
    rows_of,
)
from cnncli.core.loops.rows import inline, place
from cnncli.core.loops.winograd import (
    BUFFER_ROW,
    OUTPUTS,
    PATCH,
    PLACES,
    SIDE,
    copy_patch,
    slope_square,
    sums_square,
    sums_square_added,
    tile_origin,
    transform_input,
)
from cnncli.core.simd import LANES, VECTOR_BYTES, record, store_i64

JOB = nn_jobs.WINOGRAD_OUTER
PLACE_BYTES = max(ROWS * BLOCK_BYTES, NARROW * VECTOR_BYTES)  # of the sums of one place


@inline
def transform_slope(src, row_pitch, pixel, rows, columns, buffer, dst, step):
    """One vector of channels of dy, of which ``rows`` x ``columns`` pixels exist."""
    if rows < OUTPUTS or columns < OUTPUTS:
        copy_patch(src, row_pitch, pixel, rows, columns, OUTPUTS, buffer + PATCH)
        src = buffer + PATCH
        row_pitch = BUFFER_ROW
        pixel = VECTOR_BYTES
    slope_square(src, row_pitch, pixel, dst, SIDE * step, step)


@inline
def transform_tiles(job, x, dy, inputs, slopes, buffer, done, tiles):
    """Transform inputs and gradients of some tiles."""
    pixel = 4 * job.channels
    slope_pixel = job.panel_blocks * BLOCK_BYTES - (VECTOR_BYTES if job.narrow else 0)
    for tile in range(tiles):
        image, row, column = tile_origin(done + tile, job.height, job.width)
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
def multiply(job, inputs, columns, sums, table, tiles, first, rows, row_bytes):
    """The products of some tiles for ``rows`` channels from the ``first`` on, all places."""
    each_place = job.tiles * VECTOR_BYTES
    for at in range(PLACES):
        for r in range(rows):
            channel = min(first + r, job.channels - 1)
            lane = channel % LANES
            row = inputs + ((channel - lane) // LANES * PLACES + at) * each_place + 4 * lane
            store_i64(table + 8 * r, row)
            store_i64(table + 8 * (rows + r), sums + at * PLACE_BYTES + r * row_bytes)
        slope = columns + at * job.tiles * BLOCK_BYTES
        if row_bytes == VECTOR_BYTES and rows == HALF:
            outer_narrow_half(table, slope, 1, tiles, 0, 0, VECTOR_BYTES, BLOCK_BYTES, 0)
        elif row_bytes == VECTOR_BYTES:
            outer_narrow(table, slope, 1, tiles, 0, 0, VECTOR_BYTES, BLOCK_BYTES, 0)
        elif rows == HALF:
            outer_half(table, slope, 1, tiles, 0, 0, VECTOR_BYTES, BLOCK_BYTES, 0)
        else:
            outer_tile(table, slope, 1, tiles, 0, 0, VECTOR_BYTES, BLOCK_BYTES, 0)


@inline
def sum_tiles(job, inputs, slopes, sums, table, tiles, dweight, add):
    """Sum the products of some tiles, and transform them back into the gradient."""
    channels = job.channels
    tap = channels * BLOCK_BYTES
    for block in range(job.panel_blocks):
        narrow = job.narrow and block == job.panel_blocks - 1
        most = NARROW if narrow else ROWS
        row_bytes = VECTOR_BYTES if narrow else BLOCK_BYTES
        columns = slopes + block * PLACES * job.tiles * BLOCK_BYTES
        c = 0
        while c < channels:
            rows = rows_of(channels - c, most, HALF)
            multiply(job, inputs, columns, sums, table, tiles, c, rows, row_bytes)
            for r in range(min(rows, channels - c)):
                for v in range(0, row_bytes, VECTOR_BYTES):
                    src = sums + r * row_bytes + v
                    out = dweight + (9 * block * channels + c + r) * BLOCK_BYTES + v
                    if add:
                        sums_square_added(src, SIDE * PLACE_BYTES, PLACE_BYTES, out, 3 * tap, tap)
                    else:
                        sums_square(src, SIDE * PLACE_BYTES, PLACE_BYTES, out, 3 * tap, tap)
            c += rows


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
    total = (hi - lo) * ((job.height + OUTPUTS - 1) // OUTPUTS) * across
    slot = chunk // job.slot_chunks
    dweight = job.dweight + slot * job.slot_pitch
    fresh = chunk == slot * job.slot_chunks
    done = 0
    while done < total:
        tiles = min(job.tiles, total - done)
        transform_tiles(job, x, dy, inputs, slopes, sums, done, tiles)
        sum_tiles(job, inputs, slopes, sums, scratch, tiles, dweight, 0 if fresh and done == 0 else 1)
        done += tiles
