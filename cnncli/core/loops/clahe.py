"""Contrast limited adaptive histogram equalization: pixels by the tables of the four tiles around them.

Every product and sum is rounded to float32 by itself, in OpenCV's order, so that results have its bits.
"""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.elements import FLOAT, U8
from cnncli.core.loops.integers import load_u8, load_u16, load_u32, store_8, store_16
from cnncli.core.loops.tile_io import inline
from cnncli.core.simd import (
    I32,
    I64,
    LANES,
    VECTOR,
    constant,
    load_f32,
    load_i64,
    loaded,
    record,
    splatted,
    store_f32,
    stored,
)

JOB = jobs.CLAHE
TO_WHOLE = np.float32(12582912)  # 3 * 2^22: adding and subtracting it rounds to an integer, halves to even
INTEGERS = ir.VectorType(I32, LANES)
ONE, TOP = np.float32(1), 65535


def _numbers(value):
    return ir.Constant(INTEGERS, [value] * LANES)


def _places(builder, src, kind):
    """The integers at an address as offsets by lane: read one by one, as they are used one by one."""
    width = kind.width // 8
    for lane in range(LANES):
        at = builder.add(src, ir.Constant(I64, lane * width))
        yield builder.zext(loaded(builder, at, kind, width), I64)


def _looked_up(builder, table, places, kind):
    """Entries of a table as a vector of 32 bits."""
    found = ir.Constant(ir.VectorType(kind, LANES), ir.Undefined)
    for lane, place in enumerate(places):
        at = builder.add(table, builder.mul(place, ir.Constant(I64, kind.width // 8)))
        found = builder.insert_element(
            found, loaded(builder, at, kind, kind.width // 8), ir.Constant(I32, lane)
        )
    return found if kind == I32 else builder.zext(found, INTEGERS)


def _blended(builder, values, sides, shares, top):
    """Integers up to ``top``, mixed from those of four tables by shares: of sides, then of rows."""
    values = [builder.sitofp(value, VECTOR) for value in values]
    above, below = (
        builder.fadd(builder.fmul(one, sides[0]), builder.fmul(other, sides[1]))
        for one, other in (values[:2], values[2:])
    )
    upper, lower = (splatted(builder, share) for share in shares)
    result = builder.fadd(builder.fmul(above, upper), builder.fmul(below, lower))
    kind = ir.FunctionType(VECTOR, [VECTOR])
    whole = cgutils.get_or_insert_function(builder.module, kind, f"llvm.nearbyint.v{LANES}f32")
    result = builder.call(whole, [result])
    result = builder.select(builder.fcmp_ordered(">", result, constant(top)), constant(top), result)
    return builder.fptosi(result, INTEGERS)


def _vector_blend(kind, split):
    """A function that maps `LANES` pixels of a row; ``split`` looks up the values of four tables."""

    @intrinsic
    def blend(typing_context, dst, src, tables, left, right, upper, lower):
        def codegen(context, builder, signature, args):
            dst, src, tables, left, right, *shares = args
            values = split(builder, tables, list(_places(builder, src, kind)))
            sides = [loaded(builder, address, VECTOR, 4) for address in (left, right)]
            result = _blended(builder, values, sides, shares, 2**kind.width - 1)
            stored(builder, dst, builder.trunc(result, ir.VectorType(kind, LANES)), 1)
            return context.get_dummy_value()

        kinds = (types.intp, types.intp, tables, types.intp, types.intp, types.float32, types.float32)
        return types.void(*kinds), codegen

    return blend


def _split_bytes(builder, table, places):
    """The four bytes of each entry of a cell's table."""
    four = _looked_up(builder, table, places, I32)
    return [builder.and_(builder.lshr(four, _numbers(shift)), _numbers(255)) for shift in (0, 8, 16, 24)]


def _split_deep(builder, tables, places):
    """Entries of four tables."""
    return [_looked_up(builder, builder.extract_value(tables, each), places, WORD) for each in range(4)]


BYTE, WORD = ir.IntType(8), ir.IntType(16)
blend_bytes, blend_deep = _vector_blend(BYTE, _split_bytes), _vector_blend(WORD, _split_deep)


@inline
def blend(one, other, third, fourth, left, right, upper, lower):
    """Values of the upper left, upper right, lower left and lower right table, by their shares."""
    return (one * left + other * right) * upper + (third * left + fourth * right) * lower


@inline
def byte_cell(job, row, out, table, x, behind, upper, lower):
    """Columns of a row of bytes within a cell."""
    while x + LANES <= behind:
        blend_bytes(out + x, row + x, table, job.left + 4 * x, job.right + 4 * x, upper, lower)
        x += LANES
    for at in range(x, behind):
        four = load_u32(table + 4 * load_u8(row + at))
        left, right = load_f32(job.left + 4 * at), load_f32(job.right + 4 * at)
        value = blend(
            np.float32(four & 255),
            np.float32((four >> 8) & 255),
            np.float32((four >> 16) & 255),
            np.float32(four >> 24),
            left,
            right,
            upper,
            lower,
        )
        store_8(out + at, min(255, np.intp((value + TO_WHOLE) - TO_WHOLE)))


@inline
def deep_cell(job, row, out, tables, x, behind, upper, lower):
    """Columns of a row of 16 bits within a cell; ``tables`` are the addresses of the four tables."""
    upper_left, upper_right, lower_left, lower_right = tables
    while x + LANES <= behind:
        shares = job.left + 4 * x, job.right + 4 * x
        blend_deep(out + 2 * x, row + 2 * x, tables, shares[0], shares[1], upper, lower)
        x += LANES
    for at in range(x, behind):
        place = 2 * load_u16(row + 2 * at)
        value = blend(
            np.float32(load_u16(upper_left + place)),
            np.float32(load_u16(upper_right + place)),
            np.float32(load_u16(lower_left + place)),
            np.float32(load_u16(lower_right + place)),
            load_f32(job.left + 4 * at),
            load_f32(job.right + 4 * at),
            upper,
            lower,
        )
        store_16(out + 2 * at, min(TOP, np.intp((value + TO_WHOLE) - TO_WHOLE)))


@inline
def between(table, level, share, levels):
    """A table's value for a level and a share of the way to the next one."""
    here = np.float32(load_u16(table + 2 * level))
    there = np.float32(load_u16(table + 2 * min(level + 1, levels - 1)))
    return here + share * (there - here)


@inline
def float_cell(job, row, out, tables, x, behind, upper, lower):
    """Columns of a row of floats, which are levels from 0 up, within a cell; NaN stays NaN."""
    upper_left, upper_right, lower_left, lower_right = tables
    for at in range(x, behind):
        exact = load_f32(row + 4 * at)
        value = exact
        if exact == exact:
            level = np.intp(exact)
            share = exact - np.float32(level)
            value = blend(
                between(upper_left, level, share, job.levels),
                between(upper_right, level, share, job.levels),
                between(lower_left, level, share, job.levels),
                between(lower_right, level, share, job.levels),
                load_f32(job.left + 4 * at),
                load_f32(job.right + 4 * at),
                upper,
                lower,
            )
        store_f32(out + 4 * at, value)


@inline
def tables_of(job, cell_row, cell):
    """Addresses of the tables around a cell: upper left, upper right, lower left, lower right."""
    size = 2 * job.levels
    above = job.tables + max(cell_row - 1, 0) * job.tiles_x * size
    below = job.tables + min(cell_row, job.tiles_y - 1) * job.tiles_x * size
    left, right = max(cell - 1, 0) * size, min(cell, job.tiles_x - 1) * size
    return above + left, above + right, below + left, below + right


def loop(job_pointer, scratch, lo, hi):
    """Rows lo to hi."""
    job = record(job_pointer)
    for y in range(lo, hi):
        row, out = job.src + y * job.src_pitch, job.out + y * job.out_pitch
        cell_row = load_i64(job.cell_rows + 8 * y)
        upper, lower = load_f32(job.upper + 4 * y), load_f32(job.lower + 4 * y)
        x = 0
        for cell in range(job.cells_x):
            behind = load_i64(job.cell_ends + 8 * cell)
            if job.src_type == U8:
                table = job.tables + (cell_row * job.cells_x + cell) * 4 * job.levels
                byte_cell(job, row, out, table, x, behind, upper, lower)
            elif job.src_type == FLOAT:
                float_cell(job, row, out, tables_of(job, cell_row, cell), x, behind, upper, lower)
            else:
                deep_cell(job, row, out, tables_of(job, cell_row, cell), x, behind, upper, lower)
            x = behind
