"""Batches of uint8 images as normalised float32, with affine, colour and erasing augmentation.

A source image is copied into a frame of zeros (one pixel before it, two after), so that the four pixels
around any position inside it or on its border are read without a branch. Rows are rendered one at a
time: bilinear samples through the affine map, colour, erased rectangle; then normalised into the batch.
"""

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from cnncli.core import data_jobs
from cnncli.core.elements import U8
from cnncli.core.loads import load_sample, load_vectors
from cnncli.core.loops.tile_io import inline
from cnncli.core.luma import LUMA
from cnncli.core.simd import (
    F32,
    LANES,
    fma,
    load_f32,
    load_i64,
    loaded,
    record,
    splat,
    splatted,
    store_f32,
    store_i64,
    stored,
    vabs,
    vfloor,
    vload,
    vmax,
    vmin,
    vstore,
)

JOB = data_jobs.BATCH
SAMPLE_BYTES = data_jobs.SAMPLE.itemsize
(
    SOURCE, PARTNER, SHARE, PLAIN, A00, A01, A02, A10, A11, A12, BRIGHTNESS, CONTRAST, SATURATION,
    LEFT, TOP, RIGHT, BOTTOM,
) = (data_jobs.SAMPLE.fields[name][1] for name in data_jobs.SAMPLE.names)  # fmt: skip
BLACK, REFLECT = data_jobs.BORDERS["black"], data_jobs.BORDERS["reflect"]
TURNS_BYTES = data_jobs.TURNS_BYTES
ZERO, ONE, HIGH = np.float32(0), np.float32(1), np.float32(255)
RED, GREEN, BLUE = map(np.float32, LUMA)


@inline
def load_bytes(src, count, dst):
    """Exactly ``count`` bytes as floats; the last vector overlaps the one before."""
    if count >= LANES:
        load_vectors(src, 0, U8, count, dst, 0)
        load_vectors(src, count - LANES, U8, LANES, dst + 4 * (count - LANES), 0)
    else:
        for i in range(count):
            store_f32(dst + 4 * i, load_sample(src, i, U8))


@inline
def normalise(row, count, scale, bias, dst):
    """dst = row * scale + bias, for exactly ``count`` floats."""
    i = 0
    while i < count:
        if count < LANES:
            product = load_f32(row + 4 * i) * load_f32(scale + 4 * i)
            store_f32(dst + 4 * i, product + load_f32(bias + 4 * i))
            i += 1
        else:
            at = 4 * min(i, count - LANES)
            vstore(dst + at, fma(vload(row + at), vload(scale + at), vload(bias + at)))
            i += LANES


@inline
def blend(dst, other, count, share):
    """dst = share * dst + (1 - share) * other, ``count`` floats."""
    whole = count - count % LANES
    for i in range(0, whole, LANES):
        mine = vload(dst + 4 * i) * splat(share)
        vstore(dst + 4 * i, mine + vload(other + 4 * i) * splat(ONE - share))
    for i in range(whole, count):
        at = 4 * i
        store_f32(dst + at, load_f32(dst + at) * share + load_f32(other + at) * (ONE - share))


@inline
def within(place, last, border):
    """Source coordinates mapped into the frame by the border mode, counted from the frame's first pixel."""
    lowest, highest = splat(ZERO), last
    if border == BLACK:
        lowest, highest = splat(-ONE), last + splat(ONE)
    elif border == REFLECT:  # mirrored repeatedly
        period = vmax(last + last, splat(ONE))
        place = vabs(place)
        place = place - vfloor(place / period) * period
        place = last - vabs(last - place)
    return vmin(vmax(place, lowest), highest) + splat(ONE)


@inline
def find_places(job, sample, y, ramp, places):
    """For each pixel of an output row: its pixel in the frame, and the fractions towards the next."""
    pitch = 4 * (job.width + 2 * LANES)
    last_x, last_y = splat(np.float32(job.width - 1)), splat(np.float32(job.height - 1))
    frame_width = splat(np.float32(job.width + 3))
    slope_x, slope_y = splat(load_f32(sample + A00)), splat(load_f32(sample + A10))
    down = np.float32(y)
    start_x = splat(load_f32(sample + A01) * down + load_f32(sample + A02))
    start_y = splat(load_f32(sample + A11) * down + load_f32(sample + A12))
    for x in range(0, job.width, LANES):
        steps = vload(ramp) + splat(np.float32(x))
        place_x = within(slope_x * steps + start_x, last_x, job.border)
        place_y = within(slope_y * steps + start_y, last_y, job.border)
        left, top = vfloor(place_x), vfloor(place_y)
        at = places + 4 * x
        vstore(at, top * frame_width + left)
        vstore(at + pitch, place_x - left)
        vstore(at + 2 * pitch, place_y - top)


@intrinsic
def mix_four(typing_context, at, step, below, right, down, dst):
    """Bilinear interpolation of pixels at ``at``, ``at + step`` and ``below`` them, four floats at once."""
    four = ir.VectorType(F32, 4)

    def codegen(context, builder, signature, args):
        at, step, below, right, down, dst = args

        def towards(a, b, part):
            return builder.fadd(a, builder.fmul(splatted(builder, part, 4), builder.fsub(b, a)))

        def row(start):
            return towards(
                loaded(builder, start, four, 4), loaded(builder, builder.add(start, step), four, 4), right
            )

        stored(builder, dst, towards(row(at), row(builder.add(at, below)), down), 4)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 3, types.float32, types.float32, types.intp), codegen


@inline
def sample_row(job, places, frame, row):
    """One output row of bilinear samples; up to three floats after it are overwritten."""
    width = job.width
    pitch = 4 * (width + 2 * LANES)
    step = 4 * job.channels
    below = (width + 3) * step
    if step == 4:
        for x in range(width):
            here = places + 4 * x
            at = frame + 4 * np.intp(load_f32(here))
            right = load_f32(here + pitch)
            upper = load_f32(at)
            upper += right * (load_f32(at + 4) - upper)
            lower = load_f32(at + below)
            lower += right * (load_f32(at + below + 4) - lower)
            store_f32(row + 4 * x, upper + load_f32(here + 2 * pitch) * (lower - upper))
    else:
        for x in range(width):
            here = places + 4 * x
            at = frame + step * np.intp(load_f32(here))
            mix_four(at, step, below, load_f32(here + pitch), load_f32(here + 2 * pitch), row + x * step)


@inline
def mean_luma(image, pixels, channels):
    """Mean brightness of a source image."""
    if channels != 3:
        total = np.float64(0)
        for i in range(pixels * channels):
            total += load_sample(image, i, U8)
        return np.float32(total / (pixels * channels))
    red = green = blue = np.float64(0)
    for i in range(pixels):
        red += load_sample(image, 3 * i, U8)
        green += load_sample(image, 3 * i + 1, U8)
        blue += load_sample(image, 3 * i + 2, U8)
    return np.float32((red * RED + green * GREEN + blue * BLUE) / pixels)


@inline
def recolour(sample, row, width, channels, mean):
    """Brightness, contrast about the image's mean, saturation about each pixel's luma; then clamped."""
    contrast = load_f32(sample + CONTRAST)
    gain = load_f32(sample + BRIGHTNESS) * contrast
    offset = load_f32(sample + BRIGHTNESS) * mean * (ONE - contrast)
    saturation = load_f32(sample + SATURATION)
    if channels == 3 and saturation != ONE:
        for x in range(width):
            at = row + 12 * x
            luma = load_f32(at) * RED + load_f32(at + 4) * GREEN + load_f32(at + 8) * BLUE
            for channel in range(3):
                value = load_f32(at + 4 * channel)
                store_f32(at + 4 * channel, luma + saturation * (value - luma))
    for i in range(0, width * channels, LANES):
        value = fma(vload(row + 4 * i), splat(gain), splat(offset))
        vstore(row + 4 * i, vmin(vmax(value, splat(ZERO)), splat(HIGH)))


@inline
def recolours(sample):
    """Whether a sample's colours change."""
    return (
        load_f32(sample + BRIGHTNESS) != ONE
        or load_f32(sample + CONTRAST) != ONE
        or load_f32(sample + SATURATION) != ONE
    )


@inline
def render(job, sample, ramp, dst):
    """One sample, normalised, to ``dst``."""
    width, height, channels = job.width, job.height, job.channels
    values = width * channels
    scale, bias, fill = job.scale, job.bias, job.fill
    row = ramp + 4 * LANES
    places = row + 4 * (values + 2 * LANES)
    frame = places + 12 * (width + 2 * LANES)
    image = job.images + load_i64(sample + SOURCE) * height * values
    if load_i64(sample + PLAIN):
        for y in range(height):
            load_bytes(image + y * values, values, row)
            normalise(row, values, scale, bias, dst + 4 * y * values)
        return
    for y in range(height):
        load_bytes(image + y * values, values, frame + 4 * channels * ((y + 1) * (width + 3) + 1))
    colours = recolours(sample)
    mean = mean_luma(image, height * width, channels) if colours else ZERO
    left, right = load_i64(sample + LEFT) * channels, load_i64(sample + RIGHT) * channels
    top, bottom = load_i64(sample + TOP), load_i64(sample + BOTTOM)
    for y in range(height):
        find_places(job, sample, y, ramp, places)
        sample_row(job, places, frame, row)
        if colours:
            recolour(sample, row, width, channels, mean)
        if top <= y < bottom:
            for i in range(left, right):
                store_f32(row + 4 * i, load_f32(fill + 4 * i))
        normalise(row, values, scale, bias, dst + 4 * y * values)


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi. For the layout of scratch see `data_jobs.scratch_bytes`."""
    job = record(job_pointer)
    width, channels = job.width, job.channels
    values = job.height * width * channels
    ramp = scratch + TURNS_BYTES
    frame = ramp + 4 * (LANES + width * channels + 2 * LANES) + 12 * (width + 2 * LANES)
    other = frame + 4 * ((job.height + 3) * (width + 3) * channels + LANES)
    for lane in range(LANES):
        store_f32(ramp + 4 * lane, np.float32(lane))
    for i in range(lo, hi):
        partner = load_i64(job.samples + i * SAMPLE_BYTES + PARTNER)
        dst = job.out + 4 * i * values
        # The two renderings are listed in memory, or LLVM would unroll them.
        store_i64(scratch, i)
        store_i64(scratch + 8, dst)
        store_i64(scratch + 16, partner)
        store_i64(scratch + 24, other)
        turns = scratch + (32 if partner >= 0 else 16)
        for turn in range(scratch, turns, 16):
            render(job, job.samples + load_i64(turn) * SAMPLE_BYTES, ramp, load_i64(turn + 8))
        if partner >= 0:
            blend(dst, other, values, load_f32(job.samples + i * SAMPLE_BYTES + SHARE))
