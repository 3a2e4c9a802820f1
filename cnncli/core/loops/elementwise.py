"""Elementwise functions, forward and backward, over the rows of tensors."""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.functions import ONE, ZERO, vexp, vnormal, vsigmoid, vtanh
from cnncli.core.loops.rows import inline, place
from cnncli.core.nn_jobs import KINDS
from cnncli.core.simd import (
    LANES,
    VECTOR_BYTES,
    record,
    splat,
    vload,
    vload_first,
    vmax,
    vmin,
    vstore,
    vstore_first,
    where_greater,
)

JOB = nn_jobs.APPLY
COPY, RELU, RELU_BACK, SUM, SUM_RELU, PRODUCT, LEAKY, LEAKY_BACK = (np.intp(i) for i in range(8))
SIGMOID, SIGMOID_BACK, TANH, TANH_BACK, SILU, SILU_BACK, GELU, GELU_BACK = (np.intp(i) for i in range(8, 16))
RELU6, RELU6_BACK = (np.intp(i) for i in range(16, 18))
assert len(KINDS) == 18
SIX = np.float32(6)
DENSITY = np.float32(0.3989422804014327)  # 1 / sqrt(2 pi)


@inline
def apply(kind, a, b, alpha):
    """One vector: forward of a; or backward, of the gradient b with the saved activation a."""
    zero = splat(ZERO)
    if kind == RELU:
        return vmax(zero, a)
    if kind == RELU_BACK:  # a is the output
        return where_greater(a, zero, b, zero)
    if kind == RELU6:
        return vmin(splat(SIX), vmax(zero, a))
    if kind == RELU6_BACK:  # a is the output
        return where_greater(splat(SIX), a, where_greater(a, zero, b, zero), zero)
    if kind == SUM:
        return a + b
    if kind == SUM_RELU:
        return vmax(zero, a + b)
    if kind == PRODUCT:
        return a * b
    if kind == LEAKY:
        return where_greater(a, zero, a, a * alpha)
    if kind == LEAKY_BACK:  # a is the input
        return where_greater(a, zero, b, b * alpha)
    if kind == SIGMOID:
        return vsigmoid(a)
    if kind == SIGMOID_BACK:  # a is the output
        return b * a * (splat(ONE) - a)
    if kind == TANH:
        return vtanh(a)
    if kind == TANH_BACK:  # a is the output
        return b * (splat(ONE) - a * a)
    if kind == SILU:
        return a * vsigmoid(a)
    if kind == SILU_BACK:  # a is the input
        share = vsigmoid(a)
        return b * share * (splat(ONE) + a * (splat(ONE) - share))
    if kind == GELU:
        return a * vnormal(a)
    if kind == GELU_BACK:  # a is the input
        density = splat(DENSITY) * vexp(a * a * splat(np.float32(-0.5)))
        return b * (vnormal(a) + a * density)
    return a


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    kind = job.kind
    add = job.add
    alpha = splat(job.alpha)
    zero = splat(ZERO)
    floats = job.floats
    for each in range((hi - lo) * job.rows):
        image = each // job.rows
        row = each - image * job.rows
        a = place(job.a, job.a_chunk, scratch, chunk) + image * job.a_image + row * job.a_row
        b = place(job.b, job.b_chunk, scratch, chunk) + image * job.b_image + row * job.b_row
        out = place(job.out, job.out_chunk, scratch, chunk) + image * job.out_image + row * job.out_row
        for i in range(0, 4 * floats, VECTOR_BYTES):
            left = floats - i // 4
            if left >= LANES:
                value = apply(kind, vload(a + i), vload(b + i), alpha)
                vstore(out + i, value + vload(out + i) if add else value)
            else:
                value = apply(kind, vload_first(a + i, left, zero), vload_first(b + i, left, zero), alpha)
                value = value + vload_first(out + i, left, zero) if add else value
                vstore_first(out + i, left, value)
