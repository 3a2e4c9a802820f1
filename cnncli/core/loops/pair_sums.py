"""Sums of bytes by pairs of rows, in registers: what `direct_pairs` is made of."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core.elements import BYTE, INTEGERS, NONE, steps
from cnncli.core.loops.packing import (
    BYTES,
    beyond_byte,
    concatenated,
    flag_place,
    flagged,
    interleaved,
    packed_bytes,
    pair_products,
)
from cnncli.core.loops.taps import ROW_CHUNK, ROWS
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
from cnncli.core.stores import beyond, store_bytes_apart

VECTORS = ROW_CHUNK // LANES
QUAD = 4  # vectors of sums that are one of bytes
WIDE, HALF_WIDE = QUAD * LANES, QUAD * LANES // 2  # samples
WHOLE = VECTORS // QUAD  # quads of a row; what is left of two rows is a quad, too
ENTRY_BYTES, OPEN_BYTES = 16, 24  # of a quad with open sums, and of one such sum
BLOCK = 4  # cells that are loaded at once
FOUR, LONGS = ir.VectorType(I32, BLOCK), ir.VectorType(I64, LANES // 2)


def _quads():
    """The row and the number of each vector, of all quads."""
    for row in range(ROWS):
        for first in range(0, WHOLE * QUAD, QUAD):
            yield [(row, first + v) for v in range(QUAD)]
    if VECTORS % QUAD:
        for row in range(0, ROWS, 2):
            yield [(row + v // 2, WHOLE * QUAD + v % 2) for v in range(QUAD)]


QUADS = list(_quads())
QUAD_COUNT = len(QUADS)


@intrinsic
def load_interleaved(typing_context, above, below, samples, dst, least, most, ahead):
    """Bytes of two rows as pairs of 16-bit integers to ``dst``, in whole vectors; the rest is not loaded.

    The lesser of the two goes to ``least``, the greater to ``most``, as bytes. Memory ``ahead`` bytes further
    is prefetched.
    """

    def codegen(context, builder, signature, args):
        above, below, samples, dst, least, most, ahead = args
        size = 4 * LANES
        whole = builder.mul(builder.sdiv(samples, ir.Constant(I64, size)), ir.Constant(I64, size))

        def interleave(start, end, count):
            order = [lane + half * count for lane in range(count) for half in (0, 1)]
            with cgutils.for_range_slice(builder, start, end, ir.Constant(I64, count), inc=True) as (i, _):
                rows = [builder.add(each, i) for each in (above, below)]
                pair = [loaded(builder, row, ir.VectorType(BYTE, count), 1) for row in rows]
                mixed = builder.shuffle_vector(*pair, ir.Constant(ir.VectorType(I32, 2 * count), order))
                wide = builder.zext(mixed, ir.VectorType(ir.IntType(16), 2 * count))
                stored(builder, builder.add(dst, builder.mul(i, ir.Constant(I64, 4))), wide, 4)
                for to, comparison in ((least, "<"), (most, ">")):
                    one = builder.select(builder.icmp_unsigned(comparison, *pair), *pair)
                    stored(builder, builder.add(to, i), one, 1)
                if count == size:
                    for row in rows:
                        prefetch(builder, builder.add(row, ahead))

        interleave(NONE, whole, size)
        rest = builder.sub(samples, builder.srem(samples, ir.Constant(I64, LANES)))
        interleave(whole, rest, LANES)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 7), codegen


class Extremes:
    """The least and the greatest of bytes, while code for them is emitted."""

    def __init__(self, builder):
        self.builder = builder
        self.slots = [cgutils.alloca_once(builder, BYTES) for _ in range(2)]
        for slot, worst in zip(self.slots, (255, 0), strict=True):
            builder.store(ir.Constant(BYTES, [worst] * BYTES.count), slot)

    def meet(self, least, most):
        """Bytes that count: for the least, and for the greatest."""
        for slot, row, comparison in zip(self.slots, (least, most), "<>", strict=True):
            values = row, self.builder.load(slot)
            better = self.builder.icmp_unsigned(comparison, *values)
            self.builder.store(self.builder.select(better, *values), slot)

    def both(self):
        """Both, as least + 256 * greatest."""
        low, high = (
            self.builder.zext(
                self.builder.call(
                    _function(self.builder, f"vector.reduce.{name}.v{BYTES.count}i8", BYTE, [BYTES]),
                    [self.builder.load(slot)],
                ),
                I64,
            )
            for name, slot in zip(("umin", "umax"), self.slots, strict=True)
        )
        return self.builder.add(low, self.builder.shl(high, ir.Constant(I64, 8)))


@intrinsic
def range_of(typing_context, least, most, places, pairs, length):
    """The least and the greatest byte, as least + 256 * greatest, of rows at a quarter of the places given.

    Bytes up to a vector beyond ``length`` may count.
    """

    def codegen(context, builder, signature, args):
        least, most, places, pairs, length = args
        found = Extremes(builder)
        with steps(builder, pairs) as (pair, _):
            entry = builder.add(places, builder.mul(pair, ir.Constant(I64, 8)))
            skipped = builder.ashr(loaded(builder, entry, I64, 8), ir.Constant(I64, 2))
            with steps(builder, length, 4 * LANES) as (i, _):
                at = builder.add(skipped, i)
                found.meet(*(loaded(builder, builder.add(row, at), BYTES, 1) for row in (least, most)))
        return found.both()

    return types.intp(*[types.intp] * 5), codegen


@intrinsic
def pair_sums(
    typing_context,
    src,
    ends,
    offsets,
    weights,
    start,
    shift,
    doubt,
    dst,
    pitch,
    number,
    found,
    rows,
    lanes,
    clipped,
):
    """Sums over taps for `ROWS` rows of one chunk, plus ``start``, over 2^shift, stored as bytes.

    A sum is open where less than ``doubt`` remains of the division. ``found`` receives two integers for each
    quad that has open ones: a bit for each sample, and the quad's number, of those from ``number`` on. Adds
    the others that are no bytes, in the first rows and lanes, to the integer at ``clipped``. Prefetches what
    the next rows are stored to. Returns where ``found`` ends.
    """

    def codegen(context, builder, signature, args):
        (
            src,
            ends,
            offsets,
            weights,
            start,
            shift,
            doubt,
            dst,
            pitch,
            number,
            found,
            *valid,
            clipped,
        ) = args
        for row in range(ROWS, 2 * ROWS):
            below = builder.add(dst, builder.mul(pitch, ir.Constant(I64, row)))
            for at in range(0, ROW_CHUNK, LINE):
                prefetch(builder, builder.add(below, ir.Constant(I64, at)), to_write=True)
        sums = _sums(builder, src, ends, offsets, weights, start)
        shift, doubt = (splatted(builder, builder.trunc(each, I32)) for each in (shift, doubt))
        below = builder.sub(builder.shl(_every(1), shift), _every(1))
        for quad, places in enumerate(QUADS):
            own = [sums[row][v] for row, v in places]
            low, clamped = packed_bytes(builder, [builder.ashr(each, shift) for each in own])
            _store_quad(builder, low, dst, pitch, places)
            rest = (builder.and_(each, below) for each in own)
            holds = [builder.icmp_signed("<", each, doubt) for each in rest]
            open_ = builder.zext(flagged(builder, holds), I64)
            found = listed(builder, found, open_, builder.add(number, ir.Constant(I64, quad)))
            some, beyond = beyond_byte(builder, clamped)
            with builder.if_then(some, likely=False):
                far = builder.and_(builder.zext(beyond(), I64), builder.not_(open_))
                far = builder.and_(far, _valid(builder, places, *valid))
                count = builder.call(_function(builder, "ctpop.i64", I64, [I64]), [far])
                stored(builder, clipped, builder.add(loaded(builder, clipped, I64, 8), count), 8)
        return found

    return types.intp(*[types.intp] * 14), codegen


def listed(builder, found, open_, number):
    """Add a word, if it is not 0, and a number to a list; its new end."""
    stored(builder, found, open_, 8)
    stored(builder, builder.add(found, ir.Constant(I64, 8)), number, 8)
    some = builder.zext(builder.icmp_signed("!=", open_, NONE), I64)  # no branch: it would be a guess
    return builder.add(found, builder.mul(some, ir.Constant(I64, ENTRY_BYTES)))


def _store_quad(builder, low, dst, pitch, places):
    """Store the bytes of a quad, or each half of them in a row of its own."""
    parts = [(0, WIDE)] if places[0][0] == places[-1][0] else [(0, HALF_WIDE), (HALF_WIDE, HALF_WIDE)]
    for start, count in parts:
        row, v = places[start // LANES]
        order = ir.Constant(ir.VectorType(I32, count // 4), [*range(start // 4, (start + count) // 4)])
        to = builder.add(
            builder.add(dst, builder.mul(pitch, ir.Constant(I64, row))), ir.Constant(I64, v * LANES)
        )
        stored(builder, to, builder.shuffle_vector(low, low, order), 1)


def _valid(builder, places, rows, lanes):
    """A word with a bit for each sample of a quad: whether it lies in the first rows and lanes."""
    word = NONE
    for bit in range(WIDE):
        at = flag_place(bit)
        row, v = places[at // LANES]
        inside = builder.and_(
            builder.icmp_signed(">", rows, ir.Constant(I64, row)),
            builder.icmp_signed(">", lanes, ir.Constant(I64, v * LANES + at % LANES)),
        )
        word = builder.or_(word, builder.shl(builder.zext(inside, I64), ir.Constant(I64, bit)))
    return word


def _function(builder, name, result, arguments):
    """An intrinsic of LLVM."""
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), f"llvm.{name}")


def _sums(builder, src, ends, offsets, weights, start):
    """Emit the sums of `ROWS` rows, each a list of vectors."""
    first_value = splatted(builder, builder.trunc(start, I32))
    slots = [[cgutils.alloca_once(builder, INTEGERS) for _ in range(VECTORS)] for _ in range(ROWS)]
    for row in slots:
        for slot in row:
            builder.store(first_value, slot)
    first = NONE
    for number, (low, high) in enumerate(TARGET.pair_stretches):
        end = loaded(builder, builder.add(ends, ir.Constant(I64, 8 * number)), I64, 8)
        members = range(2 * low, 2 * high + 2)
        with cgutils.for_range_slice(builder, first, end, ir.Constant(I64, 1), inc=True) as (tap, _):
            entry = builder.add(offsets, builder.mul(tap, ir.Constant(I64, 8)))
            here = builder.add(src, loaded(builder, entry, I64, 8))
            own = builder.add(weights, builder.mul(tap, ir.Constant(I64, 4 * ROWS)))
            factors = [
                splatted(builder, loaded(builder, builder.add(own, ir.Constant(I64, 4 * s)), I32, 4))
                for s in members
            ]
            for v in range(VECTORS):
                x = loaded(builder, builder.add(here, ir.Constant(I64, v * VECTOR_BYTES)), INTEGERS, 4)
                for s, factor in zip(members, factors, strict=True):
                    slot = slots[s][v]
                    builder.store(builder.add(builder.load(slot), pair_products(builder, x, factor)), slot)
        first = end
    return [[builder.load(slot) for slot in row] for row in slots]


def _every(number):
    """An integer in all lanes."""
    return ir.Constant(INTEGERS, [number] * LANES)


@intrinsic
def sums_in_floats(typing_context, list_, kh, blocks, weights, scale, bias):
    """Sums of single samples, as many as a vector has lanes, in the order of `direct`, stored as bytes.

    ``list_`` has three addresses for each: that of its first cell in the first pair, of the byte offsets of
    its ``kh`` rows, and of its output. A row of cells and weights is ``blocks`` of `BLOCK`; weights are 0
    between pixels and beyond the last. Returns a bit for each lane that was clamped.
    """

    def codegen(context, builder, signature, args):
        list_, kh, blocks, weights, scale, bias = args
        entries = [builder.add(list_, ir.Constant(I64, OPEN_BYTES * lane)) for lane in range(LANES)]
        cells, offsets, outputs = (
            [loaded(builder, builder.add(entry, ir.Constant(I64, at)), I64, 8) for entry in entries]
            for at in (0, 8, 16)
        )
        total = cgutils.alloca_once_value(builder, constant(0))
        row_bytes = builder.mul(blocks, ir.Constant(I64, 4 * BLOCK))
        with steps(builder, kh) as (row, _):
            skipped = builder.mul(row, ir.Constant(I64, 8))
            places = (loaded(builder, builder.add(each, skipped), I64, 8) for each in offsets)
            froms = [builder.add(*pair) for pair in zip(cells, places, strict=True)]
            own = builder.add(weights, builder.mul(row, row_bytes))
            with steps(builder, row_bytes, 4 * BLOCK) as (at, _):
                read = [loaded(builder, builder.add(each, at), FOUR, 2) for each in froms]
                for number, pairs in enumerate(_by_column(builder, read)):
                    x = builder.sitofp(builder.and_(pairs, _every(0xFFFF)), VECTOR)
                    place = builder.add(builder.add(own, at), ir.Constant(I64, 4 * number))
                    weight = splatted(builder, loaded(builder, place, F32, 4))
                    builder.store(fused(builder, x, weight, builder.load(total)), total)
        scale, bias = (splatted(builder, each) for each in (scale, bias))
        mapped = fused(builder, builder.load(total), scale, bias)
        store_bytes_apart(builder, mapped, outputs)
        return builder.zext(builder.bitcast(beyond(builder, mapped, BYTE), ir.IntType(LANES)), I64)

    return types.intp(*[types.intp] * 4, types.float32, types.float32), codegen


def _by_column(builder, lanes):
    """Four integers of each lane as a vector for each of the four."""
    rows = [concatenated(builder, lanes[each::BLOCK]) for each in range(BLOCK)]
    halves = (interleaved(builder, *pair) for pair in (rows[:2], rows[2:]))
    for pair in zip(*halves, strict=True):
        for column in interleaved(builder, *(builder.bitcast(each, LONGS) for each in pair)):
            yield builder.bitcast(column, INTEGERS)
