"""Non-maximum suppression: a box goes that overlaps a surer one, which stays, by more than a threshold.

Those that stay lie in strips by their left edges, for only boxes that begin near a box overlap it by so much.
It is compared with those of the strips near it, a vector of them at a time, in float32 and with bounds that
find too many rather than too few. What they find is decided in float64, so that results are exact.
"""

from cnncli.core import object_jobs
from cnncli.core.loops.integers import store_8
from cnncli.core.loops.tile_io import inline
from cnncli.core.simd import (
    LANES,
    any_greater,
    load_f32,
    load_f64,
    load_i64,
    record,
    splat,
    store_f32,
    store_i64,
    vload,
    vmax,
    vmin,
    zeros,
)

JOB = object_jobs.SUPPRESS
ROWS = 5
SPAN = 24  # bytes of a box in `spans`


@inline
def overlap(one, other):
    """Intersection over union of two boxes; NaN where both are empty."""
    x0, x1 = max(load_f64(one), load_f64(other)), min(load_f64(one + 16), load_f64(other + 16))
    y0, y1 = max(load_f64(one + 8), load_f64(other + 8)), min(load_f64(one + 24), load_f64(other + 24))
    common = max(x1 - x0, 0.0) * max(y1 - y0, 0.0)
    return common / (area(one) + area(other) - common)


@inline
def area(box):
    """Of a box in float64."""
    return (load_f64(box + 16) - load_f64(box)) * (load_f64(box + 24) - load_f64(box + 8))


@inline
def goes(job, box, first, last, pitch, scratch):
    """Whether one of the boxes that stay, from a place to another, overlaps a box too much."""
    edges, row = job.edges + 4 * box, job.pitch
    x0, y0 = splat(load_f32(edges)), splat(load_f32(edges + row))
    x1, y1 = splat(load_f32(edges + 2 * row)), splat(load_f32(edges + 3 * row))
    size, slack, zero = splat(load_f32(edges + 4 * row)), splat(job.slack), zeros()
    for at in range(first, last, LANES):
        kept = scratch + 4 * at
        width = vmax(vmin(x1, vload(kept + 2 * pitch)) - vmax(x0, vload(kept)), zero)
        height = vmax(vmin(y1, vload(kept + 3 * pitch)) - vmax(y0, vload(kept + pitch)), zero)
        common = width * height
        if any_greater(common, slack * (size + vload(kept + 4 * pitch) - common)):
            for lane in range(at, min(at + LANES, last)):
                other = load_i64(scratch + ROWS * pitch + 8 * lane)
                if overlap(job.boxes + 32 * box, job.boxes + 32 * other) > job.threshold:
                    return True
    return False


@inline
def overlapped(job, box, starts, pitch, scratch):
    """Whether a box goes, by those that stay in the strips near it."""
    counts = scratch + ROWS * pitch + 8 * job.longest
    near = job.spans + SPAN * box
    for strip in range(load_i64(near + 8), load_i64(near + 16) + 1):
        first = load_i64(starts + 8 * strip)
        if goes(job, box, first, first + load_i64(counts + 8 * strip), pitch, scratch):
            return True
    return False


def loop(job_pointer, scratch, lo, hi):
    """Groups lo to hi.

    Scratch: `ROWS` rows of float32 of the boxes that stay, their numbers, and how many each strip has.
    """
    job = record(job_pointer)
    pitch = 4 * job.longest
    numbers = scratch + ROWS * pitch
    counts = numbers + 8 * job.longest
    for group in range(lo, hi):
        starts = job.starts + 8 * (job.strips + 1) * group
        for strip in range(job.strips):
            store_i64(counts + 8 * strip, 0)
        for box in range(load_i64(job.first + 8 * group), load_i64(job.first + 8 * group + 8)):
            if overlapped(job, box, starts, pitch, scratch):
                continue
            strip = load_i64(job.spans + SPAN * box)
            count = load_i64(counts + 8 * strip)
            at = load_i64(starts + 8 * strip) + count
            for row in range(ROWS):
                store_f32(scratch + row * pitch + 4 * at, load_f32(job.edges + row * job.pitch + 4 * box))
            store_i64(numbers + 8 * at, box)
            store_8(job.kept + box, 1)
            store_i64(counts + 8 * strip, count + 1)
