"""Separable convolution: a row of taps, then a column of taps, for each rank of the kernel."""

from cnncli.core import jobs
from cnncli.core.loops.taps import CHUNK, one_sum
from cnncli.core.loops.tile_io import HEADER_BYTES, load_row, store_row
from cnncli.core.simd import record

JOB = jobs.SEPARABLE


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi. Rows are filtered as they are loaded, while they are in the first-level cache."""
    job = record(job_pointer)
    pitch, plane = 4 * job.pitch, 4 * job.plane
    row = scratch + HEADER_BYTES
    planes = row + pitch
    answer = planes + job.rank * plane
    row_count, row_offsets, row_weights = job.row_count, job.row_offsets, job.row_weights
    column_count, column_offsets, column_weights = job.column_count, job.column_offsets, job.column_weights
    for tile in range(lo, hi):
        tile_y = tile // job.tiles_x
        x0 = (tile - tile_y * job.tiles_x) * job.tile_width
        y0 = tile_y * job.tile_height
        width = min(job.tile_width, job.out_width - x0)
        height = min(job.tile_height, job.out_height - y0)
        dense = (width - 1) * job.stride_x + 1
        samples = dense * job.channels
        have = 0
        for y in range(height):
            while have < y * job.stride_y + job.extent_y:
                load_row(job, y0 * job.stride_y + have, x0 * job.stride_x, dense + job.extent_x - 1, row)
                for rank in range(job.rank):
                    to = planes + rank * plane + have * pitch
                    skip = 8 * rank * row_count
                    for i in range(0, samples, 2 * CHUNK):
                        one_sum(row + 4 * i, row_count, row_offsets + skip, row_weights + skip, to + 4 * i)
                have += 1
            first = planes + y * job.stride_y * pitch
            for i in range(0, samples, 2 * CHUNK):
                one_sum(first + 4 * i, column_count, column_offsets, column_weights, answer + 4 * i)
            store_row(job, answer, y0 + y, x0, width, scratch)
