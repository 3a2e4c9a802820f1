"""The smallest and the largest finite value in rows of any type."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.elements import BYTE, FLOAT, U8, size_of
from cnncli.core.loops.integers import load_u8
from cnncli.core.loops.tile_io import inline
from cnncli.core.simd import (
    F32,
    I64,
    LINE,
    VECTOR_BYTES,
    any_lane,
    load_i64,
    loaded,
    record,
    splatted,
    store_i64,
    stored,
)

JOB = jobs.LEVELS
GROUP = 4  # vectors per iteration
_INFINITE = float("inf")


def _ends(element):
    """An intrinsic: the extremes of a row and of those found before, in lanes of two vectors in memory.

    Returns whether both are those of the type, of integers.
    """
    size = size_of(element)
    lanes = VECTOR_BYTES // size
    vector = ir.VectorType(element, lanes)
    top = _INFINITE if element == F32 else (1 << 8 * size) - 1
    bottom = -top if element == F32 else 0

    def every(number):
        return ir.Constant(vector, [number] * lanes)

    def narrowed(builder, value, low, high):
        if element != F32:
            below, above = (builder.icmp_unsigned(*how) for how in (("<", value, low), (">", value, high)))
            return builder.select(below, value, low), builder.select(above, value, high)
        # What is not finite changes neither, before both are compared: only that waits for the vector before.
        finite = builder.fcmp_ordered("<", magnitude(builder, value), every(top))
        small, large = (builder.select(finite, value, every(none)) for none in (top, bottom))
        below, above = builder.fcmp_ordered("<", small, low), builder.fcmp_ordered(">", large, high)
        return builder.select(below, small, low), builder.select(above, large, high)

    def magnitude(builder, value):
        kind = ir.FunctionType(vector, [vector])
        name = f"llvm.fabs.v{lanes}f32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [value])

    @intrinsic
    def row_ends(typing_context, row, samples, found, begins):
        def codegen(context, builder, signature, args):
            row, samples, found, begins = args
            begins = builder.icmp_signed("!=", begins, ir.Constant(I64, 0))
            places = [builder.add(found, ir.Constant(I64, line * LINE)) for line in (0, 1)]
            ends = [
                cgutils.alloca_once_value(
                    builder,
                    builder.select(begins, every(first), loaded(builder, place, vector, VECTOR_BYTES)),
                )
                for place, first in zip(places, (top, bottom), strict=True)
            ]

            def meet(start, stop, vectors):
                step = ir.Constant(I64, vectors * lanes)
                with cgutils.for_range_slice(builder, start, stop, step, intp=I64, inc=True) as (i, _):
                    at = builder.add(row, builder.mul(i, ir.Constant(I64, size)))
                    now = [builder.load(each) for each in ends]
                    for number in range(vectors):
                        place = builder.add(at, ir.Constant(I64, number * VECTOR_BYTES))
                        now = narrowed(builder, loaded(builder, place, vector, size), *now)
                    for each, value in zip(ends, now, strict=True):
                        builder.store(value, each)

            def whole(unit):
                count = ir.Constant(I64, unit)
                return builder.mul(builder.sdiv(samples, count), count)

            grouped, lanewise = whole(GROUP * lanes), whole(lanes)
            meet(ir.Constant(I64, 0), grouped, GROUP)
            meet(grouped, lanewise, 1)
            one = ir.Constant(I64, 1)
            with cgutils.for_range_slice(builder, lanewise, samples, one, intp=I64, inc=True) as (i, _):
                at = builder.add(row, builder.mul(i, ir.Constant(I64, size)))
                value = splatted(builder, loaded(builder, at, element, size), lanes)
                for each, new in zip(ends, narrowed(builder, value, *map(builder.load, ends)), strict=True):
                    builder.store(new, each)
            reached = ir.Constant(ir.IntType(1), int(element != F32))
            for place, each, last in zip(places, ends, (bottom, top), strict=True):
                stored(builder, place, builder.load(each), VECTOR_BYTES)
                if element != F32:
                    equal = builder.icmp_unsigned("==", builder.load(each), every(last))
                    reached = builder.and_(reached, any_lane(builder, equal))
            return builder.zext(reached, I64)

        return types.intp(*[types.intp] * 4), codegen

    return row_ends


ends_8, ends_16, ends_32 = map(_ends, (BYTE, ir.IntType(16), F32))


@inline
def meet_row(job, row, found, begins):
    """One row, of any type; whether there is nothing left to find."""
    if job.src_type == U8:
        return ends_8(row, job.samples, found, begins)
    if job.src_type == FLOAT:
        return ends_32(row, job.samples, found, begins)
    return ends_16(row, job.samples, found, begins)


def loop(job_pointer, scratch, lo, hi):
    """Rows lo to hi; scratch begins with 1 once there are ends, whose lanes have a line each behind it.

    Where a thread has met both ends of the type, all of them stop.
    """
    job = record(job_pointer)
    for y in range(lo, hi):
        if load_i64(job.found) != 0:
            return
        if meet_row(job, job.src + y * job.src_pitch, scratch + LINE, 1 - load_u8(scratch)):
            store_i64(job.found, 1)
        store_i64(scratch, 1)
