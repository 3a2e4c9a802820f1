"""Separable blurs of bytes, in 16-bit integers: along the rows, then down the columns.

Sums along a row of a symmetric kernel are cut to 16 bits, a byte and 8 bits of fraction, and what is cut off
is added to the row below, so that sums down a column lack little of it. They are kept by pairs of rows, which
one instruction multiplies by two weights and adds. The bits that are cut off and the rounding of weights
leave open what some sums round to, one of two hundred in a photograph. Those are summed again as `separable`
sums them, as many at once as a vector has lanes, so that every byte is the same.
"""

import numpy as np

from cnncli.core import jobs
from cnncli.core.choices import FACTOR_SAMPLES, ROWS_AHEAD
from cnncli.core.loops.factor_sums import GROUP, PAIR_ROWS, column_sums, row_pairs, sums_anew
from cnncli.core.loops.integers import clear, copy_bytes, lowest_one
from cnncli.core.loops.kernel_rows import in_place, start_and_doubt, tile_at
from cnncli.core.loops.median_network import row_copier
from cnncli.core.loops.packing import flag_place, in_turns
from cnncli.core.loops.pair_sums import ENTRY_BYTES
from cnncli.core.loops.tile_io import HEADER_BYTES, inline
from cnncli.core.simd import LANES, fetch_to_read, load_i64, record, store_i64

JOB = jobs.SEPARABLE_BYTES
BLOCK_SAMPLES = FACTOR_SAMPLES // GROUP * GROUP
FULL = LANES * ENTRY_BYTES
OPEN_ROWS = PAIR_ROWS * ENTRY_BYTES // 4 + 1  # of floats, that hold the list of all samples of two rows
load_bytes = row_copier(1)
lane_of, sample_at = inline(flag_place), inline(in_turns)


@inline
def list_open(first, pitch, out, out_pitch, samples, rows, entry, end, found):
    """List the samples that words from an entry to an end name, of the first rows and samples.

    Each as the address of its first cell and that of its output; returns where the list ends.
    """
    while entry < end:
        word, number = load_i64(entry), load_i64(entry + 8)
        row, start = number % PAIR_ROWS, number // PAIR_ROWS
        while word:
            sample = start + sample_at(lane_of(lowest_one(word)))
            store_i64(found, first + row * pitch + sample)
            store_i64(found + 8, out + row * out_pitch + sample)
            found += ENTRY_BYTES * np.intp(row < rows and sample < samples)
            word &= word - 1
        entry += ENTRY_BYTES
    return found


@inline
def load_pair(job, above, below, samples, carried, ring, extremes, place):
    """Sums along two rows to a place of the ring, and the extremes of each of their blocks."""
    step = 8 * job.pairs
    for i in range(0, samples, BLOCK_SAMPLES):
        seen = row_pairs(
            above + i,
            below + i,
            min(BLOCK_SAMPLES, samples - i),
            job.slots,
            job.slot_offsets,
            job.slot_weights,
            job.row_start,
            job.row_shift,
            carried + 4 * i,
            ring + place * 4 * job.pitch + 4 * i,
        )
        store_i64(extremes + 8 * place, seen)
        extremes += step


@inline
def bounds_of(job, extremes):
    """The start of the sums of a block of samples, and their doubt."""
    low, high = 255, 0
    for place in range(job.pairs):
        seen = load_i64(extremes + 8 * place)
        low, high = min(low, seen & 255), max(high, seen >> 8)
    return start_and_doubt(job, low, high)


@inline
def store_columns(job, ring, phase, extremes, out, samples, rows, spare, found):
    """Sums down the columns for up to two rows, stored as bytes; where the list of those in doubt ends.

    ``phase`` is the place of the first pair under them. What is not a whole group of two rows is stored
    through scratch at ``spare``.
    """
    places = job.places + 8 * phase
    end, i, start, doubt = found, 0, 0, 0
    while i < samples:
        left = BLOCK_SAMPLES - i % BLOCK_SAMPLES
        if left == BLOCK_SAMPLES:
            start, doubt = bounds_of(job, extremes + i // BLOCK_SAMPLES * 8 * job.pairs)
        length = min(left, samples - i)
        aside = length < GROUP or rows < PAIR_ROWS
        length = min(length, GROUP) if aside else length - length % GROUP
        to, pitch = (spare, GROUP) if aside else (out + i, job.out_pitch)
        end = column_sums(
            ring + 4 * i,
            length,
            places,
            job.pairs,
            job.pair_weights,
            start,
            job.shift,
            doubt,
            to,
            pitch,
            PAIR_ROWS * i,
            end,
        )
        if aside:
            for each in range(rows):
                copy_bytes(out + each * job.out_pitch + i, spare + each * GROUP, length)
        i += length
    return end


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi; the second number in scratch counts the sums that were in doubt."""
    job = record(job_pointer)
    pitch = 4 * job.pitch
    ring = scratch + HEADER_BYTES
    extremes = ring + job.pairs * pitch
    words = extremes + job.pairs * pitch
    spare = words + pitch
    carried = spare + pitch
    room = carried + pitch
    found = room + jobs.FACTOR_CHAINS * 8 * LANES * job.blocks
    loaded = found + OPEN_ROWS * pitch
    settled = 0
    for tile in range(lo, hi):
        if settled > job.most_doubtful:
            break
        x0, y0, width, height, pixels, need = tile_at(job, tile)
        samples = width * job.channels
        base, step = in_place(job, y0, need, x0, pixels, 1), job.src_pitch
        ready = need
        if base == 0:
            base, step, ready = loaded, job.pitch, 0
        have, open_ = 0, found
        clear(carried, pitch)
        for y in range(0, height, PAIR_ROWS):
            while have < y // PAIR_ROWS + job.pairs:
                one, two = min(PAIR_ROWS * have, need - 1), min(PAIR_ROWS * have + 1, need - 1)
                while ready <= two:
                    load_bytes(job, y0 + ready, x0, pixels, loaded + ready * job.pitch)
                    ready += 1
                fetch_to_read(base + (one + 2 * ROWS_AHEAD) * step, samples)
                fetch_to_read(base + (two + 2 * ROWS_AHEAD) * step, samples)
                load_pair(
                    job,
                    base + one * step,
                    base + two * step,
                    samples,
                    carried,
                    ring,
                    extremes,
                    have % job.pairs,
                )
                have += 1
            rows = min(PAIR_ROWS, height - y)
            out = job.out + (y0 + y) * job.out_pitch + x0 * job.channels
            phase = y // PAIR_ROWS % job.pairs
            end = store_columns(job, ring, phase, extremes, out, samples, rows, spare, words)
            first = base + y * step
            open_ = list_open(first, step, out, job.out_pitch, samples, rows, words, end, open_)
            entry = found
            while open_ - entry >= FULL or (entry < open_ and y + PAIR_ROWS >= height):
                for lane in range((open_ - entry) // ENTRY_BYTES, LANES):
                    copy_bytes(entry + lane * ENTRY_BYTES, entry, ENTRY_BYTES)
                sums_anew(
                    entry,
                    step,
                    job.extent_y,
                    job.columns,
                    job.blocks,
                    room,
                    job.extent_x,
                    job.channels,
                    job.rows,
                    job.scale,
                    job.bias,
                )
                settled += min(FULL, open_ - entry) // ENTRY_BYTES
                entry += FULL
            for each in range(0, open_ - entry, ENTRY_BYTES):
                copy_bytes(found + each, entry + each, ENTRY_BYTES)
            open_ = found + max(open_ - entry, 0)
    store_i64(scratch + 8, load_i64(scratch + 8) + settled)
