"""The inner loop of all filters: weighted sums of shifted rows, in registers.

A tap is a shift, in bytes, and its weights. For one chunk of neighbouring floats, the sums over all
taps stay in vector registers; a kernel of any size and shape, dilated or sparse, is a list of taps.
With two weights a tap, two sums share the loads, which halves the traffic that bounds this loop.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

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


def _weighted_sums(sums, vectors):
    """An intrinsic ``(src, count, offsets, weights, dst0, dst1)``: ``sums`` outputs of ``vectors`` vectors.

    dst_s[v] = sum over taps t of weights[2 t + s] * src[v + offsets[t]].
    """

    @intrinsic
    def weighted(typing_context, src, count, offsets, weights, dst0, dst1):
        def codegen(context, builder, signature, args):
            src, count, offsets, weights, *outputs = args
            slots = [[cgutils.alloca_once(builder, VECTOR) for _ in range(vectors)] for _ in range(sums)]
            for row in slots:
                for slot in row:
                    builder.store(constant(0), slot)

            def at(base, index, scale):
                return builder.add(base, builder.mul(index, ir.Constant(I64, scale)))

            with cgutils.for_range(builder, count) as tap:
                shift = loaded(builder, at(offsets, tap.index, 8), I64, 8)
                here = builder.add(src, shift)
                factors = [
                    splatted(
                        builder,
                        loaded(
                            builder, builder.add(at(weights, tap.index, 8), ir.Constant(I64, 4 * s)), F32, 4
                        ),
                    )
                    for s in range(sums)
                ]
                for v in range(vectors):
                    x = loaded(builder, builder.add(here, ir.Constant(I64, v * VECTOR_BYTES)), VECTOR, 4)
                    for s, factor in enumerate(factors):
                        total = builder.load(slots[s][v])
                        builder.store(fused(builder, factor, x, total), slots[s][v])
            for s, output in enumerate(outputs[:sums]):
                for v in range(vectors):
                    to = builder.add(output, ir.Constant(I64, v * VECTOR_BYTES))
                    stored(builder, to, builder.load(slots[s][v]), 4)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 6), codegen

    return weighted


# Both work on chunks of different widths: CHUNK floats for two sums, 2 * CHUNK floats for one.
CHUNK = TARGET.tap_vectors * LANES
two_sums = _weighted_sums(2, TARGET.tap_vectors)
one_sum = _weighted_sums(1, 2 * TARGET.tap_vectors)
