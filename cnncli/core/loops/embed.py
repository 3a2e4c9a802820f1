"""The vectors of a text's words: rows of a table, and zeros after its end."""

from cnncli.core import nn_jobs
from cnncli.core.loops.rows import place
from cnncli.core.loops.text_rows import clear, length_of
from cnncli.core.simd import LANES, VECTOR_BYTES, load_f32, record, store_f32, vload, vstore

JOB = nn_jobs.EMBED


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    numbers = place(job.numbers, job.numbers_chunk, scratch, chunk)
    y = place(job.y, job.y_chunk, scratch, chunk)
    floats = job.floats
    whole = 4 * (floats - floats % LANES)
    for _ in range(hi - lo):
        count = length_of(numbers, job.words)
        for t in range(count):
            row = job.table + int(load_f32(numbers + 4 * t)) * job.table_pitch
            out = y + 4 * t * floats
            for i in range(0, whole, VECTOR_BYTES):
                vstore(out + i, vload(row + i))
            for i in range(whole, 4 * floats, 4):
                store_f32(out + i, load_f32(row + i))
        clear(y + 4 * count * floats, (job.words - count) * floats)
        numbers += job.numbers_image
        y += job.y_image
