"""The inner loop of all filters: weighted sums of shifted rows, in registers.

A tap is a shift, in bytes, and its weights. For one chunk of neighbouring floats, the sums over all taps
stay in vector registers; a kernel of any size and shape, dilated or sparse, is a list of taps. With several
weights per tap, several sums share the loads, which would otherwise be the limit of this loop. Pixels under
taps of other sums do not enter a sum, not even times zero: they may be NaN.
"""

import contextlib

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core.simd import (
    F32,
    I32,
    I64,
    JOINS,
    LANES,
    TARGET,
    VECTOR,
    VECTOR_BYTES,
    constant,
    fused,
    joined,
    loaded,
    splatted,
    stored,
)
from cnncli.core.stores import store_as_pixels

ROWS = TARGET.tap_rows
# Floats of a chunk: for one sum (half as many if the source needs as many registers), for two sums, and for
# a row of `ROWS`.
LONE_CHUNK, PAIR_CHUNK, ROW_CHUNK = map(TARGET.tap_chunk, (2 if JOINS else 1, 2, ROWS))


@intrinsic
def one_sum(typing_context, src, count, offsets, weights, dst):
    """dst[v] = sum over taps t of weights[t] * src[v + offsets[t]]; offsets ascend."""

    def codegen(context, builder, signature, args):
        src, count, offsets, weights, dst = args
        if JOINS:
            row = _joined_sum(builder, src, count, offsets, weights)
        else:
            [row] = _sums(builder, 1, src, offsets, weights, [(count, (0,))])
        _stored_rows(builder, [row], [dst])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), codegen


@intrinsic
def two_sums(typing_context, src, count, offsets, weights, dst0, dst1):
    """dst_s[v] = sum over taps t of weights[2 t + s] * src[v + offsets[t]]."""

    def codegen(context, builder, signature, args):
        src, count, offsets, weights, *outputs = args
        rows = _sums(builder, 2, src, offsets, weights, [(count, (0, 1))])
        _stored_rows(builder, rows, outputs)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 6), codegen


@intrinsic
def row_sums(typing_context, src, ends, offsets, weights, dst, pitch, element, absolute, scale, bias):
    """Sums over taps for `ROWS` rows, stored as pixels of a type.

    dst_s[v] = sum over taps t of row s of weights[ROWS t + s] * src[v + offsets[t]]. Taps are ordered by the
    target's stretches, whose ends are stored at an address; rows are ``pitch`` bytes apart. Stores |sum| if
    absolute, times scale plus bias, clamped. Returns the number of values clamped by more than rounding.
    """

    def codegen(context, builder, signature, args):
        src, ends, offsets, weights, dst, pitch, *mapping = args
        stretches = [
            (loaded(builder, _at(builder, ends, ir.Constant(I64, number)), I64, 8), range(first, last + 1))
            for number, (first, last) in enumerate(TARGET.stretches)
        ]
        rows = _sums(builder, ROWS, src, offsets, weights, stretches)
        places = [builder.add(dst, builder.mul(pitch, ir.Constant(I64, row))) for row in range(ROWS)]
        return store_as_pixels(builder, rows, places, *mapping)

    return types.intp(*[types.intp] * 8, types.float32, types.float32), codegen


def _sums(builder, sums, src, offsets, weights, stretches):
    """Emit ``sums`` sums, each a list of vectors.

    Stretches of taps are given as (end, the sums that they contribute to).
    """
    vectors = TARGET.tap_chunk(sums) // LANES
    slots = [_zeros(builder, vectors) for _ in range(sums)]
    first = ir.Constant(I64, 0)
    for end, members in stretches:
        with cgutils.for_range_slice(builder, first, end, ir.Constant(I64, 1), inc=True) as (tap, _):
            here = builder.add(src, loaded(builder, _at(builder, offsets, tap), I64, 8))
            own = builder.add(weights, builder.mul(tap, ir.Constant(I64, 4 * sums)))
            factors = [
                splatted(builder, loaded(builder, builder.add(own, ir.Constant(I64, 4 * s)), F32, 4))
                for s in members
            ]
            for v in range(vectors):
                x = loaded(builder, builder.add(here, ir.Constant(I64, v * VECTOR_BYTES)), VECTOR, 4)
                for s, factor in zip(members, factors, strict=True):
                    builder.store(fused(builder, factor, x, builder.load(slots[s][v])), slots[s][v])
        first = end
    return [[builder.load(slot) for slot in row] for row in slots]


def _joined_sum(builder, src, count, offsets, weights):
    """Emit one sum, a list of vectors, where vectors of the source are joined.

    Of two taps with shifts within the same vector, one joins vectors in registers, the other loads them from
    memory, so that the multiply-adds wait for neither joins nor loads.
    """
    vectors = LONE_CHUNK // LANES
    slots = _zeros(builder, vectors)
    none, one, reach = (ir.Constant(I64, number) for number in (0, 1, VECTOR_BYTES))

    tap = cgutils.alloca_once_value(builder, none)

    def offset_of(number):
        return loaded(builder, _at(builder, offsets, number), I64, 8)

    def vector_at(base, number):
        return loaded(builder, builder.add(base, ir.Constant(I64, number * VECTOR_BYTES)), VECTOR, 4)

    def factor_of(number):
        own = builder.add(weights, builder.mul(number, ir.Constant(I64, 4)))
        return splatted(builder, loaded(builder, own, F32, 4))

    def add(*taps):
        """Add taps to all sums, one sum after the other; a tap is a factor and its vector of each sum."""
        for v, slot in enumerate(slots):
            for factor, vector_of in taps:
                builder.store(fused(builder, factor, vector_of(v), builder.load(slot)), slot)

    def from_memory(number):
        here = builder.add(src, offset_of(number))
        return factor_of(number), lambda v: vector_at(here, v)

    with _while(builder, lambda: builder.icmp_signed("<", builder.load(tap), count)):
        start = builder.and_(offset_of(builder.load(tap)), ir.Constant(I64, -VECTOR_BYTES))

        def within(ahead):
            """Whether there is a tap so far ahead that shifts by a part of the same vector."""
            number = builder.add(builder.load(tap), ir.Constant(I64, ahead))
            there = builder.icmp_signed("<", number, count)
            offset = offset_of(builder.select(there, number, none))
            return builder.and_(there, builder.icmp_signed("<", builder.sub(offset, start), reach))

        whole = builder.icmp_signed("==", offset_of(builder.load(tap)), start)
        with builder.if_then(builder.or_(whole, within(1))):
            here = builder.add(src, start)
            held = [vector_at(here, v) for v in range(vectors + 1)]
            with builder.if_then(whole):
                number = builder.load(tap)
                add((factor_of(number), lambda v: held[v]))
                builder.store(builder.add(number, one), tap)
            with _while(builder, lambda: within(1)):
                number = builder.load(tap)
                other, shift = builder.add(number, one), builder.sub(offset_of(number), start)
                lane = builder.trunc(builder.lshr(shift, ir.Constant(I64, 2)), I32)
                in_registers = factor_of(number), lambda v: joined(builder, held[v], held[v + 1], lane)
                add(in_registers, from_memory(other))
                builder.store(builder.add(other, one), tap)
        with builder.if_then(within(0)):
            number = builder.load(tap)
            add(from_memory(number))
            builder.store(builder.add(number, one), tap)
    return [builder.load(slot) for slot in slots]


def _zeros(builder, vectors):
    """``vectors`` registers of zeros."""
    slots = [cgutils.alloca_once(builder, VECTOR) for _ in range(vectors)]
    for slot in slots:
        builder.store(constant(0), slot)
    return slots


@contextlib.contextmanager
def _while(builder, condition):
    """A loop whose condition is evaluated before each iteration."""
    head, body, done = (builder.append_basic_block(f"while.{part}") for part in ("head", "body", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    builder.cbranch(condition(), body, done)
    builder.position_at_end(body)
    yield
    builder.branch(head)
    builder.position_at_end(done)


def _stored_rows(builder, rows, outputs):
    """Store rows of vectors unchanged."""
    for row, output in zip(rows, outputs, strict=True):
        for v, value in enumerate(row):
            stored(builder, builder.add(output, ir.Constant(I64, v * VECTOR_BYTES)), value, 4)


def _at(builder, base, index):
    """Address of the index-th element of eight bytes."""
    return builder.add(base, builder.mul(index, ir.Constant(I64, 8)))
