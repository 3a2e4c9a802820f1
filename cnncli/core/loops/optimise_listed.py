"""One step of an optimiser for those rows of a table that the batch has a gradient for.

All others stay as they are, their moments too, as with PyTorch's SparseAdam.
"""

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import BLOCK_BYTES
from cnncli.core.loops.optimise import factor_of, update
from cnncli.core.simd import load_i64, record

JOB = nn_jobs.OPTIMISE_LISTED


def loop(job_pointer, scratch, lo, hi):
    """Tasks lo to hi, each some of the rows that are listed."""
    job = record(job_pointer)
    count = load_i64(job.listed)
    share = -(-count // job.tasks)
    factor = factor_of(job)
    for at in range(lo * share, min(hi * share, count)):
        first = job.first_block + load_i64(job.listed + 8 + 8 * at) * job.row_blocks
        update(job, factor, first * BLOCK_BYTES, (first + job.row_blocks) * BLOCK_BYTES)
