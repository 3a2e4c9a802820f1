"""Pictures turned by any angle: samples between pixels, at places that a matrix says.

Source: R. G. Keys: Cubic Convolution Interpolation for Digital Image Processing, 1981, eq. 8 (with a = -0.5).
"""

import numpy as np

from cnncli.core import jobs
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, store_row
from cnncli.core.simd import load_f32, load_f64, record, store_f32, store_f64

JOB = jobs.AFFINE
TAPS = 4  # at most
WEIGHTS_BYTES = 8 * TAPS


@inline
def cubic(distance):
    """Weight of a pixel so far away, up to 2."""
    if distance <= 1.0:
        return (1.5 * distance - 2.5) * distance * distance + 1.0
    return ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0


@inline
def set_weights(taps, share, dst):
    """Weights along an axis, for a place that lies ``share`` behind the middle of a pixel."""
    if taps == 1:
        store_f64(dst, 1.0)
    elif taps == 2:
        store_f64(dst, 1.0 - share)
        store_f64(dst + 8, share)
    else:
        store_f64(dst, cubic(1.0 + share))
        store_f64(dst + 8, cubic(share))
        store_f64(dst + 16, cubic(1.0 - share))
        store_f64(dst + 24, cubic(2.0 - share))


@inline
def begin(taps, place):
    """The first pixel of the taps along an axis, and how far the place lies behind the middle of its own."""
    if taps == 1:
        return np.intp(np.floor(place + 0.5)), 0.0
    below = np.floor(place)
    return np.intp(below) - (1 if taps == 4 else 0), place - below


@inline
def sample(job, left, top, channel, across, down):
    """The sum over pixels; those beyond the edges have the value ``fill``."""
    total = 0.0
    for j in range(job.taps):
        row = top + j
        weight = load_f64(down + 8 * j)
        if weight == 0.0:
            continue
        line = 0.0
        for i in range(job.taps):
            share = load_f64(across + 8 * i)
            if share == 0.0:
                continue
            column = left + i
            value = np.float64(job.fill)
            if 0 <= row < job.src_rows and 0 <= column < job.src_width:
                at = job.src + row * job.src_pitch + (column * job.channels + channel) * 4
                value = np.float64(load_f32(at))
            line += share * value
        total += weight * line
    return np.float32(total)


@inline
def between_four(job, at, x_share, y_share, dst):
    """A pixel between four that lie in the picture, the first of them at an address."""
    step = 4 * job.channels
    for _ in range(job.channels):
        upper = load_f32(at) + x_share * (load_f32(at + step) - load_f32(at))
        below = at + job.src_pitch
        lower = load_f32(below) + x_share * (load_f32(below + step) - load_f32(below))
        store_f32(dst, upper + y_share * (lower - upper))
        at += 4
        dst += 4


@inline
def among(job, x, y, across, down, dst):
    """A pixel by any number of taps, some of which may lie beyond the edges."""
    left, share = begin(job.taps, x)
    set_weights(job.taps, share, across)
    top, share = begin(job.taps, y)
    set_weights(job.taps, share, down)
    for channel in range(job.channels):
        store_f32(dst + 4 * channel, sample(job, left, top, channel, across, down))


def loop(job_pointer, scratch, lo, hi):
    """Rows lo to hi of the result; the source holds float32."""
    job = record(job_pointer)
    across = scratch + HEADER_BYTES
    down = across + WEIGHTS_BYTES
    line = down + WEIGHTS_BYTES
    reach = job.taps // 2
    step = 4 * job.channels
    right, bottom = job.src_width - 1, job.src_rows - 1
    for row in range(lo, hi):
        for column in range(job.out_width):
            x = job.x0 + column * job.x_column + row * job.x_row
            y = job.y0 + column * job.y_column + row * job.y_row
            at = line + column * step
            if job.taps == 2 and 0.0 < x < right and 0.0 < y < bottom:
                left, top = np.intp(x), np.intp(y)
                if left < x and top < y:  # else pixels without weight, NaN perhaps, would count
                    first = job.src + top * job.src_pitch + left * step
                    between_four(job, first, np.float32(x - left), np.float32(y - top), at)
                    continue
            # Beyond the edges by more than the taps reach, lest the place is too large for an integer.
            far = x < -reach - 1 or y < -reach - 1
            if far or x > job.src_width + reach or y > job.src_rows + reach:
                for channel in range(job.channels):
                    store_f32(at + 4 * channel, job.fill)
            else:
                among(job, x, y, across, down, at)
        store_row(job, line, row, 0, job.out_width, scratch)
