"""Canny's first half: gradient of a smoothed image, its ridges, and which of them are weak or strong.

The magnitude m of a pixel is compared with those on either side along the gradient, which lie between
two neighbours each and are interpolated from them; multiplied by the larger component of the gradient,
this takes no division. Of equal neighbours (to within `TIE`, far above rounding) the one further right
or down gives way, so that a plateau of two pixels leaves a line of one.
"""

import numpy as np

from cnncli.core import jobs
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import LANES, fma, record, splat, vabs, vload, vmax, vmin, vsqrt, vstore, where_greater

JOB = jobs.RIDGES
TIE = np.float32(1 + 1e-5)
ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)


@inline
def sobel(top, pitch, step, samples, plane):
    """dx, dy and magnitude, in planes, of a row whose neighbours are above and below it."""
    middle, bottom = top + pitch, top + 2 * pitch
    two = splat(TWO)
    for i in range(0, 4 * samples, 4 * LANES):
        left = fma(two, vload(middle + i), vload(top + i) + vload(bottom + i))
        right = fma(
            two, vload(middle + i + 2 * step), vload(top + i + 2 * step) + vload(bottom + i + 2 * step)
        )
        above = fma(two, vload(top + i + step), vload(top + i) + vload(top + i + 2 * step))
        below = fma(two, vload(bottom + i + step), vload(bottom + i) + vload(bottom + i + 2 * step))
        dx, dy = right - left, below - above
        vstore(plane[0] + i, dx)
        vstore(plane[1] + i, dy)
        vstore(plane[2] + i, vsqrt(fma(dx, dx, dy * dy)))


@inline
def classify(dx_row, dy_row, m_row, pitch, step, samples, low, high, dst):
    """0 for no ridge, 1 for a weak one, 2 for a strong one, of samples from these addresses on."""
    zero, tie = splat(ZERO), splat(TIE)
    for i in range(0, 4 * samples, 4 * LANES):
        dx, dy, m = vload(dx_row + i), vload(dy_row + i), vload(m_row + i)
        ax, ay = vabs(dx), vabs(dy)
        larger, smaller = vmax(ax, ay), vmin(ax, ay)
        here = m_row + i
        slope = dx * dy
        # Beside it along the axis that the gradient is nearer to, and along the diagonal.
        after = where_greater(ay, ax, vload(here + pitch), vload(here + step))
        before = where_greater(ay, ax, vload(here - pitch), vload(here - step))
        falling = vload(here + pitch + step)
        rising = where_greater(ay, ax, vload(here + pitch - step), vload(here - pitch + step))
        corner_after = where_greater(slope, zero, falling, rising)
        falling = vload(here - pitch - step)
        rising = where_greater(ay, ax, vload(here - pitch + step), vload(here + pitch - step))
        corner_before = where_greater(slope, zero, falling, rising)
        axis = larger - smaller
        after = fma(corner_after, smaller, after * axis)
        before = fma(corner_before, smaller, before * axis)
        own = m * larger
        least = where_greater(m, splat(low), splat(ONE), zero)
        level = where_greater(m, splat(high), splat(TWO), least)
        ridge = where_greater(after, own * tie, zero, level)
        vstore(dst + i, where_greater(own, before * tie, ridge, zero))


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    pitch = 4 * job.pitch
    step = 4 * job.channels
    rows = scratch + HEADER_BYTES
    count = job.tile_height + 5
    dx_rows = rows + count * pitch
    dy_rows = dx_rows + count * pitch
    m_rows = dy_rows + count * pitch
    answer = m_rows + count * pitch
    for tile in range(lo, hi):
        tile_y = tile // job.tiles_x
        x0 = (tile - tile_y * job.tiles_x) * job.tile_width
        y0 = tile_y * job.tile_height
        width = min(job.tile_width, job.out_width - x0)
        height = min(job.tile_height, job.out_height - y0)
        have = 0
        for y in range(height + 2):
            here = rows + y * pitch
            while have < y + 3:
                load_row(job, y0 + have, x0, width + 4, rows + have * pitch)
                have += 1
            at = y * pitch
            sobel(here, pitch, step, (width + 2) * job.channels, (dx_rows + at, dy_rows + at, m_rows + at))
            if y >= 2:
                at += step - pitch
                classify(
                    dx_rows + at,
                    dy_rows + at,
                    m_rows + at,
                    pitch,
                    step,
                    width * job.channels,
                    job.low,
                    job.high,
                    answer,
                )
                store_row(job, answer, y0 + y - 2, x0, width, scratch)
