"""Canny's non-maximum suppression: ridges of the gradient of a smoothed image, weak or strong.

A source row is filtered horizontally when it is loaded; only the rows that the next step needs are kept, so
that they stay in the L1 cache.

The magnitude m of a pixel is compared with those on either side along the gradient, each interpolated
between two neighbours; multiplying by the larger component of the gradient avoids a division. Of equal
neighbours (within `TIE`, far above rounding) the one further right or down is suppressed, so that a plateau
of two pixels leaves a line of one.
"""

import numpy as np

from cnncli.core import jobs
from cnncli.core.elements import FLOAT
from cnncli.core.loops.kernel_rows import move_up, sum_along, tile_at
from cnncli.core.loops.taps import ROW_CHUNK, ROWS, row_sums
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import (
    LANES,
    any_greater,
    fma,
    record,
    splat,
    vabs,
    vload,
    vmax,
    vmin,
    vsqrt,
    vstore,
    where_greater,
)

JOB = jobs.RIDGES
RING = jobs.RIDGES_RING
TIE = np.float32(1 + 1e-5)
ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)


@inline
def slot(rows, number, pitch):
    """Address of a row in a ring buffer."""
    return rows + number % RING * pitch


@inline
def sobel(top, middle, bottom, step, samples, plane):
    """dx, dy and magnitude of a row, at the three addresses of ``plane``, from it and its neighbours."""
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
def classify(dx_row, dy_row, above, here, below, step, samples, low, high, dst):
    """0 for no ridge, 1 for a weak one, 2 for a strong one; from the magnitudes of three rows."""
    zero, tie = splat(ZERO), splat(TIE)
    for i in range(0, 4 * samples, 4 * LANES):
        m = vload(here + i)
        if not any_greater(m, splat(low)):
            vstore(dst + i, zero)
            continue
        dx, dy = vload(dx_row + i), vload(dy_row + i)
        ax, ay = vabs(dx), vabs(dy)
        larger, smaller = vmax(ax, ay), vmin(ax, ay)
        slope = dx * dy
        # Neighbours along the axis closer to the gradient, and along the diagonal.
        after = where_greater(ay, ax, vload(below + i), vload(here + i + step))
        before = where_greater(ay, ax, vload(above + i), vload(here + i - step))
        rising = where_greater(ay, ax, vload(below + i - step), vload(above + i + step))
        corner_after = where_greater(slope, zero, vload(below + i + step), rising)
        rising = where_greater(ay, ax, vload(above + i + step), vload(below + i - step))
        corner_before = where_greater(slope, zero, vload(above + i - step), rising)
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
    pitch, channels = 4 * job.pitch, job.channels
    step = 4 * channels
    together = ROWS if job.shares_rows else 1
    loaded = scratch + HEADER_BYTES
    answer = loaded + pitch
    smooth_rows = answer + pitch
    dx_rows = smooth_rows + RING * pitch
    dy_rows = dx_rows + RING * pitch
    m_rows = dy_rows + RING * pitch
    planes = m_rows + RING * pitch
    for tile in range(lo, hi):
        x0, y0, width, height, pixels, need = tile_at(job, tile)
        samples = (width + 4) * channels
        have, first_kept, smoothed = 0, 0, 0
        for y in range(height + 2):
            while smoothed < y + 3:
                while have < min(smoothed + together + job.row_count - 1, need):
                    if have - first_kept == job.kept_rows:
                        move_up(planes, smoothed - first_kept, job.kept_rows, pitch)
                        first_kept = smoothed
                    to = planes + (have - first_kept) * pitch
                    load_row(job, y0 + have, x0, pixels, loaded)
                    sum_along(job, loaded, samples, 0, to)
                    have += 1
                source = planes + (smoothed - first_kept) * pitch
                to = slot(smooth_rows, smoothed, pitch)
                for i in range(0, 4 * samples, 4 * ROW_CHUNK):
                    row_sums(
                        source + i,
                        job.tap_ends,
                        job.tap_offsets,
                        job.tap_weights,
                        to + i,
                        pitch,
                        FLOAT,
                        0,
                        ONE,
                        ZERO,
                    )
                smoothed += together
            made = slot(dx_rows, y, pitch), slot(dy_rows, y, pitch), slot(m_rows, y, pitch)
            top, middle = slot(smooth_rows, y, pitch), slot(smooth_rows, y + 1, pitch)
            bottom = slot(smooth_rows, y + 2, pitch)
            sobel(top, middle, bottom, step, (width + 2) * channels, made)
            if y >= 2:
                classify(
                    slot(dx_rows, y - 1, pitch) + step,
                    slot(dy_rows, y - 1, pitch) + step,
                    slot(m_rows, y - 2, pitch) + step,
                    slot(m_rows, y - 1, pitch) + step,
                    slot(m_rows, y, pitch) + step,
                    step,
                    width * channels,
                    job.low,
                    job.high,
                    answer,
                )
                store_row(job, answer, y0 + y - 2, x0, width, scratch)
