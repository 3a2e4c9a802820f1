"""The gradient of a table of words: only rows whose words occur in the batch have one.

Places are added in their order, by one thread for each row: no bit depends on the number of threads.
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.text_rows import ZERO, add_scaled, clear
from cnncli.core.simd import (
    VECTOR_BYTES,
    lane_sum,
    load_i64,
    record,
    splat,
    store_f64,
    vload,
)

JOB = nn_jobs.EMBED_SUMS
ONE = np.float32(1)


def loop(job_pointer, scratch, lo, hi):
    """Tasks lo to hi, each some of the rows that are listed."""
    job = record(job_pointer)
    count = load_i64(job.listed)
    share = -(-count // job.tasks)
    for task in range(lo, hi):
        squares = 0.0
        for at in range(task * share, min((task + 1) * share, count)):
            row = job.gradient + load_i64(job.listed + 8 + 8 * at) * job.pitch
            clear(row, job.pitch // 4)
            for each in range(load_i64(job.starts + 8 * at), load_i64(job.starts + 8 * at + 8)):
                where = load_i64(job.places + 8 * each)
                sample = where // job.words
                chunk = sample // job.chunk
                dy = job.dy + chunk * job.dy_chunk + (sample - chunk * job.chunk) * job.dy_image
                add_scaled(row, dy + 4 * (where - sample * job.words) * job.floats, job.floats, ONE)
            squared = splat(ZERO)
            for i in range(0, job.pitch, VECTOR_BYTES):
                squared = squared + vload(row + i) * vload(row + i)
            squares += np.float64(lane_sum(squared))
        store_f64(job.squares + 8 * task, squares)
