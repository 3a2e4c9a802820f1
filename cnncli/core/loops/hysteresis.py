"""Canny's hysteresis: trace ridges from the strong ones to all connected ones.

One pass over the whole image, because an edge may wind through all of it. The result does not depend
on the order in which pixels are visited.
"""

from cnncli.core import jobs
from cnncli.core.loops.integers import load_u8, store_8
from cnncli.core.loops.tile_io import inline
from cnncli.core.simd import load_i64, record, store_i64

JOB = jobs.HYSTERESIS
STRONG = jobs.STRONG_RIDGE
EDGE = STRONG + 1
STRONG_BITS = 0x0202020202020202


@inline
def push(stack, top, at):
    """Mark the pixel at an address as an edge, and push it to visit its neighbours."""
    store_8(at, EDGE)
    store_i64(stack + 8 * top, at)
    return top + 1


@inline
def follow(job, start):
    """Mark a strong pixel and everything connected to it as edges."""
    stack, pitch, step = job.stack, job.pitch, job.step
    top = push(stack, 0, start)
    while top:
        top -= 1
        corner = load_i64(stack + 8 * top) - pitch - step
        for row in range(3):
            for column in range(3):
                at = corner + row * pitch + column * step
                ridge = load_u8(at)
                if ridge == 1 or ridge == STRONG:
                    top = push(stack, top, at)


def loop(job_pointer, scratch, lo, hi):
    """The whole map: on return `EDGE` on an edge, 0 or 1 elsewhere."""
    job = record(job_pointer)
    end = job.map + job.words * 8
    for word in range(job.map, end, 8):
        if load_i64(word) & STRONG_BITS:
            for at in range(word, word + 8):
                if load_u8(at) == STRONG:
                    follow(job, at)
