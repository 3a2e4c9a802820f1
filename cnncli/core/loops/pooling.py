"""Max and average pooling; windows are clipped to the image, so that padding needs no memory."""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import VECTOR_BYTES, record, splat, vload, vmax, vstore, where_equal

JOB = nn_jobs.POOL
ZERO = np.float32(0)
LOWEST = np.float32(-np.inf)


@inline
def combined(average, total, at):
    """Update a running sum or maximum with the vector at an address."""
    return total + vload(at) if average else higher(total, vload(at))


@inline
def forward(job, x, y, x0, x1, y0, y1, size):
    """One output pixel: the window's columns x0 to x1 and rows y0 to y1."""
    pixel = job.pixel
    row_pitch = job.x_row
    average = job.average
    for c in range(0, 4 * job.channels, VECTOR_BYTES):
        total = splat(ZERO if average else LOWEST)
        whole = splat(ZERO)  # of the previous rows: a sum of short sums has less rounding error
        for row in range(y0, y1):
            if average:
                whole = whole + total
                total = splat(ZERO)
            at = x + row * row_pitch + x0 * pixel + c
            if x1 - x0 == 3:  # the most common size; unrolled, it takes half the time
                total = combined(average, total, at)
                total = combined(average, total, at + pixel)
                total = combined(average, total, at + 2 * pixel)
                continue
            for _ in range(x0, x1):
                total = combined(average, total, at)
                at += pixel
        vstore(y + c, (whole + total) * splat(np.float32(1) / size) if average else total)


@inline
def higher(total, value):
    """The maximum; NaN if either is NaN."""
    return where_equal(total, total, vmax(total, value), total)


@inline
def halve(x, y, row_pitch, pixel, width):
    """A row of 2 x 2 max pooling without padding."""
    for _ in range(width):
        for c in range(0, pixel, VECTOR_BYTES):
            at = x + c
            under = at + row_pitch
            upper = higher(vload(at), vload(at + pixel))
            vstore(y + c, higher(upper, higher(vload(under), vload(under + pixel))))
        x += 2 * pixel
        y += pixel


@inline
def covered(job, row, column):
    """The part of a window inside the image: first and end column, row, and the divisor of a mean."""
    if job.adaptive:
        y0 = row * job.x_height // job.height
        x0 = column * job.x_width // job.width
        y1 = -(-(row + 1) * job.x_height // job.height)
        x1 = -(-(column + 1) * job.x_width // job.width)
        return x0, x1, y0, y1, np.float32((y1 - y0) * (x1 - x0))
    top = row * job.stride_y - job.padding_y
    left = column * job.stride_x - job.padding_x
    y0 = max(top, 0)
    x0 = max(left, 0)
    y1 = min(top + job.window_y, job.x_height)
    x1 = min(left + job.window_x, job.x_width)
    size = (y1 - y0) * (x1 - x0)
    if job.count_padding:
        size = min(top + job.window_y, job.x_height + job.after_y) - top
        size *= min(left + job.window_x, job.x_width + job.after_x) - left
    return x0, x1, y0, y1, np.float32(size)


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    y = place(job.y, job.y_chunk, scratch, chunk)
    pixel = job.pixel
    for image in range(hi - lo):
        for row in range(job.height):
            if job.halves:
                at = x + image * job.x_image + 2 * row * job.x_row
                halve(at, y + image * job.y_image + row * job.y_row, job.x_row, pixel, job.width)
                continue
            for column in range(job.width):
                x0, x1, y0, y1, size = covered(job, row, column)
                at = y + image * job.y_image + row * job.y_row + column * pixel
                forward(job, x + image * job.x_image, at, x0, x1, y0, y1, size)
