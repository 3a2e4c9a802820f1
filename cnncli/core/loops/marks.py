"""Threshold a map to pixels of the output's type: 1 above a level, else 0, before scale and bias."""

import numpy as np

from cnncli.core import jobs
from cnncli.core.loops.kernel_rows import tile_at
from cnncli.core.loops.tile_io import HEADER_BYTES, load_row, store_row
from cnncli.core.simd import LANES, record, splat, vload, vstore, where_greater

JOB = jobs.MARKS
ZERO, ONE = np.float32(0), np.float32(1)


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    row = scratch + HEADER_BYTES
    level, zero, one = splat(job.level), splat(ZERO), splat(ONE)
    for tile in range(lo, hi):
        x0, y0, width, height, pixels, _ = tile_at(job, tile)
        for y in range(y0, y0 + height):
            load_row(job, y * job.stride_y, x0 * job.stride_x, pixels, row)
            for i in range(row, row + 4 * pixels * job.channels, 4 * LANES):
                vstore(i, where_greater(vload(i), level, one, zero))
            store_row(job, row, y, x0, width, scratch)
