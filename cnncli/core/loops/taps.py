"""The inner loop of all filters: weighted sums of shifted rows, in registers.

A tap is a shift, in bytes, and its weights. For one chunk of neighbouring floats, the sums over all
taps stay in vector registers; a kernel of any size and shape, dilated or sparse, is a list of taps.
With two weights a tap, two sums share the loads, which halves the traffic that bounds this loop.
What lies under a tap of one sum alone does not enter the other, not even times zero: it may be NaN.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core.convert import store_as_pixels
from cnncli.core.simd import (
    F32,
    I64,
    LANES,
    TARGET,
    VECTOR,
    VECTOR_BYTES,
    constant,
    fused,
    loaded,
    splatted,
    stored,
)

# Both work on chunks of different widths: CHUNK floats for two sums, 2 * CHUNK floats for one.
CHUNK = TARGET.tap_vectors * LANES


@intrinsic
def one_sum(typing_context, src, count, offsets, weights, dst):
    """dst[v] = sum over taps t of weights[2 t] * src[v + offsets[t]]."""

    def codegen(context, builder, signature, args):
        src, count, offsets, weights, dst = args
        none = ir.Constant(I64, 0)
        rows = _sums(builder, 2 * TARGET.tap_vectors, src, offsets, weights, 1, [(none, count, (0,))])
        _stored_rows(builder, rows, [dst])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), codegen


@intrinsic
def two_sums(typing_context, src, upper, lower, count, offsets, weights, dst0, dst1):
    """dst_s[v] = sum over taps t of weights[2 t + s] * src[v + offsets[t]].

    The first ``upper`` of ``count`` taps belong to dst0 alone, the last ``lower`` to dst1 alone.
    """

    def codegen(context, builder, signature, args):
        src, upper, lower, count, offsets, weights, *outputs = args
        stretches = _paired_stretches(builder, upper, lower, count)
        rows = _sums(builder, TARGET.tap_vectors, src, offsets, weights, 2, stretches)
        _stored_rows(builder, rows, outputs)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 8), codegen


@intrinsic
def two_sums_as(
    typing_context,
    src,
    upper,
    lower,
    count,
    offsets,
    weights,
    dst0,
    dst1,
    element,
    absolute,
    scale,
    bias,
):
    """Like `two_sums`, stored as pixels of a type: |sum| if absolute, times scale plus bias, clamped.

    The number of values that the clamp changed by more than rounding does.
    """

    def codegen(context, builder, signature, args):
        src, upper, lower, count, offsets, weights, dst0, dst1, *mapping = args
        stretches = _paired_stretches(builder, upper, lower, count)
        rows = _sums(builder, TARGET.tap_vectors, src, offsets, weights, 2, stretches)
        return store_as_pixels(builder, rows, (dst0, dst1), *mapping)

    return types.intp(*[types.intp] * 10, types.float32, types.float32), codegen


def _paired_stretches(builder, upper, lower, count):
    """Taps of the first sum alone, of both, of the second alone."""
    none, shared_end = ir.Constant(I64, 0), builder.sub(count, lower)
    return [(none, upper, (0,)), (upper, shared_end, (0, 1)), (shared_end, count, (1,))]


def _sums(builder, vectors, src, offsets, weights, sums, stretches):
    """Emit so many sums, each a list of ``vectors`` vectors.

    Stretches are (first tap, end, the sums that they belong to).
    """
    slots = [[cgutils.alloca_once(builder, VECTOR) for _ in range(vectors)] for _ in range(sums)]
    for row in slots:
        for slot in row:
            builder.store(constant(0), slot)
    for first, end, members in stretches:
        with cgutils.for_range_slice(builder, first, end, ir.Constant(I64, 1), inc=True) as (tap, _):
            here = builder.add(src, loaded(builder, _at(builder, offsets, tap), I64, 8))
            pair = _at(builder, weights, tap)
            factors = [
                splatted(builder, loaded(builder, builder.add(pair, ir.Constant(I64, 4 * s)), F32, 4))
                for s in members
            ]
            for v in range(vectors):
                x = loaded(builder, builder.add(here, ir.Constant(I64, v * VECTOR_BYTES)), VECTOR, 4)
                for s, factor in zip(members, factors, strict=True):
                    builder.store(fused(builder, factor, x, builder.load(slots[s][v])), slots[s][v])
    return [[builder.load(slot) for slot in row] for row in slots]


def _stored_rows(builder, rows, outputs):
    """Store rows of vectors as they are."""
    for row, output in zip(rows, outputs, strict=True):
        for v, value in enumerate(row):
            stored(builder, builder.add(output, ir.Constant(I64, v * VECTOR_BYTES)), value, 4)


def _at(builder, base, index):
    """Address of the index-th element of eight bytes."""
    return builder.add(base, builder.mul(index, ir.Constant(I64, 8)))
