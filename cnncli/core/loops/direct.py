"""Direct convolution with one kernel of any shape."""

from cnncli.core import jobs
from cnncli.core.loops.taps import CHUNK, one_sum, two_sums
from cnncli.core.loops.tile_io import HEADER_BYTES, load_row, store_row
from cnncli.core.simd import record

JOB = jobs.DIRECT


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    channels = job.channels
    pitch = 4 * job.pitch
    loaded_rows = (job.tile_height - 1) * job.stride_y + job.extent_y + 1
    upper = scratch + HEADER_BYTES + loaded_rows * pitch
    lower = upper + pitch
    for tile in range(lo, hi):
        tile_y = tile // job.tiles_x
        x0 = (tile - tile_y * job.tiles_x) * job.tile_width
        y0 = tile_y * job.tile_height
        width = min(job.tile_width, job.out_width - x0)
        height = min(job.tile_height, job.out_height - y0)
        dense = (width - 1) * job.stride_x + 1
        rows = scratch + HEADER_BYTES
        have = 0
        y = 0
        while y < height:
            pair = job.row_pairs and y + 1 < height
            need = (y + (1 if pair else 0)) * job.stride_y + job.extent_y
            while have < need:
                load_row(
                    job,
                    y0 * job.stride_y + have,
                    x0 * job.stride_x,
                    dense + job.extent_x - 1,
                    rows + have * pitch,
                )
                have += 1
            first = rows + y * job.stride_y * pitch
            if job.row_pairs:
                for i in range(0, dense * channels, CHUNK):
                    two_sums(
                        first + 4 * i,
                        job.upper_taps,
                        job.lower_taps,
                        job.tap_count,
                        job.tap_offsets,
                        job.tap_weights,
                        upper + 4 * i,
                        lower + 4 * i,
                    )
            else:
                for i in range(0, dense * channels, 2 * CHUNK):
                    one_sum(first + 4 * i, job.tap_count, job.tap_offsets, job.tap_weights, upper + 4 * i)
            store_row(job, upper, y0 + y, x0, width, scratch)
            if pair:
                store_row(job, lower, y0 + y + 1, x0, width, scratch)
            y += 2 if job.row_pairs else 1
