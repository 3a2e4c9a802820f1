"""How often each level occurs in rows of bytes or of 16 bits, and each bin of levels in rows of floats."""

import numpy as np

from cnncli.core import jobs
from cnncli.core.elements import FLOAT, U8
from cnncli.core.loops.integers import load_u8, load_u16
from cnncli.core.loops.tile_io import inline
from cnncli.core.simd import load_f32, load_i64, record, store_i64

JOB = jobs.LEVELS
ZERO = np.float32(0)
_OF_BYTES = 8 * 256  # bytes of a table of bytes


@inline
def count(table, level):
    """One more of a level."""
    at = table + 8 * level
    store_i64(at, load_i64(at) + 1)


@inline
def count_bins(job, row, table):
    """Finite floats of a row."""
    last = np.float64(job.entries - 1)
    for x in range(job.samples):
        value = load_f32(row + 4 * x)
        if value - value == ZERO:
            place = min(max((np.float64(value) - job.low) * job.gain, 0.0), last)
            count(table, np.intp(place))


def loop(job_pointer, scratch, lo, hi):
    """Rows lo to hi, to tables in scratch: eight of bytes, as equal neighbours would wait for each other."""
    job = record(job_pointer)
    for y in range(lo, hi):
        row = job.src + y * job.src_pitch
        if job.src_type == U8:
            whole = job.samples - job.samples % 8
            for x in range(0, whole, 8):
                eight = load_i64(row + x)
                for part in range(8):
                    count(scratch + part * _OF_BYTES, (eight >> (8 * part)) & 255)
            for x in range(whole, job.samples):
                count(scratch, load_u8(row + x))
        elif job.src_type == FLOAT:
            count_bins(job, row, scratch)
        else:
            for x in range(job.samples):
                count(scratch, load_u16(row + 2 * x))
