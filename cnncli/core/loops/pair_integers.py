"""Arithmetic of two pictures of integers of one type, cut off at black and white."""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.elements import U8
from cnncli.core.loops.integers import load_u8, load_u16, store_8, store_16
from cnncli.core.loops.tile_io import inline
from cnncli.core.simd import I64, VECTOR_BYTES, load_i64, loaded, record, store_i64, stored

JOB = jobs.PAIR_INTEGERS
ADD, SUBTRACT, DIFFERENCE, DARKEN, LIGHTEN, MULTIPLY, SCREEN, _ = map(np.intp, jobs.PAIRS.values())
BYTE, WORD = ir.IntType(8), ir.IntType(16)


def _call(builder, name, one, other):
    kind = ir.FunctionType(one.type, [one.type] * 2)
    suffix = f"v{one.type.count}i{one.type.element.width}"
    return builder.call(
        cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.{suffix}"), [one, other]
    )


def _product(builder, one, other):
    """Products of bytes over 255, to the nearest: there are no halves."""
    wide = ir.VectorType(WORD, one.type.count)

    def every(number):
        return ir.Constant(wide, [number] * wide.count)

    product = builder.mul(builder.zext(one, wide), builder.zext(other, wide))
    product = builder.add(product, every(128))
    product = builder.add(product, builder.lshr(product, every(8)))
    return builder.trunc(builder.lshr(product, every(8)), one.type)


def _difference(builder, one, other):
    return builder.sub(_call(builder, "umax", one, other), _call(builder, "umin", one, other))


def _screen(builder, one, other):
    return builder.not_(_product(builder, builder.not_(one), builder.not_(other)))


def _plain(name):
    return lambda builder, one, other: _call(builder, name, one, other)


def _vectors(element, emit, beyond=None):
    """A function that combines vectors of integers, and counts those for which ``beyond`` holds."""
    lanes = 8 * VECTOR_BYTES // element.width
    vector = ir.VectorType(element, lanes)

    @intrinsic
    def combine(typing_context, dst, one, other):
        def codegen(context, builder, signature, args):
            values = [loaded(builder, address, vector, 1) for address in args[1:]]
            stored(builder, args[0], emit(builder, *values), 1)
            if beyond is None:
                return ir.Constant(I64, 0)
            mask = builder.bitcast(beyond(builder, *values), ir.IntType(lanes))
            kind = ir.FunctionType(mask.type, [mask.type])
            ones = cgutils.get_or_insert_function(builder.module, kind, f"llvm.ctpop.i{lanes}")
            found = builder.call(ones, [mask])
            return found if lanes == 64 else builder.zext(found, I64)

        return types.intp(types.intp, types.intp, types.intp), codegen

    return combine


def _overflows(builder, one, other):
    return builder.icmp_unsigned("<", builder.add(one, other), one)


def _underflows(builder, one, other):
    return builder.icmp_unsigned(">", other, one)


add_8, add_16 = (_vectors(each, _plain("uadd.sat"), _overflows) for each in (BYTE, WORD))
subtract_8, subtract_16 = (_vectors(each, _plain("usub.sat"), _underflows) for each in (BYTE, WORD))
difference_8, difference_16 = (_vectors(each, _difference) for each in (BYTE, WORD))
darken_8, darken_16 = (_vectors(each, _plain("umin")) for each in (BYTE, WORD))
lighten_8, lighten_16 = (_vectors(each, _plain("umax")) for each in (BYTE, WORD))
multiply_8, screen_8 = _vectors(BYTE, _product), _vectors(BYTE, _screen)


@inline
def bytes_of(operation, dst, one, other):
    """A vector of bytes; how many are cut off."""
    if operation == ADD:
        return add_8(dst, one, other)
    if operation == SUBTRACT:
        return subtract_8(dst, one, other)
    if operation == DIFFERENCE:
        return difference_8(dst, one, other)
    if operation == DARKEN:
        return darken_8(dst, one, other)
    if operation == LIGHTEN:
        return lighten_8(dst, one, other)
    if operation == MULTIPLY:
        return multiply_8(dst, one, other)
    return screen_8(dst, one, other)


@inline
def words_of(operation, dst, one, other):
    """A vector of 16 bits; how many are cut off."""
    if operation == ADD:
        return add_16(dst, one, other)
    if operation == SUBTRACT:
        return subtract_16(dst, one, other)
    if operation == DIFFERENCE:
        return difference_16(dst, one, other)
    if operation == DARKEN:
        return darken_16(dst, one, other)
    return lighten_16(dst, one, other)


@inline
def of_one(operation, one, other, top):
    """A single sample, not cut off."""
    if operation == ADD:
        return one + other
    if operation == SUBTRACT:
        return one - other
    if operation == DIFFERENCE:
        return abs(one - other)
    if operation == DARKEN:
        return min(one, other)
    if operation == LIGHTEN:
        return max(one, other)
    if operation == MULTIPLY:
        return (2 * one * other + top) // (2 * top)
    return top - (2 * (top - one) * (top - other) + top) // (2 * top)


def loop(job_pointer, scratch, lo, hi):
    """Rows lo to hi; adds the samples that are cut off to the count in scratch."""
    job = record(job_pointer)
    of_bytes = job.type == U8
    size, top = (1, 255) if of_bytes else (2, 65535)
    row_bytes = job.samples * size
    whole = row_bytes - row_bytes % VECTOR_BYTES
    clipped = 0
    for y in range(lo, hi):
        one, other, out = (
            job.src + y * job.src_pitch,
            job.other + y * job.other_pitch,
            job.out + y * job.out_pitch,
        )
        if of_bytes:
            for at in range(0, whole, VECTOR_BYTES):
                clipped += bytes_of(job.operation, out + at, one + at, other + at)
        else:
            for at in range(0, whole, VECTOR_BYTES):
                clipped += words_of(job.operation, out + at, one + at, other + at)
        for at in range(whole, row_bytes, size):
            a = load_u8(one + at) if of_bytes else load_u16(one + at)
            b = load_u8(other + at) if of_bytes else load_u16(other + at)
            value = of_one(job.operation, a, b, top)
            bounded = min(max(value, 0), top)
            clipped += value != bounded
            if of_bytes:
                store_8(out + at, bounded)
            else:
                store_16(out + at, bounded)
    store_i64(scratch, load_i64(scratch) + clipped)
