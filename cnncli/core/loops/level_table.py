"""Rows of bytes or of 16 bits, each sample replaced by its entry in a table.

Tables of bytes that are an instruction or two are those: XOR with a number (0 where levels stay, 255 where
they are inverted), or one entry up to a level and another above. Of all others a vector takes two
permutations of 128 entries each where the processor has them (VBMI), or 16 of 16 entries: on x86-64.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.elements import BYTE, FLOAT, U8
from cnncli.core.loops.integers import load_u8, load_u16, load_u32, store_8, store_16, store_32
from cnncli.core.loops.shuffles import BYTES, MASKS, PIECE, shuffled
from cnncli.core.loops.tile_io import inline
from cnncli.core.native import processor
from cnncli.core.simd import I32, I64, LINE, VECTOR_BYTES, loaded, record, splatted, stored, streamed

JOB = jobs.LEVELS
LEVELS = 256
_HAS = frozenset(processor()[2].split())
_WIDE = VECTOR_BYTES == LINE and "avx512vbmi" in _HAS


def _every(number):
    return ir.Constant(BYTES, [number] * VECTOR_BYTES)


def _called(builder, name, *arguments):
    kind = ir.FunctionType(BYTES, [BYTES] * len(arguments))
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _in_halves(builder, table):
    """The entries as pairs of vectors of 64, and how a vector of bytes finds its own."""
    parts = [loaded(builder, builder.add(table, ir.Constant(I64, at)), BYTES, 1) for at in (0, 64, 128, 192)]

    def find(places):
        name = "llvm.x86.avx512.vpermi2var.qi.512"
        low, high = (_called(builder, name, parts[at], places, parts[at + 1]) for at in (0, 2))
        return builder.select(builder.icmp_signed("<", places, _every(0)), high, low)

    return find


def _in_sixteenths(builder, table):
    """The entries 16 at a time, repeated in each vector, and how a vector of bytes finds its own.

    A shuffle reads four bits of a place, and gives 0 where it is negative: so each part is kept as its XOR
    with the part before, and a place, less 16 for each, takes all parts up to its own. Half of the table at a
    time, as places that are not negative end at 127.
    """
    small = ir.VectorType(BYTE, PIECE)
    order = ir.Constant(ir.VectorType(I32, VECTOR_BYTES), [lane % PIECE for lane in range(VECTOR_BYTES)])
    halves = []
    for half in (0, LEVELS // 2):
        before, parts = ir.Constant(small, [0] * small.count), []
        for at in range(half, half + LEVELS // 2, small.count):
            part = loaded(builder, builder.add(table, ir.Constant(I64, at)), small, 1)
            change = builder.xor(part, before)
            parts.append(builder.shuffle_vector(change, ir.Constant(small, ir.Undefined), order))
            before = part
        halves.append(parts)

    def find(places):
        found = _every(0)
        for start, parts in zip((0, LEVELS // 2), halves, strict=True):
            own = builder.xor(places, _every(start))
            for part in parts:
                found = builder.xor(found, shuffled(builder, part, own))
                own = _called(builder, f"llvm.ssub.sat.v{VECTOR_BYTES}i8", own, _every(PIECE))
        return found

    return find


def _vectors(count, prepare):
    """An intrinsic: ``prepare(builder, *numbers)`` gives what replaces each vector of bytes.

    It takes addresses to read and to write, how many bytes, of which all are in whole vectors, and whether
    they bypass the caches, to aligned addresses.
    """

    @intrinsic
    def change(typing_context, src, out, size, streams, numbers):
        def codegen(context, builder, signature, args):
            src, out, size, streams, numbers = args
            find = prepare(builder, *cgutils.unpack_tuple(builder, numbers))

            def run(store):
                with cgutils.for_range_slice(
                    builder, ir.Constant(I64, 0), size, ir.Constant(I64, VECTOR_BYTES), intp=I64, inc=True
                ) as (at, _):
                    value = find(loaded(builder, builder.add(src, at), BYTES, 1))
                    store(builder.add(out, at), value)

            streaming = builder.icmp_signed("!=", streams, ir.Constant(I64, 0))
            with builder.if_else(streaming) as (past, through):
                with past:
                    run(lambda to, value: streamed(builder, to, value))
                with through:
                    run(lambda to, value: stored(builder, to, value, 1))
            return context.get_dummy_value()

        return types.void(*[types.intp] * 4, types.UniTuple(types.intp, count)), codegen

    return change


def _as_bytes(builder, number):
    return splatted(builder, builder.trunc(number, BYTE), VECTOR_BYTES)


def _turning(builder, bits):
    bits = _as_bytes(builder, bits)
    return lambda value: builder.xor(value, bits)


def _stepping(builder, last, low, high):
    last, low, high = (_as_bytes(builder, each) for each in (last, low, high))
    return lambda value: builder.select(builder.icmp_unsigned(">", value, last), high, low)


turn_vectors, step_vectors = _vectors(1, _turning), _vectors(3, _stepping)
find_vectors = _vectors(1, _in_halves if _WIDE else _in_sixteenths)


@inline
def turns_bits(table):
    """Whether each entry of bytes is its level XOR the first entry."""
    first = load_u8(table)
    different = 0
    for level in range(LEVELS):
        different |= load_u8(table + level) ^ level ^ first
    return different == 0


@inline
def last_low(table):
    """The last level up to which all bytes are as the first; -1 if those above are not all as the last."""
    first, final = load_u8(table), load_u8(table + LEVELS - 1)
    last = 0
    while last < LEVELS - 1 and load_u8(table + last + 1) == first:
        last += 1
    for level in range(last + 1, LEVELS):
        if load_u8(table + level) != final:
            return -1
    return last


@inline
def map_samples(table, src, kind, out, out_kind, lo, hi):
    """Replace samples lo to hi of a row, one by one; entries are of the output's type."""
    for x in range(lo, hi):
        level = load_u8(src + x) if kind == U8 else load_u16(src + 2 * x)
        if out_kind == U8:
            store_8(out + x, load_u8(table + level))
        elif out_kind == FLOAT:
            store_32(out + 4 * x, load_u32(table + 4 * level))
        else:
            store_16(out + 2 * x, load_u16(table + 2 * level))


@inline
def map_bytes(job, src, out, samples, turns, last):
    """Replace bytes by bytes: whole vectors, aligned where they bypass the caches, and the rest."""
    table, streams = job.table, job.streams
    first = min(-out & (VECTOR_BYTES - 1), samples) if streams != 0 else 0
    size = (samples - first) - (samples - first) % VECTOR_BYTES
    if turns:
        turn_vectors(src + first, out + first, size, streams, (load_u8(table),))
    elif last >= 0:
        ends = (last, load_u8(table), load_u8(table + LEVELS - 1))
        step_vectors(src + first, out + first, size, streams, ends)
    elif MASKS:
        find_vectors(src + first, out + first, size, streams, (table,))
    else:
        size = 0
    map_samples(table, src, U8, out, U8, 0, first)
    map_samples(table, src, U8, out, U8, first + size, samples)


def loop(job_pointer, scratch, lo, hi):
    """Rows lo to hi; those that follow one another without a gap are one."""
    job = record(job_pointer)
    of_bytes = job.src_type == U8 and job.out_type == U8
    turns, last, samples, count = False, -1, job.samples, hi - lo
    if of_bytes:
        turns, last = turns_bits(job.table), last_low(job.table)
        if job.src_pitch == samples and job.out_pitch == samples:
            samples, count = samples * count, 1
    for y in range(count):
        src, out = job.src + (lo + y) * job.src_pitch, job.out + (lo + y) * job.out_pitch
        if of_bytes:
            map_bytes(job, src, out, samples, turns, last)
        else:
            map_samples(job.table, src, job.src_type, out, job.out_type, 0, samples)
