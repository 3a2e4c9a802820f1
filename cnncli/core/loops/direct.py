"""Direct convolution with one kernel of any shape."""

from cnncli.core import jobs
from cnncli.core.loops.kernel_rows import in_place, store_sums, tile_at
from cnncli.core.loops.taps import ROWS
from cnncli.core.loops.tile_io import HEADER_BYTES, load_row
from cnncli.core.simd import load_i64, record, store_i64

JOB = jobs.DIRECT


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    pitch = 4 * job.pitch
    step = ROWS if job.shares_rows else 1
    spare = scratch + HEADER_BYTES
    rows = spare + ROWS * pitch
    clipped = 0
    for tile in range(lo, hi):
        x0, y0, width, height, pixels, need = tile_at(job, tile)
        top, left = y0 * job.stride_y, x0 * job.stride_x
        source = in_place(job, top, need, left, pixels, 4)
        base, row_bytes, offsets, have = source, job.src_pitch, job.source_offsets, need
        if source == 0:
            base, row_bytes, offsets, have = rows, pitch, job.tap_offsets, 0
        for y in range(0, height, step):
            together = min(step, height - y)
            while have < (y + together - 1) * job.stride_y + job.extent_y:
                load_row(job, top + have, left, pixels, rows + have * pitch)
                have += 1
            first = base + y * job.stride_y * row_bytes
            ahead = first + (job.extent_y + ROWS) * row_bytes if source else 0
            clipped += store_sums(job, first, ahead, offsets, y0 + y, x0, width, together, spare, scratch)
    store_i64(scratch, load_i64(scratch) + clipped)
