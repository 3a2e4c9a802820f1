"""Losses and their gradients, with one row of outputs and one of targets for each pixel of a sample."""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.functions import ONE, ZERO, vexp, vlog
from cnncli.core.loops.rows import inline, place
from cnncli.core.nn_jobs import LOSSES
from cnncli.core.simd import (
    LANES,
    first_lanes,
    lane_max,
    lane_sum,
    lane_total,
    load_f32,
    load_i64,
    record,
    splat,
    store_f32,
    vabs,
    vload_first,
    vmax,
    vmin,
    vstore_first,
    where_greater,
)

JOB = nn_jobs.LOSS
SOFTMAX = np.intp(LOSSES["softmax"])
SIGMOID = np.intp(LOSSES["sigmoid"])
FOCAL = np.intp(LOSSES["focal"])
LOWEST = np.float32(-np.inf)
LEAST = np.float32(-3e38)
HALF = np.float32(0.5)


@inline
def targets_of(job, pixel):
    """Address of the row of targets of a pixel, counted from the first one of the first sample."""
    row = load_i64(job.labels + 8 * pixel) if job.labels else pixel
    return job.targets + 4 * row * job.target_floats


@inline
def shift_of(job, i):
    """What is added to outputs from number i on; 0 beyond the row."""
    return vload_first(job.shift + 4 * i, job.outputs - i, splat(ZERO))


@inline
def shifted(job, x, i):
    """Outputs from number i on, with what is added to each; the least there is beyond the row."""
    return vload_first(x + 4 * i, job.outputs - i, splat(LOWEST)) + shift_of(job, i)


@inline
def highest_of(job, x):
    """The greatest of a row of outputs, shifted, in all lanes."""
    top = splat(LOWEST)
    for i in range(0, job.outputs, LANES):
        top = vmax(shifted(job, x, i), top)
    return splat(lane_max(top))


@inline
def softmax_of_few(job, x, dx, targets):
    """`softmax` of a row that fits a vector, which stays in a register.

    To read what was just stored in part takes processors as long as all of this.
    """
    value = shifted(job, x, 0)
    value = value - splat(lane_max(value))
    target = vload_first(targets, job.outputs, splat(ZERO))
    share = vexp(value)
    whole = lane_total(share)
    mass = lane_total(target)
    vstore_first(dx, job.outputs, (share * splat(mass / whole) - target) * splat(job.scale))
    loss = mass * lane_max(vlog(splat(whole))) - lane_total(target * vmax(splat(LEAST), value))
    return loss if whole == whole else whole


@inline
def softmax(job, x, dx, targets):
    """Cross-entropy of the softmax of outputs and what is added to them, with a weight for each class."""
    count = job.outputs
    if count <= LANES:
        return softmax_of_few(job, x, dx, targets)
    top = highest_of(job, x)
    total = splat(ZERO)
    weight = splat(ZERO)
    chosen = splat(ZERO)
    for i in range(0, count, LANES):
        value = shifted(job, x, i) - top
        target = vload_first(targets + 4 * i, count - i, splat(ZERO))
        share = vexp(value)  # kept in dx, as it is needed again
        vstore_first(dx + 4 * i, count - i, share)
        total = total + share
        weight = weight + target
        # Lanes beyond the row are infinite, and have no weight.
        chosen = chosen + target * vmax(splat(LEAST), value)
    whole = lane_total(total)
    mass = lane_total(weight)
    loss = mass * lane_max(vlog(splat(whole))) - lane_total(chosen)
    factor = splat(mass / whole)
    for i in range(0, count, LANES):
        share = vload_first(dx + 4 * i, count - i, splat(ZERO))
        target = vload_first(targets + 4 * i, count - i, splat(ZERO))
        vstore_first(dx + 4 * i, count - i, (share * factor - target) * splat(job.scale))
    return loss if whole == whole else whole


@inline
def focal(job, value, target):
    """Focal loss of a vector of outputs, and its slope.

    With p the sigmoid of the output, a = -log p and b = -log(1 - p):
    alpha t (1 - p)**gamma a + (1 - alpha) (1 - t) p**gamma b.
    """
    one = splat(ONE)
    gamma = splat(job.beta)
    small = vexp(splat(ZERO) - vabs(value))
    tail = vlog(one + small)
    a = vmax(splat(ZERO), splat(ZERO) - value) + tail
    b = vmax(splat(ZERO), value) + tail
    p = where_greater(splat(ZERO), value, small, one) / (one + small)
    q = where_greater(splat(ZERO), value, one, small) / (one + small)
    true = splat(job.alpha) * target * vexp(splat(ZERO) - gamma * b)
    false = splat(ONE - job.alpha) * (one - target) * vexp(splat(ZERO) - gamma * a)
    slope = false * (gamma * q * b + p) - true * (gamma * p * a + q)
    return true * a + false * b, slope


@inline
def by_output(job, x, dx, targets):
    """Losses that are a sum over outputs: sigmoid cross-entropy, focal loss, smooth L1."""
    count = job.outputs
    zero = splat(ZERO)
    beta = splat(job.beta)
    weight = load_f32(targets + 4 * count) if job.weighted else ONE
    scale = splat(job.scale * weight)
    total = zero
    for i in range(0, count, LANES):
        value = vload_first(x + 4 * i, count - i, zero)
        target = vload_first(targets + 4 * i, count - i, zero)
        if job.kind == SIGMOID:
            small = vexp(zero - vabs(value))  # max(x, 0) - x t + log(1 + exp(-|x|))
            each = vmax(zero, value) - value * target + vlog(splat(ONE) + small)
            slope = splat(ONE) / (splat(ONE) + small)
            slope = where_greater(zero, value, small * slope, slope) - target
        elif job.kind == FOCAL:
            each, slope = focal(job, value, target)
        else:
            gap = value - target
            near = vmin(vabs(gap), beta)  # d**2 / (2 beta) up to beta, |d| - beta / 2 beyond
            each = near * near * splat(HALF) / beta + (vabs(gap) - near)
            slope = where_greater(
                vabs(gap), beta, where_greater(gap, zero, splat(ONE), splat(-ONE)), gap / beta
            )
        vstore_first(dx + 4 * i, count - i, slope * scale)
        # The lanes beyond the row, where both are 0, would count log 2.
        total = total + first_lanes(each, count - i)
    return lane_sum(total) * weight


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    dx = place(job.dx, job.dx_chunk, scratch, chunk)
    for image in range(hi - lo):
        pixel = (lo + image) * job.height * job.width
        whole = 0.0
        for row in range(job.height):
            x_at = x + image * job.x_image + row * job.x_row
            dx_at = dx + image * job.dx_image + row * job.dx_row
            for _ in range(job.width):
                targets = targets_of(job, pixel)
                if job.kind == SOFTMAX:
                    whole += softmax(job, x_at, dx_at, targets)
                else:
                    whole += by_output(job, x_at, dx_at, targets)
                x_at += 4 * job.outputs
                dx_at += 4 * job.outputs
                pixel += 1
        store_f32(job.losses + 4 * (lo + image), np.float32(whole))
