"""White where pixels, times a factor, are above levels of their own; black elsewhere."""

from cnncli.core import jobs
from cnncli.core.choices import ROWS_AHEAD
from cnncli.core.loads import load_sample, load_vectors
from cnncli.core.loops.kernel_rows import tile_at
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import LANES, record, splat, store_f32, vload, vstore, where_greater, zeros

JOB = jobs.ABOVE


@inline
def load_levels(job, y, x, samples, dst):
    """Levels of a row of the output, from a column on."""
    row, first = job.levels + y * job.levels_pitch, x * job.channels
    load_vectors(row, first, job.levels_type, samples, dst, ROWS_AHEAD * job.levels_pitch)
    for i in range(samples - samples % LANES, samples):
        store_f32(dst + 4 * i, load_sample(row, first + i, job.levels_type))


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    row = scratch + HEADER_BYTES
    levels = row + 4 * job.pitch
    for tile in range(lo, hi):
        x0, y, width, _, _, _ = tile_at(job, tile)
        samples = width * job.channels
        load_row(job, y, x0, width, row)
        load_levels(job, y, x0, samples, levels)
        for at in range(0, 4 * samples, 4 * LANES):
            value, level = vload(row + at) * splat(job.factor), vload(levels + at) - splat(job.offset)
            vstore(row + at, where_greater(value, level, splat(job.white), zeros()))
        store_row(job, row, y, x0, width, scratch)
