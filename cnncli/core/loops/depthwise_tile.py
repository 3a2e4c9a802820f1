"""The register tiles of depthwise convolutions: one vector of channels of several neighbouring pixels.

Every lane is a channel of its own, so nothing is broadcast: for each tap, the inputs of the pixels are
multiplied by the same vector of weights. Where the columns of a kernel row are neighbours too, each input is
loaded once for all the taps that it meets: with 3 columns and 7 pixels (`DEPTHWISE_PIXELS`), 9 + 3 loads for
21 fused multiply-adds. 7 accumulators, the weights of one kernel row and one input fit 16 registers; 7
divides the widths of networks for images of 224.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core.choices import DEPTHWISE_PIXELS
from cnncli.core.loops.gemm import ADD, BLOCK_BYTES, at_offset, clip, has, start_sums
from cnncli.core.simd import I64, LANES, VECTOR, constant, fused, loaded, prefetch, splatted, stored

ZERO = ir.Constant(I64, 0)


def _slots(builder, rows, columns):
    return [[cgutils.alloca_once(builder, VECTOR) for _ in range(columns)] for _ in range(rows)]


def _chain(builder, first, step, count):
    """``count`` addresses, ``step`` bytes apart."""
    found = [first]
    for _ in range(count - 1):
        found.append(builder.add(found[-1], step))
    return found


def _multiply(builder, slot, a, b):
    builder.store(fused(builder, a, b, builder.load(slot)), slot)


def _meets(column, step, taps, pixels):
    """Taps and pixels that read an input column, where windows are ``step`` columns apart."""
    return [(j, p) for p in range(pixels) for j in range(taps) if p * step + j == column]


def _add(builder, slots, outputs, skipped, lanes):
    """Add the outputs to the accumulators' first lanes; replace the others, and pixels before ``skipped``.

    What lies behind the last channels may be anything, such as NaN, which the weight of 0 would keep.
    """
    numbers = ir.Constant(ir.VectorType(I64, LANES), list(range(LANES)))
    for p, ((slot,), to) in enumerate(zip(slots, outputs, strict=True)):
        done = builder.icmp_signed(">", skipped, ir.Constant(I64, p))
        used = builder.select(done, ir.Constant(I64, 0), lanes)
        inside = builder.icmp_signed("<", numbers, splatted(builder, used))
        more = builder.select(inside, builder.load(slot), constant(0))
        builder.store(builder.fadd(loaded(builder, to, VECTOR, 4), more), slot)


def _tile(pixels, taps, step):
    """A tile of some pixels; kernel rows of ``taps`` neighbouring columns, windows ``step`` columns apart.

    With ``taps`` 0, their number and their distance are only known when it runs.
    """

    @intrinsic
    def tile(typing_context, x, y, panel, bias, steps, kernel, ending):
        def codegen(context, builder, signature, args):
            x, y, panel, bias, *tuples = args
            x_step, x_tap, y_step = cgutils.unpack_tuple(builder, tuples[0])
            rows, row_count, columns = cgutils.unpack_tuple(builder, tuples[1])
            mode, skipped, lanes, ahead = cgutils.unpack_tuple(builder, tuples[2])
            for each in _chain(builder, builder.add(x, ahead), x_step, pixels):
                prefetch(builder, each)
            slots = _slots(builder, pixels, 1)
            start_sums(builder, slots, bias, mode)

            def row_of_taps(at, weights, distance, taps, step):
                vectors = [
                    loaded(builder, at_offset(builder, weights, j * BLOCK_BYTES), VECTOR, 4)
                    for j in range(taps)
                ]
                inputs = _chain(builder, at, distance, (pixels - 1) * step + taps)
                for column, address in enumerate(inputs):
                    value = loaded(builder, address, VECTOR, 4)
                    for j, p in _meets(column, step, taps, pixels):
                        _multiply(builder, slots[p][0], value, vectors[j])

            with cgutils.for_range(builder, row_count) as row:
                offset = loaded(
                    builder, builder.add(rows, builder.shl(row.index, ir.Constant(I64, 3))), I64, 8
                )
                at = builder.add(x, offset)
                pitch = builder.mul(columns, ir.Constant(I64, BLOCK_BYTES))
                weights = builder.add(panel, builder.mul(row.index, pitch))
                if taps:
                    row_of_taps(at, weights, x_tap, taps, step)
                else:
                    with cgutils.for_range(builder, columns) as column:
                        here = builder.add(at, builder.mul(column.index, x_tap))
                        tap = builder.mul(column.index, ir.Constant(I64, BLOCK_BYTES))
                        row_of_taps(here, builder.add(weights, tap), x_step, 1, 1)
            outputs = _chain(builder, y, y_step, pixels)
            with builder.if_then(has(builder, mode, ADD)):
                _add(builder, slots, outputs, skipped, lanes)
            clip(builder, slots, mode)
            for (slot,), to in zip(slots, outputs, strict=True):
                stored(builder, to, builder.load(slot), 4)
            return context.get_dummy_value()

        one = types.intp
        tuples = types.UniTuple(one, 3), types.UniTuple(one, 3), types.UniTuple(one, 4)
        return types.void(one, one, one, one, *tuples), codegen

    return tile


# Tiles of so many pixels, by taps and step, and of any taps; a single pixel. The output's pixel p is
# (bias, or the previous output) + sum over rows r < row_count, columns j < columns of
# x[p * x_step + rows[r] + j * x_tap] * panel[r * columns + j], in bytes but for the panel.
# ``steps``: x_step, x_tap, y_step. ``kernel``: address of rows, row_count, columns. ``ending``: mode, pixels
# that a tile before it has computed, lanes in use (or more), distance in bytes to what is prefetched.
tile_2 = _tile(DEPTHWISE_PIXELS, 2, 1)
tile_3 = _tile(DEPTHWISE_PIXELS, 3, 1)
tile_5 = _tile(DEPTHWISE_PIXELS, 5, 1)
tile_3_strided = _tile(DEPTHWISE_PIXELS, 3, 2)
tile_5_strided = _tile(DEPTHWISE_PIXELS, 5, 2)
tile_any = _tile(DEPTHWISE_PIXELS, 0, 0)
tile_single = _tile(1, 0, 0)


def _outer(pixels, taps, step):
    """Sums over pixels, ``pixels`` at a time, for ``taps`` neighbouring columns of a kernel row."""

    @intrinsic
    def outer(typing_context, x, x_line, x_tap, dy, dy_line, dy_step, lines, width, out, mode):
        def codegen(context, builder, signature, args):
            x, x_line, x_tap, dy, dy_line, dy_step, lines, width, out, mode = args
            slots = _slots(builder, taps, pixels)
            for each in (slot for row in slots for slot in row):
                builder.store(constant(0), each)

            def sum_up(at, slope, count):
                inputs = _chain(builder, at, x_tap, (count - 1) * step + taps)
                slopes = [loaded(builder, each, VECTOR, 4) for each in _chain(builder, slope, dy_step, count)]
                for column, address in enumerate(inputs):
                    value = loaded(builder, address, VECTOR, 4)
                    for j, p in _meets(column, step, taps, count):
                        _multiply(builder, slots[j][p], value, slopes[p])

            whole = builder.sdiv(width, ir.Constant(I64, pixels))
            rest = builder.srem(width, ir.Constant(I64, pixels))
            x_step = builder.mul(x_tap, ir.Constant(I64, step))
            with cgutils.for_range(builder, lines) as line:
                at = builder.add(x, builder.mul(line.index, x_line))
                slope = builder.add(dy, builder.mul(line.index, dy_line))
                for count, many in ((whole, pixels), (rest, 1)):
                    x_pitch = builder.mul(x_step, ir.Constant(I64, many))
                    dy_pitch = builder.mul(dy_step, ir.Constant(I64, many))
                    with cgutils.for_range(builder, count) as pixel:
                        here = builder.add(at, builder.mul(pixel.index, x_pitch))
                        sum_up(here, builder.add(slope, builder.mul(pixel.index, dy_pitch)), many)
                    at = builder.add(at, builder.mul(count, x_pitch))
                    slope = builder.add(slope, builder.mul(count, dy_pitch))
            adding = has(builder, mode, ADD)
            for j in range(taps):
                to = at_offset(builder, out, j * BLOCK_BYTES)
                total = builder.select(adding, loaded(builder, to, VECTOR, 4), constant(0))
                for slot in slots[j]:
                    total = builder.fadd(total, builder.load(slot))
                stored(builder, to, total, 4)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 10), codegen

    return outer


# Gradient of the weights of a kernel row, by taps and step: out[j] = (0, or the previous sum) + sum over
# lines and pixels p of x[line * x_line + (p * step + j) * x_tap] * dy[line * dy_line + p * dy_step].
outer_3 = _outer(3, 3, 1)
outer_5 = _outer(2, 5, 1)
outer_3_strided = _outer(3, 3, 2)
outer_5_strided = _outer(2, 5, 2)
outer_single = _outer(4, 1, 1)
