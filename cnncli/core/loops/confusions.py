"""Pixels counted by their class and the one that they are taken for: that with the highest value, the first
of equal ones.
"""

from cnncli.core import object_jobs
from cnncli.core.simd import load_f32, load_i64, record, store_i64

JOB = object_jobs.CONFUSIONS


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi."""
    job = record(job_pointer)
    classes = job.classes
    for sample in range(lo, hi):
        counts = job.counts + 8 * classes * classes * sample
        x = job.values + 4 * classes * job.pixels * sample
        first = job.labels + 8 * job.pixels * sample
        for label_at in range(first, first + 8 * job.pixels, 8):
            label = load_i64(label_at)
            if 0 <= label < classes:
                seen = 0
                top = load_f32(x)
                for k in range(1, classes):
                    value = load_f32(x + 4 * k)
                    if value > top:
                        top = value
                        seen = k
                at = counts + 8 * (classes * label + seen)
                store_i64(at, load_i64(at) + 1)
            x += 4 * classes
