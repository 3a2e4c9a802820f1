"""Values of an image from places of another, as tables say: slices, transpositions, repetitions, paddings."""

from cnncli.core import nn_jobs
from cnncli.core.loops.rows import place
from cnncli.core.simd import LANES, VECTOR_BYTES, load_f32, load_i64, record, store_f32, vload, vstore

JOB = nn_jobs.TAKE


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    channels = job.channels
    whole = 4 * (channels - channels % LANES)
    for each in range((hi - lo) * job.height):
        image = each // job.height
        row = each - image * job.height
        x = place(job.x, job.x_chunk, scratch, chunk) + image * job.x_image
        y = place(job.y, job.y_chunk, scratch, chunk) + image * job.y_image + row * job.y_row
        for column in range(job.width):
            start = load_i64(job.outer + 8 * (row * job.width + column))
            if start >= 0 and job.run:
                source = x + start + load_i64(job.inner)
                for i in range(0, whole, VECTOR_BYTES):
                    vstore(y + i, vload(source + i))
                for i in range(whole, 4 * channels, 4):
                    store_f32(y + i, load_f32(source + i))
            else:
                for c in range(channels):
                    at = load_i64(job.inner + 8 * c)
                    if start >= 0 and at >= 0:
                        store_f32(y + 4 * c, load_f32(x + start + at))
                    else:
                        store_f32(y + 4 * c, job.fill)
            y += 4 * channels
