"""How often each level occurs in rows of bytes or of 16 bits."""

from cnncli.core import jobs
from cnncli.core.elements import U8
from cnncli.core.loops.integers import load_u8, load_u16
from cnncli.core.loops.tile_io import inline
from cnncli.core.simd import load_i64, record, store_i64

JOB = jobs.LEVELS
_OF_BYTES = 8 * 256  # bytes of a table of bytes


@inline
def count(table, level):
    """One more of a level."""
    at = table + 8 * level
    store_i64(at, load_i64(at) + 1)


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
        else:
            for x in range(job.samples):
                count(scratch, load_u16(row + 2 * x))
