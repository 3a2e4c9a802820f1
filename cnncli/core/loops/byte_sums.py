"""Sums over a rectangle of bytes, in integers: exact, and twice as many per vector as floats.

Down the columns as running sums: the row that enters is added and the one that leaves subtracted, which is
exact in integers. Along the row by doubling, as in ``box``, while the sums fit the integers that are kept;
the last additions are done in registers, in wider integers if need be, where the sums become pixels.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core.choices import ROWS_AHEAD
from cnncli.core.elements import steps
from cnncli.core.loads import float_vectors
from cnncli.core.loops.integers import clear
from cnncli.core.loops.kernel_rows import in_place, storing_chunks, tile_at
from cnncli.core.loops.median_network import row_copier
from cnncli.core.loops.tile_io import HEADER_BYTES, inline
from cnncli.core.simd import (
    I64,
    LANES,
    fetch_to_read,
    load_i64,
    loaded,
    record,
    store_i64,
    stored,
)
from cnncli.core.stores import store_as_pixels

BYTE = ir.IntType(8)
STEP = 4 * LANES  # sums per iteration of an inner loop
MOST_PIECES = 64
load_bytes = row_copier(1)


def slide_sums(element):
    """An intrinsic: sums += bytes that enter - bytes that leave, in whole steps."""
    vector = ir.VectorType(element, STEP)
    size = ir.Constant(I64, element.width // 8)

    @intrinsic
    def slide(typing_context, sums, entering, leaving, samples):
        def codegen(context, builder, signature, args):
            sums, entering, leaving, samples = args
            with steps(builder, samples, STEP) as (i, _):
                more, less = (
                    builder.zext(loaded(builder, builder.add(row, i), ir.VectorType(BYTE, STEP), 1), vector)
                    for row in (entering, leaving)
                )
                at = builder.add(sums, builder.mul(i, size))
                total = builder.sub(builder.add(loaded(builder, at, vector, 1), more), less)
                stored(builder, at, total, 1)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 4), codegen

    return slide


def double_sums(element):
    """An intrinsic: dst[i] = src[i] + the element ``shift`` bytes after src[i], in whole steps."""
    vector = ir.VectorType(element, STEP)
    size = ir.Constant(I64, element.width // 8)

    @intrinsic
    def double(typing_context, src, shift, dst, samples):
        def codegen(context, builder, signature, args):
            src, shift, dst, samples = args
            with steps(builder, samples, STEP) as (i, _):
                offset = builder.mul(i, size)
                at = builder.add(src, offset)
                one, other = (loaded(builder, each, vector, 1) for each in (at, builder.add(at, shift)))
                stored(builder, builder.add(dst, offset), builder.add(one, other), 1)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 4), codegen

    return double


def sum_pieces_as(element, total):
    """An intrinsic: one step of sums over rows of a table, stored as pixels.

    The table has a number and then ``count`` addresses: sums over so many of the first together, and over
    each of the others, fit ``element``; over all, ``total``. Returns the number of values clamped by more
    than rounding.
    """
    vector, wide = ir.VectorType(element, STEP), ir.VectorType(total, STEP)

    @intrinsic
    def sum_pieces(typing_context, pieces, count, offset, dst, kind, absolute, scale, bias):
        def codegen(context, builder, signature, args):
            pieces, count, offset, dst, *mapping = args
            few = loaded(builder, pieces, I64, 8)

            def widened(value):
                return value if total == element else builder.zext(value, wide)

            def sum_of(start, first, last, found):
                """What is given plus the pieces from first to last, in its type."""
                found_at = cgutils.alloca_once_value(builder, found)
                one = ir.Constant(I64, 1)
                with cgutils.for_range_slice(builder, first, last, one, intp=I64, inc=True) as (piece, _):
                    entry = builder.add(start, builder.mul(piece, ir.Constant(I64, 8)))
                    at = builder.add(loaded(builder, entry, I64, 8), offset)
                    part = loaded(builder, at, vector, 1)
                    part = part if found.type == vector else widened(part)
                    builder.store(builder.add(builder.load(found_at), part), found_at)
                return builder.load(found_at)

            start = builder.add(pieces, ir.Constant(I64, 8))
            zero = ir.Constant(vector, [0] * STEP)
            found = widened(sum_of(start, ir.Constant(I64, 0), few, zero))
            found = sum_of(start, few, count, found)
            return store_as_pixels(builder, [float_vectors(builder, found, signed=False)], (dst,), *mapping)

        return types.intp(*[types.intp] * 6, types.float32, types.float32), codegen

    return sum_pieces


def sliding_loop(element, total):
    """A native loop over bytes: sums down a column fit an integer type of IR, those of windows ``total``."""
    size = element.width // 8
    narrow, largest = element != total, (1 << element.width) - 1
    slide, double, sum_pieces = slide_sums(element), double_sums(element), sum_pieces_as(element, total)

    @inline
    def list_pieces(width, widest, step, sums, wide, pieces):
        """The parts of power-of-two widths of a sum: fills the table, returns the number of its addresses.

        Those of less than the widest width together are narrower than it.
        """
        count, reach, level = 0, 0, 0
        while 1 << level < widest:
            if (width >> level) & 1:
                store_i64(pieces + 8 + 8 * count, sums + level * wide + reach * step)
                count += 1
                reach += 1 << level
            level += 1
        store_i64(pieces, count)
        while reach < width:
            store_i64(pieces + 8 + 8 * count, sums + level * wide + reach * step)
            count += 1
            reach += widest
        return count

    @inline
    def sum_chunk(job, src, pieces, count, i, to, kind, absolute, scale, bias, final):
        """One chunk of a row, for `storing_chunks`; the pieces hold the addresses."""
        return sum_pieces(pieces, count, size * i, to, kind, absolute, scale, bias)

    store_sums = storing_chunks(STEP, sum_chunk)

    def loop(job_pointer, scratch, lo, hi):
        """Tiles lo to hi."""
        job = record(job_pointer)
        channels, box_width, box_height, pitch = job.channels, job.box_width, job.box_height, job.pitch
        wide = 4 * pitch
        spare = scratch + HEADER_BYTES
        pieces = spare + wide
        nothing = pieces + 8 * MOST_PIECES
        rows = nothing + pitch
        sums = rows + job.loaded_rows * pitch
        clear(nothing, pitch)
        most = largest // (255 * box_height) if narrow else box_width
        widest = 1
        while 2 * widest <= min(most, box_width):
            widest *= 2
        count = list_pieces(box_width, widest, channels * size, sums, wide, pieces)
        clipped = 0
        for tile in range(lo, hi):
            x0, y0, width, _, pixels, need = tile_at(job, tile)
            top, left = y0 * job.stride_y, x0 * job.stride_x
            source = in_place(job, top, need, left, pixels, 1)
            base, step = (source, job.src_pitch) if source else (rows, pitch)
            clear(sums, wide)
            for have in range(need):
                entering = base + have * step
                if source:
                    fetch_to_read(entering + ROWS_AHEAD * step, pixels * channels)
                else:
                    load_bytes(job, top + have, left, pixels, entering)
                y = have + 1 - box_height
                slide(sums, entering, entering - box_height * step if y > 0 else nothing, pixels * channels)
                if y >= 0 and y % job.stride_y == 0:
                    level, part = sums, 1
                    while part < widest:
                        reach = (pixels - 2 * part + 1) * channels
                        double(level, part * channels * size, level + wide, reach)
                        level += wide
                        part *= 2
                    clipped += store_sums(
                        job, sums, pieces, count, y0 + y // job.stride_y, x0, width, spare, scratch
                    )
        store_i64(scratch, load_i64(scratch) + clipped)

    return loop
