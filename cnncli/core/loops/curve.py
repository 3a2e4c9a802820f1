"""Values of pixels along a curve: lines, steps, powers and tables, computed in float64.

A tile is a row of the output, so that memory is read and written in its order. Floats that become floats go
from one to the other, all others by way of scratch.
"""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.elements import steps
from cnncli.core.loops.doubles import DOUBLES, doubles, limited, power
from cnncli.core.loops.kernel_rows import tile_at
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import (
    I64,
    LANES,
    VECTOR,
    VECTOR_BYTES,
    any_lane,
    constant,
    fused,
    load_f32,
    load_i64,
    loaded,
    record,
    splatted,
    store_f32,
    store_i64,
    stored,
    streamed,
)

JOB = jobs.CURVE
LINE, STEP, POWER, TABLE = map(np.intp, jobs.CURVES.values())
STREAMED = jobs.STREAMED


def _along(curve, count):
    """Two intrinsics: vectors of a row become what ``curve`` emits of them and of ``count`` numbers.

    The first one changes a row in scratch. The second writes floats of a row to an output, mapped, past the
    caches where it is told to, and returns 1 if one of them is not finite, else 0.
    """

    def vector_at(builder, address, numbers):
        value = builder.fpext(loaded(builder, address, VECTOR, 4), DOUBLES)
        return builder.fptrunc(curve(builder, value, *numbers), VECTOR)

    def splatted_all(builder, numbers):
        return [splatted(builder, each) for each in cgutils.unpack_tuple(builder, numbers)]

    @intrinsic
    def change(typing_context, row, size, numbers):
        def codegen(context, builder, signature, args):
            row, size, numbers = args
            numbers = splatted_all(builder, numbers)
            with steps(builder, size, VECTOR_BYTES) as (i, _):
                at = builder.add(row, i)
                stored(builder, at, vector_at(builder, at, numbers), 4)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.UniTuple(types.float64, count)), codegen

    @intrinsic
    def write(typing_context, src, out, size, streams, mapping, numbers):
        def codegen(context, builder, signature, args):
            src, out, size, streams, mapping, numbers = args
            (scale, bias), numbers = splatted_all(builder, mapping), splatted_all(builder, numbers)
            odd = ir.VectorType(ir.IntType(1), LANES)
            open_lanes = cgutils.alloca_once_value(builder, ir.Constant(odd, [0] * LANES))

            def run(store):
                with steps(builder, size, VECTOR_BYTES) as (i, _):
                    value = vector_at(builder, builder.add(src, i), numbers)
                    value = fused(builder, value, scale, bias)
                    store(builder.add(out, i), value)
                    infinite = builder.fcmp_unordered("!=", builder.fsub(value, value), constant(0))
                    builder.store(builder.or_(builder.load(open_lanes), infinite), open_lanes)

            aligned = builder.and_(out, ir.Constant(I64, VECTOR_BYTES - 1))
            past = builder.icmp_signed("==", aligned, ir.Constant(I64, 0))
            past = builder.and_(past, builder.icmp_signed("!=", streams, ir.Constant(I64, 0)))
            with builder.if_else(past) as (by, through):
                with by:
                    run(lambda to, value: streamed(builder, to, value))
                with through:
                    run(lambda to, value: stored(builder, to, value, 4))
            return builder.zext(any_lane(builder, builder.load(open_lanes)), I64)

        pairs = types.UniTuple(types.float32, 2), types.UniTuple(types.float64, count)
        return types.intp(*[types.intp] * 4, *pairs), codegen

    return change, write


def _line(builder, x, low, gain, offset, least, most):
    value = builder.fadd(builder.fmul(builder.fsub(x, low), gain), offset)
    return limited(builder, value, least, most)


def _step(builder, x, low, least, most):
    return builder.select(builder.fcmp_ordered(">", x, low), most, least)


def _power(builder, x, white, exponent):
    """Of shares of white; 0 up to 0, infinite where they are, NaN stays."""
    share = builder.fdiv(x, white)
    above = builder.fcmp_ordered(">", share, doubles(0))
    finite = builder.fcmp_ordered("<", share, doubles(np.inf))
    found = power(builder, builder.select(builder.and_(above, finite), share, doubles(1)), exponent)
    found = builder.select(finite, found, share)
    found = builder.select(builder.fcmp_unordered(">", share, doubles(0)), found, doubles(0))
    return builder.fmul(white, found)


(along_line, write_line), (along_step, write_step) = _along(_line, 5), _along(_step, 3)
along_power, write_power = _along(_power, 2)


@inline
def look_up(job, row, size):
    """Entries of the table; NaN stays."""
    last = np.float64(job.entries - 1)
    for at in range(row, row + size, 4):
        value = np.float64(load_f32(at))
        if value == value:
            entry = min(max((value - job.low) * job.gain, 0.0), last)
            store_f32(at, load_f32(job.table + 4 * np.intp(entry)))


@inline
def write_floats(job, x, y, pixels, scratch):
    """The first pixels of floats that become floats, in whole vectors; returns how many."""
    row = load_i64(job.ymap + 8 * y)
    if job.direct == 0 or job.form == TABLE or row < 0 or x < job.inner_lo or x + pixels > job.inner_hi:
        return 0
    done = pixels - pixels % LANES
    size, streams, mapping = 4 * done * job.channels, job.out_type == STREAMED, (job.scale, job.bias)
    src = job.src + row * job.src_pitch + 4 * load_i64(job.xmap + 8 * x) * job.channels
    out = job.out + y * job.out_pitch + 4 * x * job.channels
    if job.form == LINE:
        ends = (job.low, job.gain, job.offset, job.least, job.most)
        count = write_line(src, out, size, streams, mapping, ends)
    elif job.form == STEP:
        count = write_step(src, out, size, streams, mapping, (job.low, job.least, job.most))
    else:
        count = write_power(src, out, size, streams, mapping, (job.most, job.exponent))
    store_i64(scratch, load_i64(scratch) + count)
    return done


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    row = scratch + HEADER_BYTES
    for tile in range(lo, hi):
        x0, y, width, _, pixels, _ = tile_at(job, tile)
        done = write_floats(job, x0, y, pixels, scratch)
        x0, width, pixels = x0 + done, width - done, pixels - done
        size = 4 * pixels * job.channels
        load_row(job, y * job.stride_y, x0 * job.stride_x, pixels, row)
        if job.form == LINE:
            along_line(row, size, (job.low, job.gain, job.offset, job.least, job.most))
        elif job.form == STEP:
            along_step(row, size, (job.low, job.least, job.most))
        elif job.form == POWER:
            along_power(row, size, (job.most, job.exponent))
        else:
            look_up(job, row, size)
        store_row(job, row, y, x0, width, scratch)
