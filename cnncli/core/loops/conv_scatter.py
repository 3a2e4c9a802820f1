"""The gradient to a convolution's input by scattering, for few input channels.

Each pixel of dy times the weights of one kernel row is kw * C consecutive floats, which are added to dx.
Gathering, as in ``conv_forward.py``, fills a vector with the C channels of one pixel, and also multiplies
the zeros around dy; this fills it with a whole kernel row. The rows of a register tile are pixels of one
column in different lines or images, so that their outputs never overlap.
"""

from cnncli.core import nn_jobs
from cnncli.core.loops.frame import clear
from cnncli.core.loops.gemm import ADD, BLOCK_BYTES, ROWS, gemm_tile
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import load_i64, record, store_i64

JOB = nn_jobs.SCATTER


@inline
def fill_table(job, table, dy, dx, first, total):
    """Addresses of a tile's pixels: column 0 of the lines from ``first`` on; at the end, the last one."""
    height = job.height
    for r in range(ROWS):
        each = min(first + r, total - 1)
        image = each // height
        line = each - image * height
        store_i64(table + 8 * r, dy + image * job.dy_image + line * job.dy_row)
        store_i64(table + 8 * (ROWS + r), dx + image * job.dx_image + line * job.dx_line)


@inline
def spread(job, table):
    """Scatter all columns of a tile's lines."""
    dx_tap = job.dx_tap
    dy_step = job.dy_step
    dx_step = job.dx_step
    blocks = job.panel_blocks
    panel_pitch = job.panel_pitch
    segments = job.segments
    bias = job.panel  # not read, as every store adds
    for column in range(job.width):
        panel = job.panel
        for row in range(job.window_y):
            for block in range(blocks):
                shift = column * dx_step + row * dx_tap + block * BLOCK_BYTES
                gemm_tile(table, table + 8 * ROWS, segments, 1, panel, 0, bias, ADD, shift)
                panel += panel_pitch
        for r in range(ROWS):
            at = table + 8 * r
            store_i64(at, load_i64(at) + dy_step)


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    dy = place(job.dy, job.dy_chunk, scratch, chunk)
    dx = place(job.dx, job.dx_chunk, scratch, chunk)
    if not job.add:
        for image in range(hi - lo):
            for row in range(job.x_height):
                clear(dx + image * job.dx_image + row * job.dx_row, job.row_floats)
    total = (hi - lo) * job.height
    for first in range(0, total, ROWS):
        fill_table(job, scratch, dy, dx, first, total)
        spread(job, scratch)
