"""Direct convolution of bytes with any small kernel, in 16-bit integers.

One instruction multiplies two weights by the samples of two rows and adds the products: twice as many
multiply-adds as with floats, and the rows that are loaded, two in one, take half the room. Weights are
rounded to 16 bits, which leaves open what some sums round to, one of three hundred in a photograph. Those
are taken again with weights of 31 bits, and what is still open as `direct` takes it, so that every sample is
the same.
"""

import numpy as np

from cnncli.core import jobs
from cnncli.core.choices import EXTREMES_SAMPLES, ROWS_AHEAD
from cnncli.core.elements import U8
from cnncli.core.loops.integers import copy_bytes, load_u8, load_u16, lowest_one, store_8, store_32
from cnncli.core.loops.kernel_rows import start_and_doubt, tile_at
from cnncli.core.loops.pair_sums import (
    ENTRY_BYTES,
    FINE_BITS,
    HALF_WIDE,
    QUAD_COUNT,
    WHOLE,
    WIDE,
    fine_sum,
    load_interleaved,
    pair_sums,
    range_of,
)
from cnncli.core.loops.taps import ROW_CHUNK, ROWS
from cnncli.core.loops.tile_io import HALF, HEADER_BYTES, HIGH_U8, ZERO, inline
from cnncli.core.simd import (
    LANES,
    VECTOR_BYTES,
    fetch_to_write,
    fma_f32,
    load_f32,
    load_i64,
    record,
    store_i64,
)
from cnncli.core.stores import store_sample

JOB = jobs.DIRECT_PAIRS
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
def settle(job, ring, phase, row, sample, to):
    """Compute one sample of an output row anew, with a smaller error or none, and store it; whether it clips.

    ``phase`` is the place of the first pair under the rows that are computed together, ``row`` one of these.
    """
    odd = row & 1
    places = job.places + 8 * (phase + (row >> 1))
    src = ring + 4 * sample
    table = odd * job.pairs * job.vectors * VECTOR_BYTES
    total = job.fine_start
    total += fine_sum(src, places, job.coarse + table, job.fine + table, job.pairs, job.vectors)
    bits = job.shift + FINE_BITS
    if total & ((1 << bits) - 1) >= job.fine_doubt:
        value = total >> bits
        store_8(to, min(max(value, 0), 255))
        return np.intp(value < 0 or value > 255)
    exact = ZERO
    weight = job.weights
    for y in range(odd, odd + job.kernel_height):
        at = src + load_i64(places + 8 * (y >> 1)) + 2 * (y & 1)
        for _ in range(job.kernel_width):
            exact = fma_f32(np.float32(load_u16(at)), load_f32(weight), exact)
            at += 4 * job.channels
            weight += 4
    mapped = fma_f32(exact, job.scale, job.bias)
    bounded = mapped if mapped > ZERO else ZERO
    bounded = bounded if bounded < HIGH_U8 else HIGH_U8
    store_sample(to, 0, U8, bounded)
    return np.intp(abs(mapped - bounded) > HALF)


@inline
def settle_open(job, ring, phase, row, column, samples, rows, entry, end):
    """Settle what a list holds, of the first rows and samples; returns the numbers of settled and clipped."""
    out = job.out + row * job.out_pitch + column * job.channels
    settled, clipped = 0, 0
    while entry < end:
        word, quad = load_i64(entry), load_i64(entry + 8)
        chunk = quad // QUAD_COUNT
        quad -= chunk * QUAD_COUNT
        while word:
            lane = lowest_one(word)
            if quad < ROWS * WHOLE:
                each = quad // WHOLE
                sample = (quad - each * WHOLE) * WIDE + lane
            else:
                each = 2 * (quad - ROWS * WHOLE) + lane // HALF_WIDE
                sample = WHOLE * WIDE + lane % HALF_WIDE
            sample += chunk * ROW_CHUNK
            if each < rows and sample < samples:
                clipped += settle(job, ring, phase, each, sample, out + each * job.out_pitch + sample)
                settled += 1
            word &= word - 1
        entry += ENTRY_BYTES
    return settled, clipped


@inline
def bound_errors(job, least, most, samples, table):
    """The start of the sums and their doubt, for each `RANGE` of samples, as two integers."""
    reach = (job.kernel_width - 1) * job.channels
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
    for i in range(0, samples, ROW_CHUNK):
        lanes = min(ROW_CHUNK, samples - i)
        aside = lanes < ROW_CHUNK or rows < ROWS
        to, pitch = (spare, ROW_CHUNK) if aside else (out + i, job.out_pitch)
        for each in range(rows):
            fetch_to_write(out + (ROWS + each) * job.out_pitch + i, lanes)
        bounds = table + 16 * (i // RANGE)
        end = pair_sums(
            ring + 4 * i,
            job.tap_ends,
            offsets,
            job.tap_weights,
            load_i64(bounds),
            job.shift,
            load_i64(bounds + 8),
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
    settled, clipped = settle_open(job, ring, phase, row, column, samples, rows, found, end)
    store_i64(scratch, load_i64(scratch) + clipped)
    store_i64(scratch + 8, load_i64(scratch + 8) + settled)


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi; the second number in scratch counts the sums that were in doubt."""
    job = record(job_pointer)
    pitch = 4 * job.pitch
    spare = scratch + HEADER_BYTES
    found = spare + 2 * pitch
    ring = found + pitch
    least = ring + job.ring * pitch
    most = least + job.ring * job.pitch
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
