"""Several kernels over the same pixels in one pass, and the combination of their responses.

Two kernels at a time share their loads. Responses of one chunk stay in the L1 cache until they are
combined, so that an image is read and written once for any number of kernels.
"""

import numpy as np

from cnncli.core import jobs
from cnncli.core.loops.taps import PAIR_CHUNK, two_sums
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import (
    LANES,
    fma,
    load_f32,
    polynomial,
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

JOB = jobs.RESPONSES
ENERGY, ANGLE, MAX, DIRECTION = (jobs.COMBINE[name] for name in ("energy", "angle", "max", "direction"))
ZERO = np.float32(0)
TINY = np.float32(1e-37)
PI = np.float32(np.pi)
HALF_PI = np.float32(np.pi / 2)
# atan(t) / t for t from 0 to 1 as a polynomial in t * t, highest power first: least squares at
# Chebyshev nodes, largest error 1.0e-7.
arc_tangent_over_t = polynomial(
    (
        0.0023981391,
        -0.014152348,
        0.0393454134,
        -0.0719438419,
        0.104775392,
        -0.141548067,
        0.199848846,
        -0.333325237,
        0.999999881,
    )
)


@inline
def arc_tangent(y, x, floor):
    """atan2(y, x) of vectors, within 3e-7; 0 where neither exceeds the floor."""
    ax, ay = vabs(x), vabs(y)
    large = vmax(vmax(ax, ay), splat(TINY))
    t = vmin(ax, ay) / large
    angle = arc_tangent_over_t(t * t) * t
    angle = where_greater(ay, ax, splat(HALF_PI) - angle, angle)
    zero = splat(ZERO)
    angle = where_greater(zero, x, splat(PI) - angle, angle)
    angle = where_greater(zero, y, zero - angle, angle)
    return where_greater(large, floor, angle, zero)


@inline
def combined(job, answers, at):
    """Combine the responses of all kernels for one vector."""
    first = vload(answers + at)
    if job.combine == ENERGY:
        total = first * first
        for k in range(1, job.kernels):
            response = vload(answers + k * 4 * PAIR_CHUNK + at)
            total = fma(response, response, total)
        return vsqrt(total)
    if job.combine == ANGLE:
        return arc_tangent(vload(answers + 4 * PAIR_CHUNK + at), first, splat(job.floor))
    best = splat(job.floor if job.combine == DIRECTION else ZERO)
    angle = splat(ZERO)
    for k in range(job.kernels):
        response = vload(answers + k * 4 * PAIR_CHUNK + at)
        if job.rectified:
            response = vabs(response)
        angle = where_greater(response, best, splat(load_f32(job.angles + 4 * k)), angle)
        best = vmax(response, best)
    return angle if job.combine == DIRECTION else best


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    channels, pitch = job.channels, 4 * job.pitch
    tap_count, tap_offsets, tap_weights = job.tap_count, job.tap_offsets, job.tap_weights
    pairs = (job.kernels + 1) // 2
    answer = scratch + HEADER_BYTES
    answers = answer + pitch
    rows = answers + 2 * pairs * 4 * PAIR_CHUNK
    for tile in range(lo, hi):
        tile_y = tile // job.tiles_x
        x0 = (tile - tile_y * job.tiles_x) * job.tile_width
        y0 = tile_y * job.tile_height
        width = min(job.tile_width, job.out_width - x0)
        height = min(job.tile_height, job.out_height - y0)
        dense = (width - 1) * job.stride_x + 1
        have = 0
        for y in range(height):
            while have < y * job.stride_y + job.extent_y:
                to = rows + have * pitch
                load_row(job, y0 * job.stride_y + have, x0 * job.stride_x, dense + job.extent_x - 1, to)
                have += 1
            first = rows + y * job.stride_y * pitch
            for i in range(0, dense * channels, PAIR_CHUNK):
                for pair in range(pairs):
                    to = answers + 8 * pair * PAIR_CHUNK
                    weights = tap_weights + 8 * pair * tap_count
                    two_sums(first + 4 * i, tap_count, tap_offsets, weights, to, to + 4 * PAIR_CHUNK)
                for v in range(0, PAIR_CHUNK, LANES):
                    vstore(answer + 4 * (i + v), combined(job, answers, 4 * v))
            store_row(job, answer, y0 + y, x0, width, scratch)
