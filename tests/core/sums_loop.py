"""The weighted sums alone, which compile in a moment. Imported only to compile."""

import numpy as np

from cnncli.core.elements import FLOAT
from cnncli.core.loops.taps import one_sum, row_sums, two_sums
from cnncli.core.simd import record

JOB = np.dtype(
    [("src", "i8"), ("count", "i8"), ("offsets", "i8"), ("weights", "i8"), ("ends", "i8"), ("dst", "i8")],
    align=True,
)


def loop(job_pointer, scratch, lo, hi):
    job = record(job_pointer)
    one_sum(job.src, job.count, job.offsets, job.weights, job.dst)
    two_sums(job.src, job.count, job.offsets, job.weights, job.dst, scratch)
    one, zero = np.float32(1), np.float32(0)
    row_sums(job.src, job.ends, job.offsets, job.weights, job.dst, 4096, FLOAT, 0, one, zero)
