"""Rows of bytes or of 16 bits, each sample replaced by its entry in a table.

Of bytes to bytes, a vector of samples takes two permutations of 128 entries each where the processor has them
(VBMI), or 16 of 16 entries, of which each leaves 0 where the upper half of a byte is another: on x86-64.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.elements import FLOAT, U8, steps
from cnncli.core.loops.integers import load_u8, load_u16, load_u32, store_8, store_16, store_32
from cnncli.core.loops.tile_io import inline
from cnncli.core.native import processor
from cnncli.core.simd import I32, I64, LINE, VECTOR_BYTES, loaded, record, stored

JOB = jobs.LEVELS
_BYTE = ir.IntType(8)
_VECTOR = ir.VectorType(_BYTE, VECTOR_BYTES)
_HAS = frozenset(processor()[2].split())
_WIDE = VECTOR_BYTES == LINE and "avx512vbmi" in _HAS
_SHUFFLES = {16: ("ssse3", "llvm.x86.ssse3.pshuf.b.128"), 32: ("avx2", "llvm.x86.avx2.pshuf.b"),
             64: ("avx512bw", "llvm.x86.avx512.pshuf.b.512")}  # fmt: skip
_NEEDS, _SHUFFLE = _SHUFFLES[VECTOR_BYTES]
BY_VECTORS = _NEEDS in _HAS


def _every(number):
    return ir.Constant(_VECTOR, [number] * VECTOR_BYTES)


def _called(builder, name, *arguments):
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(arguments))
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _in_halves(builder, table):
    """The entries as pairs of vectors of 64, and how a vector of bytes finds its own."""
    parts = [
        loaded(builder, builder.add(table, ir.Constant(I64, at)), _VECTOR, 1) for at in (0, 64, 128, 192)
    ]

    def find(places):
        name = "llvm.x86.avx512.vpermi2var.qi.512"
        low, high = (_called(builder, name, parts[at], places, parts[at + 1]) for at in (0, 2))
        return builder.select(builder.icmp_signed("<", places, _every(0)), high, low)

    return find


def _in_sixteenths(builder, table):
    """The entries 16 at a time, repeated in each vector, and how a vector of bytes finds its own."""
    small = ir.VectorType(_BYTE, 16)
    order = ir.Constant(ir.VectorType(I32, VECTOR_BYTES), [lane % 16 for lane in range(VECTOR_BYTES)])
    parts = []
    for at in range(0, 256, 16):
        part = loaded(builder, builder.add(table, ir.Constant(I64, at)), small, 1)
        parts.append(builder.shuffle_vector(part, ir.Constant(small, ir.Undefined), order))

    def find(places):
        found = _every(0)
        for number, part in enumerate(parts):
            # Below 16 there, a place stays below 128 when 112 are added, and is a place of the shuffle.
            own = builder.sub(places, _every(16 * number))
            own = _called(builder, f"llvm.uadd.sat.v{VECTOR_BYTES}i8", own, _every(112))
            found = builder.or_(found, _called(builder, _SHUFFLE, part, own))
        return found

    return find


@intrinsic
def map_vectors(typing_context, table, src, out, count):
    """Replace ``count`` bytes, of which all are in whole vectors, by a table's entries."""

    def codegen(context, builder, signature, args):
        table, src, out, count = args
        find = _in_halves(builder, table) if _WIDE else _in_sixteenths(builder, table)
        with steps(builder, count, VECTOR_BYTES) as (at, _):
            places = loaded(builder, builder.add(src, at), _VECTOR, 1)
            stored(builder, builder.add(out, at), find(places), 1)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), codegen


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


def loop(job_pointer, scratch, lo, hi):
    """Rows lo to hi."""
    job = record(job_pointer)
    for y in range(lo, hi):
        src, out = job.src + y * job.src_pitch, job.out + y * job.out_pitch
        done = 0
        if BY_VECTORS and job.src_type == U8 and job.out_type == U8:
            done = job.samples - job.samples % VECTOR_BYTES
            map_vectors(job.table, src, out, done)
        map_samples(job.table, src, job.src_type, out, job.out_type, done, job.samples)
