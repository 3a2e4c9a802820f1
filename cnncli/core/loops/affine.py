"""Pictures turned by any angle: samples between pixels, at places that a matrix says.

Tiles of the result are so narrow that the pixels under a row stay in the first cache for the next one,
whatever the angle; no processor foresees which those further down are, so that they are fetched ahead. Where
rows of the source share the sets of that cache, the pixels under a tile are copied first, if they are few. In
a row, places between pixels that all lie in the picture are found a vector at a time, in float64. Then the
pixels around them are loaded one place after another, without the slow instructions that gather: those of one
channel as pairs to scratch, from where they are weighed a vector at a time; those of several with four
channels to a vector. What reaches over the edge is summed up tap by tap.

Source: R. G. Keys: Cubic Convolution Interpolation for Digital Image Processing, 1981, eq. 8 (with a = -0.5).
"""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.choices import TURNED_APART, TURNED_COLUMNS
from cnncli.core.elements import BYTE, FLOAT, INTEGERS, U8, U16, address_of, as_float, size_of, steps
from cnncli.core.jobs import RGBX
from cnncli.core.loads import load_sample
from cnncli.core.loops.doubles import DOUBLES, floor, whole_bits
from cnncli.core.loops.integers import copy_bytes
from cnncli.core.loops.kernel_rows import tile_at
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, store_row
from cnncli.core.simd import (
    F32,
    I64,
    LANES,
    VECTOR,
    VECTOR_BYTES,
    any_lane,
    constant,
    load_f32,
    load_f64,
    load_i64,
    loaded,
    prefetch,
    record,
    splat,
    splatted,
    store_f32,
    store_f64,
    stored,
    vstore,
)

JOB = jobs.AFFINE
TAPS = 4  # at most
WEIGHTS_BYTES = 8 * TAPS
ZERO = np.float32(0)
COLORS = 4  # channels of a pixel that are weighed at once


@inline
def cubic(distance):
    """Weight of a pixel so far away, up to 2."""
    if distance <= 1.0:
        return (1.5 * distance - 2.5) * distance * distance + 1.0
    return ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0


@inline
def set_weights(taps, share, dst):
    """Weights along an axis, for a place that lies ``share`` behind the middle of a pixel."""
    if taps == 1:
        store_f64(dst, 1.0)
    elif taps == 2:
        store_f64(dst, 1.0 - share)
        store_f64(dst + 8, share)
    else:
        store_f64(dst, cubic(1.0 + share))
        store_f64(dst + 8, cubic(share))
        store_f64(dst + 16, cubic(1.0 - share))
        store_f64(dst + 24, cubic(2.0 - share))


@inline
def begin(taps, place):
    """The first pixel of the taps along an axis, and how far the place lies behind the middle of its own."""
    if taps == 1:
        return np.intp(np.floor(place + 0.5)), 0.0
    below = np.floor(place)
    return np.intp(below) - (1 if taps == 4 else 0), place - below


@inline
def sample(job, kind, left, top, channel, across, down):
    """The sum over pixels; those beyond the edges have the value ``fill``."""
    total = 0.0
    for j in range(job.taps):
        row = top + j
        weight = load_f64(down + 8 * j)
        if weight == 0.0:
            continue
        line = 0.0
        for i in range(job.taps):
            share = load_f64(across + 8 * i)
            if share == 0.0:
                continue
            column = left + i
            value = np.float64(job.fill)
            if 0 <= row < job.src_rows and 0 <= column < job.src_width:
                at = job.src + row * job.src_pitch + column * job.src_column
                value = np.float64(load_sample(at, channel, kind))
            line += share * value
        total += weight * line
    return np.float32(total)


@inline
def among(job, kind, x, y, across, dst):
    """A pixel by any number of taps, some of which may lie beyond the edges."""
    down = across + WEIGHTS_BYTES
    left, share = begin(job.taps, x)
    set_weights(job.taps, share, across)
    top, share = begin(job.taps, y)
    set_weights(job.taps, share, down)
    for channel in range(job.channels):
        store_f32(dst + 4 * channel, sample(job, kind, left, top, channel, across, down))


@inline
def place(start, step, beyond, column):
    """Where a column of the result lies along an axis of the source; as `find_places` computes it."""
    return start + column * step + beyond


@inline
def first_beyond(start, step, beyond, limit, reaches, lo, hi):
    """The first column from ``lo`` on whose place is above a limit or ``reaches`` it; ``hi`` if none."""
    while lo < hi:
        middle = (lo + hi) // 2
        at = place(start, step, beyond, middle)
        if at > limit or (reaches and at == limit):
            hi = middle
        else:
            lo = middle + 1
    return lo


@inline
def columns_between(start, step, beyond, least, most, lo, hi):
    """Those of columns lo to hi, one at least, whose places lie between two limits and not at them."""
    if step < 0.0:
        start, step, beyond, least, most = -start, -step, -beyond, -most, -least
    if place(start, step, beyond, lo) <= least:
        lo = first_beyond(start, step, beyond, least, False, lo, hi)
    if lo < hi and place(start, step, beyond, hi - 1) >= most:
        hi = first_beyond(start, step, beyond, most, True, lo, hi)
    return lo, hi


@inline
def columns_within(job, row, reach, spare, lo, hi):
    """Columns whose places lie less than ``reach`` beyond the outer middles, less ``spare`` pixels."""
    x, y = row * job.x_row, row * job.y_row
    most = job.src_width - 1 - spare + reach
    lo, hi = columns_between(job.x0, job.x_column, x, -reach, most, lo, hi)
    if lo < hi:
        lo, hi = columns_between(job.y0, job.y_column, y, -reach, job.src_rows - 1 + reach, lo, hi)
    return lo, max(lo, hi)


@intrinsic
def find_places(
    typing_context, x, x_step, x_beyond, y, y_step, y_beyond, half, pitch, pixel, column, count, dst
):
    """Of columns from one on, in whole vectors: bytes to the pixel at the upper left, and shares behind it.

    The former are 64-bit integers at the first address of ``dst``, the latter floats at the two others.
    ``half`` is added to places before they are rounded down. Returns whether a share is 0.
    """

    def codegen(context, builder, signature, args):
        *axes, half, pitch, pixel, column, count, dst = args
        dst = cgutils.unpack_tuple(builder, dst)
        axes = [splatted(builder, each) for each in axes]
        half, pitch, pixel = (splatted(builder, each) for each in (half, pitch, pixel))
        numbers = ir.Constant(DOUBLES, [float(lane) for lane in range(LANES)])
        least = cgutils.alloca_once_value(builder, constant(1))
        with steps(builder, count, LANES) as (i, _):
            first = builder.sitofp(builder.add(column, i), DOUBLES.element)
            columns = builder.fadd(splatted(builder, first), numbers)
            whole = []
            for (start, step, beyond), to in zip((axes[:3], axes[3:]), dst[1:], strict=True):
                at = builder.fadd(builder.fadd(start, builder.fmul(columns, step)), beyond)
                whole.append(floor(builder, builder.fadd(at, half)))
                share = builder.fptrunc(builder.fsub(at, whole[-1]), VECTOR)
                stored(builder, address_of(builder, to, i, F32), share, 4)
                before = builder.load(least)
                builder.store(builder.select(builder.fcmp_ordered("<", share, before), share, before), least)
            offset = builder.fadd(builder.fmul(whole[1], pitch), builder.fmul(whole[0], pixel))
            to = builder.add(dst[0], builder.mul(i, ir.Constant(I64, 8)))
            stored(builder, to, whole_bits(builder, offset), 8)
        return builder.zext(
            any_lane(builder, builder.fcmp_ordered("<=", builder.load(least), constant(0))), I64
        )

    doubles = [types.float64] * 9
    return types.intp(*doubles, types.intp, types.intp, types.UniTuple(types.intp, 3)), codegen


@intrinsic
def fetch_ahead(typing_context, src, offsets, count):
    """Fetch the pixels at every fourth of some places into the caches."""

    def codegen(context, builder, signature, args):
        src, offsets, count = args
        with steps(builder, count, TURNED_APART) as (i, _):
            at = builder.add(offsets, builder.mul(i, ir.Constant(I64, 8)))
            prefetch(builder, builder.add(src, loaded(builder, at, I64, 8)))
        return context.get_dummy_value()

    return types.void(*[types.intp] * 3), codegen


def _pairs(element):
    """An intrinsic: pixels of one channel and those behind them, in two rows, from each of some places."""
    size = size_of(element)
    pair = ir.IntType(16 * size)

    @intrinsic
    def fetch(typing_context, src, pitch, offsets, count, upper, lower):
        def codegen(context, builder, signature, args):
            src, pitch, offsets, count, upper, lower = args
            below = builder.add(src, pitch)
            with steps(builder, count) as (i, _):
                offset = loaded(builder, builder.add(offsets, builder.mul(i, ir.Constant(I64, 8))), I64, 8)
                for row, to in ((src, upper), (below, lower)):
                    found = loaded(builder, builder.add(row, offset), pair, 1)
                    at = builder.add(to, builder.mul(i, ir.Constant(I64, 2 * size)))
                    stored(builder, at, found, 1)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 6), codegen

    return fetch


def _between_pairs(element):
    """An intrinsic: pixels of one channel between four, of which pairs lie in memory; in whole vectors."""
    size = size_of(element)

    def split(builder, at):
        if element == F32:
            both = loaded(builder, at, ir.VectorType(F32, 2 * LANES), 4)
            return [
                builder.shuffle_vector(
                    both, both, ir.Constant(INTEGERS, [2 * lane + side for lane in range(LANES)])
                )
                for side in (0, 1)
            ]
        kind = ir.VectorType(ir.IntType(16 * size), LANES)
        both = (
            builder.zext(loaded(builder, at, kind, 1), INTEGERS)
            if size == 1
            else loaded(builder, at, kind, 1)
        )
        mask, width = (ir.Constant(INTEGERS, [each] * LANES) for each in ((1 << 8 * size) - 1, 8 * size))
        return [
            builder.sitofp(part, VECTOR) for part in (builder.and_(both, mask), builder.lshr(both, width))
        ]

    @intrinsic
    def weigh(typing_context, upper, lower, across, down, count, dst):
        def codegen(context, builder, signature, args):
            upper, lower, across, down, count, dst = args
            with steps(builder, count, LANES) as (i, _):
                pairs = [
                    split(builder, builder.add(row, builder.mul(i, ir.Constant(I64, 2 * size))))
                    for row in (upper, lower)
                ]
                shares = [
                    loaded(builder, address_of(builder, each, i, F32), VECTOR, 4) for each in (across, down)
                ]
                stored(builder, address_of(builder, dst, i, F32), _between(builder, pairs, *shares), 4)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 6), codegen

    return weigh


def _between(builder, rows, across, down):
    """Values between those of two rows of two."""

    def mixed(first, second, share):
        return builder.fadd(first, builder.fmul(share, builder.fsub(second, first)))

    return mixed(*(mixed(*row, across) for row in rows), down)


def _between_four(element):
    """An intrinsic: pixels of several channels between four; some channels too many are read and written."""
    samples, floats = ir.VectorType(element, COLORS), ir.VectorType(F32, COLORS)

    @intrinsic
    def weigh(typing_context, src, pitch, pixel, channels, offsets, across, down, count, dst):
        def codegen(context, builder, signature, args):
            src, pitch, pixel, channels, offsets, across, down, count, dst = args
            row_bytes = builder.mul(channels, ir.Constant(I64, 4))
            with steps(builder, count) as (i, _):
                offset = loaded(builder, builder.add(offsets, builder.mul(i, ir.Constant(I64, 8))), I64, 8)
                first, to = builder.add(src, offset), builder.add(dst, builder.mul(i, row_bytes))
                shares = [
                    splatted(builder, loaded(builder, address_of(builder, each, i, F32), F32, 4), COLORS)
                    for each in (across, down)
                ]
                with steps(builder, channels, COLORS) as (channel, _):
                    at = address_of(builder, first, channel, element)
                    lines = (at, builder.add(at, pitch))
                    rows = [
                        [
                            as_float(builder, loaded(builder, each, samples, 1), floats)
                            for each in (line, builder.add(line, pixel))
                        ]
                        for line in lines
                    ]
                    found = _between(builder, rows, *shares)
                    stored(builder, address_of(builder, to, channel, F32), found, 4)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 9), codegen

    return weigh


WORD = ir.IntType(16)
pairs_8, pairs_16, pairs_32 = map(_pairs, (BYTE, WORD, F32))
between_8, between_16, between_32 = map(_between_pairs, (BYTE, WORD, F32))
colors_8, colors_16, colors_32 = map(_between_four, (BYTE, WORD, F32))


@inline
def between_all(job, kind, source, count, room, dst):
    """Pixels between four that lie in the picture, ``count`` of them."""
    offsets, across, down, upper, lower = room
    src, pitch = source
    if job.channels == 1:
        if kind == U8:
            pairs_8(src, pitch, offsets, count, upper, lower)
            between_8(upper, lower, across, down, count, dst)
        elif kind == U16:
            pairs_16(src, pitch, offsets, count, upper, lower)
            between_16(upper, lower, across, down, count, dst)
        else:
            pairs_32(src, pitch, offsets, count, upper, lower)
            between_32(upper, lower, across, down, count, dst)
    elif kind == U8:
        colors_8(src, pitch, job.src_column, job.channels, offsets, across, down, count, dst)
    elif kind == U16:
        colors_16(src, pitch, job.src_column, job.channels, offsets, across, down, count, dst)
    else:
        colors_32(src, pitch, job.src_column, job.channels, offsets, across, down, count, dst)


@inline
def nearest_all(job, kind, src, count, offsets, dst):
    """Pixels at places that are rounded, ``count`` of them."""
    for i in range(count):
        at = src + load_i64(offsets + 8 * i)
        for channel in range(job.channels):
            store_f32(dst, load_sample(at, channel, kind))
            dst += 4


@inline
def among_some(job, kind, row, lo, hi, across, dst):
    """Columns lo to hi of a row, tap by tap."""
    for column in range(lo, hi):
        x = place(job.x0, job.x_column, row * job.x_row, column)
        y = place(job.y0, job.y_column, row * job.y_row, column)
        among(job, kind, x, y, across, dst)
        dst += 4 * job.channels


@inline
def inner_columns(job, kind, source, row, lo, hi, room, weights, dst):
    """Columns lo to hi of a row, whose places lie between pixels of the picture."""
    offsets, across, down, _, _ = room
    half = 0.5 if job.taps == 1 else 0.0
    even = find_places(
        job.x0, job.x_column, row * job.x_row, job.y0, job.y_column, row * job.y_row,
        half, np.float64(source[1]), np.float64(job.src_column), lo, hi - lo, (offsets, across, down),
    )  # fmt: skip
    if job.gathered_pitch == 0:
        fetch_ahead(job.src + job.ahead, offsets, hi - lo)
    if job.taps == 1:
        nearest_all(job, kind, source[0], hi - lo, offsets, dst)
        return
    between_all(job, kind, source, hi - lo, room, dst)
    if even and kind == FLOAT:  # pixels without weight, NaN perhaps, have counted
        for i in range(hi - lo):
            if load_f32(across + 4 * i) == ZERO or load_f32(down + 4 * i) == ZERO:
                among_some(job, kind, row, lo + i, lo + i + 1, weights, dst + 4 * i * job.channels)


@inline
def fill(at, value, floats):
    """A value in all floats from an address on, and in some behind them."""
    for i in range(0, 4 * floats, VECTOR_BYTES):
        vstore(at + i, splat(value))


@inline
def turn_row(job, kind, source, row, x0, end, room, weights, line):
    """Columns x0 to end of a row of the result; what writes too far comes before what is there."""
    step = 4 * job.channels
    reach = np.float64(max(1, job.taps // 2))
    first, last = columns_within(job, row, reach, 0, x0, end)
    fill(line, job.fill, (first - x0) * job.channels)
    left, right = first, first
    if first < last and job.taps < TAPS:
        spare = 1 if job.channels > 1 else 0  # whose samples are read with those before them
        left, right = columns_within(job, row, 0.0, spare, first, last)
        if left < right:
            inner_columns(job, kind, source, row, left, right, room, weights, line + (left - x0) * step)
    fill(line + (last - x0) * step, job.fill, (end - last) * job.channels)
    among_some(job, kind, row, first, left, weights, line + (first - x0) * step)
    among_some(job, kind, row, right, last, weights, line + (right - x0) * step)


@inline
def pixels_under(start, column_step, row_step, columns, rows, limit):
    """The first pixel along an axis that can lie under a tile, and how many do, with those behind them."""
    one, other = column_step * columns[0], column_step * columns[1]
    first, second = row_step * rows[0], row_step * rows[1]
    begin = start + min(one, other) + min(first, second) - 1.0  # more than what rounding changes
    end = start + max(one, other) + max(first, second) + 4.0
    low = np.intp(min(max(np.floor(begin), 0.0), limit))
    return low, np.intp(min(max(np.floor(end), 0.0), limit)) - low


@inline
def gather(job, x0, y0, width, height, to):
    """Copy the pixels under a tile to rows of another pitch; the address of pixel 0 there, and the pitch."""
    columns, rows = (x0, x0 + width - 1), (y0, y0 + height - 1)
    left, across = pixels_under(job.x0, job.x_column, job.x_row, columns, rows, np.float64(job.src_width))
    top, down = pixels_under(job.y0, job.y_column, job.y_row, columns, rows, np.float64(job.src_rows))
    size = across * job.src_column
    for row in range(down):
        src = job.src + (top + row) * job.src_pitch + left * job.src_column
        copy_bytes(to + row * job.gathered_pitch, src, size)
    return to - top * job.gathered_pitch - left * job.src_column, job.gathered_pitch


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi of the result."""
    job = record(job_pointer)
    kind = U8 if job.src_type == RGBX else job.src_type
    weights = scratch + HEADER_BYTES
    offsets = weights + 2 * WEIGHTS_BYTES
    across = offsets + 8 * TURNED_COLUMNS
    down = across + 4 * TURNED_COLUMNS
    upper = down + 4 * TURNED_COLUMNS
    lower = upper + 8 * TURNED_COLUMNS
    line = lower + 8 * TURNED_COLUMNS
    room = (offsets, across, down, upper, lower)
    gathered = scratch + job.gathered_at
    for tile in range(lo, hi):
        x0, y0, width, height, _, _ = tile_at(job, tile)
        source = job.src, job.src_pitch
        if job.gathered_pitch > 0:
            source = gather(job, x0, y0, width, height, gathered)
        for row in range(y0, y0 + height):
            turn_row(job, kind, source, row, x0, x0 + width, room, weights, line)
            store_row(job, line, row, x0, width, scratch)
