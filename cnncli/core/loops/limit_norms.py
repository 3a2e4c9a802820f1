"""Keep the Euclidean norm of each output's weights within a limit."""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import BLOCK_BYTES
from cnncli.core.simd import (
    VECTOR_BYTES,
    fma,
    record,
    splat,
    vload,
    vsqrt,
    vstore,
    where_greater,
)

JOB = nn_jobs.LIMIT_NORMS


def loop(job_pointer, scratch, lo, hi):
    """Blocks lo to hi of outputs: a lane is an output, a row one of its weights."""
    job = record(job_pointer)
    limit = splat(job.limit)
    one = splat(np.float32(1))
    for block in range(lo, hi):
        first = job.weight + block * job.taps * BLOCK_BYTES
        for v in range(0, BLOCK_BYTES, VECTOR_BYTES):
            squares = splat(np.float32(0))
            for at in range(first + v, first + job.taps * BLOCK_BYTES, BLOCK_BYTES):
                squares = fma(vload(at), vload(at), squares)
            norm = vsqrt(squares)
            factor = where_greater(norm, limit, limit / norm, one)
            for at in range(first + v, first + job.taps * BLOCK_BYTES, BLOCK_BYTES):
                vstore(at, vload(at) * factor)
