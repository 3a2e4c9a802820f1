"""Store vectors of float32 as samples: mapped, rounded and clamped. Imported only to compile."""

import functools

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core.elements import (
    BYTE,
    COLORS,
    ELEMENTS,
    FLOAT,
    GROUP,
    INTEGERS,
    NONE,
    RGBX_BYTES,
    address_of,
    for_each_element,
    rgbx_address,
    size_of,
    switch_on_type,
    whole_groups,
)
from cnncli.core.jobs import RGBX, STREAMED
from cnncli.core.simd import (
    F32,
    I32,
    I64,
    LANES,
    LINE,
    VECTOR,
    VECTOR_BYTES,
    any_lane,
    constant,
    fused,
    loaded,
    prefetch,
    splatted,
    stored,
    streamed,
)

_NO_BITS = ir.Constant(INTEGERS, [0] * LANES)
_ROUNDER = 2.0**23  # adding it leaves a float's nearest integer, half to even, in its low bits
_ROUNDER_BITS = 0x4B000000


def _store_switch(builder, code, addresses, emit, rgbx):
    """Emit ``emit(element, streams)`` for all types: it streams if the code says so and addresses allow it.

    ``rgbx()`` emits the code for RGBX pixels.
    """
    bits = addresses[0]
    for address in addresses[1:]:
        bits = builder.or_(bits, address)
    uneven = builder.icmp_signed("!=", builder.and_(bits, ir.Constant(I64, VECTOR_BYTES - 1)), NONE)
    asked = builder.icmp_signed("==", code, ir.Constant(I64, STREAMED))
    code = builder.select(builder.and_(uneven, asked), ir.Constant(I64, FLOAT), code)
    cases = {each: functools.partial(emit, element, False) for each, element in ELEMENTS.items()}
    others = {STREAMED: functools.partial(emit, F32, True), RGBX: rgbx}
    return switch_on_type(builder, code, cases | others, I64)


@intrinsic
def store_sample(typing_context, base, index, element, value):
    """Store one value that is already clamped to its type."""

    def codegen(context, builder, signature, args):
        def emit(element):
            value = args[3]
            if element != F32:
                value = builder.trunc(_rounded(builder, value, I32, _limit(element)), element)
            stored(builder, address_of(builder, *args[:2], element), value, 1)

        for_each_element(builder, args[2], emit)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.float32), codegen


@intrinsic
def store_vectors(typing_context, src, samples, base, index, element, absolute, scale, bias, ahead):
    """Store floats at ``src``, |x| if absolute, times scale plus bias, clamped to the type, in whole vectors.

    Returns the number of values clamped by more than rounding; for floats 1 if any is not finite. Memory
    ``ahead`` bytes further in the output is prefetched.
    """

    def codegen(context, builder, signature, args):
        src, samples, base, first, code, absolute, scale, bias, ahead = args
        mapping = _mapping(builder, absolute, scale, bias)
        beyond = cgutils.alloca_once_value(builder, _NO_BITS)
        not_finite = cgutils.alloca_once_value(builder, constant(0))

        def value_at(i, vector):
            at = builder.add(address_of(builder, src, i, F32), ir.Constant(I64, vector * VECTOR_BYTES))
            return _mapped(builder, loaded(builder, at, VECTOR, 4), mapping)

        def group(i, element, streams, vectors):
            values = [value_at(i, vector) for vector in range(vectors)]
            address = address_of(builder, base, builder.add(first, i), element)
            if element == F32:
                _stored_floats(builder, address, values, streams)
                builder.store(_mark_not_finite(builder, values, builder.load(not_finite)), not_finite)
            else:
                builder.store(
                    builder.or_(builder.load(beyond), _stored_near(builder, address, values, element)), beyond
                )
            if vectors > 1 and not streams:
                for line in range(0, vectors * LANES * size_of(element), LINE):
                    to = builder.add(address, ir.Constant(I64, line))
                    prefetch(builder, builder.add(to, ahead), to_write=True)

        def clip(address_of, vectors, element, rgbx=False):
            """The rare second pass over a row in which values have to be clipped."""
            total = cgutils.alloca_once_value(builder, NONE)
            builder.store(NONE, total)
            with whole_groups(builder, samples, vectors * LANES) as (i, _):
                values = [value_at(i, vector) for vector in range(vectors)]
                counted = _stored_clipped(builder, address_of(i), values, element, rgbx=rgbx)
                builder.store(builder.add(builder.load(total), counted), total)
            return builder.load(total)

        def clip_if_beyond(*about):
            clipped = cgutils.alloca_once_value(builder, NONE)
            with builder.if_then(_any_bits(builder, builder.load(beyond)), likely=False):
                builder.store(clip(*about), clipped)
            return builder.load(clipped)

        def emit(element, streams):
            size = GROUP * LANES
            with whole_groups(builder, samples, size) as (i, _):
                group(i, element, streams, GROUP)
            start = builder.mul(builder.sdiv(samples, ir.Constant(I64, size)), ir.Constant(I64, size))
            with whole_groups(builder, builder.sub(samples, start), LANES) as (i, _):
                group(builder.add(start, i), element, streams, 1)
            if element == F32:
                return _any_not_finite(builder, builder.load(not_finite))
            return clip_if_beyond(
                lambda i: address_of(builder, base, builder.add(first, i), element), 1, element
            )

        def rgbx():
            def address_of(i):
                return rgbx_address(builder, base, builder.add(first, i))

            with whole_groups(builder, samples, COLORS * LANES) as (i, _):
                values = [value_at(i, vector) for vector in range(COLORS)]
                bits = _stored_near(builder, address_of(i), values, BYTE, rgbx=True)
                builder.store(builder.or_(builder.load(beyond), bits), beyond)
                prefetch(builder, builder.add(address_of(i), ahead), to_write=True)
            return clip_if_beyond(address_of, COLORS, BYTE, True)

        start = builder.add(base, builder.mul(first, ir.Constant(I64, 4)))  # where samples are floats
        return _store_switch(builder, code, (start,), emit, rgbx)

    return types.intp(*[types.intp] * 6, types.float32, types.float32, types.intp), codegen


def store_as_pixels(builder, rows, addresses, code, absolute, scale, bias):
    """Store rows of vectors of floats from registers, as `store_vectors` does from memory.

    Returns the same. RGBX rows consist of as many vectors as make whole pixels.
    """
    mapping = _mapping(builder, absolute, scale, bias)
    rows = [[_mapped(builder, value, mapping) for value in row] for row in rows]

    def pieces(sample_bytes):
        """Addresses and the vectors to store there, as many as can be joined."""
        for row, address in zip(rows, addresses, strict=True):
            done = 0
            while done < len(row):
                vectors = 1 << (len(row) - done).bit_length() - 1
                to = builder.add(address, ir.Constant(I64, done * LANES * sample_bytes))
                yield to, row[done : done + vectors]
                done += vectors

    def pixels():
        """Addresses and the vectors to store there, for RGBX pixels."""
        for row, address in zip(rows, addresses, strict=True):
            for at in range(0, len(row) - len(row) % COLORS, COLORS):
                to = builder.add(address, ir.Constant(I64, at // COLORS * RGBX_BYTES * LANES))
                yield to, row[at : at + COLORS]

    def integers(places, element, rgbx=False):
        beyond = _NO_BITS
        for piece in places:
            beyond = builder.or_(beyond, _stored_near(builder, *piece, element, rgbx=rgbx))
        clipped = cgutils.alloca_once_value(builder, NONE)
        builder.store(NONE, clipped)
        with builder.if_then(_any_bits(builder, beyond), likely=False):
            for piece in places:
                counted = _stored_clipped(builder, *piece, element, rgbx=rgbx)
                builder.store(builder.add(builder.load(clipped), counted), clipped)
        return builder.load(clipped)

    def emit(element, streams):
        if element != F32:
            return integers(list(pieces(size_of(element))), element)
        for piece in pieces(size_of(element)):
            _stored_floats(builder, *piece, streams)
        not_finite = constant(0)
        for row in rows:
            not_finite = _mark_not_finite(builder, row, not_finite)
        return _any_not_finite(builder, not_finite)

    return _store_switch(builder, code, addresses, emit, lambda: integers(list(pixels()), BYTE, True))


def _mapping(builder, absolute, scale, bias):
    """Arguments of `_mapped`: the bits to keep (all, or all but the sign), scale and bias."""
    sign = builder.shl(builder.trunc(absolute, I32), ir.Constant(I32, 31))
    return splatted(builder, builder.not_(sign)), splatted(builder, scale), splatted(builder, bias)


def _mapped(builder, value, mapping):
    """|value| or value, times scale, plus bias."""
    keep, scale, bias = mapping
    value = builder.bitcast(builder.and_(builder.bitcast(value, keep.type), keep), VECTOR)
    return fused(builder, value, scale, bias)


def _stored_floats(builder, address, values, streams):
    """Store consecutive vectors, bypassing the caches if ``streams``."""
    if streams:
        for at, value in enumerate(values):
            streamed(builder, builder.add(address, ir.Constant(I64, at * VECTOR_BYTES)), value)
    else:
        stored(builder, address, concatenated(builder, values), 1)


def _mark_not_finite(builder, values, before):
    """A vector that is 0, and NaN in lanes where it was or where any of the values is not finite."""
    for value in values:
        before = fused(builder, value, constant(0), before)
    return before


def _any_not_finite(builder, not_finite):
    """1 if any lane is not a number, else 0."""
    return builder.zext(any_lane(builder, builder.fcmp_unordered("uno", not_finite, not_finite)), I64)


def _stored_near(builder, address, values, element, *, rgbx=False):
    """Store vectors, a power of two of them or three for RGBX, as the nearest integers of a type.

    Returns a vector of bits that is not 0 in lanes where a value does not round into the range of the type:
    the stored value is then wrong.
    """
    beyond, nearest = _NO_BITS, []
    for value in values:
        nearest.append(builder.bitcast(builder.fadd(value, constant(_ROUNDER)), INTEGERS))
        beyond = builder.or_(beyond, builder.xor(nearest[-1], _every(_ROUNDER_BITS)))
    _stored_low_bits(builder, address, nearest, element, rgbx)
    return builder.and_(beyond, _every(~int(_limit(element)) & 0xFFFFFFFF))


def _stored_clipped(builder, address, values, element, *, rgbx=False):
    """Store vectors as the nearest integers in a type's range; returns how many were clipped."""
    nearest = [_rounded(builder, value, INTEGERS, _limit(element)) for value in values]
    _stored_low_bits(builder, address, nearest, element, rgbx)
    return _count_beyond(builder, values, element)


def _stored_low_bits(builder, address, integers, element, rgbx):
    """Store the low bits of each integer, contiguous, or as RGBX with 255 after every three."""
    whole = concatenated(builder, [*integers, integers[-1]] if rgbx else integers)
    low = builder.trunc(whole, ir.VectorType(element, whole.type.count))
    if rgbx:
        full = ir.Constant(low.type, [255] * low.type.count)
        places = [
            COLORS * pixel + channel if channel < COLORS else low.type.count
            for pixel in range(LANES)
            for channel in range(RGBX_BYTES)
        ]
        low = builder.shuffle_vector(low, full, ir.Constant(ir.VectorType(I32, len(places)), places))
    stored(builder, address, low, 1)


def _any_bits(builder, lanes):
    """Whether any lane is not 0."""
    return any_lane(builder, builder.icmp_signed("!=", lanes, _NO_BITS))


def _every(number):
    """An integer in all lanes."""
    return ir.Constant(INTEGERS, [number] * LANES)


def _count_beyond(builder, values, element):
    """The number of values outside the type's range by more than rounding."""
    counts = ir.Constant(INTEGERS, [0] * LANES)
    for value in values:
        counts = builder.sub(counts, builder.sext(beyond(builder, value, element), INTEGERS))
    total = NONE
    for lane in range(LANES):
        total = builder.add(total, builder.zext(builder.extract_element(counts, ir.Constant(I32, lane)), I64))
    return total


def _rounded(builder, value, kind, limit):
    """Floats as 32-bit integers whose low 16 bits are the nearest of 0 to limit; NaN is 0.

    Clamped after the addition, where maximum and minimum are one instruction each.
    """
    low, high = (
        ir.Constant(F32, each) if value.type == F32 else constant(each)
        for each in (_ROUNDER, _ROUNDER + limit)
    )
    value = _larger(builder, builder.fadd(value, low), low)
    return builder.bitcast(_smaller(builder, value, high), kind)


def nearest_integers(builder, value, element):
    """A vector of floats as the nearest integers in the range of a type, 32 bits each."""
    return builder.and_(_rounded(builder, value, INTEGERS, _limit(element)), _every(int(_limit(element))))


def store_bytes_apart(builder, value, places):
    """Store each lane of a vector of floats as the nearest byte, at an address of its own."""
    nearest = nearest_integers(builder, value, BYTE)
    for lane, place in enumerate(places):
        low = builder.trunc(builder.extract_element(nearest, ir.Constant(I32, lane)), BYTE)
        stored(builder, place, low, 1)


def _limit(element):
    """The largest value of an integer type."""
    return 2.0**element.width - 1


def _smaller(builder, a, b):
    """The smaller; b where a is NaN."""
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


def _larger(builder, a, b):
    """The larger; b where a is NaN."""
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def beyond(builder, value, element):
    """Whether a value is outside the type's range by more than rounding."""
    below = builder.fcmp_ordered("<", value, constant(-0.5))
    return builder.or_(below, builder.fcmp_ordered(">", value, constant(_limit(element) + 0.5)))


def concatenated(builder, parts):
    """Concatenate a power of two of vectors."""
    while len(parts) > 1:
        lanes = 2 * parts[0].type.count
        order = ir.Constant(ir.VectorType(I32, lanes), list(range(lanes)))
        parts = [builder.shuffle_vector(a, b, order) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]
