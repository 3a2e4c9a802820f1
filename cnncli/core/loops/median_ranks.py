"""Medians of any type and window, by ranks: sort a tile once, then slide a window of bits over it.

All values under a tile are sorted, and each is replaced by its rank. A window is then a set of ranks, one bit
for each rank of the tile, and the median is the middle set bit: after each step it is searched from the
previous word and the number of bits below it. The window moves over the tile in serpentine order, so that
it is never rebuilt.

Source: J. Suomela: Median Filtering is Equivalent to Sorting, 2014.
"""

from cnncli.core import jobs
from cnncli.core.loops.exchange import floats_to_keys, keys_to_floats
from cnncli.core.loops.integers import clear, load_u32, lowest_one, ones, store_32
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import load_i64, record, store_i64

JOB = jobs.MEDIAN_RANKS
DIGIT_BITS = 11
BINS = 1 << DIGIT_BITS
LOW_HALF = 0xFFFFFFFF
SIGN = 0x80000000  # flipping it makes signed keys order like unsigned ones


@inline
def sort_pass(src, dst, bins, count, shift):
    """A stable radix-sort pass of pairs by one digit of their keys."""
    clear(bins, 8 * BINS)
    for i in range(count):
        at = bins + 8 * ((load_i64(src + 8 * i) >> shift) & (BINS - 1))
        store_i64(at, load_i64(at) + 1)
    total = 0
    for digit in range(BINS):
        here = load_i64(bins + 8 * digit)
        store_i64(bins + 8 * digit, total)
        total += here
    for i in range(count):
        pair = load_i64(src + 8 * i)
        at = bins + 8 * ((pair >> shift) & (BINS - 1))
        place = load_i64(at)
        store_i64(at, place + 1)
        store_i64(dst + 8 * place, pair)


@inline
def rank_all(job, keys, channel, width, height, scratch):
    """Ranks of one channel's keys, row by row; returns the address of the sorted pairs (key, position)."""
    a, b, bins = scratch + job.pairs, scratch + job.other_pairs, scratch + job.bins
    step = 4 * job.channels
    count = 0
    for y in range(height):
        row = keys + y * 4 * job.pitch + 4 * channel
        for x in range(width):
            store_i64(a + 8 * count, ((load_u32(row + x * step) ^ SIGN) << 32) | count)
            count += 1
    for turn in range(3):
        sort_pass(a, b, bins, count, 32 + turn * DIGIT_BITS)
        a, b = b, a
    ranks = scratch + job.ranks
    for rank in range(count):
        store_32(ranks + 4 * (load_i64(a + 8 * rank) & LOW_HALF), rank)
    return a


@inline
def toggle(ranks, step, count, window, limit):
    """Add values to the window, or remove them; returns how many rank below ``limit``."""
    below = 0
    for i in range(count):
        rank = load_u32(ranks + i * step)
        at = window + 8 * (rank >> 6)
        store_i64(at, load_i64(at) ^ (1 << (rank & 63)))
        below += rank < limit
    return below


@inline
def settle(window, word, below, middle):
    """The word that holds the middle bit, and the bits below that word."""
    while below > middle:
        word -= 1
        below -= ones(load_i64(window + 8 * word))
    while True:
        here = ones(load_i64(window + 8 * word))
        if below + here > middle:
            return word, below
        below += here
        word += 1


@inline
def bit_at(bits, number):
    """Position of the set bit that follows ``number`` others."""
    for _ in range(number):
        bits &= bits - 1
    return lowest_one(bits)


@inline
def slide(job, channel, width, height, sorted_pairs, scratch):
    """Medians of one channel, width x height, every stride_y-th row, to the results."""
    size = job.size
    middle = size * size // 2
    step = 4 * job.channels
    across = 4 * (width + size - 1)  # from row to row of ranks
    corner = scratch + job.ranks
    window = scratch + job.window
    clear(window, job.window_bytes)
    word = 0
    below = 0
    for y in range(size):
        toggle(corner + y * across, 4, size, window, 0)
    x, y = 0, 0
    rightwards = True
    while True:
        answered = y % job.stride_y == 0
        if answered:
            word, below = settle(window, word, below, middle)
            rank = 64 * word + bit_at(load_i64(window + 8 * word), middle - below)
            answer = scratch + job.answers + (y // job.stride_y) * 4 * job.pitch + 4 * channel + x * step
            store_32(answer, (load_i64(sorted_pairs + 8 * rank) >> 32) ^ SIGN)
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
        below += toggle(entering, between, size, window, 64 * word)
        below -= toggle(leaving, between, size, window, 64 * word)


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    size = job.size
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
        for y in range(lines + size - 1):
            row = keys + y * row_bytes
            load_row(job, y0 * job.stride_y + y, x0 * job.stride_x, columns + size - 1, row)
            floats_to_keys(row, (columns + size - 1) * job.channels * 4)
        for channel in range(job.channels):
            pairs = rank_all(job, keys, channel, columns + size - 1, lines + size - 1, scratch)
            slide(job, channel, columns, lines, pairs, scratch)
        for y in range(height):
            row = scratch + job.answers + y * row_bytes
            keys_to_floats(row, columns * job.channels * 4)
            store_row(job, row, y0 + y, x0, width, scratch)
