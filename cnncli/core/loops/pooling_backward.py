"""Gradients of pooling.

The gradient of a maximum goes to the first value of the window that equals it, found again instead of
kept; that of an average to all of them.
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.frame import clear
from cnncli.core.loops.pooling import ZERO, covered
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import (
    LANES,
    VECTOR_BYTES,
    record,
    splat,
    store_f32,
    vload,
    vstore,
    where_equal,
    where_greater,
)

JOB = nn_jobs.POOL
LANE_NUMBERS = 512  # in scratch: 0, 1, 2 …


@inline
def backward(job, x, y, dx, dy, x0, x1, y0, y1, size, lanes):
    """One output pixel's gradient, added to dx."""
    pixel = 4 * job.channels
    zero = splat(ZERO)
    average = job.average
    masked = job.masked
    dx_row = job.dx_row
    x_row = job.x_row
    for c in range(0, pixel, VECTOR_BYTES):
        # Lanes beyond the channels add nothing to the next pixel.
        left = where_greater(splat(np.float32(job.channels - c // 4)), lanes, vload(dy + c), zero)
        if average:
            left = left * splat(np.float32(1) / size)
        highest = zero if average else vload(y + c)
        if masked:
            left = where_greater(highest, zero, left, zero)
        for row in range(y0, y1):
            to = dx + row * dx_row + x0 * pixel + c
            at = x + row * x_row + x0 * pixel + c
            for _ in range(x0, x1):
                if average:
                    vstore(to, vload(to) + left)
                else:
                    value = vload(at)
                    vstore(to, vload(to) + where_equal(value, highest, left, zero))
                    left = where_equal(value, highest, zero, left)
                to += pixel
                at += pixel


@inline
def double(x, y, dx, dy, x_row, dx_row, pixel, width, masked):
    """A row of gradients of 2 x 2 max pooling, stored to the two rows of dx that they cover."""
    zero = splat(ZERO)
    second = dx + dx_row
    for _ in range(width):
        for c in range(0, pixel, VECTOR_BYTES):
            highest = vload(y + c)
            left = vload(dy + c)
            if masked:
                left = where_greater(highest, zero, left, zero)
            start = vload(second)
            at = x + c
            to = dx + c
            for row in range(2):
                a = vload(at)
                b = vload(at + pixel)
                rest = where_equal(a, highest, zero, left)
                vstore(to, where_equal(a, highest, left, zero))
                vstore(to + pixel, where_equal(b, highest, rest, zero))
                left = where_equal(b, highest, zero, rest)
                at += x_row
                to += dx_row
                if row == 0 and pixel < VECTOR_BYTES:
                    # Unused lanes may have overwritten values after the end of the first row.
                    vstore(second, start)
        x += 2 * pixel
        dx += 2 * pixel
        y += pixel
        dy += pixel


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    y = place(job.y, job.y_chunk, scratch, chunk)
    dx = place(job.dx, job.dx_chunk, scratch, chunk)
    dy = place(job.dy, job.dy_chunk, scratch, chunk)
    for i in range(LANES):
        store_f32(scratch + LANE_NUMBERS + 4 * i, np.float32(i))
    lanes = vload(scratch + LANE_NUMBERS)
    pixel = 4 * job.channels
    for image in range(hi - lo):
        dx_image = dx + image * job.dx_image
        if job.halves:
            for row in range(job.height):
                double(
                    x + image * job.x_image + 2 * row * job.x_row,
                    y + image * job.y_image + row * job.y_row,
                    dx_image + 2 * row * job.dx_row,
                    dy + image * job.dy_image + row * job.dy_row,
                    job.x_row,
                    job.dx_row,
                    pixel,
                    job.width,
                    job.masked,
                )
            continue
        if not job.add:
            for row in range(job.x_height):
                clear(dx_image + row * job.dx_row, job.x_width * job.channels)
        for row in range(job.height):
            for column in range(job.width):
                x0, x1, y0, y1, size = covered(job, row, column)
                at_y = y + image * job.y_image + row * job.y_row + column * pixel
                at_dy = dy + image * job.dy_image + row * job.dy_row + column * pixel
                backward(job, x + image * job.x_image, at_y, dx_image, at_dy, x0, x1, y0, y1, size, lanes)
