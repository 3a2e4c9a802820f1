"""What a processor can do at most: multiply-adds in registers, and copies through memory. Only to compile."""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core.simd import I64, VECTOR, VECTOR_BYTES, constant, fused, loaded, record, stored, streamed

MULTIPLY, COPY, STREAM = 0, 1, 2
CHAINS = 12  # multiply-adds under way, more than their latency times the units of any core
TURNS = 4096  # of all chains, in an item
PIECE = 1 << 14  # bytes of an item that is copied …
GROUP = 8  # … and vectors of it at a time
JOB = np.dtype(
    [
        ("way", "i8"),
        ("source", "i8"),
        ("target", "i8"),
        ("reads", "i8"),  # pieces of the source …
        ("writes", "i8"),  # … and of the target; the longer one is read, or written, alone to its end
    ],
    align=True,
)


@intrinsic
def multiply(typing_context, scratch):
    """`TURNS` times x = x * factor + factor in `CHAINS` vectors, from 0, 1, 2 … to scratch."""

    def codegen(context, builder, signature, args):
        factor = loaded(builder, args[0], VECTOR, 64)
        sums = [cgutils.alloca_once(builder, VECTOR) for _ in range(CHAINS)]
        for chain, held in enumerate(sums):
            builder.store(constant(chain), held)
        with cgutils.for_range(builder, ir.Constant(I64, TURNS)):
            for held in sums:
                builder.store(fused(builder, builder.load(held), factor, factor), held)
        for chain, held in enumerate(sums):  # each in its own place, or all but the last would be left out
            place = builder.add(args[0], ir.Constant(I64, chain * VECTOR_BYTES))
            stored(builder, place, builder.load(held), 64)
        return context.get_dummy_value()

    return types.void(types.intp), codegen


def _move(reads, writes, store):
    @intrinsic
    def move(typing_context, source, target, scratch):
        """Read a piece, write one, or copy it."""

        def codegen(context, builder, signature, args):
            source, target, scratch = args
            totals = [cgutils.alloca_once_value(builder, constant(0)) for _ in range(GROUP)]
            start, end, step = (ir.Constant(I64, number) for number in (0, PIECE, GROUP * VECTOR_BYTES))
            with cgutils.for_range_slice(builder, start, end, step, inc=True) as (at, _):
                for vector, total in enumerate(totals):
                    here = builder.add(at, ir.Constant(I64, vector * VECTOR_BYTES))
                    value = loaded(builder, builder.add(source, here), VECTOR, 64) if reads else constant(1)
                    if writes:
                        store(builder, builder.add(target, here), value)
                    else:
                        builder.store(builder.fadd(builder.load(total), value), total)
            for vector, total in enumerate(totals):
                place = builder.add(scratch, ir.Constant(I64, vector * VECTOR_BYTES))
                stored(builder, place, builder.load(total), 64)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.intp), codegen

    return move


def _kept(builder, address, value):
    stored(builder, address, value, 64)


read = _move(True, False, _kept)
copy, fill = _move(True, True, _kept), _move(False, True, _kept)
copy_past_caches, fill_past_caches = _move(True, True, streamed), _move(False, True, streamed)


def loop(job_pointer, scratch, lo, hi):
    """Items lo to hi: turns of multiply-adds, or pieces of memory, from the first again after the last."""
    job = record(job_pointer)
    for item in range(lo, hi):
        if job.way == MULTIPLY:
            multiply(scratch)
            continue
        piece = item % max(job.reads, job.writes)
        source, target = job.source + piece * PIECE, job.target + piece * PIECE
        if piece >= job.writes:
            read(source, target, scratch)
        elif piece >= job.reads:
            if job.way == STREAM:
                fill_past_caches(source, target, scratch)
            else:
                fill(source, target, scratch)
        elif job.way == STREAM:
            copy_past_caches(source, target, scratch)
        else:
            copy(source, target, scratch)
