"""Gradient of a depthwise convolution's weights: sums over the pixels of a chunk, a vector of channels each.

As in ``conv_backward.py``, some lines are summed at a time, and each slot of the gradient belongs to a fixed
range of chunks.
"""

from cnncli.core import nn_jobs
from cnncli.core.loops.depthwise_tile import (
    outer_3,
    outer_3_strided,
    outer_5,
    outer_5_strided,
    outer_single,
)
from cnncli.core.loops.gemm import ADD, BLOCK_BYTES
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import VECTOR_BYTES, load_i64, record

JOB = nn_jobs.DEPTHWISE_OUTER


@inline
def kernel_row(job, x, dy, lines, out, mode):
    """All taps of a kernel row."""
    step = job.x_step
    tap = job.x_tap
    line = job.x_line
    dy_line = job.dy_row
    dy_step = job.dy_step
    width = job.width
    columns = job.columns
    if step == tap and columns == 3:
        outer_3(x, line, tap, dy, dy_line, dy_step, lines, width, out, mode)
    elif step == tap and columns == 5:
        outer_5(x, line, tap, dy, dy_line, dy_step, lines, width, out, mode)
    elif step == 2 * tap and columns == 3:
        outer_3_strided(x, line, tap, dy, dy_line, dy_step, lines, width, out, mode)
    elif step == 2 * tap and columns == 5:
        outer_5_strided(x, line, tap, dy, dy_line, dy_step, lines, width, out, mode)
    else:
        for column in range(columns):
            to = out + column * BLOCK_BYTES
            outer_single(x + column * tap, line, step, dy, dy_line, dy_step, lines, width, to, mode)


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    dy = place(job.dy, job.dy_chunk, scratch, chunk)
    slot = chunk // job.slot_chunks
    fresh = chunk == slot * job.slot_chunks
    row_bytes = job.columns * BLOCK_BYTES
    for image in range(hi - lo):
        start = 0
        while start < job.height:
            here = min(job.lines, job.height - start)
            mode = 0 if fresh and image == 0 and start == 0 else ADD
            for vector in range(job.vectors):
                shift = vector * VECTOR_BYTES
                block = shift // BLOCK_BYTES
                out = job.dweight + slot * job.slot_pitch + shift - block * BLOCK_BYTES
                out += block * job.row_count * row_bytes
                x_at = x + image * job.x_image + start * job.x_line + shift
                dy_at = dy + image * job.dy_image + start * job.dy_row + shift
                for row in range(job.row_count):
                    x_row = x_at + load_i64(job.rows + 8 * row)
                    kernel_row(job, x_row, dy_at, here, out + row * row_bytes, mode)
            start += here
