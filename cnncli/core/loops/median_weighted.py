"""Weighted medians of any type and window: the value at which half of the window's weight is reached.

As for medians by ranks, all values under a tile are sorted, and a window is a set of ranks: here with the
weight of each, and with sums of 64 neighbours, in which the middle is searched after each step.
"""

from cnncli.core import jobs
from cnncli.core.loops.exchange import floats_to_keys, keys_to_floats
from cnncli.core.loops.integers import clear, load_u32, store_32
from cnncli.core.loops.median_ranks import SIGN, rank_all
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import load_f32, load_i64, record, store_i64

JOB = jobs.MEDIAN_WEIGHTED
BUCKET = 6  # bits of a rank within its bucket


@inline
def move(cells, step, count, weights, fine, coarse, sign, limit):
    """Put values into the window, or take them out: the change of its weight, and of that below ``limit``."""
    total = 0
    below = 0
    for i in range(count):
        rank = load_u32(cells + i * step)
        weight = load_u32(weights + i * step)
        store_i64(fine + 8 * rank, weight if sign > 0 else 0)
        at = coarse + 8 * (rank >> BUCKET)
        store_i64(at, load_i64(at) + sign * weight)
        total += sign * weight
        if rank < limit:
            below += sign * weight
    return total, below


@inline
def settle(coarse, bucket, below, middle):
    """The bucket in which the weight reaches ``middle``, and the weight before it."""
    while below >= middle:
        bucket -= 1
        below -= load_i64(coarse + 8 * bucket)
    while True:
        here = load_i64(coarse + 8 * bucket)
        if below + here >= middle:
            return bucket, below
        below += here
        bucket += 1


@inline
def rank_at(fine, bucket, below, middle):
    """The rank at which the weight reaches ``middle``."""
    rank = bucket << BUCKET
    while True:
        below += load_i64(fine + 8 * rank)
        if below >= middle:
            return rank
        rank += 1


@inline
def slide(job, channel, width, height, sorted_pairs, scratch):
    """Medians of one channel, every stride_y-th row, to the results; 0 where a window has no weight."""
    size = job.size
    step = 4 * job.channels
    across = 4 * (width + size - 1)
    corner, shift = scratch + job.ranks, job.weights - job.ranks
    fine, coarse = scratch + job.fine, scratch + job.coarse
    clear(fine, job.fine_bytes)
    total, bucket, below = 0, 0, 0
    for y in range(size):
        row = corner + y * across
        total += move(row, 4, size, row + shift, fine, coarse, 1, 0)[0]
    x, y = 0, 0
    rightwards = True
    while True:
        answered = y % job.stride_y == 0
        if answered:
            answer = scratch + job.answers + (y // job.stride_y) * 4 * job.pitch + 4 * channel + x * step
            key = 0
            if total > 0:
                middle = (total + 1) // 2
                bucket, below = settle(coarse, bucket, below, middle)
                rank = rank_at(fine, bucket, below, middle)
                key = (load_i64(sorted_pairs + 8 * rank) >> 32) ^ SIGN
            store_32(answer, key)
        if answered and x != (width - 1 if rightwards else 0):
            between = across
            entering = corner + 4 * (x + size if rightwards else x - 1)
            leaving = corner + 4 * (x if rightwards else x + size - 1)
            x += 1 if rightwards else -1
        else:
            y += 1
            if y == height:
                return
            rightwards = rightwards != answered
            between = 4
            entering = corner + size * across + 4 * x
            leaving = corner + 4 * x
            corner += across
        limit = bucket << BUCKET
        more, more_below = move(entering, between, size, entering + shift, fine, coarse, 1, limit)
        less, less_below = move(leaving, between, size, leaving + shift, fine, coarse, -1, limit)
        total += more + less
        below += more_below + less_below


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    size, channels = job.size, job.channels
    row_bytes = 4 * job.pitch
    keys = scratch + HEADER_BYTES
    for tile in range(lo, hi):
        tile_y = tile // job.tiles_x
        x0 = (tile - tile_y * job.tiles_x) * job.tile_width
        y0 = tile_y * job.tile_height
        width = min(job.tile_width, job.out_width - x0)
        height = min(job.tile_height, job.out_height - y0)
        columns = (width - 1) * job.stride_x + 1
        lines = (height - 1) * job.stride_y + 1
        pixels = columns + size - 1
        for y in range(lines + size - 1):
            row = keys + y * row_bytes
            load_row(job, y0 * job.stride_y + y, x0 * job.stride_x, pixels, row)
            weights = scratch + job.weights + 4 * y * pixels
            for x in range(pixels):
                weight = int(load_f32(row + 4 * (x * channels + channels - 1)))
                store_32(weights + 4 * x, weight)
            floats_to_keys(row, pixels * channels * 4)
        for channel in range(channels - 1):
            pairs = rank_all(job, keys, channel, pixels, lines + size - 1, scratch)
            slide(job, channel, columns, lines, pairs, scratch)
        for y in range(height):
            row = scratch + job.answers + y * row_bytes
            for x in range(columns):
                store_32(row + 4 * (x * channels + channels - 1), 0)
            keys_to_floats(row, columns * channels * 4)
            store_row(job, row, y0 + y, x0, width, scratch)
