"""Direct convolution of bytes with any small kernel, in 16-bit integers.

One instruction multiplies two weights by the samples of two rows and adds the products: twice as many
multiply-adds as with floats, and the rows that are loaded, two in one, take half the room. Weights are
rounded to 16 bits, which leaves open what some sums round to, one of three hundred in a photograph. Those
are summed again as `direct` sums them, as many at once as a vector has lanes, so that every sample is the
same.
"""

import numpy as np

from cnncli.core import jobs
from cnncli.core.choices import EXTREMES_SAMPLES, ROWS_AHEAD
from cnncli.core.loops.integers import copy_bytes, load_u8, lowest_one, ones, store_8, store_32
from cnncli.core.loops.kernel_rows import start_and_doubt, tile_at
from cnncli.core.loops.packing import flag_place
from cnncli.core.loops.pair_sums import (
    ENTRY_BYTES,
    HALF_WIDE,
    OPEN_BYTES,
    QUAD_COUNT,
    WHOLE,
    WIDE,
    load_interleaved,
    pair_sums,
    range_of,
    sums_in_floats,
)
from cnncli.core.loops.taps import ROW_CHUNK, ROWS
from cnncli.core.loops.tile_io import HEADER_BYTES, inline
from cnncli.core.simd import LANES, load_i64, record, store_i64

JOB = jobs.DIRECT_PAIRS
lane_of = inline(flag_place)
RANGE = EXTREMES_SAMPLES // ROW_CHUNK * ROW_CHUNK


@inline
def load_pair(job, row, other, column, pixels, dst, least, most):
    """Pixels of two rows of the padded image, from a column on, as pairs of integers at ``dst``.

    The lesser and the greater sample of each pair go to ``least`` and ``most``, as bytes.
    """
    channels = job.channels
    first, second = load_i64(job.ymap + 8 * row), load_i64(job.ymap + 8 * other)
    above, below = job.src + first * job.src_pitch, job.src + second * job.src_pitch
    end = column + pixels
    lo = min(max(job.inner_lo, column), end)
    hi = min(max(job.inner_hi, lo), end)
    if first < 0 or second < 0:
        lo = hi = end
    whole = 0
    if hi > lo:
        skipped = load_i64(job.xmap + 8 * lo) * channels
        samples = (hi - lo) * channels
        ahead = 2 * ROWS_AHEAD * job.src_pitch
        at = (lo - column) * channels
        load_interleaved(
            above + skipped, below + skipped, samples, dst + 4 * at, least + at, most + at, ahead
        )
        whole = (samples - samples % LANES) // channels
    # The remainder of the inner range, and the border on either side, pixel by pixel.
    fill = np.intp(job.fill)
    p = column
    while p < end:
        if p == lo:
            p += whole
        if p < end:
            at = (p - column) * channels
            place = load_i64(job.xmap + 8 * p)
            for channel in range(channels):
                sample = place * channels + channel
                one = load_u8(above + sample) if first >= 0 and place >= 0 else fill
                two = load_u8(below + sample) if second >= 0 and place >= 0 else fill
                store_32(dst + 4 * (at + channel), one + (two << 16))
                store_8(least + at + channel, min(one, two))
                store_8(most + at + channel, max(one, two))
        p += 1


@inline
def list_open(job, ring, phase, out, samples, rows, entry, end, found):
    """List the sums that words from an entry to an end name, of the first rows and samples.

    Each by three addresses, as `sums_in_floats` takes them; ``phase`` is the place of the first pair under
    the rows that are computed together. Returns where the list ends.
    """
    word = load_i64(entry)
    while entry < end:
        quad, lane = load_i64(entry + 8), lane_of(lowest_one(word))
        chunk = quad // QUAD_COUNT
        quad -= chunk * QUAD_COUNT
        if quad < ROWS * WHOLE:
            each = quad // WHOLE
            sample = (quad - each * WHOLE) * WIDE + lane
        else:
            each = 2 * (quad - ROWS * WHOLE) + lane // HALF_WIDE
            sample = WHOLE * WIDE + lane % HALF_WIDE
        sample += chunk * ROW_CHUNK
        store_i64(found, ring + 4 * sample)
        store_i64(found + 8, job.row_places + 8 * (2 * phase + each))
        store_i64(found + 16, out + each * job.out_pitch + sample)
        found += OPEN_BYTES * np.intp(each < rows and sample < samples)
        word &= word - 1
        done = np.intp(word == 0)  # no branch: it would be a guess
        entry += ENTRY_BYTES * done
        word |= load_i64(entry) & -done
    return found


@inline
def settle(job, found, end):
    """Sum what a list holds in floats; returns the numbers of sums and of those that were clamped."""
    count, clipped = (end - found) // OPEN_BYTES, 0
    while found < end:
        missing = max(LANES - (end - found) // OPEN_BYTES, 0)
        for each in range(missing):
            copy_bytes(end + each * OPEN_BYTES, found, OPEN_BYTES)
        word = sums_in_floats(found, job.kernel_height, job.blocks, job.weights, job.scale, job.bias)
        clipped += ones(word & ((1 << (LANES - missing)) - 1))
        found += LANES * OPEN_BYTES
    return count, clipped


@inline
def bound_errors(job, least, most, samples, table):
    """The start of the sums and their doubt, for each `RANGE` of samples, as two integers."""
    reach = (job.extent_x - 1) * job.channels
    for i in range(0, samples, RANGE):
        seen = range_of(least + i, most + i, job.places, job.ring, min(RANGE, samples - i) + reach)
        start, doubt = start_and_doubt(job, seen & 255, seen >> 8)
        store_i64(table, start)
        store_i64(table + 8, doubt)
        table += 16


@inline
def store_pair_sums(job, ring, least, most, phase, row, column, samples, rows, spare, found, scratch):
    """Sums over all taps for ``rows`` output rows, from a column on, stored as bytes.

    ``phase`` is the place of the first pair under them. What is not a whole chunk of `ROWS` rows is stored
    through scratch at ``spare``, sums in doubt are listed at ``found``.
    """
    out = job.out + row * job.out_pitch + column * job.channels
    offsets = job.tap_offsets + 8 * job.tap_count * phase
    table = spare + 4 * job.pitch
    bound_errors(job, least, most, samples, table)
    end, number = found, 0
    for first in range(0, samples, RANGE):
        start, doubt = load_i64(table), load_i64(table + 8)
        table += 16
        for i in range(first, min(first + RANGE, samples), ROW_CHUNK):
            lanes = min(ROW_CHUNK, samples - i)
            aside = lanes < ROW_CHUNK or rows < ROWS
            to, pitch = (spare, ROW_CHUNK) if aside else (out + i, job.out_pitch)
            end = pair_sums(
                ring + 4 * i,
                job.tap_ends,
                offsets,
                job.tap_weights,
                start,
                job.shift,
                doubt,
                to,
                pitch,
                number,
                end,
                rows,
                lanes,
                scratch,
            )
            number += QUAD_COUNT
            if aside:
                for each in range(rows):
                    copy_bytes(out + each * job.out_pitch + i, spare + each * ROW_CHUNK, lanes)
    open_ = found + ENTRY_BYTES * number
    end = list_open(job, ring, phase, out, samples, rows, found, end, open_)
    settled, clipped = settle(job, open_, end)
    store_i64(scratch, load_i64(scratch) + clipped)
    store_i64(scratch + 8, load_i64(scratch + 8) + settled)


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi; the second number in scratch counts the sums that were in doubt."""
    job = record(job_pointer)
    pitch = 4 * job.pitch
    spare = scratch + HEADER_BYTES
    ring = spare + 2 * pitch
    least = ring + job.ring * pitch
    most = least + job.ring * job.pitch
    found = most + job.ring * job.pitch
    for tile in range(lo, hi):
        if load_i64(scratch + 8) > job.most_doubtful:
            break
        x0, y0, width, height, pixels, need = tile_at(job, tile)
        samples = width * job.channels
        have = 0
        for y in range(0, height, ROWS):
            first = y // 2
            while have < first + job.ring:
                at = have % job.ring * job.pitch
                one, two = min(2 * have, need - 1), min(2 * have + 1, need - 1)
                load_pair(job, y0 + one, y0 + two, x0, pixels, ring + 4 * at, least + at, most + at)
                have += 1
            rows = min(ROWS, height - y)
            store_pair_sums(
                job,
                ring,
                least,
                most,
                first % job.ring,
                y0 + y,
                x0,
                samples,
                rows,
                spare,
                found,
                scratch,
            )
