"""Zero-crossings: where a response changes sign towards the neighbour to the right or below."""

import numpy as np

from cnncli.core import jobs
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import LANES, record, splat, vabs, vload, vmax, vstore, where_equal, where_greater

JOB = jobs.SIGN_CHANGES
ZERO = np.float32(0)


@inline
def quieten(row, samples, floor):
    """Set values within rounding noise to 0, in place."""
    for i in range(0, 4 * samples, 4 * LANES):
        response = vload(row + i)
        vstore(row + i, where_greater(vabs(response), splat(floor), response, splat(ZERO)))


@inline
def change(a, b):
    """The difference of two responses if their signs differ, else 0."""
    zero = splat(ZERO)
    return where_greater(zero, a * b, vabs(a - b), zero)


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    pitch = 4 * job.pitch
    channels = job.channels
    step = 4 * channels
    rows = scratch + HEADER_BYTES
    answer = rows + (job.tile_height * job.stride_y + 3) * pitch
    for tile in range(lo, hi):
        tile_y = tile // job.tiles_x
        x0 = (tile - tile_y * job.tiles_x) * job.tile_width
        y0 = tile_y * job.tile_height
        width = min(job.tile_width, job.out_width - x0)
        height = min(job.tile_height, job.out_height - y0)
        dense = (width - 1) * job.stride_x + 1
        zero, least, full = splat(ZERO), splat(job.least), splat(job.full)
        have = 0
        for y in range(height):
            while have < y * job.stride_y + 3:
                row = rows + have * pitch
                load_row(job, y0 * job.stride_y + have, x0 * job.stride_x, dense + 2, row)
                quieten(row, (dense + 2) * channels, job.floor)
                have += 1
            here = rows + (y * job.stride_y + 1) * pitch + step
            for i in range(here, here + 4 * dense * channels, 4 * LANES):
                own = vload(i)
                right, below = vload(i + step), vload(i + pitch)
                beside = vmax(change(own, right), change(own, below))
                through = vmax(change(vload(i - step), right), change(vload(i - pitch), below))
                strength = where_equal(own, zero, through, beside)
                vstore(answer + (i - here), where_greater(strength, least, full, zero))
            store_row(job, answer, y0 + y, x0, width, scratch)
