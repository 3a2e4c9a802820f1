"""The bilateral filter: a mean whose weights decrease with distance and with difference in value.

The mean is taken of differences from the centre, so that flat areas stay exactly unchanged. A pixel
of several channels has one weight for all, from the Euclidean distance of its colour.
"""

import itertools

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.loops.integers import copy_bytes, load_u8
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import (
    F32,
    I32,
    I64,
    LANES,
    VECTOR,
    VECTOR_BYTES,
    constant,
    fused,
    load_f32,
    loaded,
    record,
    splatted,
    store_f32,
    stored,
)

JOB = jobs.BILATERAL
# 2 ** f for f from -1/2 to 1/2 as 1 + a polynomial without a constant term, lowest power first:
# least squares of the relative error at Chebyshev nodes, largest error 1.1e-7.
POWER = (0.69314688, 0.24022238, 0.05550893, 0.0096716983, 0.0013218672)
ROUNDER = 1.5 * 2.0**23  # adding it puts the nearest integer into a float's low bits
LEAST = jobs.LEAST_EXPONENT


def power_of_two(builder, t, *, bounded=False):
    """2 ** t for vectors with a relative error of 2e-7, t at most 0 and, if bounded, above `LEAST`."""
    integers = ir.VectorType(I32, LANES)
    shifted = builder.fadd(t, constant(ROUNDER))
    f = builder.fsub(t, builder.fsub(shifted, constant(ROUNDER)))
    value = constant(POWER[-1])
    for coefficient in (*POWER[-2::-1], 1.0):
        value = fused(builder, value, f, constant(coefficient))
    exponent = builder.shl(builder.bitcast(shifted, integers), ir.Constant(integers, [23] * LANES))
    power = builder.bitcast(builder.add(builder.bitcast(value, integers), exponent), VECTOR)
    if bounded:
        return power
    return builder.select(builder.fcmp_ordered(">", t, constant(LEAST)), power, constant(0))


def weighted_means(channels, *, covered=False, bounded=False, vectors=1):
    """An intrinsic for some vectors of pixels, with one plane per channel.

    If the pixels are covered, the last plane is opacity: weights are multiplied by it. Bounded exponents are
    all above `LEAST`. Its arguments: address of the window's first cell in plane 0, bytes from plane to
    plane, byte offset of the centre cell, count, offsets and exponents of the taps, falloff, and the
    destination of the means, of each vector one per channel.
    """

    def add_tap(builder, rows, middles, sums, falloff, exponent):
        values = [loaded(builder, row, VECTOR, 4) for row in rows]
        differences = [builder.fsub(value, middle) for value, middle in zip(values, middles, strict=True)]
        square = builder.fmul(differences[0], differences[0])
        for difference in differences[1 : channels - covered]:
            square = fused(builder, difference, difference, square)
        weight = power_of_two(builder, fused(builder, square, falloff, exponent), bounded=bounded)
        if covered:
            weight = builder.fmul(weight, values[-1])
        builder.store(builder.fadd(builder.load(sums[-1]), weight), sums[-1])
        for total, difference in zip(sums, differences, strict=False):
            builder.store(fused(builder, weight, difference, builder.load(total)), total)

    def store_means(builder, middles, sums, dst):
        for c, middle in enumerate(middles):
            change = builder.fdiv(sums[c], sums[-1])
            if covered:  # opacity is unchanged; where it is 0, so are colours
                nothing = builder.fcmp_ordered("==", sums[-1], constant(0))
                change = builder.select(nothing, constant(0), change)
                change = constant(0) if c == channels - 1 else change
            to = builder.add(dst, ir.Constant(I64, c * VECTOR_BYTES))
            stored(builder, to, builder.fadd(middle, change), 4)

    @intrinsic
    def means(typing_context, first, plane, center, count, offsets, exponents, falloff, dst):
        def codegen(context, builder, signature, args):
            first, plane, center, count, offsets, exponents, falloff, dst = args
            planes = [builder.add(first, builder.mul(plane, ir.Constant(I64, c))) for c in range(channels)]
            places = [ir.Constant(I64, number * VECTOR_BYTES) for number in range(vectors)]
            middles = [
                [loaded(builder, builder.add(builder.add(at, center), place), VECTOR, 4) for at in planes]
                for place in places
            ]
            falloff = splatted(builder, falloff)
            sums = [[cgutils.alloca_once(builder, VECTOR) for _ in range(channels + 1)] for _ in places]
            for total in itertools.chain(*sums):
                builder.store(constant(0), total)
            with cgutils.for_range(builder, count) as tap:
                at = builder.add(offsets, builder.mul(tap.index, ir.Constant(I64, 8)))
                offset = loaded(builder, at, I64, 8)
                at = builder.add(exponents, builder.mul(tap.index, ir.Constant(I64, 4)))
                exponent = splatted(builder, loaded(builder, at, F32, 4))
                rows = [builder.add(row, offset) for row in planes]
                for place, middle, totals in zip(places, middles, sums, strict=True):
                    here = [builder.add(row, place) for row in rows]
                    add_tap(builder, here, middle, totals, falloff, exponent)
            for number, (middle, totals) in enumerate(zip(middles, sums, strict=True)):
                to = builder.add(dst, ir.Constant(I64, number * channels * VECTOR_BYTES))
                store_means(builder, middle, [builder.load(each) for each in totals], to)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 6, types.float32, types.intp), codegen

    return means


GRAY_VECTORS = 2 if LANES == 16 else 1  # at once, which share what is loaded of a tap
one_channel, bounded_channel = (weighted_means(1, bounded=b, vectors=GRAY_VECTORS) for b in (False, True))
two_channels, three_channels, four_channels = (weighted_means(c) for c in (2, 3, 4))
covered_gray, covered_colors = weighted_means(2, covered=True), weighted_means(4, covered=True)


@inline
def split(row, pixels, channels, planes, plane):
    """De-interleave the samples of a row into a row of each plane."""
    for channel in range(channels):
        src = row + 4 * channel
        dst = planes + channel * plane
        for x in range(pixels):
            store_f32(dst + 4 * x, load_f32(src + 4 * x * channels))


@inline
def join(vectors, pixels, channels, dst):
    """Interleave a vector of each channel."""
    for channel in range(channels):
        for x in range(pixels):
            store_f32(dst + 4 * (x * channels + channel), load_f32(vectors + channel * VECTOR_BYTES + 4 * x))


@inline
def is_wanted(job, row, column, pixels):
    """Whether any of ``pixels`` neighbouring pixels of an output without strides has to be computed."""
    at = job.wanted + row * job.out_width + column
    found = 0
    for each in range(pixels):
        found |= load_u8(at + each)
    return found != 0


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    channels, count, offsets, exponents = job.channels, job.tap_count, job.tap_offsets, job.tap_exponents
    falloff, center = job.falloff, job.center
    row_bytes = 4 * job.row_floats
    plane = job.loaded_rows * row_bytes
    row = scratch + HEADER_BYTES
    answer = row + 4 * job.pitch
    vectors = answer + 4 * job.pitch
    planes = vectors + 4 * VECTOR_BYTES
    step = LANES * (GRAY_VECTORS if channels == 1 else 1)
    for tile in range(lo, hi):
        tile_y = tile // job.tiles_x
        x0 = (tile - tile_y * job.tiles_x) * job.tile_width
        y0 = tile_y * job.tile_height
        width = min(job.tile_width, job.out_width - x0)
        height = min(job.tile_height, job.out_height - y0)
        dense = (width - 1) * job.stride_x + 1
        loaded_pixels = dense + job.extent_x - 1
        have = 0
        for y in range(height):
            while have < y * job.stride_y + job.extent_y:
                to = row if channels > 1 else planes + have * row_bytes
                load_row(job, y0 * job.stride_y + have, x0 * job.stride_x, loaded_pixels, to)
                if channels > 1:
                    split(row, loaded_pixels, channels, planes + have * row_bytes, plane)
                have += 1
            first = planes + y * job.stride_y * row_bytes
            for x in range(0, dense, step):
                at = first + 4 * x
                if job.wanted and not is_wanted(job, y0 + y, x0 + x, min(step, dense - x)):
                    done = job.out + (y0 + y) * job.out_pitch + 4 * (x0 + x) * channels
                    copy_bytes(answer + 4 * x * channels, done, 4 * min(step, dense - x) * channels)
                    continue
                if channels == 1 and job.bounded:
                    bounded_channel(at, plane, center, count, offsets, exponents, falloff, answer + 4 * x)
                elif channels == 1:
                    one_channel(at, plane, center, count, offsets, exponents, falloff, answer + 4 * x)
                elif channels == 2 and job.covered:
                    covered_gray(at, plane, center, count, offsets, exponents, falloff, vectors)
                elif channels == 4 and job.covered:
                    covered_colors(at, plane, center, count, offsets, exponents, falloff, vectors)
                elif channels == 2:
                    two_channels(at, plane, center, count, offsets, exponents, falloff, vectors)
                elif channels == 3:
                    three_channels(at, plane, center, count, offsets, exponents, falloff, vectors)
                else:
                    four_channels(at, plane, center, count, offsets, exponents, falloff, vectors)
                if channels > 1:
                    join(vectors, LANES, channels, answer + 4 * x * channels)
            store_row(job, answer, y0 + y, x0, width, scratch)
