"""Dice's loss of the softmax over the pixels of a sample, and its gradient.

With p the softmax and t the targets of a class over all pixels: 1 minus the mean of
(2 sum(p t) + 1) / (sum(p) + sum(t) + 1) over the classes that the sample has; for others there is nothing to
overlap with. Pixels whose targets are all 0 do not count (Milletari et al., V-Net, 2016).
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.functions import ONE, ZERO, vexp
from cnncli.core.loops.losses import highest_of, shifted
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import (
    LANES,
    lane_max,
    lane_total,
    load_f32,
    record,
    splat,
    store_f32,
    vload_first,
    vstore_first,
)

JOB = nn_jobs.LOSS
TWO = np.float32(2)


@inline
def softmax(job, x, dx, targets):
    """Write a pixel's softmax, or zeros where the pixel does not count."""
    count = job.outputs
    if count <= LANES:  # a vector, which stays in a register: see `losses.softmax_of_few`
        value = shifted(job, x, 0)
        share = vexp(value - splat(lane_max(value)))
        mass = lane_total(vload_first(targets, count, splat(ZERO)))
        vstore_first(dx, count, share * splat(mass / lane_total(share)))
        return
    top = highest_of(job, x)
    total = splat(ZERO)
    mass = splat(ZERO)
    for i in range(0, count, LANES):
        share = vexp(shifted(job, x, i) - top)
        vstore_first(dx + 4 * i, count - i, share)  # kept, as it is needed again
        total = total + share
        mass = mass + vload_first(targets + 4 * i, count - i, splat(ZERO))
    factor = splat(lane_total(mass) / lane_total(total))
    for i in range(0, count, LANES):
        vstore_first(dx + 4 * i, count - i, vload_first(dx + 4 * i, count - i, splat(ZERO)) * factor)


@inline
def add_up(job, sums, dx, targets):
    """Sums over the pixels of a class: of p t, p and t. Each row's own first, which rounds less."""
    zero = splat(ZERO)
    for i in range(0, job.outputs, LANES):
        count = job.outputs - i
        both = zero
        ours = zero
        true = zero
        for row in range(job.height):
            row_both = zero
            row_ours = zero
            row_true = zero
            at = dx + row * job.dx_row + 4 * i
            goal = targets + 4 * row * job.width * job.target_floats + 4 * i
            for _ in range(job.width):
                p, t = vload_first(at, count, zero), vload_first(goal, count, zero)
                row_both = row_both + p * t
                row_ours = row_ours + p
                row_true = row_true + t
                at += 4 * job.outputs
                goal += 4 * job.target_floats
            both = both + row_both
            ours = ours + row_ours
            true = true + row_true
        vstore_first(sums + 4 * i, count, both)
        vstore_first(sums + 4 * (job.outputs + i), count, ours)
        vstore_first(sums + 4 * (2 * job.outputs + i), count, true)


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
def descend(job, sums, dx, targets):
    """Turn a pixel's softmax into the slopes of its outputs: p (g - sum(g p)), g the slope by p."""
    zero = splat(ZERO)
    total = zero
    for i in range(0, job.outputs, LANES):
        total = total + slope(job, sums, targets, i) * vload_first(dx + 4 * i, job.outputs - i, zero)
    mean = splat(lane_total(total))
    for i in range(0, job.outputs, LANES):
        count = job.outputs - i
        p = vload_first(dx + 4 * i, count, zero) * splat(job.scale)
        vstore_first(dx + 4 * i, count, p * (slope(job, sums, targets, i) - mean))


@inline
def slope(job, sums, targets, i):
    """A vector of slopes by the softmax of a pixel, from class i on."""
    count = job.outputs - i
    zero = splat(ZERO)
    by_share = vload_first(sums + 4 * i, count, zero)
    by_target = vload_first(sums + 4 * (job.outputs + i), count, zero)
    return by_share - by_target * vload_first(targets + 4 * i, count, zero)


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    for image in range(hi - lo):
        x = place(job.x, job.x_chunk, scratch, chunk) + image * job.x_image
        dx = place(job.dx, job.dx_chunk, scratch, chunk) + image * job.dx_image
        targets = job.targets + 4 * (lo + image) * job.height * job.width * job.target_floats
        sums = job.sums + 4 * (lo + image) * nn_jobs.DICE_SUMS * job.outputs
        goal = targets
        for row in range(job.height):
            at, to = x + row * job.x_row, dx + row * job.dx_row
            for _ in range(job.width):
                softmax(job, at, to, goal)
                at += 4 * job.outputs
                to += 4 * job.outputs
                goal += 4 * job.target_floats
        add_up(job, sums, dx, targets)
        store_f32(job.losses + 4 * (lo + image), judged(job, sums))
        goal = targets
        for row in range(job.height):
            to = dx + row * job.dx_row
            for _ in range(job.width):
                descend(job, sums, to, goal)
                to += 4 * job.outputs
                goal += 4 * job.target_floats
