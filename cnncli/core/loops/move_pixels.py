"""Pixels at other places, bit by bit the same: rows moved or mirrored, rows that become columns.

Mirrored rows are written in blocks of whole vectors and whole pixels, left to right: one vector, or three of
pixels of 3, 6 and 12 bytes. Rows become columns in squares of pixels that are transposed in registers, and
those in tiles of a few cache lines.
"""

import math

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.choices import FETCHED_AHEAD, FETCHED_ROW
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
    prefetch,
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


def _mirroring(past_caches):
    @intrinsic
    def mirror(typing_context, src, out, width, size, src_ahead, out_ahead):
        def codegen(context, builder, signature, args):
            src, out, width, size, src_ahead, out_ahead = args
            done = cgutils.alloca_once_value(builder, _number(0))

            def emit(each):
                if each is None:
                    return
                lane = each & -each  # bytes, of pixels of 3, 6 and 12
                length = VECTOR_BYTES if _SHUFFLES_ALL or lane > 1 or each == 1 else min(VECTOR_BYTES, 32)
                part = ir.VectorType(ir.IntType(8 * min(lane, 8)), length // min(lane, 8))
                block = math.lcm(each, length)
                turn = block * max(1, LINE // block)
                first = builder.add(src, _number(each - turn))
                stop = builder.sub(builder.mul(width, size), _number(turn - 1))
                with steps(builder, stop, turn) as (at, _):
                    place, to = builder.sub(first, at), builder.add(out, at)
                    for line in () if past_caches else range(0, turn, LINE):
                        for start, ahead, writes in ((place, src_ahead, False), (to, out_ahead, True)):
                            there = builder.add(ahead, _number(line))
                            prefetch(builder, builder.add(start, there), to_write=writes)
                    parts = [
                        loaded(builder, builder.add(place, _number(start)), part, 1)
                        for start in range(0, turn, length)
                    ]
                    together = block // length
                    blocks = [parts[end - together : end] for end in range(len(parts), 0, -together)]
                    values = [
                        value for few in blocks for value in _reversed(builder, few, each // min(lane, 8))
                    ]
                    for start, value in enumerate(values):
                        here = builder.add(to, _number(start * length))
                        if past_caches:
                            streamed(builder, here, value, align=length)
                        else:
                            stored(builder, here, value, 1)
                    builder.store(builder.add(at, _number(turn)), done)

            _for_each_size(builder, size, SIZES, emit)
            return builder.load(done)

        return types.intp(*[types.intp] * 6), codegen

    return mirror


def _reversed(builder, parts, unit):
    """Groups of ``unit`` lanes of one or three vectors in reverse, as so many vectors."""
    kind = parts[0].type
    count = len(parts) * kind.count
    both = [*parts, *parts[-1:]] if len(parts) == 3 else parts
    while len(both) > 1:
        width = ir.Constant(ir.VectorType(I32, 2 * both[0].type.count), [*range(2 * both[0].type.count)])
        both = [builder.shuffle_vector(*both[at : at + 2], width) for at in range(0, len(both), 2)]
    order = [count - unit - lane // unit * unit + lane % unit for lane in range(count)]
    return [
        builder.shuffle_vector(
            both[0], both[0], ir.Constant(ir.VectorType(I32, kind.count), order[at : at + kind.count])
        )
        for at in range(0, count, kind.count)
    ]


# As much of a row as whole blocks of vectors and pixels are, in reverse; returns how many bytes are done. The
# first one fetches what lies so many bytes ahead, valid or not, the second bypasses the caches: its output is
# aligned.
mirror_vectors, mirror_past_caches = _mirroring(past_caches=False), _mirroring(past_caches=True)


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


def _copy(builder, src, out, length, each_line):
    """Whole lines of the output, by ``each_line(from, to)``, and the bytes beside them."""
    start = builder.and_(builder.neg(out), _number(LINE - 1))
    start = builder.select(builder.icmp_signed("<", start, length), start, length)
    whole = builder.and_(builder.sub(length, start), _number(-LINE))
    with steps(builder, whole, LINE) as (i, _):
        at = builder.add(start, i)
        each_line(builder.add(src, at), builder.add(out, at))
    end = builder.add(start, whole)
    for first, size in ((_number(0), start), (end, builder.sub(length, end))):
        ends = (pointer(builder, builder.add(each, first), _BYTE) for each in (out, src))
        with builder.if_then(builder.icmp_signed("!=", size, _number(0)), likely=False):
            cgutils.raw_memcpy(builder, *ends, size, 1)


def _parts(builder, place, to):
    """The vectors of a line, and where each is stored."""
    kind = ir.VectorType(_BYTE, VECTOR_BYTES)
    for at in map(_number, range(0, LINE, VECTOR_BYTES)):
        yield loaded(builder, builder.add(place, at), kind, 1), builder.add(to, at)


@intrinsic
def stream(typing_context, src, out, length):
    """Copy bytes past the caches; those beside whole lines are stored as always."""

    def codegen(context, builder, signature, args):
        def line(place, to):
            for value, here in _parts(builder, place, to):
                streamed(builder, here, value)

        _copy(builder, *args, line)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 3), codegen


@intrinsic
def copy_fetching(typing_context, src, out, length, src_ahead, out_ahead):
    """Copy bytes; what lies so many bytes ahead is fetched, valid or not."""

    def codegen(context, builder, signature, args):
        *ends, src_ahead, out_ahead = args

        def line(place, to):
            prefetch(builder, builder.add(place, src_ahead))
            prefetch(builder, builder.add(to, out_ahead), to_write=True)
            for value, here in _parts(builder, place, to):
                stored(builder, here, value, VECTOR_BYTES)

        _copy(builder, *ends, line)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), codegen


@inline
def copy_rows(job, src, out, rows):
    """Rows in which pixels lie side by side, in their order.

    Long ones are left to the C library, which need not read the lines that it overwrites.
    """
    length = job.width * job.size
    for y in range(rows):
        line, to = src + y * job.src_row, out + y * job.out_row
        if job.streams != 0:
            stream(line, to, length)
        elif length <= FETCHED_ROW:
            copy_fetching(line, to, length, job.src_row, job.out_row)
        else:
            copy_bytes(to, line, length)


@inline
def single_pixels(job, line, to, count):
    """Pixels of an output's row, of which ``line`` is the first in the source."""
    move(line, 0, job.src_column, to, 0, job.size, 1, count, job.size)


@inline
def beside_lines(job, to):
    """Pixels before the first of an output's row that begins with a cache line; `LINE` where none does."""
    count = 0
    while count < LINE and (to + count * job.size) & (LINE - 1) != 0:
        count += 1
    return count


@inline
def mirror_rows(job, src, out, rows):
    """Rows in which pixels lie side by side, and the last comes first."""
    short = job.width * job.size <= FETCHED_ROW
    src_ahead = job.src_row if short else -FETCHED_AHEAD
    out_ahead = job.out_row if short else FETCHED_AHEAD
    for y in range(rows):
        line, to = src + y * job.src_row, out + y * job.out_row
        lead = beside_lines(job, to) if job.streams != 0 else LINE
        if lead < LINE:
            lead = min(lead, job.width)
            single_pixels(job, line, to, lead)
            line, to, left = line - lead * job.size, to + lead * job.size, job.width - lead
            done = mirror_past_caches(line, to, left, job.size, 0, 0)
        else:
            left = job.width
            done = mirror_vectors(line, to, left, job.size, src_ahead, out_ahead)
        single_pixels(job, line - done, to + done, left - done // job.size)


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
            mirror_rows(job, src, out, rows)
        else:
            for tile in range((job.width + step - 1) // step):
                x = tile * step
                at, to = src + x * job.src_column, out + x * job.out_column
                move_tile(job, side, at, to, rows, min(step, job.width - x))
