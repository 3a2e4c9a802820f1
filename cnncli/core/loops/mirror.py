"""Weights for the gradient to the input: each tap's matrix transposed, in panels of inputs.

A block of `BLOCK` inputs and one tap make one panel of all outputs, from squares of `LANES` vectors that are
transposed in registers; taps come in the order in which the gradient uses them.
"""

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import BLOCK, BLOCK_BYTES
from cnncli.core.loops.rows import inline
from cnncli.core.simd import (
    LANES,
    VECTOR,
    load_f32,
    load_i64,
    loaded,
    record,
    store_f32,
    stored,
    transposed,
)

JOB = nn_jobs.MIRROR


@intrinsic
def transpose(typing_context, src, dst):
    """A square of `LANES` vectors, those of both sides `BLOCK_BYTES` apart."""

    def codegen(context, builder, signature, args):
        src, dst = args
        lines = [ir.Constant(ir.IntType(64), line * BLOCK_BYTES) for line in range(LANES)]
        rows = [loaded(builder, builder.add(src, line), VECTOR, 4) for line in lines]
        for row, line in zip(transposed(builder, rows), lines, strict=True):
            stored(builder, builder.add(dst, line), row, 4)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), codegen


@inline
def copy_rest(src, dst, inputs, outputs):
    """A square of which only some inputs and outputs exist; lanes of other inputs become 0."""
    for output in range(min(outputs, LANES)):
        for each in range(LANES):
            value = load_f32(src + each * BLOCK_BYTES + 4 * output) if each < inputs else np.float32(0)
            store_f32(dst + output * BLOCK_BYTES + 4 * each, value)


def loop(job_pointer, scratch, lo, hi):
    """Items lo to hi: the taps of a block of inputs, then of the next one, group by group."""
    job = record(job_pointer)
    inputs, outputs, used = job.inputs, job.outputs, job.used
    blocks = (inputs + BLOCK - 1) // BLOCK
    of_outputs = (outputs + BLOCK - 1) // BLOCK
    for item in range(lo, hi):
        block = item // used
        tap = load_i64(job.order + 8 * (item - block * used))
        group = block // blocks
        first = (block - group * blocks) * BLOCK
        for output in range(0, outputs, LANES):
            panel = group * of_outputs + output // BLOCK
            src = job.src + ((panel * job.taps + tap) * inputs + first) * BLOCK_BYTES
            src += 4 * (output % BLOCK)
            dst = job.out + (item * outputs + output) * BLOCK_BYTES
            for side in range(0, BLOCK, LANES):
                at, to = src + side * BLOCK_BYTES, dst + 4 * side
                left = inputs - first - side
                if left >= LANES and outputs - output >= LANES:
                    transpose(at, to)
                else:
                    copy_rest(at, to, left, outputs - output)
