"""How many pixels two masks have in common: their runs are walked side by side."""

from cnncli.core import object_jobs
from cnncli.core.simd import load_i64, record, store_i64

JOB = object_jobs.MASK_OVERLAP


def loop(job_pointer, scratch, lo, hi):
    """Pairs lo to hi."""
    job = record(job_pointer)
    for pair in range(8 * lo, 8 * hi, 8):
        one, other = 8 * load_i64(job.one + pair), 8 * load_i64(job.other + pair)
        i, i_end = 8 * load_i64(job.first + one), 8 * load_i64(job.first + one + 8)
        j, j_end = 8 * load_i64(job.first + other), 8 * load_i64(job.first + other + 8)
        common = 0
        while i < i_end and j < j_end:
            end, other_end = load_i64(job.ends + i), load_i64(job.ends + j)
            start = max(load_i64(job.starts + i), load_i64(job.starts + j))
            common += max(0, min(end, other_end) - start)
            if end < other_end:
                i += 8
            else:
                j += 8
        store_i64(job.common + pair, common)
