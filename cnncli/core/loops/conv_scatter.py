"""The gradient to a convolution's input by scattering, for few input channels.

Each pixel of dy times the weights of one kernel row is kw * C consecutive floats, which are added to dx.
Gathering, as in ``conv_forward.py``, fills a vector with the C channels of one pixel, and also multiplies
the zeros around dy; this fills it with a whole kernel row. The rows of a register tile are pixels of one
column in different lines or images, so that their outputs never overlap.

What the lines of dy add to a line of dx is summed in registers first: loading and storing a tile takes as
long as some steps of its sum. Lines of dx form groups that as many kernel rows reach, and a tile has lines of
one group alone.
"""

from cnncli.core import nn_jobs
from cnncli.core.loops.frame import clear
from cnncli.core.loops.gemm import ADD, BLOCK_BYTES, HALF, ROWS, gemm_half, gemm_tile, rows_of
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import load_i64, record, store_i64

JOB = nn_jobs.SCATTER
GROUP, LINE = nn_jobs.SCATTER_GROUP.itemsize, nn_jobs.SCATTER_LINE.itemsize
OUTPUTS = 8 * max(ROWS, HALF)  # bytes from a tile's list of inputs to that of outputs


@inline
def fill_table(job, table, dy, dx, lines, line_count, first, rows, total):
    """Addresses of a tile's pixels: column 0 of the lines from ``first`` on; at the end, the last one."""
    for r in range(rows):
        each = min(first + r, total - 1)
        image = each // line_count
        line = lines + LINE * (each - image * line_count)
        store_i64(table + 8 * r, dy + image * job.dy_image + load_i64(line))
        store_i64(table + OUTPUTS + 8 * r, dx + image * job.dx_image + load_i64(line + 8))


@inline
def spread(job, table, first, count, rows):
    """Scatter all columns of a tile's lines, by ``count`` kernel rows from the ``first`` on."""
    dy_step = job.dy_step
    dx_step = job.dx_step
    blocks = job.panel_blocks
    row_pitch = job.row_pitch
    bias = job.panel  # not read, as every store adds
    for column in range(job.width):
        row = 0
        while row < count:
            segments = job.segments + 24 * row
            here = min(job.together, count - row)
            panel = job.panel + (first + row) * row_pitch
            for block in range(blocks):
                shift = column * dx_step + block * BLOCK_BYTES
                to = table + OUTPUTS
                if rows == ROWS:
                    gemm_tile(table, to, segments, here, panel, 0, bias, ADD, shift)
                else:
                    gemm_half(table, to, segments, here, panel, 0, bias, ADD, shift)
                panel += job.panel_pitch
            row += here
        for r in range(rows):
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
    for number in range(job.group_count):
        group = job.groups + GROUP * number
        lines = job.lines + LINE * load_i64(group + 16)
        line_count = load_i64(group + 24)
        total = (hi - lo) * line_count
        at = 0
        while at < total:
            rows = rows_of(total - at, ROWS, HALF)
            fill_table(job, scratch, dy, dx, lines, line_count, at, rows, total)
            spread(job, scratch, load_i64(group), load_i64(group + 8), rows)
            at += rows
