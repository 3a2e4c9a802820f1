"""Fourier transforms of many columns at once: butterflies, transposition, (de)interleaving of channels.

A *point* is one complex number in each lane: a vector of real parts followed by one of imaginary parts in
memory. A transform of n points runs in place over n consecutive points. The forward one decimates in
frequency and leaves its results in digit-reversed order; the inverse one decimates in time and reads that
order, so that no reordering is needed.

Source: C. Van Loan, Computational Frameworks for the Fast Fourier Transform, 1992, sections 1.9, 2.2.
"""

import math

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core.elements import INTEGERS
from cnncli.core.simd import (
    F32,
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
)

POINT_BYTES = 2 * VECTOR_BYTES
_EVERY_BIT = ir.Constant(INTEGERS, [-1] * LANES)


def _plus(builder, a, b):
    return builder.fadd(a[0], b[0]), builder.fadd(a[1], b[1])


def _minus(builder, a, b):
    return builder.fsub(a[0], b[0]), builder.fsub(a[1], b[1])


def _turned(builder, a, b, inverse):
    """A - iB and a + iB, swapped for the inverse."""
    down = builder.fadd(a[0], b[1]), builder.fsub(a[1], b[0])
    up = builder.fsub(a[0], b[1]), builder.fadd(a[1], b[0])
    return (up, down) if inverse else (down, up)


def _times(builder, x, w, inverse):
    """X times w, or times the conjugate of w."""
    (xr, xi), (wr, wi) = x, w
    crossed, straight = builder.fmul(xi, wi), builder.fmul(xr, wi)
    if inverse:
        return fused(builder, xr, wr, crossed), fused(builder, xi, wr, builder.fneg(straight))
    return fused(builder, xr, wr, builder.fneg(crossed)), fused(builder, xi, wr, straight)


def _four(builder, x, inverse):
    """Transform of four points."""
    even, odd = _plus(builder, x[0], x[2]), _plus(builder, x[1], x[3])
    first, third = _turned(builder, _minus(builder, x[0], x[2]), _minus(builder, x[1], x[3]), inverse)
    return [_plus(builder, even, odd), first, _minus(builder, even, odd), third]


# Times e^(-+ i pi k/4): indices into (re + im, im - re) of the real and the imaginary part, and their signs.
_EIGHTHS = {
    (1, False): ((0, 1), (1, 1)),
    (3, False): ((1, 1), (0, -1)),
    (1, True): ((1, -1), (0, 1)),
    (3, True): ((0, -1), (1, -1)),
}


def _eight(builder, x, inverse):
    """Transform of eight points: of the even and of the odd ones, the latter rotated by eighths."""
    even, odd = _four(builder, x[0::2], inverse), _four(builder, x[1::2], inverse)
    half = {1: constant(math.sqrt(0.5)), -1: constant(-math.sqrt(0.5))}
    low, high = [None] * 4, [None] * 4
    low[0], high[0] = _plus(builder, even[0], odd[0]), _minus(builder, even[0], odd[0])
    low[2], high[2] = _turned(builder, even[2], odd[2], inverse)
    for k in (1, 3):
        re, im = odd[k]
        parts = builder.fadd(re, im), builder.fsub(im, re)
        turn = list(zip(even[k], _EIGHTHS[k, inverse], strict=True))
        low[k] = tuple(fused(builder, parts[which], half[sign], base) for base, (which, sign) in turn)
        high[k] = tuple(fused(builder, parts[which], half[-sign], base) for base, (which, sign) in turn)
    return low + high


def _transform(builder, x, inverse):
    return (_four if len(x) == 4 else _eight)(builder, x, inverse)


def _at(builder, base, index, scale):
    return builder.add(base, builder.mul(index, ir.Constant(I64, scale)))


def _point(builder, address):
    """Load the point at an address."""
    return tuple(
        loaded(builder, builder.add(address, ir.Constant(I64, part)), VECTOR, 4) for part in (0, VECTOR_BYTES)
    )


def _put(builder, address, x):
    """Store a point."""
    for part, value in zip((0, VECTOR_BYTES), x, strict=True):
        stored(builder, builder.add(address, ir.Constant(I64, part)), value, 4)


def _turns(builder, address, count):
    """Twiddle factors of a butterfly's points except the first: pairs of numbers in memory."""
    parts = [loaded(builder, builder.add(address, ir.Constant(I64, 4 * i)), F32, 4) for i in range(2 * count)]
    vectors = [splatted(builder, part) for part in parts]
    return list(zip(vectors[0::2], vectors[1::2], strict=True))


def _turned_all(builder, x, turns, inverse):
    return [x[0], *(_times(builder, point, turn, inverse) for point, turn in zip(x[1:], turns, strict=True))]


def _pass(builder, base, step, radix, inverse):
    """Butterflies of points ``gap`` apart, in place, in ``blocks`` of radix * gap points.

    ``step`` is the address of radix, gap, blocks and the factors' address; the factors of a block's
    j-th butterfly are the j-th there.
    """
    gap, blocks, turns = (
        loaded(builder, builder.add(step, ir.Constant(I64, 8 * field)), I64, 8) for field in (1, 2, 3)
    )
    gap_bytes = builder.mul(gap, ir.Constant(I64, POINT_BYTES))
    span = builder.mul(gap_bytes, ir.Constant(I64, radix))
    with cgutils.for_range(builder, gap) as butterfly:
        factors = _turns(builder, _at(builder, turns, butterfly.index, 8 * (radix - 1)), radix - 1)
        first = _at(builder, base, butterfly.index, POINT_BYTES)
        with cgutils.for_range(builder, blocks) as block:
            places = [builder.add(first, builder.mul(block.index, span))]
            for _ in range(radix - 1):
                places.append(builder.add(places[-1], gap_bytes))
            x = [_point(builder, place) for place in places]
            if inverse:
                x = _transform(builder, _turned_all(builder, x, factors, True), True)
            else:
                x = _turned_all(builder, _transform(builder, x, False), factors, False)
            for place, point in zip(places, x, strict=True):
                _put(builder, place, point)


def _passes(inverse):
    """An intrinsic ``(base, passes, plan)``: all passes of a plan over the points from ``base`` on.

    The inverse runs them from last to first. The code is emitted once per object file.
    """

    @intrinsic
    def run(typing_context, base, passes, plan):
        def codegen(context, builder, signature, args):
            kind = ir.FunctionType(ir.VoidType(), [I64] * 3)
            name = f"cnncli_fft_{'inverse' if inverse else 'forward'}"
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            if function.is_declaration:
                function.linkage = "linkonce_odr"
                _define_passes(function, inverse)
            builder.call(function, args)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 3), codegen

    return run


def _define_passes(function, inverse):
    builder = ir.IRBuilder(function.append_basic_block())
    base, passes, plan = function.args
    with cgutils.for_range(builder, passes) as loop:
        last = builder.sub(passes, ir.Constant(I64, 1))
        step = _at(builder, plan, builder.sub(last, loop.index) if inverse else loop.index, 32)
        radix = loaded(builder, step, I64, 8)
        with builder.if_else(builder.icmp_signed("==", radix, ir.Constant(I64, 4))) as (four, eight):
            with four:
                _pass(builder, base, step, 4, inverse)
            with eight:
                _pass(builder, base, step, 8, inverse)
    builder.ret_void()


forward = _passes(False)
inverse = _passes(True)


@intrinsic
def multiply_spectrum(typing_context, base, count, spectrum):
    """The last radix-4 pass of a row, the product with the conjugate spectrum, and the first inverse pass."""

    def codegen(context, builder, signature, args):
        base, count, spectrum = args
        with cgutils.for_range(builder, count) as butterfly:
            shifts = [builder.mul(butterfly.index, ir.Constant(I64, 4 * POINT_BYTES))]
            for _ in range(3):
                shifts.append(builder.add(shifts[-1], ir.Constant(I64, POINT_BYTES)))
            x = _four(builder, [_point(builder, builder.add(base, shift)) for shift in shifts], False)
            factors = [_point(builder, builder.add(spectrum, shift)) for shift in shifts]
            x = [_times(builder, point, factor, True) for point, factor in zip(x, factors, strict=True)]
            for shift, point in zip(shifts, _four(builder, x, True), strict=True):
                _put(builder, builder.add(base, shift), point)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 3), codegen


@intrinsic
def first_butterflies(
    typing_context,
    rows,
    pitch,
    strips,
    dst,
    strip_bytes,
    gap,
    turns,
    offset_a,
    offset_b,
    peaks,
    squares,
    lowest,
):
    """Four real rows and the following four of the imaginary parts, minus an offset each, into strips.

    The squares of the inputs are added to a vector at ``squares``. If ``lowest`` is not 0, it is the address
    of running minima of the magnitudes' bits less 1, which for 0 are the largest number. If ``peaks`` is not
    0 either, it is the address of as many rows of running maxima of the magnitudes.
    """

    def codegen(context, builder, signature, args):
        rows, pitch, strips, dst, strip_bytes, gap, turns, *offsets, peaks, squares, lowest = args
        offsets = [splatted(builder, offset) for offset in offsets]
        factors = _turns(builder, turns, 3)
        places = [builder.add(rows, builder.mul(pitch, ir.Constant(I64, row))) for row in range(8)]
        kept = [builder.add(peaks, builder.mul(pitch, ir.Constant(I64, row))) for row in range(8)]
        totals = [cgutils.alloca_once_value(builder, constant(0)) for _ in range(2)]
        for total in totals:
            builder.store(constant(0), total)
        least = cgutils.alloca_once_value(builder, _EVERY_BIT)
        none = ir.Constant(I64, 0)

        def emit(compares, measures):
            if compares:
                builder.store(loaded(builder, lowest, _EVERY_BIT.type, 4), least)
            with cgutils.for_range(builder, strips) as strip:
                shift = builder.mul(strip.index, ir.Constant(I64, VECTOR_BYTES))
                values = [loaded(builder, builder.add(place, shift), VECTOR, 4) for place in places]
                parts = [builder.fsub(value, offsets[row // 4]) for row, value in enumerate(values)]
                for row, part in enumerate(parts):
                    total = totals[row % 2]
                    builder.store(fused(builder, part, part, builder.load(total)), total)
                if compares:
                    for value in values:
                        _keep_lower(builder, least, value)
                if measures:
                    for place, value in zip(kept, values, strict=True):
                        _keep_larger(builder, builder.add(place, shift), value)
                x = _four(builder, list(zip(parts[:4], parts[4:], strict=True)), False)
                to = builder.add(dst, builder.mul(strip.index, strip_bytes))
                for point in _turned_all(builder, x, factors, False):
                    _put(builder, to, point)
                    to = builder.add(to, gap)

            if compares:
                stored(builder, lowest, builder.load(least), 4)

        with builder.if_else(builder.icmp_signed("!=", lowest, none)) as (compared, plain):
            with compared, builder.if_else(builder.icmp_signed("!=", peaks, none)) as (measured, rest):
                with measured:
                    emit(True, True)
                with rest:
                    emit(True, False)
            with plain:
                emit(False, False)
        total = loaded(builder, squares, VECTOR, 4)
        for each in totals:
            total = builder.fadd(total, builder.load(each))
        stored(builder, squares, total, 4)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 7, types.float32, types.float32, *[types.intp] * 3), codegen


def _magnitude_bits(builder, value):
    return builder.and_(builder.bitcast(value, INTEGERS), ir.Constant(INTEGERS, [0x7FFFFFFF] * LANES))


def _keep_lower(builder, least, value):
    """Update running minima of the bits of magnitudes less 1."""
    bits, before = builder.add(_magnitude_bits(builder, value), _EVERY_BIT), builder.load(least)
    builder.store(builder.select(builder.icmp_unsigned("<", bits, before), bits, before), least)


def _keep_larger(builder, address, value):
    """Update a vector of running maxima in memory with the magnitudes of another."""
    bits = _magnitude_bits(builder, value)
    magnitude, before = builder.bitcast(bits, VECTOR), loaded(builder, address, VECTOR, 4)
    larger = builder.select(builder.fcmp_ordered(">", magnitude, before), magnitude, before)
    stored(builder, address, larger, 4)


@intrinsic
def least_peak(typing_context, row, vectors, block, least):
    """The minimum of ``least`` and the maxima of blocks of ``block`` floats, a power of two.

    ``vectors`` are whole blocks, or contain several each.
    """

    def codegen(context, builder, signature, args):
        row, vectors, block, least = args
        lanes = ir.Constant(I64, LANES)
        longer = builder.icmp_signed(">", block, lanes)
        together = builder.select(longer, builder.sdiv(block, lanes), ir.Constant(I64, 1))
        lowest = cgutils.alloca_once_value(builder, constant(0))
        builder.store(splatted(builder, least), lowest)
        peak = cgutils.alloca_once_value(builder, constant(0))

        def keep(value):
            before = builder.load(peak)
            builder.store(builder.select(builder.fcmp_ordered(">", value, before), value, before), peak)

        with cgutils.for_range(builder, builder.sdiv(vectors, together)) as group:
            first = builder.mul(group.index, together)
            builder.store(constant(0), peak)
            with cgutils.for_range(builder, together) as each:
                at = _at(builder, row, builder.add(first, each.index), VECTOR_BYTES)
                keep(loaded(builder, at, VECTOR, 4))
            step = 1
            while step < LANES:
                with builder.if_then(builder.icmp_signed(">", block, ir.Constant(I64, step))):
                    value = builder.load(peak)
                    keep(_shuffled(builder, value, value, [lane ^ step for lane in range(LANES)]))
                step *= 2
            value, before = builder.load(peak), builder.load(lowest)
            builder.store(builder.select(builder.fcmp_ordered("<", value, before), value, before), lowest)
        total = builder.extract_element(builder.load(lowest), ir.Constant(I32, 0))
        for lane in range(1, LANES):
            other = builder.extract_element(builder.load(lowest), ir.Constant(I32, lane))
            total = builder.select(builder.fcmp_ordered("<", other, total), other, total)
        return total

    return types.float32(types.intp, types.intp, types.intp, types.float32), codegen


@intrinsic
def last_butterflies(typing_context, src, strip_bytes, gap, strips, turns, rows, pitch, offset_a, offset_b):
    """From strips back to four real rows and the following four of the imaginary parts, plus offsets."""

    def codegen(context, builder, signature, args):
        src, strip_bytes, gap, strips, turns, rows, pitch, *offsets = args
        offsets = [splatted(builder, offset) for offset in offsets]
        factors = _turns(builder, turns, 3)
        places = [builder.add(rows, builder.mul(pitch, ir.Constant(I64, row))) for row in range(8)]
        with cgutils.for_range(builder, strips) as strip:
            at = builder.add(src, builder.mul(strip.index, strip_bytes))
            x = []
            for _ in range(4):
                x.append(_point(builder, at))
                at = builder.add(at, gap)
            x = _four(builder, _turned_all(builder, x, factors, True), True)
            shift = builder.mul(strip.index, ir.Constant(I64, VECTOR_BYTES))
            for part in (0, 1):
                for row, point in enumerate(x):
                    value = builder.fadd(point[part], offsets[part])
                    stored(builder, builder.add(places[4 * part + row], shift), value, 4)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 7, types.float32, types.float32), codegen


def transposed(builder, rows):
    """Transpose `LANES` vectors: single lanes within blocks of four, then the blocks."""
    rows = list(rows)
    # Two steps of x86's unpack instructions transpose blocks of four lanes; the pairs of rows they use:
    for pairs, low, high in (
        (((0, 1), (2, 3)), (0, 4, 1, 5), (2, 6, 3, 7)),
        (((0, 2), (1, 3)), (0, 1, 4, 5), (2, 3, 6, 7)),
    ):
        new = []
        for group in range(0, LANES, 4):
            for a, b in pairs:
                for lanes in (low, high):
                    order = [i // 4 * LANES + block + i % 4 for block in range(0, LANES, 4) for i in lanes]
                    new.append(_shuffled(builder, rows[group + a], rows[group + b], order))
        rows = new
    size = 4
    while size < LANES:
        new = list(rows)
        for row in range(LANES):
            if not row & size:
                a, b = rows[row], rows[row + size]
                low = [LANES + i - size if i & size else i for i in range(LANES)]
                new[row] = _shuffled(builder, a, b, low)
                new[row + size] = _shuffled(builder, a, b, [i + size for i in low])
        rows = new
        size *= 2
    return rows


def _shuffled(builder, a, b, order):
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(order)), order))


@intrinsic
def transpose_blocks(typing_context, src, src_step, dst, dst_step, count):
    """Transpose consecutive blocks of `LANES` points: point i, lane j becomes point j, lane i."""

    def codegen(context, builder, signature, args):
        src, src_step, dst, dst_step, count = args
        with cgutils.for_range(builder, count) as block:
            start = builder.add(src, builder.mul(block.index, src_step))
            to = builder.add(dst, builder.mul(block.index, dst_step))
            for part in (0, VECTOR_BYTES):
                shifts = [ir.Constant(I64, part + lane * POINT_BYTES) for lane in range(LANES)]
                rows = [loaded(builder, builder.add(start, shift), VECTOR, 4) for shift in shifts]
                for shift, row in zip(shifts, transposed(builder, rows), strict=True):
                    stored(builder, builder.add(to, shift), row, 4)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), codegen


def _for_channels(builder, channels, emit):
    """Emit ``emit(2)``, ``emit(3)`` and ``emit(4)``; the one for the number of channels runs."""
    done = builder.append_basic_block("channels.done")
    switch = builder.switch(channels, done)
    for each in (2, 3, 4):
        block = builder.append_basic_block(f"channels.{each}")
        switch.add_case(ir.Constant(I64, each), block)
        builder.position_at_end(block)
        emit(each)
        builder.branch(done)
    builder.position_at_end(done)


@intrinsic
def pick_channel(typing_context, src, channels, dst, vectors):
    """De-interleave: every ``channels``-th float from ``src`` on, 2 to 4, in whole vectors."""

    def codegen(context, builder, signature, args):
        src, channels, dst, vectors = args

        def emit(channels):
            wide = ir.VectorType(F32, channels * LANES)
            order = [channels * lane for lane in range(LANES)]
            with cgutils.for_range(builder, vectors) as group:
                values = loaded(builder, _at(builder, src, group.index, channels * VECTOR_BYTES), wide, 4)
                picked = _shuffled(builder, values, ir.Constant(wide, ir.Undefined), order)
                stored(builder, _at(builder, dst, group.index, VECTOR_BYTES), picked, 4)

        _for_channels(builder, channels, emit)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), codegen


@intrinsic
def weave_channels(typing_context, src, pitch, channels, dst, vectors):
    """Interleave 2 to 4 rows of one channel each, ``pitch`` bytes apart, in whole vectors."""

    def codegen(context, builder, signature, args):
        src, pitch, channels, dst, vectors = args

        def emit(channels):
            with cgutils.for_range(builder, vectors) as group:
                to = _at(builder, dst, group.index, channels * VECTOR_BYTES)
                for vector in _woven(builder, _at(builder, src, group.index, VECTOR_BYTES), pitch, channels):
                    stored(builder, to, vector, 4)
                    to = builder.add(to, ir.Constant(I64, VECTOR_BYTES))

        _for_channels(builder, channels, emit)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), codegen


def _woven(builder, at, pitch, channels):
    """Interleave the next pixels of rows of one channel each: as many vectors as channels."""
    rows = [
        loaded(builder, builder.add(at, builder.mul(pitch, ir.Constant(I64, c))), VECTOR, 4)
        for c in range(channels)
    ]
    rows += rows[:1] * (channels % 2)
    double = list(range(2 * LANES))
    pairs = [_shuffled(builder, a, b, double) for a, b in zip(rows[0::2], rows[1::2], strict=True)]
    whole = pairs[0] if len(pairs) == 1 else _shuffled(builder, *pairs, list(range(4 * LANES)))
    for part in range(channels):
        samples = range(part * LANES, (part + 1) * LANES)
        order = [sample % channels * LANES + sample // channels for sample in samples]
        yield _shuffled(builder, whole, ir.Constant(whole.type, ir.Undefined), order)
