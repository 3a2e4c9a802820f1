"""Separable convolution: a row of taps, then a column of taps, for each rank of the kernel."""

from cnncli.core import jobs
from cnncli.core.choices import ROWS_AHEAD
from cnncli.core.loops.kernel_rows import in_place, move_up, store_sums, sum_along, tile_at
from cnncli.core.loops.taps import ROWS
from cnncli.core.loops.tile_io import HEADER_BYTES, load_row
from cnncli.core.simd import fetch_to_read, load_i64, record, store_i64

JOB = jobs.SEPARABLE


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi. Rows are filtered when they are loaded, while they are in the L1 cache."""
    job = record(job_pointer)
    pitch, plane = 4 * job.pitch, 4 * job.plane
    step = ROWS if job.shares_rows else 1
    spare = scratch + HEADER_BYTES
    loaded = spare + ROWS * pitch
    planes = loaded + pitch
    clipped = 0
    for tile in range(lo, hi):
        x0, y0, width, height, pixels, need = tile_at(job, tile)
        top, left = y0 * job.stride_y, x0 * job.stride_x
        samples = ((width - 1) * job.stride_x + 1) * job.channels
        source = in_place(job, top, need, left, pixels, 4)
        have, first_kept = 0, 0
        for y in range(0, height, step):
            together = min(step, height - y)
            while have < (y + together - 1) * job.stride_y + job.extent_y:
                if have - first_kept == job.kept_rows:
                    still = y * job.stride_y - first_kept
                    for rank in range(job.rank):
                        move_up(planes + rank * plane, still, job.kept_rows, pitch)
                    first_kept += still
                row = source + have * job.src_pitch
                if source:
                    fetch_to_read(row + ROWS_AHEAD * job.src_pitch, 4 * samples)
                else:
                    row = loaded
                    load_row(job, top + have, left, pixels, row)
                for rank in range(job.rank):
                    to = planes + rank * plane + (have - first_kept) * pitch
                    sum_along(job, row, samples, rank, to)
                have += 1
            first = planes + (y * job.stride_y - first_kept) * pitch
            clipped += store_sums(job, first, 0, job.tap_offsets, y0 + y, x0, width, together, spare, scratch)
    store_i64(scratch, load_i64(scratch) + clipped)
