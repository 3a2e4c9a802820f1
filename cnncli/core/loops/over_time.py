"""Convolution along the words of a text, ReLU, and the maximum over time.

Windows of all texts of a chunk fill the rows of the register tile one after the other, so that short texts
leave none empty; nothing is computed for padding. A tile's outputs stay in the cache and only their maxima
are kept, with the window that each is from: that is all that the backward pass needs.
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import BLOCK, BLOCK_BYTES, NARROW, ROWS, gemm_narrow, gemm_tile
from cnncli.core.loops.rows import inline, place
from cnncli.core.loops.text_rows import ZERO, length_of
from cnncli.core.simd import (
    VECTOR_BYTES,
    fma,
    load_i64,
    record,
    splat,
    store_i64,
    vload,
    vstore,
    where_greater,
)

JOB = nn_jobs.OVER_TIME
MOST = max(ROWS, NARROW)
NONE = np.float32(-1)
# In scratch, for each row of a tile: its input and output (as the tile reads them), then these.
MAXIMA, WINNERS, WINDOWS = 16 * MOST, 24 * MOST, 32 * MOST


@inline
def run_tile(job, scratch, tile, panel, bias, rows, used, width):
    """Compute a tile, and take its first ``used`` rows into the maxima of their texts."""
    for r in range(used, rows):  # beyond the end, repeat the last window
        store_i64(scratch + 8 * r, load_i64(scratch + 8 * (used - 1)))
    for r in range(rows):
        store_i64(scratch + 8 * (rows + r), tile + r * BLOCK_BYTES)
    if rows == ROWS:
        gemm_tile(scratch, scratch + 8 * rows, job.segments, 1, panel, 0, bias, 0, 0)
    else:
        gemm_narrow(scratch, scratch + 8 * rows, job.segments, 1, panel, 0, bias, 0, 0)
    zero = splat(ZERO)
    for r in range(used):
        maxima = load_i64(scratch + MAXIMA + 8 * r)
        winners = load_i64(scratch + WINNERS + 8 * r)
        window = splat(np.float32(load_i64(scratch + WINDOWS + 8 * r)))
        for v in range(0, width, VECTOR_BYTES):
            value = vload(tile + r * BLOCK_BYTES + v)
            before = vload(maxima + v)
            vstore(winners + v, where_greater(value, before, window, vload(winners + v)))
            after = where_greater(value, before, value, before)
            vstore(maxima + v, fma(value, zero, after))  # what is no number must not get lost


@inline
def one_block(job, scratch, places, lo, hi, block):
    """One block of outputs for all texts of a chunk."""
    x, numbers, y, tile = places
    narrow = job.narrow != 0 and block == job.panel_blocks - 1
    rows = NARROW if narrow else ROWS
    width = VECTOR_BYTES if narrow else BLOCK_BYTES
    panel = job.panel + block * job.kernel * job.floats * BLOCK_BYTES
    bias = job.bias + block * BLOCK_BYTES
    pixel = 4 * job.floats
    row = 0
    for sample in range(hi - lo):
        maxima = y + sample * job.y_image + block * BLOCK_BYTES
        winners = job.winners + 4 * BLOCK * ((lo + sample) * job.panel_blocks + block)
        for v in range(0, width, VECTOR_BYTES):
            vstore(maxima + v, splat(ZERO))
            vstore(winners + v, splat(NONE))
        count = length_of(numbers + sample * job.numbers_image, job.words)
        windows = count + job.kernel - 1 if count else 0
        for window in range(windows):
            at = x + sample * job.x_image + (window - job.kernel + 1) * pixel
            store_i64(scratch + 8 * row, at)
            store_i64(scratch + MAXIMA + 8 * row, maxima)
            store_i64(scratch + WINNERS + 8 * row, winners)
            store_i64(scratch + WINDOWS + 8 * row, window)
            row += 1
            if row == rows:
                run_tile(job, scratch, tile, panel, bias, rows, row, width)
                row = 0
    if row:
        run_tile(job, scratch, tile, panel, bias, rows, row, width)


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    numbers = place(job.numbers, job.numbers_chunk, scratch, chunk)
    y = place(job.y, job.y_chunk, scratch, chunk)
    tile = place(job.tile, job.tile_chunk, scratch, chunk)
    # The last block comes first: its unused lanes overwrite the next text's outputs, which come later.
    for each in range(job.panel_blocks):
        one_block(job, scratch, (x, numbers, y, tile), lo, hi, job.panel_blocks - 1 - each)
