"""Pixels at other places, bit by bit the same: rows moved or mirrored, rows that become columns.

Mirrored rows are written a vector at a time, left to right. The last vector's bytes beyond whole pixels are
written over by what follows, so that pixels of 3 bytes take one shuffle like others. Rows become columns in
squares of pixels that are transposed in registers, and those in tiles of a few cache lines.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.choices import MIRRORED_BYTES
from cnncli.core.elements import steps
from cnncli.core.loops.integers import copy_bytes
from cnncli.core.loops.tile_io import inline
from cnncli.core.native import processor
from cnncli.core.simd import (
    I32,
    I64,
    LINE,
    VECTOR_BYTES,
    loaded,
    pointer,
    record,
    stored,
    streamed,
    transposed,
)

JOB, ROWS = jobs.MOVES, jobs.MOVED_ROWS
SIZES = (1, 2, 3, 4, 6, 8, 12, 16)  # bytes of pixels for which code is compiled
SQUARES = (1, 2, 4, 8)  # of those, the ones that are lanes of vectors
LONGEST_SIDE = 16  # of a square: as many registers
_BYTE = ir.IntType(8)
#: Whether one instruction puts the bytes of the longest vectors in any order.
_SHUFFLES_ALL = VECTOR_BYTES == LINE and "avx512vbmi" in processor()[2].split()


def _number(value):
    return ir.Constant(I64, value)


def _for_each_size(builder, size, sizes, emit):
    """Emit ``emit(bytes)`` for each of some sizes behind one switch; ``emit(None)`` for all others."""
    done = builder.append_basic_block("size.done")
    other = builder.append_basic_block("size.other")
    switch = builder.switch(size, other)
    for each in (*sizes, None):
        block = other
        if each is not None:
            block = builder.append_basic_block(f"size.{each}")
            switch.add_case(_number(each), block)
        builder.position_at_end(block)
        emit(each)
        builder.branch(done)
    builder.position_at_end(done)


@intrinsic
def mirror_vectors(typing_context, src, out, width, size):
    """As much of a row as vectors can write, without a byte beyond it; returns how many bytes are done."""

    def codegen(context, builder, signature, args):
        src, out, width, size = args
        done = cgutils.alloca_once_value(builder, _number(0))

        def emit(each):
            if each is None:
                return
            length = VECTOR_BYTES if _SHUFFLES_ALL or each & (each - 1) == 0 or each % 4 == 0 else 16
            used = length // each * each
            order = [length - at // each * each - each + at % each for at in range(used)]
            order = ir.Constant(ir.VectorType(I32, length), [*order, *[0] * (length - used)])
            first = builder.add(src, _number(each - length))
            stop = builder.sub(builder.mul(width, size), _number(length - 1))
            with steps(builder, stop, used) as (at, _):
                row = loaded(builder, builder.sub(first, at), ir.VectorType(_BYTE, length), 1)
                stored(builder, builder.add(out, at), builder.shuffle_vector(row, row, order), 1)
                builder.store(builder.add(at, _number(used)), done)

        _for_each_size(builder, size, SIZES, emit)
        return builder.load(done)

    return types.intp(*[types.intp] * 4), codegen


@intrinsic
def move(typing_context, src, src_row, src_column, out, out_row, out_column, rows, columns, size):
    """Pixels one by one, row by row of the output."""

    def codegen(context, builder, signature, args):
        src, src_row, src_column, out, out_row, out_column, rows, columns, size = args

        def emit(each):
            with steps(builder, rows) as (y, _):
                line = builder.add(src, builder.mul(y, src_row))
                out_line = builder.add(out, builder.mul(y, out_row))
                with steps(builder, columns) as (x, _):
                    place = builder.add(line, builder.mul(x, src_column))
                    to = builder.add(out_line, builder.mul(x, out_column))
                    if each is None:
                        ends = (pointer(builder, end, _BYTE) for end in (to, place))
                        cgutils.raw_memcpy(builder, *ends, size, 1)
                    else:
                        stored(builder, to, loaded(builder, place, ir.IntType(8 * each), 1), 1)

        _for_each_size(builder, size, SIZES, emit)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 9), codegen


@intrinsic
def turn_square(typing_context, src, src_column, out, out_row, size):
    """A square of pixels of which a column of the output is side by side in the source."""

    def codegen(context, builder, signature, args):
        src, src_column, out, out_row, size = args

        def emit(each):
            if each is None:
                return
            side = min(LONGEST_SIDE, VECTOR_BYTES // each)
            kind = ir.VectorType(ir.IntType(8 * each), side)
            numbers = [_number(number) for number in range(side)]
            columns = [
                loaded(builder, builder.add(src, builder.mul(number, src_column)), kind, 1)
                for number in numbers
            ]
            for number, row in zip(numbers, transposed(builder, columns), strict=True):
                stored(builder, builder.add(out, builder.mul(number, out_row)), row, 1)

        _for_each_size(builder, size, SQUARES, emit)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), codegen


@intrinsic
def stream(typing_context, src, out, length):
    """Copy bytes past the caches; those beside whole vectors are stored as always."""

    def codegen(context, builder, signature, args):
        src, out, length = args
        vector = ir.VectorType(_BYTE, VECTOR_BYTES)
        start = builder.and_(builder.neg(out), _number(VECTOR_BYTES - 1))
        start = builder.select(builder.icmp_signed("<", start, length), start, length)
        whole = builder.and_(builder.sub(length, start), _number(-VECTOR_BYTES))
        with steps(builder, whole, VECTOR_BYTES) as (i, _):
            at = builder.add(start, i)
            streamed(builder, builder.add(out, at), loaded(builder, builder.add(src, at), vector, 1))
        end = builder.add(start, whole)
        for first, size in ((_number(0), start), (end, builder.sub(length, end))):
            ends = (pointer(builder, builder.add(each, first), _BYTE) for each in (out, src))
            with builder.if_then(builder.icmp_signed("!=", size, _number(0)), likely=False):
                cgutils.raw_memcpy(builder, *ends, size, 1)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 3), codegen


@inline
def copy_rows(job, src, out, rows):
    """Rows in which pixels lie side by side, in their order."""
    length = job.width * job.size
    for y in range(rows):
        line, to = src + y * job.src_row, out + y * job.out_row
        if job.streams != 0:
            stream(line, to, length)
        else:
            copy_bytes(to, line, length)


@inline
def mirror_part(job, line, to, width):
    """The first pixels of an output's row, of which ``line`` is the first in the source."""
    done = mirror_vectors(line, to, width, job.size)
    move(line - done, 0, job.src_column, to + done, 0, job.size, 1, width - done // job.size, job.size)


@inline
def mirror_rows(job, src, out, rows, scratch):
    """Rows in which pixels lie side by side, and the last comes first; by way of scratch if they stream."""
    part = LINE * max(1, MIRRORED_BYTES // (LINE * job.size))  # pixels, that end where a cache line ends
    for y in range(rows):
        line, to = src + y * job.src_row, out + y * job.out_row
        if job.streams == 0:
            mirror_part(job, line, to, job.width)
            continue
        for number in range((job.width + part - 1) // part):
            at = number * part * job.size
            width = min(part, job.width - number * part)
            mirror_part(job, line - at, scratch, width)
            stream(scratch, to + at, width * job.size)


@inline
def side_of_squares(job):
    """Pixels of a side; 0 if pixels are moved one by one."""
    size = job.size
    if job.out_column != size or job.src_row != size or size > SQUARES[-1] or size & (size - 1) != 0:
        return 0
    return min(LONGEST_SIDE, VECTOR_BYTES // size)


@inline
def move_rest(job, src, out, top, left, bottom, right):
    """Pixels of a tile from a row and a column up to others."""
    move(
        src + top * job.src_row + left * job.src_column, job.src_row, job.src_column,
        out + top * job.out_row + left * job.out_column, job.out_row, job.out_column,
        bottom - top, right - left, job.size,
    )  # fmt: skip


@inline
def move_tile(job, side, src, out, rows, columns):
    """Squares, and the rest one by one: first beside them, then below."""
    down, across = 0, 0
    if side > 0:
        down, across = rows - rows % side, columns - columns % side
        for square in range(down // side):
            line, to = src + square * side * job.size, out + square * side * job.out_row
            for beside in range(across // side):
                at = line + beside * side * job.src_column
                turn_square(at, job.src_column, to + beside * side * job.size, job.out_row, job.size)
    move_rest(job, src, out, 0, across, down, columns)
    move_rest(job, src, out, down, 0, rows, columns)


def loop(job_pointer, scratch, lo, hi):
    """Items lo to hi: so many rows of the output each, in tiles from left to right."""
    job = record(job_pointer)
    dense = job.out_column == job.size
    side = side_of_squares(job)
    step = max(LONGEST_SIDE, LINE // job.size)
    for item in range(lo, hi):
        rows = min(ROWS, job.height - item * ROWS)
        src, out = job.src + item * ROWS * job.src_row, job.out + item * ROWS * job.out_row
        if dense and job.src_column == job.size:
            copy_rows(job, src, out, rows)
        elif dense and job.src_column == -job.size:
            mirror_rows(job, src, out, rows, scratch)
        else:
            for tile in range((job.width + step - 1) // step):
                x = tile * step
                at, to = src + x * job.src_column, out + x * job.out_column
                move_tile(job, side, at, to, rows, min(step, job.width - x))
