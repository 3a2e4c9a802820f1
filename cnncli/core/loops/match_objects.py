"""Give detections to objects, the surest first: each takes the one that it overlaps most and that is free.

Objects that count are looked at first; only a detection of none of them is of one that is ignored. Of equal
overlaps the last wins. A crowd is never taken.

Source: evaluateImg of the COCO API (P. Dollár, T.-Y. Lin).
"""

from cnncli.core import object_jobs
from cnncli.core.loops.integers import clear, load_u8, store_8
from cnncli.core.loops.tile_io import inline
from cnncli.core.simd import load_f64, load_i64, record

JOB = object_jobs.MATCH
OBJECT = object_jobs.FOUND["object"]
IGNORED = object_jobs.FOUND["ignored"]


@inline
def best_of(overlaps, taken, ignored, crowd, count, least, want_ignored):
    """The object with the largest overlap, `least` or more; -1 for none."""
    best = -1
    for g in range(count):
        free = load_u8(taken + g) == 0 or load_u8(crowd + g) != 0
        if free and load_u8(ignored + g) == want_ignored:
            overlap = load_f64(overlaps + 8 * g)
            if overlap >= least:
                least, best = overlap, g
    return best


def loop(job_pointer, scratch, lo, hi):
    """Groups lo to hi."""
    job = record(job_pointer)
    for group in range(lo, hi):
        d0, d1 = load_i64(job.detections + 8 * group), load_i64(job.detections + 8 * group + 8)
        g0 = load_i64(job.objects + 8 * group)
        count = load_i64(job.objects + 8 * group + 8) - g0
        overlaps = job.overlaps + 8 * load_i64(job.places + 8 * group)
        crowd = job.crowd + g0
        for part in range(job.range_count):
            ignored = job.ignored + part * job.object_count + g0
            for at in range(job.threshold_count):
                least = load_f64(job.thresholds + 8 * at)
                found = job.found + (part * job.threshold_count + at) * job.detection_count
                clear(scratch, count)
                for d in range(d0, d1):
                    row = overlaps + 8 * (d - d0) * count
                    best = best_of(row, scratch, ignored, crowd, count, least, 0)
                    what = OBJECT
                    if best < 0:
                        best = best_of(row, scratch, ignored, crowd, count, least, 1)
                        what = IGNORED
                    if best >= 0:
                        store_8(scratch + best, 1)
                        store_8(found + d, what)
