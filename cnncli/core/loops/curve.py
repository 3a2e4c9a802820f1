"""Values of pixels along a curve: lines, steps, powers and tables, computed in float64.

A tile is a row of the output, so that memory is read and written in its order.
"""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.loops.doubles import DOUBLES, doubles, limited, power
from cnncli.core.loops.kernel_rows import tile_at
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import I64, VECTOR, VECTOR_BYTES, load_f32, loaded, record, splatted, store_f32, stored

JOB = jobs.CURVE
LINE, STEP, POWER, _ = map(np.intp, jobs.CURVES.values())


def _along(curve, count):
    """An intrinsic: vectors of a row become what ``curve`` emits of them and of ``count`` numbers."""

    @intrinsic
    def change(typing_context, row, size, numbers):
        def codegen(context, builder, signature, args):
            row, size, numbers = args
            numbers = [splatted(builder, each) for each in cgutils.unpack_tuple(builder, numbers)]
            step = ir.Constant(I64, VECTOR_BYTES)
            with cgutils.for_range_slice(builder, ir.Constant(I64, 0), size, step, intp=I64, inc=True) as (
                i,
                _,
            ):
                at = builder.add(row, i)
                found = curve(builder, builder.fpext(loaded(builder, at, VECTOR, 4), DOUBLES), *numbers)
                stored(builder, at, builder.fptrunc(found, VECTOR), 4)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.UniTuple(types.float64, count)), codegen

    return change


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


along_line, along_step, along_power = _along(_line, 5), _along(_step, 3), _along(_power, 2)


@inline
def look_up(job, row, size):
    """Entries of the table; NaN stays."""
    last = np.float64(job.entries - 1)
    for at in range(row, row + size, 4):
        value = np.float64(load_f32(at))
        if value == value:
            entry = min(max((value - job.low) * job.gain, 0.0), last)
            store_f32(at, load_f32(job.table + 4 * np.intp(entry)))


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    row = scratch + HEADER_BYTES
    for tile in range(lo, hi):
        x0, y, width, _, pixels, _ = tile_at(job, tile)
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
