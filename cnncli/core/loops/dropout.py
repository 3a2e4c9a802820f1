"""Dropout: the remaining values are scaled up; backward uses the same mask.

Random numbers have no state; they are hashes of seed and layer, step, sample and position. The mask is
recomputed in the backward pass, and is the same for any number of threads.
"""

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from cnncli.core import nn_jobs
from cnncli.core.loops.functions import INTEGERS
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import (
    I32,
    LANES,
    VECTOR,
    constant,
    load_i64,
    record,
    splat,
    splatted,
    vector,
    vload,
    vload_first,
    vstore,
    vstore_first,
    where_greater,
)

JOB = nn_jobs.DROPOUT
ONE = np.float32(1)
ZERO = np.float32(0)
# Multipliers of lowbias32 (C. Wellons), a 32-bit hash with very low bias.
_FIRST, _SECOND = 0x7FEB352D, 0x846CA68B
_GOLDEN = 0x9E3779B9  # odd, so that different keys stay different


def _hashed(builder, x):
    def number(value):
        return ir.Constant(x.type, value if x.type == I32 else [value] * LANES)

    for shift, factor in ((16, _FIRST), (15, _SECOND), (16, None)):
        x = builder.xor(x, builder.lshr(x, number(shift)))
        if factor is not None:
            x = builder.mul(x, number(factor))
    return x


@intrinsic
def key_of(typing_context, key, number):
    """Combine a key with another number."""

    def codegen(context, builder, signature, args):
        key, number = (builder.trunc(each, I32) for each in args)
        mixed = builder.add(builder.mul(key, ir.Constant(I32, _GOLDEN)), number)
        return builder.zext(_hashed(builder, mixed), args[0].type)

    return types.intp(types.intp, types.intp), codegen


@intrinsic
def uniform(typing_context, key, index):
    """Random numbers in [0, 1) for the positions ``index``, ``index`` + 1 … in the lanes."""

    def codegen(context, builder, signature, args):
        key, index = (splatted(builder, builder.trunc(each, I32)) for each in args)
        place = builder.add(index, ir.Constant(INTEGERS, list(range(LANES))))
        bits = _hashed(
            builder, builder.xor(builder.mul(place, ir.Constant(INTEGERS, [_GOLDEN] * LANES)), key)
        )
        bits = builder.lshr(_hashed(builder, builder.add(bits, key)), ir.Constant(INTEGERS, [8] * LANES))
        return builder.fmul(builder.sitofp(bits, VECTOR), constant(2.0**-24))

    return vector(types.intp, types.intp), codegen


@inline
def thinned(value, key, index, rate, scale):
    """Apply the mask and the scale to a vector."""
    return where_greater(rate, uniform(key, index), splat(ZERO), value * scale)


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    step_key = key_of(job.key, load_i64(job.step))
    rate = splat(job.rate)
    scale = splat(ONE / (ONE - job.rate))
    floats = job.floats
    zero = splat(ZERO)
    add = job.add
    for each in range((hi - lo) * job.rows):
        image = each // job.rows
        row = each - image * job.rows
        key = key_of(step_key, lo + image)
        first = row * floats
        x = place(job.x, job.x_chunk, scratch, chunk) + image * job.x_image + row * job.x_row
        y = place(job.y, job.y_chunk, scratch, chunk) + image * job.y_image + row * job.y_row
        for i in range(0, floats, LANES):
            left, a, out = floats - i, x + 4 * i, y + 4 * i
            if left >= LANES:
                value = thinned(vload(a), key, first + i, rate, scale)
                vstore(out, value + vload(out) if add else value)
            else:
                value = thinned(vload_first(a, left, zero), key, first + i, rate, scale)
                value = value + vload_first(out, left, zero) if add else value
                vstore_first(out, left, value)
