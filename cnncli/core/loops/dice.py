"""Dice's loss of the softmax over the pixels of a sample, its cross-entropy beside it, and their gradient.

With p the softmax and t the targets of a class over all pixels: 1 minus the mean of
(2 sum(p t) + 1) / (sum(p) + sum(t) + 1) over the classes that the sample has; for others there is nothing to
overlap with. Pixels without a label do not count (Milletari et al., V-Net, 2016). To this comes the
cross-entropy of each pixel, times `beside`, of the softmax of the outputs and what is added to them. Both are
of the same exponentials, in which most of the time goes: with a = exp(what is added), q = p a / sum(p a).

A row of targets is of a label: 1 for its class, then the targets of the cross-entropy, then their sum.
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.functions import ONE, ZERO, vexp, vlog
from cnncli.core.loops.losses import LEAST, LOWEST, highest_of, shift_of, shifted, targets_of
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import (
    LANES,
    fma,
    lane_max,
    lane_total,
    load_f32,
    load_i64,
    record,
    splat,
    store_f32,
    vload,
    vload_first,
    vmax,
    vstore_first,
)

JOB = nn_jobs.LOSS
TWO = np.float32(2)
TINY = np.float32(1e-30)  # what is divided by at least: pixels that do not count have no probabilities
# In scratch: what the exponentials of as many pixels as lanes add up to, and the sums of their targets. To
# take the logarithm of one at a time would take as long as that of all.
WHOLES, MASSES = 0, 4 * LANES


@inline
def forget(scratch):
    """Keep no pixels."""
    for lane in range(LANES):
        store_f32(scratch + WHOLES + 4 * lane, ONE)
        store_f32(scratch + MASSES + 4 * lane, ZERO)


@inline
def logarithms(scratch):
    """Of what is kept, times the masses; forgets them. None is a number where one of them is not."""
    wholes, masses = vload(scratch + WHOLES), vload(scratch + MASSES)
    forget(scratch)
    return fma(masses, vlog(wholes), wholes * splat(ZERO))


@inline
def keep(scratch, column, whole, mass):
    """Keep what a pixel's exponentials add up to, and its mass; `logarithms` where that fills a vector."""
    at = scratch + 4 * (column % LANES)
    store_f32(at + WHOLES, whole)
    store_f32(at + MASSES, mass)
    return logarithms(scratch) if column % LANES == LANES - 1 else splat(ZERO)


@inline
def add_to(sums, count, value):
    """Add a vector to some sums."""
    vstore_first(sums, count, vload_first(sums, count, splat(ZERO)) + value)


@inline
def row_of_few(job, scratch, x, dx, pixel, sums):
    """`row_of_many` where the classes fit a vector, which stays in a register, as in `softmax_of_few`."""
    count = job.outputs
    zero = splat(ZERO)
    shift = vload_first(job.shift, count, zero)
    unshift = vexp(zero - shift)
    both = zero
    ours = zero
    true = zero
    entropy = zero
    for column in range(job.width):
        value = vload_first(x + 4 * column * count, count, splat(LOWEST)) + shift
        value = value - splat(lane_max(value))
        share = vexp(value)
        own = share * unshift
        row = targets_of(job, pixel + column)
        counted = ONE if load_i64(job.labels + 8 * (pixel + column)) >= 0 else ZERO
        p, t = own * splat(counted / lane_total(own)), vload_first(row, count, zero)
        vstore_first(dx + 4 * column * count, count, p)
        both = fma(p, t, both)
        ours = ours + p
        true = true + t
        # Lanes beyond the classes are infinite, and have no target.
        goal = vload_first(row + 4 * count, count, zero)
        entropy = entropy - goal * vmax(splat(LEAST), value)
        entropy = entropy + keep(scratch, column, lane_total(share), load_f32(row + 8 * count))
    add_to(sums, count, both)
    add_to(sums + 4 * count, count, ours)
    add_to(sums + 8 * count, count, true)
    return lane_total(entropy + logarithms(scratch))


@inline
def softmax(job, scratch, x, dx, pixel, column):
    """Write the softmax of a pixel, or zeros where it does not count; returns parts of its cross-entropy."""
    count = job.outputs
    zero = splat(ZERO)
    top = highest_of(job, x)
    total = zero
    whole = zero
    entropy = zero
    row = targets_of(job, pixel)
    for i in range(0, count, LANES):
        value = shifted(job, x, i) - top
        share = vexp(value)
        own = share * vexp(zero - shift_of(job, i))
        vstore_first(dx + 4 * i, count - i, own)  # kept, as it is needed again
        total = total + share
        whole = whole + own
        goal = vload_first(row + 4 * (count + i), count - i, zero)
        entropy = entropy - goal * vmax(splat(LEAST), value)
    factor = splat((ONE if load_i64(job.labels + 8 * pixel) >= 0 else ZERO) / lane_total(whole))
    for i in range(0, count, LANES):
        vstore_first(dx + 4 * i, count - i, vload_first(dx + 4 * i, count - i, zero) * factor)
    return entropy + keep(scratch, column, lane_total(total), load_f32(row + 8 * count))


@inline
def row_of_many(job, scratch, x, dx, pixel, sums):
    """Write the softmax of a row of pixels, add to the sums of p t, p and t; returns its cross-entropy."""
    count = job.outputs
    zero = splat(ZERO)
    entropy = zero
    for column in range(job.width):
        at = 4 * column * count
        entropy = entropy + softmax(job, scratch, x + at, dx + at, pixel + column, column)
    for i in range(0, count, LANES):
        both = zero
        ours = zero
        true = zero
        for column in range(job.width):
            p = vload_first(dx + 4 * (column * count + i), count - i, zero)
            t = vload_first(targets_of(job, pixel + column) + 4 * i, count - i, zero)
            both = fma(p, t, both)
            ours = ours + p
            true = true + t
        add_to(sums + 4 * i, count - i, both)
        add_to(sums + 4 * (count + i), count - i, ours)
        add_to(sums + 4 * (2 * count + i), count - i, true)
    return lane_total(entropy + logarithms(scratch))


@inline
def judged(job, sums):
    """The loss, from the sums; they become, of each class, the two numbers that its slopes take."""
    ours = 4 * job.outputs
    true = 8 * job.outputs
    there = 0
    for c in range(job.outputs):
        there += load_f32(sums + true + 4 * c) > ZERO
    share = ONE / np.float32(max(there, 1))
    loss = ZERO
    for c in range(job.outputs):
        at = sums + 4 * c
        above = TWO * load_f32(at) + ONE
        below = load_f32(at + ours) + load_f32(at + true) + ONE
        counts = share if load_f32(at + true) > ZERO else ZERO
        loss += counts * (ONE - above / below)
        store_f32(at, counts * above / (below * below))
        store_f32(at + ours, counts * TWO / below)
    return loss


@inline
def slope(job, sums, row, i):
    """A vector of slopes by the softmax of a pixel, from class i on."""
    count = job.outputs - i
    zero = splat(ZERO)
    by_share = vload_first(sums + 4 * i, count, zero)
    by_target = vload_first(sums + 4 * (job.outputs + i), count, zero)
    return by_share - by_target * vload_first(row + 4 * i, count, zero)


@inline
def descend_few(job, sums, dx, pixel):
    """`descend_many` where the classes fit a vector."""
    count = job.outputs
    zero = splat(ZERO)
    by_share = vload_first(sums, count, zero)
    by_target = vload_first(sums + 4 * count, count, zero)
    reshift = vexp(shift_of(job, 0))
    scale = splat(job.scale)
    beside = splat(job.beside)
    for column in range(job.width):
        at = dx + 4 * column * count
        row = targets_of(job, pixel + column)
        p = vload_first(at, count, zero)
        each = by_share - by_target * vload_first(row, count, zero)
        each = p * (each - splat(lane_total(each * p)))
        goal = vload_first(row + 4 * count, count, zero)
        q = p * reshift
        entropy = q * splat(load_f32(row + 8 * count) / max(lane_total(q), TINY)) - goal
        vstore_first(at, count, scale * fma(beside, entropy, each))


@inline
def descend_many(job, sums, dx, pixel):
    """Turn the softmax of a row of pixels into slopes of the outputs: p (g - sum(g p)), g the slope by p."""
    count = job.outputs
    zero = splat(ZERO)
    for column in range(job.width):
        at = dx + 4 * column * count
        row = targets_of(job, pixel + column)
        total = zero
        whole = zero
        for i in range(0, count, LANES):
            p = vload_first(at + 4 * i, count - i, zero)
            total = fma(slope(job, sums, row, i), p, total)
            whole = fma(vexp(shift_of(job, i)), p, whole)
        mean = splat(lane_total(total))
        factor = splat(load_f32(row + 8 * count) / max(lane_total(whole), TINY))
        for i in range(0, count, LANES):
            p = vload_first(at + 4 * i, count - i, zero)
            each = p * (slope(job, sums, row, i) - mean)
            entropy = p * vexp(shift_of(job, i)) * factor - vload_first(
                row + 4 * (count + i), count - i, zero
            )
            vstore_first(at + 4 * i, count - i, splat(job.scale) * fma(splat(job.beside), entropy, each))


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    few = job.outputs <= LANES
    forget(scratch)
    for image in range(hi - lo):
        x = place(job.x, job.x_chunk, scratch, chunk) + image * job.x_image
        dx = place(job.dx, job.dx_chunk, scratch, chunk) + image * job.dx_image
        pixel = (lo + image) * job.height * job.width
        sums = job.sums + 4 * (lo + image) * nn_jobs.DICE_SUMS * job.outputs
        for at in range(0, nn_jobs.DICE_SUMS * job.outputs, LANES):
            vstore_first(sums + 4 * at, nn_jobs.DICE_SUMS * job.outputs - at, splat(ZERO))
        entropy = 0.0
        for row in range(job.height):
            at, to, first = x + row * job.x_row, dx + row * job.dx_row, pixel + row * job.width
            if few:
                entropy += row_of_few(job, scratch, at, to, first, sums)
            else:
                entropy += row_of_many(job, scratch, at, to, first, sums)
        loss = judged(job, sums) + job.beside * np.float32(entropy)
        store_f32(job.losses + 4 * (lo + image), loss)
        for row in range(job.height):
            to, first = dx + row * job.dx_row, pixel + row * job.width
            if few:
                descend_few(job, sums, to, first)
            else:
                descend_many(job, sums, to, first)
