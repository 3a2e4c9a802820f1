"""The register tile of all network layers: rows of inputs times a panel of weights.

A tile has `ROWS` rows and `VECTORS` vectors of outputs, which stay in registers for the whole sum.
For every step of the sum, one value of each row is broadcast to a vector and multiplied by the step's
`BLOCK` columns: 2 + ROWS loads for 2 * ROWS fused multiply-adds, so that arithmetic, not memory, is the
limit. Rows can be anywhere: their addresses come from a table in scratch, first those of the inputs, then
those of the outputs.

A long sum is computed in parts, each starting at 0 and added to the output when it is done: a sum of
65,536 products is 256 sums of 256, and rounding errors grow with the number and the length of the parts.

The narrow tile has `NARROW` rows of one vector, for blocks that use no more: with 6 output channels and
8 lanes it computes 8 lanes instead of 16. It has NARROW + 1 loads for NARROW multiply-adds, still within
two loads per cycle. The single tile has one row, for a fully connected layer and one sample: there reading
the weights from memory is the limit.

A turn of the loop has `UNROLLED` steps, so that the addresses of the rows, which are more than the general
registers, are loaded from the stack once for several steps. Besides, a turn fetches into the L2 cache what
the next tile and the next panel need: lines of the panel, inputs of the next rows, and their outputs. Without
the last, short sums wait for the lines that they write: 64 channels to 256 take 1.25 times as long.

Tiles that share a panel take turns in fetching even and odd lines; one that has it alone fetches all of them:
8 samples through a fully connected layer read 38 GB/s on two cores of a Zen 4 instead of 21.

The tile of pairs is for gray images and at most half as many channels as lanes: a row is two neighbouring
pixels, whose adjacent values are broadcast together; lane 2 k + p is channel k of pixel p.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core.choices import PAIR_ROWS, UNROLLED
from cnncli.core.loops.rows import inline
from cnncli.core.simd import (
    F32,
    I32,
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

# How a tile starts and ends: bits of `mode`.
ADD = 1  # add the sum to the outputs at the end, instead of starting from the bias
RELU = 2
SIX = 4  # with RELU: at most 6
BIASED = 8  # with ADD: start from the bias nevertheless
ALONE = 16  # no other tile is multiplied by this panel: fetch all of the next one
USED = 8  # with ADD: from this bit on, how many lanes of the tile are outputs; 0 for all


@inline
def rows_of(left, most, half):
    """Rows of the next register tile, ``most`` or ``half``, so that the last one wastes few."""
    return half if left <= half or most < left <= 2 * half else most


def at_offset(builder, base, bytes_):
    return builder.add(base, ir.Constant(I64, bytes_))


def _words(builder, table, first, count):
    return [loaded(builder, at_offset(builder, table, 8 * (first + i)), I64, 8) for i in range(count)]


def _slots(builder, rows, vectors):
    return [[cgutils.alloca_once(builder, VECTOR) for _ in range(vectors)] for _ in range(rows)]


def has(builder, mode, bit):
    return builder.icmp_signed("!=", builder.and_(mode, ir.Constant(I64, bit)), ir.Constant(I64, 0))


def start_sums(builder, slots, bias, mode):
    """Initialise accumulators with the bias, or with 0 if the sums are added to the outputs alone."""
    bits = builder.and_(mode, ir.Constant(I64, ADD | BIASED))
    adding = builder.icmp_signed("==", bits, ir.Constant(I64, ADD))
    for v in range(len(slots[0])):
        value = loaded(builder, at_offset(builder, bias, v * VECTOR_BYTES), VECTOR, 4)
        value = builder.select(adding, constant(0), value)
        for row in slots:
            builder.store(value, row[v])


def clip(builder, slots, mode):
    """Apply ReLU or ReLU6 to the accumulators, if the mode says so."""
    with builder.if_then(has(builder, mode, RELU)):
        _limit(builder, slots, ">", 0)
        with builder.if_then(has(builder, mode, SIX)):
            _limit(builder, slots, "<", 6)


def _limit(builder, slots, sign, bound):
    """Replace values that the bound exceeds (``>``) or falls short of (``<``) by it; a NaN stays."""
    for row in slots:
        for slot in row:
            value = builder.load(slot)
            beyond = builder.fcmp_ordered(sign, constant(bound), value)
            builder.store(builder.select(beyond, constant(bound), value), slot)


def _add(builder, slots, outputs, mode):
    """Add the outputs, if the mode says so: all are read before any is written.

    Lanes behind the last channel are those of the next pixel, to which nothing is added: its weights are 0,
    but so many times a value that is not finite would be NaN.
    """
    with builder.if_then(has(builder, mode, ADD)):
        said = builder.lshr(mode, ir.Constant(I64, USED))
        every = builder.icmp_signed("==", said, ir.Constant(I64, 0))
        used = builder.select(every, ir.Constant(I64, BLOCK), said)
        used = splatted(builder, builder.trunc(used, I32))
        for v in range(len(slots[0])):
            numbers = [v * LANES + lane for lane in range(LANES)]
            inside = builder.icmp_signed("<", ir.Constant(ir.VectorType(I32, LANES), numbers), used)
            for row, output in zip(slots, outputs, strict=True):
                before = loaded(builder, at_offset(builder, output, v * VECTOR_BYTES), VECTOR, 4)
                more = builder.select(inside, builder.load(row[v]), constant(0))
                builder.store(builder.fadd(before, more), row[v])


def _finish(builder, slots, outputs, mode):
    """Store the outputs, first row to last: unused lanes of a row are overwritten by the next."""
    _add(builder, slots, outputs, mode)
    clip(builder, slots, mode)
    for row, output in zip(slots, outputs, strict=True):
        for v, slot in enumerate(row):
            stored(builder, at_offset(builder, output, v * VECTOR_BYTES), builder.load(slot), 4)


def _spread(builder, address):
    """Broadcast the value at an address to all lanes."""
    return splatted(builder, loaded(builder, address, F32, 4))


def _spread_pair(builder, address):
    """Broadcast the two values at an address, one to the even lanes, one to the odd."""
    pair = loaded(builder, address, ir.DoubleType(), 4)
    return builder.bitcast(splatted(builder, pair, LANES // 2), VECTOR)


def _vectors(builder, columns, count):
    """``count`` consecutive vectors from an address on."""
    return [loaded(builder, at_offset(builder, columns, v * VECTOR_BYTES), VECTOR, 4) for v in range(count)]


def _step(builder, slots, inputs, along, vectors, spread=_spread):
    """One step of the sum: values ``along`` bytes after the addresses ``inputs``, times vectors."""
    for row, address in zip(slots, inputs, strict=True):
        value = spread(builder, builder.add(address, along))
        for vector, slot in zip(vectors, row, strict=True):
            builder.store(fused(builder, value, vector, builder.load(slot)), slot)


def _over_segments(builder, segments, count, panel, step_bytes, step):
    """``step(along, column, steps)`` for the inputs of the segments, `UNROLLED` of them at a time.

    Weights of an input lie ``step_bytes`` after those of the one before.
    """
    columns = cgutils.alloca_once_value(builder, panel)
    builder.store(panel, columns)
    with cgutils.for_range(builder, count) as segment:
        entry = builder.add(segments, builder.mul(segment.index, ir.Constant(I64, 24)))
        offset, length = _words(builder, entry, 0, 2)
        end = builder.add(offset, builder.mul(length, ir.Constant(I64, 4)))
        whole = builder.and_(length, ir.Constant(I64, -UNROLLED))
        middle = builder.add(offset, builder.mul(whole, ir.Constant(I64, 4)))
        first = builder.load(columns)
        for start, stop, steps in ((offset, middle, UNROLLED), (middle, end, 1)):
            with cgutils.for_range_slice(builder, start, stop, ir.Constant(I64, 4 * steps)) as (along, t):
                column = builder.add(first, builder.mul(t, ir.Constant(I64, steps * step_bytes)))
                step(along, column, t, steps)
            first = builder.add(first, builder.mul(whole, ir.Constant(I64, step_bytes)))
        after = builder.mul(length, ir.Constant(I64, step_bytes))
        builder.store(builder.add(builder.load(columns), after), columns)


def _over_pixels(builder, lines, line, pitches, steps, columns, step):
    """``step(along, column)`` for each pixel of some lines; pitches and steps of inputs and of columns."""
    (line_pitch, column_pitch), (input_step, column_step) = pitches, steps
    with cgutils.for_range(builder, lines) as y:
        start = builder.mul(y.index, line_pitch)
        end = builder.add(start, builder.mul(line, input_step))
        first = builder.add(columns, builder.mul(y.index, column_pitch))
        with cgutils.for_range_slice(builder, start, end, input_step) as (along, x):
            step(along, builder.add(first, builder.mul(x, column_step)))


def _fetch_rows_after(builder, table, rows, along):
    """Prefetch a cache line of one of the rows that follow those of the tile: all of them in turn."""
    turn = builder.and_(builder.shl(along, ir.Constant(I64, 1)), ir.Constant(I64, 8 * (LINE // 4 - 1)))
    for row in _words(builder, builder.add(table, turn), rows, UNROLLED):
        prefetch(builder, builder.add(row, along), level=2)


def _fetch_outputs_after(builder, table, rows, turn, shift):
    """Prefetch the outputs of two of the rows that follow those of the tile."""
    pair = builder.add(table, builder.mul(turn, ir.Constant(I64, 16)))
    for row in _words(builder, pair, rows, 2):
        for line in range(0, BLOCK_BYTES, LINE):
            prefetch(builder, at_offset(builder, builder.add(row, shift), line), level=2)


def _gemm_tile(rows, vectors):
    @intrinsic
    def tile(typing_context, inputs, outputs, segments, count, panel, ahead, bias, mode, shift):
        def codegen(context, builder, signature, args):
            table, out_table, segments, count, panel, ahead, bias, mode, shift = args
            inputs = _words(builder, table, 0, rows)
            outputs = [builder.add(word, shift) for word in _words(builder, out_table, 0, rows)]
            slots = _slots(builder, rows, vectors)
            start_sums(builder, slots, bias, mode)
            for output in outputs:
                for line in range(0, vectors * VECTOR_BYTES, LINE):
                    prefetch(builder, at_offset(builder, output, line), to_write=True)

            def step(along, column, turn, steps):
                if vectors > 1 and steps > 1:
                    next_panel = builder.add(column, ahead)
                    lines = range(0, steps * BLOCK_BYTES, 2 * LINE)
                    for line in lines:
                        prefetch(builder, at_offset(builder, next_panel, line), level=2)
                    with builder.if_then(has(builder, mode, ALONE)):
                        for line in lines:
                            prefetch(builder, at_offset(builder, next_panel, line + LINE), level=2)
                    _fetch_rows_after(builder, table, rows, along)
                    with builder.if_then(builder.icmp_signed("<", turn, ir.Constant(I64, -(-rows // 2)))):
                        _fetch_outputs_after(builder, out_table, rows, turn, shift)
                for each in range(steps):
                    columns = _vectors(builder, at_offset(builder, column, each * BLOCK_BYTES), vectors)
                    _step(builder, slots, inputs, at_offset(builder, along, 4 * each), columns)

            _over_segments(builder, segments, count, panel, BLOCK_BYTES, step)
            _finish(builder, slots, outputs, mode)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 9), codegen

    return tile


_HALF_VECTOR = ir.VectorType(F32, LANES // 2)


def _lanes(builder, vector, numbers):
    """Select lanes of a vector, in the given order."""
    none = ir.Constant(vector.type, ir.Undefined)
    return builder.shuffle_vector(vector, none, ir.Constant(ir.VectorType(I32, len(numbers)), numbers))


@intrinsic
def gemm_pairs(typing_context, table, segments, count, panel, bias, mode, pixel):
    """A tile of `PAIR_ROWS` pairs of pixels, ``pixel`` bytes apart in the output; it does not add.

    Half a vector is stored for each pixel: the lanes that are not used are overwritten by the next.
    """

    def codegen(context, builder, signature, args):
        table, segments, count, panel, bias, mode, pixel = args
        inputs, outputs = _words(builder, table, 0, PAIR_ROWS), _words(builder, table, PAIR_ROWS, PAIR_ROWS)
        half = loaded(builder, bias, _HALF_VECTOR, 4)
        start = _lanes(builder, half, [lane // 2 for lane in range(LANES)])
        slots = _slots(builder, PAIR_ROWS, 1)
        for row in slots:
            builder.store(start, row[0])

        def step(along, column, turn, steps):
            for each in range(steps):
                columns = _vectors(builder, at_offset(builder, column, each * VECTOR_BYTES), 1)
                _step(builder, slots, inputs, at_offset(builder, along, 4 * each), columns, _spread_pair)

        _over_segments(builder, segments, count, panel, VECTOR_BYTES, step)
        clip(builder, slots, mode)
        for row, output in zip(slots, outputs, strict=True):
            pair = builder.load(row[0])
            for number in range(2):
                to = builder.add(output, pixel) if number else output
                stored(builder, to, _lanes(builder, pair, list(range(number, LANES, 2))), 4)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 7), codegen


# A tile whose sums run over segments of consecutive inputs.
#
# output[r] + shift = (bias, or the previous output) +
# sum over s < count, t < length[s] of input[r][offset[s] + t] * panel[s, t].
# ``segments`` holds triples of intp: byte offset, length in floats, and one that is not read here.
# ``ahead`` is the offset in bytes from the panel to the next one, which is prefetched.
gemm_tile = _gemm_tile(ROWS, VECTORS)
gemm_half = _gemm_tile(HALF, VECTORS)
gemm_narrow = _gemm_tile(NARROW, 1)
gemm_single = _gemm_tile(1, VECTORS)
gemm_single_narrow = _gemm_tile(1, 1)


def _outer_tile(rows, vectors):
    @intrinsic
    def tile(typing_context, table, columns, lines, line, line_pitch, column_pitch, step, column_step, mode):
        def codegen(context, builder, signature, args):
            table, columns, lines, line, line_pitch, column_pitch, step, column_step, mode = args
            inputs, outputs = _words(builder, table, 0, rows), _words(builder, table, rows, rows)
            slots = _slots(builder, rows, vectors)
            zeros = cgutils.alloca_once(builder, ir.ArrayType(VECTOR, vectors))
            builder.store(ir.Constant(ir.ArrayType(VECTOR, vectors), [constant(0)] * vectors), zeros)
            start_sums(builder, slots, builder.ptrtoint(zeros, I64), mode)

            def sum_up(along, column):
                _step(builder, slots, inputs, along, _vectors(builder, column, vectors))

            pitches, steps = (line_pitch, column_pitch), (step, column_step)
            _over_pixels(builder, lines, line, pitches, steps, columns, sum_up)
            _finish(builder, slots, outputs, mode)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 9), codegen

    return tile


@intrinsic
def outer_pairs(typing_context, table, columns, lines, line, line_pitch, column_pitch, column_step, mode):
    """`outer_narrow` over pairs of pixels of a gray image, for channels of which two pixels fit a vector."""

    def codegen(context, builder, signature, args):
        table, columns, lines, line, line_pitch, column_pitch, column_step, mode = args
        inputs, outputs = _words(builder, table, 0, PAIR_ROWS), _words(builder, table, PAIR_ROWS, PAIR_ROWS)
        slots = _slots(builder, PAIR_ROWS, 1)
        for row in slots:
            builder.store(constant(0), row[0])
        two = ir.Constant(I64, 2)
        side_by_side = [half + (LANES // 2) * pixel for half in range(LANES // 2) for pixel in range(2)]
        order = ir.Constant(ir.VectorType(I32, LANES), side_by_side)

        def sum_up(along, column):
            pixels = [
                loaded(builder, at, _HALF_VECTOR, 4) for at in (column, builder.add(column, column_step))
            ]
            both = builder.shuffle_vector(*pixels, order)
            _step(builder, slots, inputs, along, [both], _spread_pair)

        pitches, steps = (line_pitch, column_pitch), (ir.Constant(I64, 8), builder.mul(two, column_step))
        _over_pixels(builder, lines, builder.sdiv(line, two), pitches, steps, columns, sum_up)
        adding = has(builder, mode, ADD)
        # All are read before any is written: rows beyond the end have the place of the last one.
        before = [builder.select(adding, loaded(builder, each, VECTOR, 4), constant(0)) for each in outputs]
        zeros = ir.Constant(_HALF_VECTOR, [0.0] * (LANES // 2))
        for row, output, start in zip(slots, outputs, before, strict=True):
            total = builder.load(row[0])
            sums = builder.fadd(*(_lanes(builder, total, list(range(each, LANES, 2))) for each in range(2)))
            whole = builder.shuffle_vector(sums, zeros, ir.Constant(order.type, list(range(LANES))))
            stored(builder, output, builder.fadd(start, whole), 4)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 8), codegen


# A tile whose sums run over pixels: ``lines`` lines of ``line`` pixels.
#
# output[r] = (0, or the previous output) + sum over lines y, pixels x of
# input[r][y * line_pitch + x * step] * columns[y * column_pitch + x * column_step],
# pitches and steps in bytes.
outer_tile = _outer_tile(ROWS, VECTORS)
outer_half = _outer_tile(HALF, VECTORS)
outer_narrow = _outer_tile(NARROW, 1)
outer_narrow_half = _outer_tile(HALF, 1)
