"""Convolution of gray images to few channels with stride 1, two neighbouring pixels per vector.

With fewer channels than half the lanes, a vector of one pixel's channels is mostly empty; with two pixels
it is full, which halves the multiply-adds. Pairs continue across the ends of lines and images; if a line
has an odd width, its last pair overlaps the one before.
"""

from cnncli.core import nn_jobs
from cnncli.core.choices import PAIR_ROWS
from cnncli.core.loops.gemm import gemm_pairs
from cnncli.core.loops.rows import place
from cnncli.core.simd import load_i64, record, store_i64

JOB = nn_jobs.PAIRS


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    y = place(job.y, job.y_chunk, scratch, chunk)
    pixel = job.y_step
    at, end = scratch, scratch + 8 * PAIR_ROWS
    for image in range(hi - lo):
        for line in range(job.height):
            x_at = x + image * job.x_image + line * job.x_line
            y_at = y + image * job.y_image + line * job.y_line
            for first in range(0, job.width, 2):
                column = min(first, job.width - 2)
                store_i64(at, x_at + 4 * column)
                store_i64(at + 8 * PAIR_ROWS, y_at + column * pixel)
                at += 8
                if at == end:
                    gemm_pairs(scratch, job.segments, job.segment_count, job.panel, job.bias, job.mode, pixel)
                    at = scratch
    if at > scratch:
        while at < end:  # beyond the end, repeat the last pair
            store_i64(at, load_i64(at - 8))
            store_i64(at + 8 * PAIR_ROWS, load_i64(at + 8 * PAIR_ROWS - 8))
            at += 8
        gemm_pairs(scratch, job.segments, job.segment_count, job.panel, job.bias, job.mode, pixel)
