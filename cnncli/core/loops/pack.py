"""Weights in any other order, weight by weight."""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.rows import inline
from cnncli.core.simd import load_f32, load_i32, record, store_f32

JOB = nn_jobs.PACK


@inline
def pick(src, index):
    """A weight, or 0 for padding."""
    return load_f32(src + 4 * index) if index >= 0 else np.float32(0)


def loop(job_pointer, scratch, lo, hi):
    """Floats lo to hi of the output."""
    job = record(job_pointer)
    src = job.src
    order = job.order
    out = job.out
    for i in range(lo, hi):
        store_f32(out + 4 * i, pick(src, load_i32(order + 4 * i)))
