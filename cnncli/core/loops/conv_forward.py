"""Convolution as sums over segments: forward, the gradient to the input, and fully connected.

Forward, a segment is one row of the window: kw * C consecutive floats of NHWC. Backward, the same over the
gradient of the output, with the kernel mirrored; with a stride, once for each phase of the stride, using
only the taps that reach it, so that there are no multiplications by inserted zeros. Pixels are processed
ROWS at a time, across the ends of rows and images.
"""

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import (
    ADD,
    BLOCK_BYTES,
    NARROW,
    RELU,
    ROWS,
    SIX,
    gemm_narrow,
    gemm_single,
    gemm_tile,
)
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import load_i64, record, store_i64

JOB = nn_jobs.GATHER


@inline
def sweep(job, x, y, images, height, table, segments, panel, ahead, bias, mode, rows):
    """Some lines of some images, for one block of output channels, in tiles of ``rows`` rows."""
    width = job.width
    x_step = job.x_step
    y_step = job.y_step
    x_wrap = job.x_line - width * x_step
    y_wrap = job.y_line - width * y_step
    x_turn = job.x_image - height * job.x_line
    y_turn = job.y_image - height * job.y_line
    count = job.segment_count
    left = images * height * width
    column = 0
    line = 0
    while left > 0:
        at = table
        end = table + 8 * rows
        while at < end:
            for _ in range(min((end - at) // 8, width - column, left)):
                store_i64(at, x)
                store_i64(at + 8 * rows, y)
                at += 8
                x += x_step
                y += y_step
                column += 1
                left -= 1
            if left == 0:  # beyond the end, repeat the last pixel
                while at < end:
                    store_i64(at, x - x_step)
                    store_i64(at + 8 * rows, y - y_step)
                    at += 8
            elif column == width:
                column = 0
                x += x_wrap
                y += y_wrap
                line += 1
                if line == height:
                    line = 0
                    x += x_turn
                    y += y_turn
        if rows == ROWS:
            gemm_tile(table, segments, count, panel, ahead, bias, mode, 0)
        elif rows == NARROW:
            gemm_narrow(table, segments, count, panel, ahead, bias, mode, 0)
        else:
            gemm_single(table, segments, count, panel, ahead, bias, mode, 0)


@inline
def panel_number(job, each):
    """Index of the each-th panel in order of use.

    The last block of a group comes first: its unused lanes overwrite the next pixel, which is stored later.
    """
    group = each // job.panel_blocks
    return (2 * group + 1) * job.panel_blocks - 1 - each


@inline
def panel_at(job, part, each):
    """Address of the each-th panel of a part of the sums."""
    segments = job.segments + 24 * part * job.segment_count
    return job.panel + load_i64(segments + 16) + panel_number(job, each) * job.panel_pitch


@inline
def following(job, part, each):
    """Address of the panel used after the each-th of a part of the sums; any address after the last."""
    if each + 1 < job.groups * job.panel_blocks:
        return panel_at(job, part, each + 1)
    return panel_at(job, min(part + 1, job.sum_blocks - 1), 0)


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    y = place(job.y, job.y_chunk, scratch, chunk)
    blocks = job.panel_blocks
    image = 0
    line = 0
    while image < hi - lo:
        images = min(job.images, hi - lo - image)
        lines = min(job.lines, job.height - line)
        x_here = x + image * job.x_image + line * job.x_line
        y_here = y + image * job.y_image + line * job.y_line
        for part in range(job.sum_blocks):
            segments = job.segments + 24 * part * job.segment_count
            mode = job.mode & (RELU | SIX) if part == job.sum_blocks - 1 else 0
            if part > 0 or job.mode & ADD:
                mode |= ADD
            for each in range(job.groups * blocks):
                to = panel_number(job, each)
                group = to // blocks
                block = to - group * blocks
                x_at = x_here + group * job.x_group
                y_at = y_here + group * job.y_group + block * BLOCK_BYTES
                panel = panel_at(job, part, each)
                bias = job.bias + to * BLOCK_BYTES
                rows = ROWS
                if images * lines * job.width == 1:
                    rows = 1
                elif job.narrow and block == blocks - 1:
                    rows = NARROW
                ahead = following(job, part, each) - panel
                sweep(job, x_at, y_at, images, lines, scratch, segments, panel, ahead, bias, mode, rows)
        line += lines
        if line == job.height:
            line = 0
            image += images
