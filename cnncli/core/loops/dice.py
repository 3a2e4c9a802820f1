"""Dice's loss of the softmax over the pixels of a sample, its cross-entropy beside it, and their gradient.

With p the softmax and t the targets of a class over all pixels: 1 minus the mean of
(2 sum(p t) + 1) / (sum(p) + sum(t) + 1) over the classes that the sample has; for others there is nothing to
overlap with. Pixels without a label do not count (Milletari et al., V-Net, 2016). To this comes the
cross-entropy of each pixel, times `beside`, of the softmax of the outputs and what is added to them. Both are
of the same exponentials, in which most of the time goes: with a = exp(what is added), q = p a / sum(p a).

A row of targets is of a label: 1 for its class, then the targets of the cross-entropy, then their sum.

Pixels are taken `LANES` at a time, and their rows of outputs are turned: each class has a vector then, and
nothing is summed across lanes. A group that ends beyond its row repeats the last pixel, without a label.
"""

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from cnncli.core import nn_jobs
from cnncli.core.loops.functions import ONE, ZERO, vexp, vlog
from cnncli.core.loops.losses import LEAST, LOWEST
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import (
    LANES,
    VECTOR,
    constant,
    fma,
    lane_total,
    lanes_below,
    load_f32,
    load_i64,
    loaded,
    loaded_where,
    record,
    splat,
    store_f32,
    store_i64,
    stored,
    stored_where,
    transposed,
    vload,
    vmax,
    vstore,
    where_equal,
    where_greater,
)

JOB = nn_jobs.LOSS
TWO = np.float32(2)
VECTOR_BYTES = 4 * LANES
# In the scratch memory of a chunk: of each pixel of a group the addresses of its outputs, of their slopes and
# of its row of targets, then its label and the sum of its targets, then vectors for each class.
OUTPUTS, SLOPES, ROWS = 0, 8 * LANES, 16 * LANES
LABELS, MASSES, CLASSES = 24 * LANES, 28 * LANES, nn_jobs.DICE_HEADER * VECTOR_BYTES
# Vectors for each class: what pixels have of it, their targets, three sums, and what is added to outputs and
# taken from them, as factors of the exponentials. After them a row that nobody reads.
P, GOAL, BOTH, OURS, TRUE, MORE, LESS = range(nn_jobs.DICE_KINDS)
I64 = ir.IntType(64)


def _addresses(builder, table):
    slots = [builder.add(table, ir.Constant(I64, 8 * lane)) for lane in range(LANES)]
    return [loaded(builder, slot, I64, 8) for slot in slots]


@intrinsic
def turn(typing_context, table, first, count, dst):
    """Of `LANES` rows at addresses the floats from byte ``first`` on, at most `LANES`: a vector for each."""

    def codegen(context, builder, signature, args):
        table, first, count, dst = args
        mask, zero = lanes_below(builder, count), constant(0)
        rows = [
            loaded_where(builder, builder.add(row, first), mask, zero) for row in _addresses(builder, table)
        ]
        for lane, column in enumerate(transposed(builder, rows)):
            stored(builder, builder.add(dst, ir.Constant(I64, lane * VECTOR_BYTES)), column, VECTOR_BYTES)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.intp), codegen


@intrinsic
def turn_back(typing_context, src, table, first, count):
    """The inverse of `turn`."""

    def codegen(context, builder, signature, args):
        src, table, first, count = args
        mask = lanes_below(builder, count)
        slots = [builder.add(src, ir.Constant(I64, lane * VECTOR_BYTES)) for lane in range(LANES)]
        columns = [loaded(builder, slot, VECTOR, VECTOR_BYTES) for slot in slots]
        for address, row in zip(_addresses(builder, table), transposed(builder, columns), strict=True):
            stored_where(builder, builder.add(address, first), row, mask)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.intp), codegen


@inline
def of_class(job, work, kind, k):
    """Address of a class's vector."""
    whole = (job.outputs + LANES - 1) // LANES * LANES
    return work + CLASSES + (kind * whole + k) * VECTOR_BYTES


@inline
def aim(job, work, x, dx, pixel, column):
    """Note where a group of pixels of a row has its outputs, slopes and targets."""
    row, nowhere = 4 * job.outputs, of_class(job, work, nn_jobs.DICE_KINDS, 0)
    for lane in range(LANES):
        here = column + lane < job.width
        at = min(column + lane, job.width - 1)
        label = load_i64(job.labels + 8 * (pixel + at)) if here else -1
        targets = job.targets + 4 * label * job.target_floats
        store_i64(work + OUTPUTS + 8 * lane, x + at * row)
        store_i64(work + SLOPES + 8 * lane, dx + at * row if here else nowhere)
        store_i64(work + ROWS + 8 * lane, targets)
        store_f32(work + LABELS + 4 * lane, np.float32(label))
        store_f32(work + MASSES + 4 * lane, load_f32(targets + 2 * row))


@inline
def turn_all(job, work, table, first, kind):
    """`turn` of all classes."""
    for k in range(0, job.outputs, LANES):
        turn(work + table, first + 4 * k, job.outputs - k, of_class(job, work, kind, k))


@inline
def turn_all_back(job, work):
    """Write what the pixels have of the classes where the slopes are."""
    for k in range(0, job.outputs, LANES):
        turn_back(of_class(job, work, P, k), work + SLOPES, 4 * k, job.outputs - k)


@inline
def target(labels, k):
    """1 in the lanes of a class, 0 in the others."""
    return where_equal(labels, splat(np.float32(k)), splat(ONE), splat(ZERO))


@inline
def prepare(job, work):
    """Factors of the exponentials, and sums of nothing."""
    for k in range(job.outputs):
        shift = splat(load_f32(job.shift + 4 * k))
        vstore(of_class(job, work, MORE, k), vexp(shift))
        vstore(of_class(job, work, LESS, k), vexp(splat(ZERO) - shift))
        for kind in range(BOTH, TRUE + 1):
            vstore(of_class(job, work, kind, k), splat(ZERO))


@inline
def softmax(job, work):
    """Write the softmax of a group, 0 where pixels do not count, and add it up; returns cross-entropies."""
    zero = splat(ZERO)
    turn_all(job, work, OUTPUTS, 0, P)
    turn_all(job, work, ROWS, 4 * job.outputs, GOAL)
    top = splat(LOWEST)
    for k in range(job.outputs):
        value = vload(of_class(job, work, P, k)) + splat(load_f32(job.shift + 4 * k))
        vstore(of_class(job, work, P, k), value)
        top = vmax(value, top)
    whole = zero
    own = zero
    entropy = zero
    for k in range(job.outputs):
        value = vload(of_class(job, work, P, k)) - top
        share = vexp(value)
        p = share * vload(of_class(job, work, LESS, k))
        vstore(of_class(job, work, P, k), p)
        whole = whole + share
        own = own + p
        # Without a target, infinities do not count.
        entropy = entropy - vload(of_class(job, work, GOAL, k)) * vmax(splat(LEAST), value)
    labels = vload(work + LABELS)
    factor = where_greater(splat(ZERO), labels, zero, splat(ONE)) / own
    for k in range(job.outputs):
        p = vload(of_class(job, work, P, k)) * factor
        vstore(of_class(job, work, P, k), p)
        t = target(labels, k)
        vstore(of_class(job, work, BOTH, k), fma(p, t, vload(of_class(job, work, BOTH, k))))
        vstore(of_class(job, work, OURS, k), vload(of_class(job, work, OURS, k)) + p)
        vstore(of_class(job, work, TRUE, k), vload(of_class(job, work, TRUE, k)) + t)
    turn_all_back(job, work)
    # Where one is not a number, the loss is none.
    return entropy + fma(vload(work + MASSES), vlog(whole), whole * zero)


@inline
def descend(job, work, sums):
    """Turn the softmax of a group into slopes: of Dice's loss p (g - sum(g p)), with g the slope by p."""
    zero = splat(ZERO)
    turn_all(job, work, SLOPES, 0, P)
    turn_all(job, work, ROWS, 4 * job.outputs, GOAL)
    labels = vload(work + LABELS)
    mean = zero
    whole = zero
    for k in range(job.outputs):
        p = vload(of_class(job, work, P, k))
        mean = fma(slope(job, sums, labels, k), p, mean)
        whole = fma(vload(of_class(job, work, MORE, k)), p, whole)
    # Pixels that do not count have no softmax.
    factor = vload(work + MASSES) / where_greater(whole, zero, whole, splat(ONE))
    for k in range(job.outputs):
        p = vload(of_class(job, work, P, k))
        each = p * (slope(job, sums, labels, k) - mean)
        q = p * vload(of_class(job, work, MORE, k)) * factor
        entropy = q - vload(of_class(job, work, GOAL, k))
        vstore(of_class(job, work, P, k), splat(job.scale) * fma(splat(job.beside), entropy, each))
    turn_all_back(job, work)


@inline
def slope(job, sums, labels, k):
    """Slopes of Dice's loss by the softmax of a class."""
    by_share, by_target = load_f32(sums + 4 * k), load_f32(sums + 4 * (job.outputs + k))
    return splat(by_share) - splat(by_target) * target(labels, k)


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


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    work = place(job.work, job.work_chunk, scratch, chunk)
    for image in range(hi - lo):
        x = place(job.x, job.x_chunk, scratch, chunk) + image * job.x_image
        dx = place(job.dx, job.dx_chunk, scratch, chunk) + image * job.dx_image
        pixel = (lo + image) * job.height * job.width
        sums = job.sums + 4 * (lo + image) * nn_jobs.DICE_SUMS * job.outputs
        prepare(job, work)
        entropy = 0.0
        for row in range(job.height):
            parts = splat(ZERO)
            for column in range(0, job.width, LANES):
                aim(job, work, x + row * job.x_row, dx + row * job.dx_row, pixel + row * job.width, column)
                parts = parts + softmax(job, work)
            entropy += lane_total(parts)
        for k in range(job.outputs):
            for kind in range(BOTH, TRUE + 1):
                total = lane_total(vload(of_class(job, work, kind, k)))
                store_f32(sums + 4 * ((kind - BOTH) * job.outputs + k), total)
        loss = judged(job, sums) + job.beside * np.float32(entropy)
        store_f32(job.losses + 4 * (lo + image), loss)
        for row in range(job.height):
            for column in range(0, job.width, LANES):
                aim(job, work, x + row * job.x_row, dx + row * job.dx_row, pixel + row * job.width, column)
                descend(job, work, sums)
