"""Weights of a 3 x 3 convolution transformed for tiles of 4 x 4 outputs."""

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import BLOCK_BYTES
from cnncli.core.loops.winograd import SIDE, weights_six
from cnncli.core.simd import VECTOR_BYTES, record

JOB = nn_jobs.WINOGRAD_WEIGHTS
assert 3 * SIDE * VECTOR_BYTES <= nn_jobs.TABLE_BYTES  # what a program's scratch holds before its tensors


def loop(job_pointer, scratch, lo, hi):
    """Items lo to hi: channels of one block, then of the next."""
    job = record(job_pointer)
    channels = job.channels
    tap = channels * BLOCK_BYTES
    for each in range(lo, hi):
        block = each // channels
        src = job.src + (9 * block * channels + each - block * channels) * BLOCK_BYTES
        for v in range(0, BLOCK_BYTES, VECTOR_BYTES):
            for column in range(3):
                weights_six(
                    src + column * tap + v, 3 * tap, scratch + column * VECTOR_BYTES, 3 * VECTOR_BYTES
                )
            for row in range(SIDE):
                to = job.out + SIDE * row * job.pitch + each * BLOCK_BYTES + v
                weights_six(scratch + 3 * row * VECTOR_BYTES, VECTOR_BYTES, to, job.pitch)
