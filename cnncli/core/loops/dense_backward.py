"""The gradient of a fully connected layer's weights: a sum over the samples of the whole batch.

Such a layer has too many weights for one slot per thread; instead a call computes some of the taps over all
samples.
"""

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import ADD, BLOCK_BYTES, ROWS, outer_tile
from cnncli.core.simd import load_i64, record, store_i64

JOB = nn_jobs.DENSE


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi, of ROWS taps each."""
    job = record(job_pointer)
    samples = load_i64(job.samples)
    chunks = samples // job.chunk
    rest = samples - chunks * job.chunk
    taps = job.taps
    for block in range(job.panel_blocks):
        dy = job.dy + block * BLOCK_BYTES
        out = job.dweight + block * taps * BLOCK_BYTES
        for tile in range(lo, hi):
            for r in range(ROWS):
                tap = min(tile * ROWS + r, taps - 1)
                store_i64(scratch + 8 * r, job.x + 4 * tap)
                store_i64(scratch + 8 * (ROWS + r), out + tap * BLOCK_BYTES)
            outer_tile(
                scratch, dy, chunks, job.chunk, job.x_chunk, job.dy_chunk, job.x_image, job.dy_image, 0
            )
            if rest:
                for r in range(ROWS):
                    store_i64(scratch + 8 * r, load_i64(scratch + 8 * r) + chunks * job.x_chunk)
                outer_tile(scratch, dy + chunks * job.dy_chunk, 1, rest, 0, 0, job.x_image, job.dy_image, ADD)
