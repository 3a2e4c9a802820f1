"""Copy a tensor's channels into a range of another's channels, and zeros beside them."""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.rows import place
from cnncli.core.simd import LANES, VECTOR_BYTES, load_f32, record, store_f32, vload, vstore

JOB = nn_jobs.SLICE


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    floats = job.floats
    whole = 4 * (floats - floats % LANES)
    add = job.add
    for each in range((hi - lo) * job.height):
        image = each // job.height
        row = each - image * job.height
        x = place(job.x, job.x_chunk, scratch, chunk) + image * job.x_image + row * job.x_row
        y = place(job.y, job.y_chunk, scratch, chunk) + image * job.y_image + row * job.y_row
        for _ in range(job.width):
            for i in range(0, whole, VECTOR_BYTES):
                value = vload(x + i)
                vstore(y + i, value + vload(y + i) if add else value)
            for i in range(whole, 4 * floats, 4):
                single = load_f32(x + i)
                store_f32(y + i, single + load_f32(y + i) if add else single)
            for i in range(-4 * job.before, 0, 4):
                store_f32(y + i, np.float32(0))
            for i in range(4 * floats, 4 * (floats + job.after), 4):
                store_f32(y + i, np.float32(0))
            x += job.x_pixel
            y += job.y_pixel
