"""Vectors of 32-bit integers: from pairs of 16 bits, and to bytes.

On x86 by its own instructions, which LLVM does not find by itself or surrounds with permutations. Imported
only to compile.
"""

import functools

from llvmlite import ir
from numba.core import cgutils

from cnncli.core.elements import INTEGERS
from cnncli.core.simd import ARCHITECTURE, I32, LANES, VECTOR_BYTES, any_lane

BYTES, WORDS = ir.VectorType(ir.IntType(8), VECTOR_BYTES), ir.VectorType(ir.IntType(16), VECTOR_BYTES // 2)
PACKS = ARCHITECTURE in ("x86_64", "AMD64", "i686")
TURNED_FLAGS = PACKS and LANES == 8  # comparisons are vectors, which are packed in turns of 128 bits


def pair_products(builder, a, b):
    """Each lane of 32 bits as two signed numbers of 16: the sum of the products of those of a and b."""
    if PACKS:
        name = {4: "sse2.pmadd.wd", 8: "avx2.pmadd.wd", 16: "avx512.pmaddw.d.512"}[LANES]
        return _x86(builder, name, INTEGERS, ir.VectorType(ir.IntType(16), 2 * LANES), a, b)
    a, b = (builder.bitcast(each, INTEGERS) for each in (a, b))
    half = ir.Constant(INTEGERS, [16] * LANES)
    low = builder.mul(*(builder.ashr(builder.shl(each, half), half) for each in (a, b)))
    return builder.add(low, builder.mul(*(builder.ashr(each, half) for each in (a, b))))


def added_bytes(builder, a, b):
    """Sums of two vectors of bytes as two vectors of 16 bits, in turns of eight sums."""
    one, other = (builder.bitcast(each, BYTES) for each in (a, b))
    if PACKS:
        name = {4: "ssse3.pmadd.ub.sw.128", 8: "avx2.pmadd.ub.sw", 16: "avx512.pmaddubs.w.512"}[LANES]
        ones = ir.Constant(BYTES, [1] * VECTOR_BYTES)
        return [_x86(builder, name, WORDS, BYTES, each, ones) for each in interleaved(builder, one, other)]
    none = ir.Constant(BYTES, [0] * VECTOR_BYTES)
    wide = (
        [builder.bitcast(half, WORDS) for half in interleaved(builder, each, none)] for each in (one, other)
    )
    return [builder.add(*pair) for pair in zip(*wide, strict=True)]


def interleaved(builder, a, b):
    """Two vectors of bytes or of 16 bits, in turns: of the lower and of the upper half of each 128 bits."""
    count = a.type.count
    turn = 4 * count // LANES  # elements of 128 bits
    for half in (0, turn // 2):
        order = [
            part + half + each + count * other
            for part in range(0, count, turn)
            for each in range(turn // 2)
            for other in (0, 1)
        ]
        yield builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, count), order))


def in_turns(place):
    """The sample at a place of four vectors of sums, one after the other, that were `interleaved` twice."""
    vector, lane = place // LANES, place % LANES
    return lane // 4 * 16 + vector * 4 + lane % 4


def bytes_in_turns(builder, four):
    """Four vectors of 32-bit integers from -128 to 127, plus 128, as bytes in the order of `in_turns`."""
    if PACKS:
        halves = [_packed(builder, "packssdw", 16, *four[at : at + 2]) for at in (0, 2)]
        low = _packed(builder, "packsswb", 8, *halves)
    else:
        whole = concatenated(builder, four)
        whole = builder.trunc(whole, BYTES)
        turns = [in_turns(place) for place in range(VECTOR_BYTES)]
        order = [turns.index(sample) for sample in range(VECTOR_BYTES)]
        low = builder.shuffle_vector(whole, whole, ir.Constant(ir.VectorType(I32, VECTOR_BYTES), order))
    return builder.xor(low, ir.Constant(BYTES, [128] * VECTOR_BYTES))


def packed_bytes(builder, four):
    """Four vectors of 32-bit integers, clamped to bytes, four in a lane; and what `beyond_byte` takes."""
    if PACKS:
        halves = [_packed(builder, "packssdw", 16, *four[at : at + 2]) for at in (0, 2)]
        return _in_order(builder, _packed(builder, "packuswb", 8, *halves)), halves
    whole = concatenated(builder, four)
    for comparison, limit in (("<", 255), (">", 0)):
        bound = ir.Constant(whole.type, [limit] * whole.type.count)
        whole = builder.select(builder.icmp_signed(comparison, whole, bound), whole, bound)
    low = builder.trunc(whole, ir.VectorType(ir.IntType(8), whole.type.count))
    return builder.bitcast(low, INTEGERS), four


def beyond_byte(builder, clamped):
    """Whether any number was clamped, and a function for an integer with a bit for each that was.

    In the order of `flag_place`.
    """
    high = ir.Constant(clamped[0].type, [-256] * clamped[0].type.count)
    any_bits = functools.reduce(builder.or_, clamped)
    some = _any_bit(builder, any_bits, high)

    def bits():
        whole = concatenated(builder, clamped)
        none, high = (ir.Constant(whole.type, [value] * whole.type.count) for value in (0, -256))
        over = builder.icmp_signed("!=", builder.and_(whole, high), none)
        if PACKS:  # two vectors in turns of four numbers
            lanes = map(flag_place, range(4 * LANES))
            order = [
                lane // LANES // 2 * 2 * LANES + lane % LANES // 4 * 8 + lane // LANES % 2 * 4 + lane % 4
                for lane in lanes
            ]
            over = builder.shuffle_vector(over, over, ir.Constant(ir.VectorType(I32, len(order)), order))
        return builder.bitcast(over, ir.IntType(whole.type.count))

    return some, bits


def flagged(builder, four):
    """Four comparisons of vectors of 32-bit integers as an integer with a bit each, see `flag_place`."""
    if not TURNED_FLAGS:
        whole = concatenated(builder, four)
        return builder.bitcast(whole, ir.IntType(whole.type.count))
    masks = [builder.sext(each, INTEGERS) for each in four]
    halves = [_packed(builder, "packssdw", 16, *masks[at : at + 2]) for at in (0, 2)]
    low = builder.bitcast(_packed(builder, "packsswb", 8, *halves), BYTES)
    below = builder.icmp_signed("<", low, ir.Constant(BYTES, [0] * VECTOR_BYTES))
    return builder.bitcast(below, ir.IntType(VECTOR_BYTES))


def flag_place(bit):
    """The lane, of four vectors one after the other, that a bit of `flagged` stands for."""
    if not TURNED_FLAGS:
        return bit
    return bit % 16 // 4 * LANES + bit // 16 * 4 + bit % 4


def _any_bit(builder, value, mask):
    """Whether a vector has any bit of a mask."""
    if TURNED_FLAGS:
        kind = ir.VectorType(ir.IntType(64), LANES // 2)
        none = ir.FunctionType(I32, [kind] * 2)
        test = cgutils.get_or_insert_function(builder.module, none, "llvm.x86.avx.ptestz.256")
        found = builder.call(test, [builder.bitcast(each, kind) for each in (value, mask)])
        return builder.icmp_signed("==", found, ir.Constant(I32, 0))
    return any_lane(
        builder,
        builder.icmp_signed("!=", builder.and_(value, mask), ir.Constant(value.type, [0] * value.type.count)),
    )


def _packed(builder, name, bits, a, b):
    """Two vectors of integers as one of half their width, saturated, in turns of 128 bits."""
    kind = {4: "sse2.{}.128", 8: "avx2.{}", 16: "avx512.{}.512"}[LANES].format(name)
    count = VECTOR_BYTES * 8 // bits
    wide, narrow = ir.VectorType(ir.IntType(2 * bits), count // 2), ir.VectorType(ir.IntType(bits), count)
    return _x86(builder, kind, narrow, wide, a, b)


def _in_order(builder, low):
    """What was packed twice, as vectors of 32 bits, one after the other."""
    parts = LANES // 4  # of 128 bits
    order = ir.Constant(INTEGERS, [4 * part + each for each in range(4) for part in range(parts)])
    low = builder.bitcast(low, INTEGERS)
    return builder.shuffle_vector(low, low, order)


def _x86(builder, name, result, argument, a, b):
    """Call an intrinsic for two vectors, taken for those of another type."""
    kind = ir.FunctionType(result, [argument] * 2)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.{name}")
    return builder.call(function, [builder.bitcast(each, argument) for each in (a, b)])


def concatenated(builder, vectors):
    """One vector of a power of two of them."""
    while len(vectors) > 1:
        lanes = 2 * vectors[0].type.count
        order = ir.Constant(ir.VectorType(I32, lanes), [*range(lanes)])
        vectors = [
            builder.shuffle_vector(*pair, order) for pair in zip(vectors[::2], vectors[1::2], strict=True)
        ]
    return vectors[0]
