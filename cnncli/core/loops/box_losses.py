"""The loss of boxes by their generalised intersection over union, and its gradient.

A row of outputs holds how far the sides of a box are from a point: left, top, right, bottom. The loss is
1 - GIoU = 2 - I / U - U / C: intersection, union, and the smallest box around both (Rezatofighi et al.,
Generalized intersection over union, 2019).
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import load_f32, record, store_f32

JOB = nn_jobs.LOSS
ZERO = np.float32(0)
TWO = np.float32(2)
LEAST = np.float32(1e-7)  # of an area that is divided by


@inline
def along(before, after, true_before, true_after):
    """Lengths of the box, of the true one, of what both cover, and of what covers both, along an axis."""
    return (
        max(before + after, ZERO),
        true_before + true_after,
        max(min(before, true_before) + min(after, true_after), ZERO),
        max(before, true_before) + max(after, true_after),
    )


@inline
def slope_of(side, true_side, lengths, across, slopes):
    """Slope of the loss along one side: by the areas of the intersection, the box, and what covers both."""
    shared = across[2] if side < true_side and lengths[2] > ZERO else ZERO
    own = across[0] if lengths[0] > ZERO else ZERO
    around = across[3] if side > true_side else ZERO
    return slopes[0] * shared + slopes[1] * (own - shared) + slopes[2] * around


@inline
def one_box(job, x, dx, targets):
    """The loss of a row; its weight is the fifth of the targets."""
    left, top, right, bottom = load_f32(x), load_f32(x + 4), load_f32(x + 8), load_f32(x + 12)
    true_left, true_top = load_f32(targets), load_f32(targets + 4)
    true_right, true_bottom = load_f32(targets + 8), load_f32(targets + 12)
    wide = along(left, right, true_left, true_right)
    high = along(top, bottom, true_top, true_bottom)
    shared = wide[2] * high[2]
    union = wide[0] * high[0] + wide[1] * high[1] - shared + LEAST
    around = wide[3] * high[3] + LEAST
    weight = load_f32(targets + 16)
    scale = job.scale * weight
    slopes = (
        -scale / union,
        scale * (shared / (union * union) - np.float32(1) / around),
        scale * union / (around * around),
    )
    store_f32(dx, slope_of(left, true_left, wide, high, slopes))
    store_f32(dx + 4, slope_of(top, true_top, high, wide, slopes))
    store_f32(dx + 8, slope_of(right, true_right, wide, high, slopes))
    store_f32(dx + 12, slope_of(bottom, true_bottom, high, wide, slopes))
    return weight * (TWO - shared / union - union / around)


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    dx = place(job.dx, job.dx_chunk, scratch, chunk)
    for image in range(hi - lo):
        targets = job.targets + 4 * (lo + image) * job.height * job.width * job.target_floats
        whole = 0.0
        for row in range(job.height):
            x_at = x + image * job.x_image + row * job.x_row
            dx_at = dx + image * job.dx_image + row * job.dx_row
            for _ in range(job.width):
                if load_f32(targets + 16) != ZERO:
                    whole += one_box(job, x_at, dx_at, targets)
                else:  # most pixels are in no box
                    for i in range(4):
                        store_f32(dx_at + 4 * i, ZERO)
                x_at += 16
                dx_at += 16
                targets += 4 * job.target_floats
        store_f32(job.losses + 4 * (lo + image), np.float32(whole))
