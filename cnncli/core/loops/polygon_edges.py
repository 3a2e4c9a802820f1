"""Where the outline of a polygon crosses the middles of an image's columns, as COCO draws it.

The outline is walked in steps of a fifth of a pixel. Each crossing is stated as the position of the pixel
below it, counted down the columns: between the first crossing and the second, the third and the fourth and so
on, in their order, lies the polygon.

Source: rleFrPoly of the COCO API (P. Dollár, T.-Y. Lin), which defines what a polygon's pixels are.
"""

from cnncli.core import object_jobs
from cnncli.core.loops.tile_io import inline
from cnncli.core.simd import load_f64, load_i64, record, store_i64

JOB = object_jobs.POLYGON_EDGES
STEPS = 5  # of a pixel
MIDDLE = 2  # the step before a column's middle


@inline
def in_steps(address):
    """A coordinate in steps, halves up."""
    return int(STEPS * load_f64(address) + 0.5)


@inline
def crossed(u, v, last_u, last_v, height, width, top):
    """Note where the outline crosses the middle of a column between two points."""
    left, upper = min(u, last_u), min(v, last_v)
    column = (left - MIDDLE) // STEPS
    if left < MIDDLE or left != column * STEPS + MIDDLE or column >= width:
        return top
    row = 0 if upper <= MIDDLE else min((upper + MIDDLE) // STEPS, height)
    store_i64(top, column * height + row)
    return top + 8


def loop(job_pointer, scratch, lo, hi):
    """Polygons lo to hi."""
    job = record(job_pointer)
    for polygon in range(lo, hi):
        first = load_i64(job.first + 8 * polygon)
        corners = load_i64(job.first + 8 * polygon + 8) - first
        height, width = load_i64(job.sizes + 16 * polygon), load_i64(job.sizes + 16 * polygon + 8)
        start = job.crossings + 8 * load_i64(job.places + 8 * polygon)
        top = start
        last_u, last_v = in_steps(job.points + 16 * first), 0
        for corner in range(corners):
            here = job.points + 16 * (first + corner)
            there = job.points + 16 * (first + (corner + 1 if corner + 1 < corners else 0))
            xs, ys, xe, ye = in_steps(here), in_steps(here + 8), in_steps(there), in_steps(there + 8)
            dx, dy = abs(xe - xs), abs(ye - ys)
            flip = xs > xe if dx >= dy else ys > ye
            if flip:
                xs, ys, xe, ye = xe, ye, xs, ys
            steps = max(dx, dy)
            slope = 0.0
            if steps:
                slope = (ye - ys) / dx if dx >= dy else (xe - xs) / dy
            for step in range(steps + 1):
                t = steps - step if flip else step
                u = t + xs if dx >= dy else int(xs + slope * t + 0.5)
                v = int(ys + slope * t + 0.5) if dx >= dy else t + ys
                if u != last_u:
                    top = crossed(u, v, last_u, last_v, height, width, top)
                last_u, last_v = u, v
        store_i64(job.counts + 8 * polygon, (top - start) // 8)
