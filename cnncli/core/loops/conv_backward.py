"""Gradients of a convolution's weights and bias: sums over the pixels of a chunk.

dweight[tap, k] = sum over pixels of x[pixel + tap] * dy[pixel, k]: tiles of ROWS taps by one block of
output channels stay in registers while the loop runs over pixels. Each slot of the gradient belongs to a
fixed range of chunks, so that the order of all sums is the same for any number of threads.
"""

from numpy import float32

from cnncli.core import nn_jobs
from cnncli.core.choices import PAIR_ROWS
from cnncli.core.loops.gemm import (
    ADD,
    BLOCK_BYTES,
    NARROW,
    ROWS,
    outer_narrow,
    outer_pairs,
    outer_tile,
)
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import VECTOR_BYTES, load_i64, record, splat, store_i64, vload, vstore

JOB = nn_jobs.OUTER


@inline
def tap_tiles(job, x, dy, lines, table, dweight, mode, rows):
    """All taps of one block of output channels, over ``lines`` lines of dy, in tiles of ``rows`` rows."""
    taps = job.taps
    count = job.tap_count
    width = job.width
    x_line = job.x_line
    dy_line = job.dy_row
    x_step = job.x_step
    dy_step = job.dy_step
    for tap in range(0, count, rows):
        for r in range(rows):
            store_i64(table + 8 * r, x + load_i64(taps + 8 * (tap + r)))
            store_i64(table + 8 * (rows + r), dweight + min(tap + r, count - 1) * BLOCK_BYTES)
        if job.pairs:
            outer_pairs(table, dy, lines, width, x_line, dy_line, dy_step, mode)
        elif rows == ROWS:
            outer_tile(table, dy, lines, width, x_line, dy_line, x_step, dy_step, mode)
        else:
            outer_narrow(table, dy, lines, width, x_line, dy_line, x_step, dy_step, mode)


@inline
def bias_sums(job, dy, dbias, mode):
    """Add one image of dy, one block of channels, to the gradient of the bias."""
    for v in range(0, BLOCK_BYTES, VECTOR_BYTES):
        total = splat(float32(0))
        for line in range(job.height):
            even = splat(float32(0))  # line by line: a sum of short sums has less rounding error
            odd = splat(float32(0))
            at = dy + line * job.dy_row + v
            for _ in range(job.width // 2):
                even = even + vload(at)
                odd = odd + vload(at + job.dy_step)
                at += 2 * job.dy_step
            if job.width & 1:
                even = even + vload(at)
            total = total + (even + odd)
        vstore(dbias + v, total + vload(dbias + v) if mode else total)


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    dy = place(job.dy, job.dy_chunk, scratch, chunk)
    slot = chunk // job.slot_chunks
    fresh = chunk == slot * job.slot_chunks
    blocks = job.panel_blocks
    pitch = job.tap_count * BLOCK_BYTES
    lines = job.lines
    for image in range(hi - lo):
        y = 0
        while y < job.height:
            mode = 0 if fresh and image == 0 and y == 0 else ADD
            for each in range(job.groups * blocks):
                group = each // blocks
                block = each - group * blocks
                columns = dy + image * job.dy_image + group * job.dy_group + block * BLOCK_BYTES
                x_at = x + image * job.x_image + y * job.x_line + group * job.x_group
                dy_at = columns + y * job.dy_row
                here = min(lines, job.height - y)
                to = job.dweight + slot * job.slot_pitch + each * pitch
                rows = PAIR_ROWS if job.pairs else NARROW if job.narrow and block == blocks - 1 else ROWS
                tap_tiles(job, x_at, dy_at, here, scratch, to, mode, rows)
                if job.dbias and y == 0:
                    bias_sums(job, columns, job.dbias + slot * job.slot_pitch + each * BLOCK_BYTES, mode)
            y += lines
