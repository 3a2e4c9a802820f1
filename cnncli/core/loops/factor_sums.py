"""Sums of bytes along rows and down columns, in registers: what `separable_bytes` is made of.

Vectors of bytes become sums of 32 bits in turns of four (`packing.in_turns`), and are packed to bytes by the
same turns, so that nothing is permuted between.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core.elements import BYTE, INTEGERS, NONE, as_float, steps
from cnncli.core.jobs import FACTOR_CHAINS as CHAINS
from cnncli.core.loops.packing import (
    BYTES,
    WORDS,
    added_bytes,
    bytes_in_turns,
    flagged,
    interleaved,
    pair_products,
)
from cnncli.core.loops.pair_sums import Extremes, listed
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
from cnncli.core.stores import store_bytes_apart

GROUP = VECTOR_BYTES  # samples of a vector of bytes: four of sums
GROUP_SIZE, GROUP_LESS_ONE = ir.Constant(I64, GROUP), ir.Constant(I64, GROUP - 1)
VECTORS = range(4)
EIGHT_BYTES = ir.VectorType(BYTE, 8)
PAIR_ROWS = 2  # rows of sums that are multiplied by one instruction, and output rows that share their loads
HALF_BITS = ir.Constant(
    ir.VectorType(I32, 2 * LANES), [2 * LANES * (each % 2) + each for each in range(2 * LANES)]
)


def _at(builder, base, number, size):
    """Address of the element of so many bytes with a number, an integer or a value."""
    number = ir.Constant(I64, number) if isinstance(number, int) else number
    return builder.add(base, builder.mul(number, ir.Constant(I64, size)))


def _sums(builder, start):
    """Slots for the sums of two rows, four vectors each, that start at a number."""
    slots = [[cgutils.alloca_once(builder, INTEGERS) for _ in VECTORS] for _ in range(PAIR_ROWS)]
    first = splatted(builder, builder.trunc(start, I32))
    for row in slots:
        for slot in row:
            builder.store(first, slot)
    return slots


def _low_bits(builder, count):
    """A mask of so many bits."""
    one = ir.Constant(INTEGERS, [1] * LANES)
    return builder.sub(builder.shl(one, count), one)


def _add_products(builder, slot, pairs, factor):
    builder.store(builder.add(builder.load(slot), pair_products(builder, pairs, factor)), slot)


@intrinsic
def row_pairs(typing_context, above, below, samples, slots, offsets, weights, start, shift, carried, dst):
    """Sums along two rows of bytes, over 2^shift, as pairs of 16-bit integers.

    What remains of a division is carried to the row below: ``carried`` is the address of as many remainders
    of 32 bits.

    A slot is two pairs of bytes, at four offsets, whose sums have a weight each, two in one integer; those of
    the first pair are the ends of the row. Whole groups are summed, of which the last may read beyond the
    samples. Returns the least and the greatest byte under the sums, as least + 256 * greatest.
    """

    def codegen(context, builder, signature, args):
        above, below, samples, slots, offsets, weights, start, shift, carried, dst = args
        down = splatted(builder, builder.trunc(shift, I32))
        up = builder.sub(ir.Constant(INTEGERS, [16] * LANES), down)
        below_one = _low_bits(builder, down)
        found = Extremes(builder)
        with steps(builder, samples, GROUP) as (i, _):
            for row in (above, below):
                for end in range(2):
                    at = builder.add(row, loaded(builder, _at(builder, offsets, end, 8), I64, 8))
                    x = loaded(builder, builder.add(at, i), BYTES, 1)
                    found.meet(x, x)
            sums = _sums(builder, start)
            with steps(builder, slots) as (slot, _):
                entry = _at(builder, offsets, slot, 32)
                places = [loaded(builder, _at(builder, entry, each, 8), I64, 8) for each in range(4)]
                factor = splatted(builder, loaded(builder, _at(builder, weights, slot, 4), I32, 4))
                for row, totals in zip((above, below), sums, strict=True):
                    here = builder.add(row, i)
                    read = [loaded(builder, builder.add(here, place), BYTES, 1) for place in places]
                    one, two = added_bytes(builder, *read[:2]), added_bytes(builder, *read[2:])
                    halves = (
                        half for pair in zip(one, two, strict=True) for half in interleaved(builder, *pair)
                    )
                    for total, half in zip(totals, halves, strict=True):
                        _add_products(builder, total, half, factor)
            for v, totals in enumerate(zip(*sums, strict=True)):
                kept = _at(builder, _at(builder, carried, i, 4), v, VECTOR_BYTES)
                upper, lower = (builder.load(total) for total in totals)
                upper = builder.add(upper, loaded(builder, kept, INTEGERS, 4))
                lower = builder.add(lower, builder.and_(upper, below_one))
                stored(builder, kept, builder.and_(lower, below_one), 4)
                first, second = builder.lshr(upper, down), builder.shl(lower, up)
                pair = builder.shuffle_vector(
                    *(builder.bitcast(x, WORDS) for x in (first, second)), HALF_BITS
                )
                stored(builder, _at(builder, _at(builder, dst, i, 4), v, VECTOR_BYTES), pair, 4)
        # Bytes that are under the sums and neither the first nor the last cell of any.
        whole = builder.mul(builder.sdiv(builder.add(samples, GROUP_LESS_ONE), GROUP_SIZE), GROUP_SIZE)
        reach = loaded(builder, _at(builder, offsets, 1, 8), I64, 8)
        with cgutils.for_range_slice(builder, whole, reach, GROUP_SIZE, inc=True) as (i, _):
            for row in (above, below):
                x = loaded(builder, builder.add(row, i), BYTES, 1)
                found.meet(x, x)
        return found.both()

    return types.intp(*[types.intp] * 10), codegen


@intrinsic
def column_sums(
    typing_context, src, samples, places, pairs, weights, start, shift, doubt, dst, pitch, number, found
):
    """Sums down pairs of rows for two output rows, plus ``start``, over 2^shift, plus 128, as bytes.

    Whole groups are stored. A sum is open where less than ``doubt`` remains of the division: ``found``
    receives two integers for each group of a row that has open ones, a bit for each sample, and twice the
    number of its first sample, from ``number`` on, plus that of the row. Returns where ``found`` ends.
    """

    def codegen(context, builder, signature, args):
        src, samples, places, pairs, weights, start, shift, doubt, dst, pitch, number, found = args
        end = cgutils.alloca_once(builder, I64)
        builder.store(found, end)
        shift, doubt = (splatted(builder, builder.trunc(each, I32)) for each in (shift, doubt))
        below = _low_bits(builder, shift)
        with steps(builder, samples, GROUP) as (i, _):
            sums = _sums(builder, start)
            group = _at(builder, src, i, 4)
            with steps(builder, pairs) as (pair, _):
                here = builder.add(group, loaded(builder, _at(builder, places, pair, 8), I64, 8))
                own = _at(builder, weights, pair, 4 * PAIR_ROWS)
                factors = [
                    splatted(builder, loaded(builder, _at(builder, own, row, 4), I32, 4))
                    for row in range(PAIR_ROWS)
                ]
                for v in VECTORS:
                    x = loaded(builder, _at(builder, here, v, VECTOR_BYTES), INTEGERS, 4)
                    for totals, factor in zip(sums, factors, strict=True):
                        _add_products(builder, totals[v], x, factor)
            to, number_of = builder.add(dst, i), builder.add(number, _at(builder, i, i, 1))
            for row, totals in enumerate(sums):
                own = [builder.load(total) for total in totals]
                low = bytes_in_turns(builder, [builder.ashr(each, shift) for each in own])
                stored(builder, builder.add(to, builder.mul(pitch, ir.Constant(I64, row))), low, 1)
                holds = [builder.icmp_signed("<", builder.and_(each, below), doubt) for each in own]
                open_ = builder.zext(flagged(builder, holds), I64)
                named = builder.add(number_of, ir.Constant(I64, row))
                builder.store(listed(builder, builder.load(end), open_, named), end)
        return builder.load(end)

    return types.intp(*[types.intp] * 12), codegen


@intrinsic
def sums_anew(typing_context, list_, pitch, kh, columns, blocks, room, taps, step, rows, scale, bias):
    """Sums of single samples, as many as a vector has lanes, in the order of `separable`, stored as bytes.

    ``list_`` has the address of the first cell and that of the output of each. A row of cells is ``blocks``
    of eight bytes, and its taps are ``step`` bytes apart. `FACTOR_CHAINS` rows are summed at once, as each
    addition waits for the one before it; weights below the column are 0. ``room`` is scratch for a byte of
    each lane and cell of these rows.
    """

    def codegen(context, builder, signature, args):
        list_, pitch, kh, columns, blocks, room, taps, step, rows, scale, bias = args
        entries = [_at(builder, list_, lane, 16) for lane in range(LANES)]
        cells = [loaded(builder, entry, I64, 8) for entry in entries]
        total, *along = (cgutils.alloca_once(builder, VECTOR) for _ in range(1 + CHAINS))
        builder.store(constant(0), total)
        row_bytes = builder.mul(blocks, ir.Constant(I64, 8 * LANES))
        rooms = [builder.add(room, builder.mul(row_bytes, ir.Constant(I64, each))) for each in range(CHAINS)]
        last = builder.sub(kh, ir.Constant(I64, 1))
        with steps(builder, kh, CHAINS) as (row, _):
            for each, (to, chain) in enumerate(zip(rooms, along, strict=True)):
                own = builder.add(row, ir.Constant(I64, each))
                own = builder.select(builder.icmp_signed("<", own, last), own, last)
                below = builder.mul(own, pitch)
                with steps(builder, blocks) as (block, _):
                    at = builder.add(below, _at(builder, NONE, block, 8))
                    read = [loaded(builder, builder.add(cell, at), EIGHT_BYTES, 1) for cell in cells]
                    stored(builder, _at(builder, to, block, 8 * LANES), _by_cell(builder, read), 1)
                builder.store(constant(0), chain)
            with steps(builder, taps) as (tap, _):
                skipped = builder.mul(builder.mul(tap, step), ir.Constant(I64, LANES))
                weight = splatted(builder, loaded(builder, _at(builder, rows, tap, 4), F32, 4))
                for of, chain in zip(rooms, along, strict=True):
                    x = loaded(builder, builder.add(of, skipped), ir.VectorType(BYTE, LANES), 1)
                    value = fused(builder, weight, as_float(builder, x, VECTOR), builder.load(chain))
                    builder.store(value, chain)
            for each, chain in enumerate(along):
                at = _at(builder, _at(builder, columns, row, 4), each, 4)
                weight = splatted(builder, loaded(builder, at, F32, 4))
                builder.store(fused(builder, weight, builder.load(chain), builder.load(total)), total)
        scale, bias = (splatted(builder, each) for each in (scale, bias))
        outputs = (loaded(builder, builder.add(entry, ir.Constant(I64, 8)), I64, 8) for entry in entries)
        store_bytes_apart(builder, fused(builder, builder.load(total), scale, bias), outputs)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 9, types.float32, types.float32), codegen


def _by_cell(builder, lanes):
    """Bytes of each lane as those of each place, lane by lane."""
    together = 1
    while len(lanes) > 1:
        count = lanes[0].type.count
        order = [
            first + each + other
            for first in range(0, count, together)
            for other in (0, count)
            for each in range(together)
        ]
        order = ir.Constant(ir.VectorType(I32, 2 * count), order)
        lanes = [builder.shuffle_vector(*pair, order) for pair in zip(lanes[::2], lanes[1::2], strict=True)]
        together *= 2
    return lanes[0]
