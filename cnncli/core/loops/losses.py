"""Losses and their gradients, with one row of outputs and one of targets for each sample."""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.functions import ONE, ZERO, vexp, vlog
from cnncli.core.loops.rows import inline, place
from cnncli.core.nn_jobs import LOSSES
from cnncli.core.simd import (
    LANES,
    VECTOR_BYTES,
    lane_sum,
    load_f32,
    record,
    splat,
    store_f32,
    vabs,
    vload,
    vmax,
    vmin,
    vstore,
    where_greater,
)

JOB = nn_jobs.LOSS
SOFTMAX = np.intp(LOSSES["softmax"])
SIGMOID = np.intp(LOSSES["sigmoid"])
LOWEST = np.float32(-np.inf)
HALF = np.float32(0.5)
BUFFER = 512  # in scratch: a vector of outputs, one of targets, the lane numbers


@inline
def fetch(src, floats, buffer, fill):
    """A vector of the row, lanes beyond its end filled."""
    if floats >= LANES:
        return vload(src)
    vstore(buffer, splat(fill))
    for i in range(floats):
        store_f32(buffer + 4 * i, load_f32(src + 4 * i))
    return vload(buffer)


@inline
def put(dst, floats, value, buffer):
    """Store the lanes that are in the row."""
    if floats >= LANES:
        vstore(dst, value)
    else:
        vstore(buffer, value)
        for i in range(floats):
            store_f32(dst + 4 * i, load_f32(buffer + 4 * i))


@inline
def softmax(job, x, dx, targets, buffer):
    """Cross-entropy of the softmax, with a target weight for each class."""
    count = job.outputs
    highest = LOWEST
    for i in range(count):
        value = load_f32(x + 4 * i)
        highest = highest if highest > value else value
    top = splat(highest)
    total = splat(ZERO)
    weight = splat(ZERO)
    chosen = splat(ZERO)
    for i in range(0, count, LANES):
        value = fetch(x + 4 * i, count - i, buffer, LOWEST)
        target = fetch(targets + 4 * i, count - i, buffer, ZERO)
        total = total + vexp(value - top)
        weight = weight + target
        # Lanes beyond the row are infinite, and have no weight.
        chosen = chosen + target * vmax(splat(np.float32(-3e38)), value - top)
    whole = lane_sum(total)
    mass = lane_sum(weight)
    vstore(buffer, vlog(splat(whole)))
    loss = mass * load_f32(buffer) - lane_sum(chosen)
    factor = splat(mass / whole)
    for i in range(0, count, LANES):
        value = fetch(x + 4 * i, count - i, buffer, LOWEST)
        target = fetch(targets + 4 * i, count - i, buffer, ZERO)
        put(dx + 4 * i, count - i, (vexp(value - top) * factor - target) * splat(job.scale), buffer)
    return loss if highest == highest and whole == whole else highest + whole


@inline
def by_output(job, x, dx, targets, buffer):
    """Losses that are a sum over outputs: sigmoid cross-entropy, smooth L1."""
    count = job.outputs
    zero = splat(ZERO)
    beta = splat(job.beta)
    total = zero
    for i in range(0, count, LANES):
        value = fetch(x + 4 * i, count - i, buffer, ZERO)
        target = fetch(targets + 4 * i, count - i, buffer, ZERO)
        if job.kind == SIGMOID:
            small = vexp(zero - vabs(value))  # max(x, 0) - x t + log(1 + exp(-|x|))
            each = vmax(zero, value) - value * target + vlog(splat(ONE) + small)
            slope = splat(ONE) / (splat(ONE) + small)
            slope = where_greater(zero, value, small * slope, slope) - target
        else:
            gap = value - target
            near = vmin(vabs(gap), beta)  # d**2 / (2 beta) up to beta, |d| - beta / 2 beyond
            each = near * near * splat(HALF) / beta + (vabs(gap) - near)
            slope = where_greater(
                vabs(gap), beta, where_greater(gap, zero, splat(ONE), splat(-ONE)), gap / beta
            )
        put(dx + 4 * i, count - i, slope * splat(job.scale), buffer)
        # The lanes beyond the row, where both are 0, would count log 2.
        lanes = vload(buffer + 2 * VECTOR_BYTES)
        total = total + where_greater(splat(np.float32(count - i)), lanes, each, zero)
    return lane_sum(total)


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    dx = place(job.dx, job.dx_chunk, scratch, chunk)
    buffer = scratch + BUFFER
    for i in range(LANES):
        store_f32(buffer + 2 * VECTOR_BYTES + 4 * i, np.float32(i))
    for image in range(hi - lo):
        x_row = x + image * job.x_image
        dx_row = dx + image * job.dx_image
        targets = job.targets + 4 * (lo + image) * job.outputs
        if job.kind == SOFTMAX:
            loss = softmax(job, x_row, dx_row, targets, buffer)
        else:
            loss = by_output(job, x_row, dx_row, targets, buffer)
        store_f32(job.losses + 4 * (lo + image), loss)
