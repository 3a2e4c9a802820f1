"""Digits painted over photographs: scenes, the class of each of their pixels, and the box of each digit.

A pixel of a scene looks where in the upright digit it lies, and takes its opacity there by linear
interpolation; places are computed in float64, as the scenes are to be the same on every machine.
"""

import numpy as np

from cnncli.core import data_jobs
from cnncli.core.elements import U8
from cnncli.core.loads import load_sample, load_vectors
from cnncli.core.loops.integers import clear, load_u8, store_8
from cnncli.core.loops.tile_io import inline
from cnncli.core.simd import (
    LANES,
    load_f32,
    load_f64,
    load_i64,
    record,
    splat,
    store_f32,
    vload,
    vmin,
    vstore,
)
from cnncli.core.stores import store_sample, store_vectors

JOB = data_jobs.SCENES
PAINTED_BYTES = data_jobs.PAINTED.itemsize
DIGIT, LABEL, LEFT, TOP, SIZE, COS, SIN, LEAN, RED, GREEN, BLUE, CONTRARY = (
    data_jobs.PAINTED.fields[name][1] for name in data_jobs.PAINTED.names
)
SIDE, PADDED = data_jobs.DIGIT_SIDE, data_jobs.PADDED_SIDE
COLORS = 3
COVERED = np.float32(data_jobs.COVERED)
CONTRAST = data_jobs.CONTRAST
ZERO, ONE, HIGH = np.float32(0), np.float32(1), np.float32(255)


@inline
def tint_row(ground, tints, values, out):
    """A row of the ground's bytes, as floats times the tint of their channel, at most 255."""
    whole = values - values % LANES
    load_vectors(ground, 0, U8, whole, out, 0)
    for i in range(0, 4 * whole, 4 * LANES):
        vstore(out + i, vmin(vload(out + i) * vload(tints + i), splat(HIGH)))
    for i in range(whole, values):
        store_f32(out + 4 * i, min(load_sample(ground, i, U8) * load_f32(tints + 4 * i), HIGH))


@inline
def pad(digit, frame):
    """A digit as floats, below and right of one row and column of zeros, with two after it."""
    clear(frame, 4 * PADDED * PADDED)
    for row in range(SIDE):
        for column in range(SIDE):
            value = load_sample(digit, row * SIDE + column, U8)
            store_f32(frame + 4 * ((row + 1) * PADDED + column + 1), value)


@inline
def opacity_at(frame, row, column):
    """Opacity, 0 to 1, at a place in a padded digit, of which the rim is 0."""
    last = PADDED - 1.001
    if row <= 0.0 or column <= 0.0 or row >= last or column >= last:
        return ZERO
    row, column = np.float32(row), np.float32(column)
    i, j = int(row), int(column)
    below, right = np.float64(row) - i, np.float64(column) - j
    at = frame + 4 * (i * PADDED + j)
    upper = load_f32(at) * (1 - right) + load_f32(at + 4) * right
    lower = load_f32(at + 4 * PADDED) * (1 - right) + load_f32(at + 4 * PADDED + 4) * right
    return np.float32((upper * (1 - below) + lower * below) / 255)


@inline
def opacities(digit, frame, width, height, patch):
    """Opacity of each pixel of a patch, which begins where the corner of the digit's square is."""
    size, lean = load_f64(digit + SIZE), load_f64(digit + LEAN)
    cos, sin = load_f64(digit + COS), load_f64(digit + SIN)
    scale, middle = (PADDED - 3) / size, PADDED / 2 - 1
    left, top = load_f64(digit + LEFT) % 1.0, load_f64(digit + TOP) % 1.0
    for y in range(height):
        down = y + 0.5 - top - size / 2
        for x in range(width):
            across = x + 0.5 - left - size / 2
            row = (cos * down - sin * across) * scale
            column = (cos * across + sin * down) * scale + lean * row
            store_f32(patch + 4 * (y * width + x), opacity_at(frame, row + middle, column + middle))


@inline
def ground_below(image, pitch, width, height, patch):
    """Mean of all channels of the pixels that a digit covers; gray where there are none."""
    total, count = 0.0, 0
    for y in range(height):
        for x in range(width):
            if load_f32(patch + 4 * (y * width + x)) >= COVERED:
                at = image + y * pitch + 4 * COLORS * x
                for channel in range(COLORS):
                    total += load_f32(at + 4 * channel)
                count += COLORS
    return total / count if count else 128.0


@inline
def paint(job, digit, place, image, patch, maps):
    """Paint a digit over the image, and write its place among the scene's, from 1 on, where it covers."""
    left, top = int(load_f64(digit + LEFT)), int(load_f64(digit + TOP))
    frame = patch + 4 * job.edge * job.edge
    width, height = min(job.edge, job.side - left), min(job.edge, job.side - top)
    pad(load_i64(digit + DIGIT), frame)
    opacities(digit, frame, width, height, patch)
    pitch = 4 * COLORS * job.side
    image += top * pitch + 4 * COLORS * left
    mean = ground_below(image, pitch, width, height, patch)
    light = mean < 128
    if CONTRAST < mean < 255 - CONTRAST:
        light = light == (load_i64(digit + CONTRARY) != 0)
    low = min(255.0, mean + CONTRAST) if light else 0.0
    high = 255.0 if light else max(0.0, mean - CONTRAST)
    for y in range(height):
        for x in range(width):
            opacity = load_f32(patch + 4 * (y * width + x))
            at = image + y * pitch + 4 * COLORS * x
            for channel in range(COLORS):
                colour = np.float32(low + (high - low) * load_f64(digit + RED + 8 * channel))
                ground = load_f32(at + 4 * channel)
                store_f32(at + 4 * channel, ground + opacity * (colour - ground))
            if opacity >= COVERED:
                store_8(maps + (top + y) * job.side + left + x, place)


@inline
def note_boxes(maps, digits, count, side, boxes):
    """Turn places among the scene's digits into classes, and note the box around what is seen of each."""
    for at in range(0, 16 * count, 16):
        store_f32(boxes + at, np.float32(side))
        store_f32(boxes + at + 4, np.float32(side))
        store_f32(boxes + at + 8, ZERO)
        store_f32(boxes + at + 12, ZERO)
    for y in range(side):
        for x in range(side):
            place = load_u8(maps + y * side + x)
            if place == 0:
                continue
            box = boxes + 16 * (place - 1)
            store_f32(box, min(load_f32(box), np.float32(x)))
            store_f32(box + 4, min(load_f32(box + 4), np.float32(y)))
            store_f32(box + 8, max(load_f32(box + 8), np.float32(x + 1)))
            store_f32(box + 12, max(load_f32(box + 12), np.float32(y + 1)))
            label = load_i64(digits + (place - 1) * PAINTED_BYTES + LABEL)
            store_8(maps + y * side + x, label + 1)
    for at in range(0, 16 * count, 16):
        for axis in range(0, 8, 4):
            end = load_f32(boxes + at + 8 + axis)
            start = load_f32(boxes + at + axis) if end > ZERO else ZERO
            store_f32(boxes + at + axis, start)
            store_f32(boxes + at + 8 + axis, end - start)


def loop(job_pointer, scratch, lo, hi):
    """Scenes lo to hi: their images hold the grounds, and their maps zeros."""
    job = record(job_pointer)
    values = COLORS * job.side
    samples = values * job.side
    whole = samples - samples % LANES
    patch = scratch + 4 * samples
    for scene in range(lo, hi):
        image = job.images + scene * samples
        maps = job.maps + scene * job.side * job.side
        for y in range(job.side):
            tint_row(image + y * values, job.tints + 4 * scene * values, values, scratch + 4 * y * values)
        first = load_i64(job.first + 8 * scene)
        count = load_i64(job.first + 8 * scene + 8) - first
        digits = job.digits + first * PAINTED_BYTES
        for place in range(count):
            paint(job, digits + place * PAINTED_BYTES, place + 1, scratch, patch, maps)
        store_vectors(scratch, whole, image, 0, U8, 0, ONE, ZERO, 0)
        for i in range(whole, samples):
            store_sample(image, i, U8, load_f32(scratch + 4 * i))
        note_boxes(maps, digits, count, job.side, job.boxes + 16 * first)
