"""A native function that compiles in a moment: out[i] = i * i + seed. Imported only to compile."""

import numpy as np

from cnncli.core.simd import load_i64, record, store_i64

JOB = np.dtype([("out", "i8"), ("seed", "i8")], align=True)


def loop(job_pointer, scratch, lo, hi):
    job = record(job_pointer)
    for i in range(lo, hi):
        store_i64(job.out + 8 * i, i * i + job.seed)
    store_i64(scratch, load_i64(scratch) + hi - lo)
