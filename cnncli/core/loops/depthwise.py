"""Depthwise convolution, one kernel for each channel: forward, and the gradient to the input.

Lanes are channels, so that each vector of channels is a convolution by itself. It goes over some lines of
an image, whose inputs stay in the caches, before the next one does. With a stride, the gradient is computed
once for each phase of the stride, as in ``conv_forward.py``.
"""

from cnncli.core import nn_jobs
from cnncli.core.choices import DEPTHWISE_PIXELS
from cnncli.core.loops.depthwise_tile import (
    tile_2,
    tile_3,
    tile_3_strided,
    tile_5,
    tile_5_strided,
    tile_any,
    tile_single,
)
from cnncli.core.loops.gemm import BLOCK_BYTES
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import LANES, VECTOR_BYTES, record

JOB = nn_jobs.DEPTHWISE


@inline
def some_pixels(job, x, panel, y, bias, ending):
    """A tile of `DEPTHWISE_PIXELS` pixels."""
    steps = (job.x_step, job.x_tap, job.y_step)
    kernel = (job.rows, job.row_count, job.columns)
    near = job.x_step == job.x_tap
    strided = job.x_step == 2 * job.x_tap
    if near and job.columns == 3:
        tile_3(x, y, panel, bias, steps, kernel, ending)
    elif near and job.columns == 5:
        tile_5(x, y, panel, bias, steps, kernel, ending)
    elif near and job.columns == 2:
        tile_2(x, y, panel, bias, steps, kernel, ending)
    elif strided and job.columns == 3:
        tile_3_strided(x, y, panel, bias, steps, kernel, ending)
    elif strided and job.columns == 5:
        tile_5_strided(x, y, panel, bias, steps, kernel, ending)
    else:
        tile_any(x, y, panel, bias, steps, kernel, ending)


@inline
def line_of_pixels(job, x, panel, y, bias, lanes):
    """A line of one vector of channels; the last tile overlaps the one before."""
    width = job.width
    ahead = job.x_line * job.row_count  # of the next line, what this one does not read
    if width < DEPTHWISE_PIXELS:
        steps = (job.x_step, job.x_tap, job.y_step)
        kernel = (job.rows, job.row_count, job.columns)
        for column in range(width):
            x_at = x + column * job.x_step
            y_at = y + column * job.y_step
            tile_single(x_at, y_at, panel, bias, steps, kernel, (job.mode, 0, lanes, ahead))
        return
    for first in range(0, width, DEPTHWISE_PIXELS):
        column = min(first, width - DEPTHWISE_PIXELS)
        x_at = x + column * job.x_step
        y_at = y + column * job.y_step
        some_pixels(job, x_at, panel, y_at, bias, (job.mode, first - column, lanes, ahead))


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    y = place(job.y, job.y_chunk, scratch, chunk)
    vectors = (job.channels + LANES - 1) // LANES
    for image in range(hi - lo):
        start = 0
        while start < job.height:
            end = min(start + job.lines, job.height)
            # The last vector comes first: its unused lanes overwrite the next pixel, which is stored later.
            for each in range(vectors):
                vector = vectors - 1 - each
                shift = vector * VECTOR_BYTES
                lanes = job.channels - vector * LANES
                block = shift // BLOCK_BYTES
                panel = job.panel + block * job.panel_pitch + shift - block * BLOCK_BYTES
                for line in range(start, end):
                    x_at = x + image * job.x_image + line * job.x_line + shift
                    y_at = y + image * job.y_image + line * job.y_line + shift
                    line_of_pixels(job, x_at, panel, y_at, job.bias + shift, lanes)
            start = end
