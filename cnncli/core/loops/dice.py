"""Dice's loss of the softmax over the pixels of a sample, and its gradient.

With p the softmax and t the targets of a class over all pixels: 1 minus the mean of
(2 sum(p t) + 1) / (sum(p) + sum(t) + 1) over the classes that the sample has; for others there is nothing to
overlap with. Pixels whose targets are all 0 do not count (Milletari et al., V-Net, 2016).
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.functions import ONE, ZERO, vexp
from cnncli.core.loops.losses import BUFFER, LOWEST, fetch, put
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import LANES, lane_sum, load_f32, record, splat, store_f32

JOB = nn_jobs.LOSS
TWO = np.float32(2)


@inline
def softmax(job, x, dx, targets, buffer):
    """Write a pixel's softmax, or zeros where the pixel does not count."""
    count = job.outputs
    highest = LOWEST
    mass = ZERO
    for i in range(count):
        highest = max(highest, load_f32(x + 4 * i))
        mass += load_f32(targets + 4 * i)
    total = splat(ZERO)
    for i in range(0, count, LANES):
        share = vexp(fetch(x + 4 * i, count - i, buffer, LOWEST) - splat(highest))
        total = total + share
        put(dx + 4 * i, count - i, share, buffer)
    factor = splat(mass / lane_sum(total))
    for i in range(0, count, LANES):
        put(dx + 4 * i, count - i, fetch(dx + 4 * i, count - i, buffer, ZERO) * factor, buffer)


@inline
def add_up(job, sums, dx, targets):
    """Sums over the pixels of a class: of p t, p and t. Each row's own first, which rounds less."""
    for c in range(job.outputs):
        both = ZERO
        ours = ZERO
        true = ZERO
        for row in range(job.height):
            row_both = ZERO
            row_ours = ZERO
            row_true = ZERO
            at = dx + row * job.dx_row + 4 * c
            goal = targets + 4 * row * job.width * job.target_floats + 4 * c
            for _ in range(job.width):
                p, t = load_f32(at), load_f32(goal)
                row_both += p * t
                row_ours += p
                row_true += t
                at += 4 * job.outputs
                goal += 4 * job.target_floats
            both += row_both
            ours += row_ours
            true += row_true
        store_f32(sums + 12 * c, both)
        store_f32(sums + 12 * c + 4, ours)
        store_f32(sums + 12 * c + 8, true)


@inline
def judged(job, sums):
    """The loss, from the sums; they become, of each class, the two numbers that its slopes take."""
    there = 0
    for c in range(job.outputs):
        there += load_f32(sums + 12 * c + 8) > ZERO
    share = ONE / np.float32(max(there, 1))
    loss = ZERO
    for c in range(job.outputs):
        above = TWO * load_f32(sums + 12 * c) + ONE
        below = load_f32(sums + 12 * c + 4) + load_f32(sums + 12 * c + 8) + ONE
        counts = share if load_f32(sums + 12 * c + 8) > ZERO else ZERO
        loss += counts * (ONE - above / below)
        store_f32(sums + 12 * c, counts * above / (below * below))
        store_f32(sums + 12 * c + 4, counts * TWO / below)
    return loss


@inline
def descend(job, sums, dx, targets):
    """Turn a pixel's softmax into the slopes of its outputs: p (g - sum(g p)), g the slope by p."""
    mean = ZERO
    for c in range(job.outputs):
        slope = load_f32(sums + 12 * c) - load_f32(sums + 12 * c + 4) * load_f32(targets + 4 * c)
        mean += slope * load_f32(dx + 4 * c)
    for c in range(job.outputs):
        slope = load_f32(sums + 12 * c) - load_f32(sums + 12 * c + 4) * load_f32(targets + 4 * c)
        store_f32(dx + 4 * c, job.scale * load_f32(dx + 4 * c) * (slope - mean))


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    for image in range(hi - lo):
        x = place(job.x, job.x_chunk, scratch, chunk) + image * job.x_image
        dx = place(job.dx, job.dx_chunk, scratch, chunk) + image * job.dx_image
        targets = job.targets + 4 * (lo + image) * job.height * job.width * job.target_floats
        sums = job.sums + 4 * (lo + image) * nn_jobs.DICE_SUMS * job.outputs
        for pixel in range(job.height * job.width):
            row = pixel // job.width
            at = 4 * job.outputs * (pixel - row * job.width)
            goal = targets + 4 * pixel * job.target_floats
            softmax(job, x + row * job.x_row + at, dx + row * job.dx_row + at, goal, scratch + BUFFER)
        add_up(job, sums, dx, targets)
        store_f32(job.losses + 4 * (lo + image), judged(job, sums))
        for pixel in range(job.height * job.width):
            row = pixel // job.width
            at = 4 * job.outputs * (pixel - row * job.width)
            descend(job, sums, dx + row * job.dx_row + at, targets + 4 * pixel * job.target_floats)
