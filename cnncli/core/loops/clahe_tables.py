"""Contrast limited adaptive histogram equalization: the table of each tile.

Sums and roundings are those of OpenCV, in float32, so that tables have its values bit for bit.

Source: K. Zuiderveld: Contrast Limited Adaptive Histogram Equalization, Graphics Gems IV, 1994; what is
cut off is distributed once, as in OpenCV, ``modules/imgproc/src/clahe.cpp``.
"""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.elements import FLOAT, U8
from cnncli.core.loops.integers import clear, load_i32, load_u8, load_u16, store_16, store_32
from cnncli.core.loops.tile_io import inline
from cnncli.core.simd import I32, LANES, VECTOR, load_f32, load_i64, loaded, record, splatted, stored

JOB = jobs.CLAHE_TABLES
HALF = np.float32(0.5)
INTEGERS, WORDS = ir.VectorType(I32, LANES), ir.VectorType(ir.IntType(16), LANES)


@intrinsic
def store_shares(typing_context, dst, sums, scale, top):
    """`LANES` sums times a scale, as 16 bits up to ``top``, halves to even."""

    def codegen(context, builder, signature, args):
        dst, sums, scale, top = args
        value = builder.sitofp(loaded(builder, sums, INTEGERS, 4), VECTOR)
        value = builder.fmul(value, splatted(builder, scale))
        kind = ir.FunctionType(VECTOR, [VECTOR])
        whole = cgutils.get_or_insert_function(builder.module, kind, f"llvm.nearbyint.v{LANES}f32")
        value, top = builder.call(whole, [value]), splatted(builder, top)
        value = builder.select(builder.fcmp_ordered(">", value, top), top, value)
        stored(builder, dst, builder.trunc(builder.fptosi(value, INTEGERS), WORDS), 2)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.float32, types.float32), codegen


@inline
def count_level(counts, level):
    """One more of a level."""
    store_32(counts + 4 * level, load_i32(counts + 4 * level) + 1)


@inline
def count_row(job, row, first, behind, counts):
    """Count the levels of some columns of a tile; how many there are."""
    inside = max(first, min(behind, job.width))
    found = behind - first
    if job.src_type == U8:
        for x in range(first, inside):
            # Equal neighbours would wait for each other's count.
            count_level(counts + 4 * job.levels * (x & 1), load_u8(row + x))
        for x in range(inside, behind):
            count_level(counts, load_u8(row + load_i64(job.xmap + 8 * x)))
    elif job.src_type == FLOAT:
        for x in range(first, behind):
            level = load_f32(row + 4 * load_i64(job.xmap + 8 * x))
            if level == level:
                count_level(counts, np.intp(level + HALF))
            else:
                found -= 1
    else:
        for x in range(first, inside):
            count_level(counts, load_u16(row + 2 * x))
        for x in range(inside, behind):
            count_level(counts, load_u16(row + 2 * load_i64(job.xmap + 8 * x)))
    return found


@inline
def limit_counts(job, counts, total):
    """Cut counts off, and distribute the rest of what was cut off; how much each level gets besides."""
    levels = job.levels
    limit = max(1, np.intp(job.limit * total / levels))
    excess = 0
    for at in range(counts, counts + 4 * levels, 4):
        count = load_i32(at)
        if count > limit:
            excess += count - limit
            store_32(at, limit)
    each = excess // levels
    rest = excess - each * levels
    if rest:
        step = max(1, levels // rest)
        level = 0
        while level < levels and rest:
            count_level(counts, level)
            level += step
            rest -= 1
    return each


@inline
def store_table(job, counts, total, each, table):
    """The share of pixels up to each level, as a level; each level as it is where there are no pixels."""
    levels = job.levels
    if total == 0:
        for level in range(levels):
            store_16(table + 2 * level, level)
        return
    scale = np.float32(levels - 1) / np.float32(total)
    done = 0
    for at in range(counts, counts + 4 * levels, 4):
        done += load_i32(at) + each
        store_32(at, done)
    for level in range(0, levels, LANES):
        store_shares(table + 2 * level, counts + 4 * level, scale, np.float32(levels - 1))


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    levels = job.levels
    for tile in range(lo, hi):
        clear(scratch, 4 * levels * (2 if job.src_type == U8 else 1))
        top = tile // job.tiles_x * job.tile_height
        first = tile % job.tiles_x * job.tile_width
        total = 0
        for y in range(top, top + job.tile_height):
            row = job.src + load_i64(job.ymap + 8 * y) * job.src_pitch
            total += count_row(job, row, first, first + job.tile_width, scratch)
        if job.src_type == U8:
            for at in range(scratch, scratch + 4 * levels, 4):
                store_32(at, load_i32(at) + load_i32(at + 4 * levels))
        each = 0
        if job.limit > 0:
            each = limit_counts(job, scratch, total)
        store_table(job, scratch, total, each, job.tables + 2 * levels * tile)
