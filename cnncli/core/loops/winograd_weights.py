"""Weights of a 3 x 3 convolution transformed for tiles of 4 x 4 outputs."""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import BLOCK_BYTES
from cnncli.core.loops.rows import inline
from cnncli.core.simd import VECTOR_BYTES, record, splat, vload, vstore

JOB = nn_jobs.WINOGRAD_WEIGHTS
SIXTH = np.float32(1 / 6)
TWELFTH = np.float32(1 / 12)
SIDE = 6


@inline
def six(x0, x1, x2, dst, step):
    """The transform of three vectors to six."""
    outer = (x0 + x2) * splat(-SIXTH)
    middle = x1 * splat(SIXTH)
    far = (x0 * splat(np.float32(0.25)) + x2) * splat(SIXTH)
    half = x1 * splat(TWELFTH)
    vstore(dst, x0 * splat(np.float32(0.25)))
    vstore(dst + step, outer - middle)
    vstore(dst + 2 * step, outer + middle)
    vstore(dst + 3 * step, far + half)
    vstore(dst + 4 * step, far - half)
    vstore(dst + 5 * step, x2)


def loop(job_pointer, scratch, lo, hi):
    """Items lo to hi: channels of one block, then of the next."""
    job = record(job_pointer)
    channels = job.channels
    tap = channels * BLOCK_BYTES
    step = job.blocks * channels * BLOCK_BYTES
    for each in range(lo, hi):
        block = each // channels
        src = job.src + (9 * block * channels + each - block * channels) * BLOCK_BYTES
        for v in range(0, BLOCK_BYTES, VECTOR_BYTES):
            for column in range(3):
                at = src + column * tap + v
                x0 = vload(at)
                x1 = vload(at + 3 * tap)
                six(x0, x1, vload(at + 6 * tap), scratch + column * VECTOR_BYTES, 3 * VECTOR_BYTES)
            for row in range(SIDE):
                at = scratch + 3 * row * VECTOR_BYTES
                x0 = vload(at)
                x1 = vload(at + VECTOR_BYTES)
                to = job.out + SIDE * row * step + each * BLOCK_BYTES + v
                six(x0, x1, vload(at + 2 * VECTOR_BYTES), to, step)
