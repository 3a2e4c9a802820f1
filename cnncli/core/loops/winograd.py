"""The transforms of the 3 x 3 Winograd convolution, forward and backward, each on a few vectors.

Each transform is one intrinsic, not a Python function of vectors: Numba takes a hundred times longer to
type such a function than to emit this. As matrices, with common sums computed once::

    input    6 -> 6   B'  = [4 0 -5 0 1 0; 0 -4 -4 1 1 0; 0 4 -4 -1 1 0;
                             0 -2 -1 2 1 0; 0 2 -1 -2 1 0; 0 4 0 -5 0 1]
    weights  3 -> 6   G   = [1/4 0 0; -1/6 -1/6 -1/6; -1/6 1/6 -1/6; 1/24 1/12 1/6; 1/24 -1/12 1/6; 0 0 1]
    output   6 -> 4   A'  = [1 1 1 1 1 0; 0 1 -1 2 -2 0; 0 1 1 4 4 0; 0 1 -1 8 -8 1]
    slope    4 -> 6   A
    sums     6 -> 3   G'

Source: Lavin and Gray, Fast algorithms for convolutional neural networks, 2016, F(4x4, 3x3).
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core.loops.rows import inline
from cnncli.core.simd import (
    I32,
    I64,
    LANES,
    VECTOR,
    VECTOR_BYTES,
    constant,
    fused,
    loaded,
    splatted,
    stored,
    vload,
    vstore,
    zeros,
)

SIDE = 6  # of a tile's inputs
OUTPUTS = 4  # of its outputs
PLACES = SIDE * SIDE
BUFFER_ROW = SIDE * VECTOR_BYTES
PATCH = PLACES * VECTOR_BYTES  # in a buffer, after the tile that is being transformed


class _Sums:
    """Arithmetic on vectors in a builder."""

    def __init__(self, builder):
        self.builder = builder

    def add(self, a, b):
        return self.builder.fadd(a, b)

    def sub(self, a, b):
        return self.builder.fsub(a, b)

    def scale(self, a, factor):
        return self.builder.fmul(a, constant(factor))

    def mix(self, a, factor, b):
        """a * factor + b."""
        return fused(self.builder, a, constant(factor), b)


def _input(s, x):
    even, odd = s.mix(x[2], -4, x[4]), s.mix(x[1], -4, x[3])
    near, far = s.sub(x[4], x[2]), s.scale(s.sub(x[3], x[1]), 2)
    return [
        s.mix(x[0], 4, s.mix(x[2], -5, x[4])),
        s.add(even, odd),
        s.sub(even, odd),
        s.add(near, far),
        s.sub(near, far),
        s.mix(x[1], 4, s.mix(x[3], -5, x[5])),
    ]


def _weights(s, x):
    outer, middle = s.scale(s.add(x[0], x[2]), -1 / 6), s.scale(x[1], 1 / 6)
    far, half = s.scale(s.mix(x[0], 0.25, x[2]), 1 / 6), s.scale(x[1], 1 / 12)
    sums = [s.sub(outer, middle), s.add(outer, middle), s.add(far, half), s.sub(far, half)]
    return [s.scale(x[0], 0.25), *sums, x[2]]


def _output(s, x):
    near, near_gap = s.add(x[1], x[2]), s.sub(x[1], x[2])
    far, far_gap = s.add(x[3], x[4]), s.sub(x[3], x[4])
    return [
        s.add(s.add(x[0], near), far),
        s.mix(far_gap, 2, near_gap),
        s.mix(far, 4, near),
        s.add(s.mix(far_gap, 8, near_gap), x[5]),
    ]


def _slope(s, x):
    even, odd = s.add(x[0], x[2]), s.add(x[1], x[3])
    far_even, far_odd = s.mix(x[2], 4, x[0]), s.scale(s.mix(x[3], 4, x[1]), 2)
    sums = [s.add(even, odd), s.sub(even, odd), s.add(far_even, far_odd), s.sub(far_even, far_odd)]
    return [x[0], *sums, x[3]]


def _sums(s, x):
    near, far = s.scale(s.add(x[1], x[2]), 1 / 6), s.scale(s.add(x[3], x[4]), 1 / 6)
    middle = s.scale(s.mix(s.sub(x[3], x[4]), 0.5, s.sub(x[2], x[1])), 1 / 6)
    return [s.sub(s.scale(s.add(x[0], far), 0.25), near), middle, s.sub(s.add(x[5], far), near)]


def _at(builder, base, *offsets):
    """An address plus offsets, each a number of steps of some bytes."""
    for count, step in offsets:
        base = builder.add(base, builder.mul(step, ir.Constant(I64, count)))
    return base


def _line(emit, count):
    """An intrinsic ``(src, step, dst, pitch)``: transforms ``count`` vectors, ``step`` bytes apart."""

    @intrinsic
    def apply(typing_context, src, step, dst, pitch):
        def codegen(context, builder, signature, args):
            src, step, dst, pitch = args
            values = [loaded(builder, _at(builder, src, (i, step)), VECTOR, 4) for i in range(count)]
            for i, value in enumerate(emit(_Sums(builder), values)):
                stored(builder, _at(builder, dst, (i, pitch)), value, 4)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 4), codegen

    return apply


def _square_code(emit, count, finish=None):
    """The code generator for the transform of a square: first of its columns, then of its rows.

    The square has ``count`` vectors a side, with given pitches of rows and columns, and so does the result.
    The code is fully unrolled: a loop over a few vectors would keep them in memory.
    ``finish(builder, value, address, *more)`` returns the value to store at an address; it gets the
    arguments after the first six.
    """

    def codegen(context, builder, signature, args):
        src, row, column, dst, to_row, to_column, *more = args
        sums = _Sums(builder)

        def line(c):
            places = [_at(builder, src, (r, row), (c, column)) for r in range(count)]
            return emit(sums, [loaded(builder, place, VECTOR, 4) for place in places])

        for r, across in enumerate(zip(*map(line, range(count)), strict=True)):
            for c, value in enumerate(emit(sums, across)):
                to = _at(builder, dst, (r, to_row), (c, to_column))
                stored(builder, to, finish(builder, value, to, *more) if finish else value, 4)
        return context.get_dummy_value()

    return codegen


def _square(emit, count, finish=None):
    """An intrinsic ``(src, row, column, dst, to_row, to_column)`` of `_square_code`."""
    code = _square_code(emit, count, finish)

    @intrinsic
    def apply(typing_context, src, row, column, dst, to_row, to_column):
        return types.void(*[types.intp] * 6), code

    return apply


def _added(builder, value, to):
    """Add to the stored value."""
    return builder.fadd(value, loaded(builder, to, VECTOR, 4))


def _biased(builder, value, to, bias, floor):
    """Add the vector at an address, with a lower bound; NaN is kept."""
    value = builder.fadd(value, loaded(builder, bias, VECTOR, 4))
    floor = splatted(builder, floor)
    return builder.select(builder.fcmp_ordered(">", floor, value), floor, value)


def _peak(side):
    """An intrinsic ``(src, row, column, lanes)``: bits of the largest magnitude in a square of vectors.

    Only the first ``lanes`` lanes count. As integers, the bits of magnitudes have the order of the
    magnitudes, with infinity above all numbers and NaN above infinity.
    """
    integers = ir.VectorType(I32, LANES)

    def filled(number):
        return ir.Constant(integers, [number] * LANES)

    @intrinsic
    def apply(typing_context, src, row, column, lanes):
        def codegen(context, builder, signature, args):
            src, row, column, lanes = args
            places = ir.Constant(integers, list(range(LANES)))
            counts = builder.icmp_signed("<", places, splatted(builder, builder.trunc(lanes, I32)))
            mask = builder.select(counts, filled(0x7FFFFFFF), filled(0))
            peak = filled(0)
            for r in range(side):
                for c in range(side):
                    value = loaded(builder, _at(builder, src, (r, row), (c, column)), integers, 4)
                    value = builder.and_(value, mask)
                    peak = builder.select(builder.icmp_signed(">", value, peak), value, peak)
            kind = ir.FunctionType(I32, [integers])
            name = f"llvm.vector.reduce.smax.v{LANES}i32"
            most = builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [peak])
            return builder.zext(most, I64)

        return types.intp(*[types.intp] * 4), codegen

    return apply


weights_six = _line(_weights, 3)
input_square = _square(_input, 6)
slope_square = _square(_slope, 4)
sums_square, sums_square_added = _square(_sums, 6), _square(_sums, 6, _added)
square_peak, window_peak = _peak(6), _peak(3)
_output_code = _square_code(_output, 6, _biased)


@intrinsic
def output_square_biased(typing_context, src, row, column, dst, to_row, to_column, bias, floor):
    """A tile of outputs, plus the vector at ``bias``, no lower than ``floor``."""
    return types.void(*[types.intp] * 7, types.float32), _output_code


@inline
def copy_patch(src, row_pitch, pixel, rows, columns, side, patch):
    """Copy a square of vectors of which only ``rows`` x ``columns`` exist, with zeros for the others."""
    for row in range(side):
        for column in range(side):
            to = patch + row * BUFFER_ROW + column * VECTOR_BYTES
            vstore(
                to,
                vload(src + row * row_pitch + column * pixel) if row < rows and column < columns else zeros(),
            )


@inline
def whole_square(src, row_pitch, pixel, rows, columns, buffer):
    """Address and pitches of a tile's inputs; of a copy with zeros if some do not exist."""
    if rows < SIDE or columns < SIDE:
        copy_patch(src, row_pitch, pixel, rows, columns, SIDE, buffer + PATCH)
        return buffer + PATCH, BUFFER_ROW, VECTOR_BYTES
    return src, row_pitch, pixel


@inline
def transform_input(src, row_pitch, pixel, rows, columns, buffer, dst, step):
    """One vector of channels of a tile, of which ``rows`` x ``columns`` inputs exist."""
    at, line, along = whole_square(src, row_pitch, pixel, rows, columns, buffer)
    input_square(at, line, along, dst, SIDE * step, step)


@inline
def tile_origin(tile, height, width):
    """Image, row and column of the first output of a tile."""
    across = (width + OUTPUTS - 1) // OUTPUTS
    down = (height + OUTPUTS - 1) // OUTPUTS
    image = tile // (across * down)
    inside = tile - image * across * down
    row = inside // across
    return image, row * OUTPUTS, (inside - row * across) * OUTPUTS
