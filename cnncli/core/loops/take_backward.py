"""The gradient of what tables took from an image: each place gets the sum of what was taken from it."""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.rows import place
from cnncli.core.simd import load_f32, load_i64, record, store_f32

JOB = nn_jobs.TAKE


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk: x is written, y is read."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    for image in range(hi - lo):
        x = place(job.x, job.x_chunk, scratch, chunk) + image * job.x_image
        y = place(job.y, job.y_chunk, scratch, chunk) + image * job.y_image
        for i in range(0, 4 * job.size, 4):
            store_f32(x + i, np.float32(0))
        for row in range(job.height):
            for column in range(job.width):
                start = load_i64(job.outer + 8 * (row * job.width + column))
                from_y = y + row * job.y_row + 4 * column * job.channels
                if start >= 0:
                    for c in range(job.channels):
                        at = load_i64(job.inner + 8 * c)
                        if at >= 0:
                            to = x + start + at
                            store_f32(to, load_f32(to) + load_f32(from_y + 4 * c))
