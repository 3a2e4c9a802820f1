"""The register tile of all network layers: rows of inputs times a panel of weights, in registers.

A tile has `ROWS` rows and `VECTORS` vectors of outputs, which stay in registers for the whole sum.
For every step of the sum one value of each row is spread over a vector and multiplied into the
step's `BLOCK` columns: 2 + ROWS loads for 2 * ROWS fused multiply-adds, so that arithmetic, not
memory, is the limit. Rows lie anywhere: their addresses come from a table in scratch, first
those of the inputs, then those of the outputs.

The narrow tile has `NARROW` rows of one vector, for blocks of which no more is used: with 6 output
channels and 8 lanes it does 8 lanes' work where the wide one does 16 lanes'. It loads NARROW + 1 times
for NARROW multiply-adds, which is still no more than two loads a cycle can bring. The single tile has
one row, for a fully connected layer of one sample: the weights' way from memory is the limit there.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core.simd import (
    F32,
    I64,
    LANES,
    LINE,
    TARGET,
    VECTOR,
    VECTOR_BYTES,
    constant,
    fused,
    loaded,
    prefetch,
    splatted,
    stored,
)

ROWS = TARGET.gemm_rows
VECTORS = 2
HALF = TARGET.gemm_half_rows
NARROW = TARGET.gemm_narrow_rows
BLOCK = VECTORS * LANES
BLOCK_BYTES = 4 * BLOCK

# What a tile starts from and ends with: bits of `mode`.
ADD = 1  # to what the outputs hold, instead of the bias
RELU = 2


def _at(builder, base, bytes_):
    return builder.add(base, ir.Constant(I64, bytes_))


def _words(builder, table, first, count):
    return [loaded(builder, _at(builder, table, 8 * (first + i)), I64, 8) for i in range(count)]


def _slots(builder, rows, vectors):
    return [[cgutils.alloca_once(builder, VECTOR) for _ in range(vectors)] for _ in range(rows)]


def _start(builder, slots, outputs, bias, mode):
    """Accumulators from the outputs, or from the bias."""
    adding = builder.icmp_signed("!=", builder.and_(mode, ir.Constant(I64, ADD)), ir.Constant(I64, 0))
    with builder.if_else(adding) as (then, otherwise):
        with then:
            for row, output in zip(slots, outputs, strict=True):
                for v, slot in enumerate(row):
                    builder.store(loaded(builder, _at(builder, output, v * VECTOR_BYTES), VECTOR, 4), slot)
        with otherwise:
            for v in range(len(slots[0])):
                value = loaded(builder, _at(builder, bias, v * VECTOR_BYTES), VECTOR, 4)
                for row in slots:
                    builder.store(value, row[v])


def _finish(builder, slots, outputs, mode):
    """Outputs, first row to last: the unused lanes of one row are overwritten by the next."""
    clip = builder.icmp_signed("!=", builder.and_(mode, ir.Constant(I64, RELU)), ir.Constant(I64, 0))
    with builder.if_then(clip):
        for row in slots:
            for slot in row:
                value = builder.load(slot)
                below = builder.fcmp_ordered(">", constant(0), value)  # a NaN stays
                builder.store(builder.select(below, constant(0), value), slot)
    for row, output in zip(slots, outputs, strict=True):
        for v, slot in enumerate(row):
            stored(builder, _at(builder, output, v * VECTOR_BYTES), builder.load(slot), 4)


def _step(builder, slots, inputs, columns, ahead=None):
    """One step of the sum: values at the addresses ``inputs`` times the vectors at ``columns``.

    The vectors so many bytes ``ahead`` are fetched into the second-level cache.
    """
    if ahead is not None:
        for line in range(0, len(slots[0]) * VECTOR_BYTES, LINE):
            prefetch(builder, _at(builder, builder.add(columns, ahead), line), level=2)
    vectors = [
        loaded(builder, _at(builder, columns, v * VECTOR_BYTES), VECTOR, 4) for v in range(len(slots[0]))
    ]
    for row, address in zip(slots, inputs, strict=True):
        value = splatted(builder, loaded(builder, address, F32, 4))
        for vector, slot in zip(vectors, row, strict=True):
            builder.store(fused(builder, value, vector, builder.load(slot)), slot)


def _gemm_tile(rows, vectors):
    @intrinsic
    def tile(typing_context, table, segments, count, panel, ahead, bias, mode, shift):
        def codegen(context, builder, signature, args):
            table, segments, count, panel, ahead, bias, mode, shift = args
            inputs = _words(builder, table, 0, rows)
            outputs = [builder.add(word, shift) for word in _words(builder, table, rows, rows)]
            slots = _slots(builder, rows, vectors)
            _start(builder, slots, outputs, bias, mode)
            columns = cgutils.alloca_once_value(builder, panel)
            builder.store(panel, columns)
            with cgutils.for_range(builder, count) as segment:
                entry = builder.add(segments, builder.mul(segment.index, ir.Constant(I64, 24)))
                offset, length = _words(builder, entry, 0, 2)
                end = builder.add(offset, builder.mul(length, ir.Constant(I64, 4)))
                first = builder.load(columns)
                with cgutils.for_range_slice(builder, offset, end, ir.Constant(I64, 4)) as (along, t):
                    column = builder.add(first, builder.mul(t, ir.Constant(I64, BLOCK_BYTES)))
                    _step(builder, slots, [builder.add(address, along) for address in inputs], column, ahead)
                builder.store(builder.add(first, builder.mul(length, ir.Constant(I64, BLOCK_BYTES))), columns)
            _finish(builder, slots, outputs, mode)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 8), codegen

    return tile


# A tile whose sums run over segments: stretches of consecutive inputs.
#
# output[r] + shift = start + sum over s < count, t < length[s] of input[r][offset[s] + t] * panel[s, t].
# ``segments`` holds triples of intp: byte offset, length in floats, and one that is not read here.
# ``ahead`` is how many bytes behind the panel the next one lies, which is fetched from memory meanwhile.
gemm_tile = _gemm_tile(ROWS, VECTORS)
gemm_half = _gemm_tile(HALF, VECTORS)
gemm_narrow = _gemm_tile(NARROW, 1)
gemm_single = _gemm_tile(1, VECTORS)


def _outer_tile(rows, vectors):
    @intrinsic
    def tile(typing_context, table, columns, lines, line, line_pitch, column_pitch, step, column_step, mode):
        def codegen(context, builder, signature, args):
            table, columns, lines, line, line_pitch, column_pitch, step, column_step, mode = args
            inputs, outputs = _words(builder, table, 0, rows), _words(builder, table, rows, rows)
            slots = _slots(builder, rows, vectors)
            zeros = cgutils.alloca_once(builder, ir.ArrayType(VECTOR, vectors))
            builder.store(ir.Constant(ir.ArrayType(VECTOR, vectors), [constant(0)] * vectors), zeros)
            _start(builder, slots, outputs, builder.ptrtoint(zeros, I64), mode)
            with cgutils.for_range(builder, lines) as y:
                start = builder.mul(y.index, line_pitch)
                end = builder.add(start, builder.mul(line, step))
                first = builder.add(columns, builder.mul(y.index, column_pitch))
                with cgutils.for_range_slice(builder, start, end, step) as (along, x):
                    column = builder.add(first, builder.mul(x, column_step))
                    _step(builder, slots, [builder.add(address, along) for address in inputs], column)
            _finish(builder, slots, outputs, mode)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 9), codegen

    return tile


# A tile whose sums run over pixels: ``lines`` lines of ``line`` pixels.
#
# output[r] = start + sum over lines y, pixels x of
# input[r][y * line_pitch + x * step] * columns[y * column_pitch + x * column_step],
# pitches and steps in bytes.
outer_tile = _outer_tile(ROWS, VECTORS)
outer_narrow = _outer_tile(NARROW, 1)
