"""Sums over a rectangle, in a time almost independent of its size, without accumulating errors.

Along a row by doubling: sums of width 2, 4, 8 … take one addition each, and those that compose the width
are added. Down the columns in blocks as tall as the box: a window is the tail of one block and the head of
the next, and both are running sums that end with their block
(van Herk, "A fast algorithm for local minimum and maximum filters", 1992, with sums for minima).
So rounding errors do not propagate further than a box, and a NaN only affects its windows.
"""

from cnncli.core import jobs
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import LANES, record, vload, vstore

JOB = jobs.BOX
STEP = 4 * LANES  # floats per iteration of an inner loop


@inline
def add_vectors(a, b, dst, at):
    """One vector of a row."""
    vstore(dst + at, vload(a + at) + vload(b + at))


@inline
def add(a, b, dst, samples):
    """dst = a + b over a row of floats; rows are padded to whole steps."""
    for i in range(0, samples, STEP):  # unrolled by hand, as LLVM does not
        add_vectors(a, b, dst, 4 * i)
        add_vectors(a, b, dst, 4 * (i + LANES))
        add_vectors(a, b, dst, 4 * (i + 2 * LANES))
        add_vectors(a, b, dst, 4 * (i + 3 * LANES))


@inline
def copy(src, dst, samples):
    """dst = src over a row of floats."""
    for i in range(0, samples, LANES):
        vstore(dst + 4 * i, vload(src + 4 * i))


@inline
def sum_along_row(row, width, channels, samples, dst):
    """dst[x] = row[x] + … + row[x + width - 1]; overwrites ``row`` with its doubled sums."""
    doubled = 1
    reach = 0
    while True:
        if width & doubled:
            part = row + 4 * reach * channels
            if reach == 0:
                copy(part, dst, samples)
            else:
                add(dst, part, dst, samples)
            reach += doubled
        if 2 * doubled > width:
            return
        # Each later sum needs the doubled ones only as far as it reaches.
        add(row, row + 4 * doubled * channels, row, samples + (width - 2 * doubled) * channels)
        doubled *= 2


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    pitch = 4 * job.pitch
    channels, box_width, box_height = job.channels, job.box_width, job.box_height
    row = scratch + HEADER_BYTES
    head = row + pitch
    answer = head + pitch
    sums = answer + pitch
    for tile in range(lo, hi):
        tile_y = tile // job.tiles_x
        x0 = (tile - tile_y * job.tiles_x) * job.tile_width
        y0 = tile_y * job.tile_height
        width = min(job.tile_width, job.out_width - x0)
        height = min(job.tile_height, job.out_height - y0)
        dense = (width - 1) * job.stride_x + 1
        samples = dense * channels
        have = 0
        place = 0  # of row `have` in its block
        for y in range(height):
            top = y * job.stride_y
            while have < top + box_height:
                load_row(job, y0 * job.stride_y + have, x0 * job.stride_x, dense + box_width - 1, row)
                here = sums + have * pitch
                sum_along_row(row, box_width, channels, samples, here)
                if place == 0:
                    copy(here, head, samples)
                else:
                    add(head, here, head, samples)
                have += 1
                place += 1
                if place == box_height:  # the block is complete: turn its rows into sums to its end
                    for back in range(1, box_height):
                        tail = here - back * pitch
                        add(tail, tail + pitch, tail, samples)
                    place = 0
            if place == 0:
                store_row(job, sums + top * pitch, y0 + y, x0, width, scratch)
            else:
                add(sums + top * pitch, head, answer, samples)
                store_row(job, answer, y0 + y, x0, width, scratch)
