"""How often each level occurs in rows of bytes or of 16 bits, and each bin of levels in rows of floats."""

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.elements import FLOAT, U8, steps
from cnncli.core.loops.integers import load_u8, load_u16
from cnncli.core.loops.tile_io import inline
from cnncli.core.simd import I64, load_f32, load_i64, loaded, record, store_i64, stored

JOB = jobs.LEVELS
ZERO = np.float32(0)
TABLES = 8  # of bytes: as many as are loaded together
_COUNT = 8  # bytes of a count
_TABLE = _COUNT * 256  # … and of a table


@intrinsic
def count_bytes(typing_context, tables, row, size):
    """``size`` bytes, a multiple of `TABLES`: those loaded together in a loop take half as long again."""

    def codegen(context, builder, signature, args):
        tables, row, size = args

        def number(value):
            return ir.Constant(I64, value)

        with steps(builder, size, TABLES) as (at, _):
            together = loaded(builder, builder.add(row, at), I64, 1)
            for part in range(TABLES):
                level = builder.and_(builder.lshr(together, number(8 * part)), number(255))
                place = builder.add(tables, number(part * _TABLE))
                place = builder.add(place, builder.mul(level, number(_COUNT)))
                stored(builder, place, builder.add(loaded(builder, place, I64, _COUNT), number(1)), _COUNT)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 3), codegen


@inline
def count(table, level):
    """One more of a level."""
    at = table + _COUNT * level
    store_i64(at, load_i64(at) + 1)


@inline
def count_bins(job, row, table):
    """Finite floats of a row."""
    last = np.float64(job.entries - 1)
    for x in range(job.samples):
        value = load_f32(row + 4 * x)
        if value - value == ZERO:
            place = min(max((np.float64(value) - job.low) * job.gain, 0.0), last)
            count(table, np.intp(place))


def loop(job_pointer, scratch, lo, hi):
    """Rows lo to hi, to tables in scratch: eight of bytes, as equal neighbours would wait for each other."""
    job = record(job_pointer)
    for y in range(lo, hi):
        row = job.src + y * job.src_pitch
        if job.src_type == U8:
            whole = job.samples - job.samples % TABLES
            count_bytes(scratch, row, whole)
            for x in range(whole, job.samples):
                count(scratch, load_u8(row + x))
        elif job.src_type == FLOAT:
            count_bins(job, row, scratch)
        else:
            for x in range(job.samples):
                count(scratch, load_u16(row + 2 * x))
