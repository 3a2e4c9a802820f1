"""Larger pictures of bytes by weights that are integers: sums of two columns, then of two rows.

Sums fit 16 bits and are exact, so that their order does not matter: each row of the source is summed along
once, and kept as long as rows of the result are made of it. A half is rounded to the even byte, as floats
are in `enlarge`.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.choices import ENLARGED_ROWS
from cnncli.core.elements import BYTE, steps
from cnncli.core.loops.integers import copy_bytes, load_u16
from cnncli.core.loops.shuffles import BYTES, PIECE, shuffled
from cnncli.core.loops.tile_io import HEADER_BYTES, inline
from cnncli.core.simd import I32, I64, VECTOR_BYTES, load_i64, loaded, record, splatted, stored, streamed
from cnncli.core.stores import concatenated

JOB, FRACTION = jobs.ENLARGE_BYTES, jobs.ENLARGED_FRACTION
WORD = ir.IntType(16)
SUMS = VECTOR_BYTES // 2  # in a vector
WORDS = ir.VectorType(WORD, SUMS)
PIECE_SUMS = PIECE // 2


def _words(number):
    return ir.Constant(WORDS, [number] * SUMS)


@intrinsic
def sum_columns(typing_context, src, starts, places, near, far, count, dst):
    """So many sums of two bytes of a row, in whole vectors."""

    def codegen(context, builder, signature, args):
        src, starts, places, near, far, count, dst = args
        with steps(builder, count, SUMS) as (i, _):
            first = builder.add(starts, i)  # as many bytes as sums
            parts = []
            for number in range(SUMS // PIECE_SUMS):
                start = loaded(builder, builder.add(first, ir.Constant(I64, 8 * number)), I64, 8)
                parts.append(loaded(builder, builder.add(src, start), ir.VectorType(BYTE, PIECE), 1))
            offset = builder.mul(i, ir.Constant(I64, 2))
            order, *weights = (
                loaded(builder, builder.add(each, offset), kind, 2)
                for each, kind in ((places, BYTES), (near, WORDS), (far, WORDS))
            )
            pairs = builder.bitcast(shuffled(builder, concatenated(builder, parts), order), WORDS)
            bytes_ = builder.and_(pairs, _words(255)), builder.lshr(pairs, _words(8))
            terms = [builder.mul(value, weight) for value, weight in zip(bytes_, weights, strict=True)]
            stored(builder, builder.add(dst, offset), builder.add(*terms), 2)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 7), codegen


def _storing(store):
    """An intrinsic: whole vectors of bytes between two rows of sums."""

    @intrinsic
    def store_between(typing_context, upper, lower, upper_weight, lower_weight, opaque, count, dst):
        def codegen(context, builder, signature, args):
            upper, lower, *weights, opaque, count, dst = args
            weights = [splatted(builder, builder.trunc(weight, WORD), SUMS) for weight in weights]
            bits = splatted(builder, builder.trunc(opaque, I32), VECTOR_BYTES // 4)
            bits = builder.bitcast(bits, BYTES)
            with steps(builder, count, VECTOR_BYTES) as (i, _):
                halves = []
                for half in range(2):
                    offset = builder.add(
                        builder.mul(i, ir.Constant(I64, 2)), ir.Constant(I64, half * VECTOR_BYTES)
                    )
                    terms = [
                        builder.mul(loaded(builder, builder.add(row, offset), WORDS, 2), weight)
                        for row, weight in zip((upper, lower), weights, strict=True)
                    ]
                    total = builder.add(*terms)
                    odd = builder.and_(builder.lshr(total, _words(FRACTION)), _words(1))
                    total = builder.add(builder.add(total, _words(2 ** (FRACTION - 1) - 1)), odd)
                    halves.append(builder.lshr(total, _words(FRACTION)))
                whole = concatenated(builder, halves)
                found = builder.trunc(whole, BYTES)
                store(builder, builder.add(dst, i), builder.or_(found, bits))
            return context.get_dummy_value()

        return types.void(*[types.intp] * 7), codegen

    return store_between


keep_between = _storing(lambda builder, address, value: stored(builder, address, value, 1))
stream_between = _storing(streamed)


@inline
def store_row(job, upper, lower, y, first, count, line):
    """Samples of a row of the output, of which those beyond whole vectors go by ``line``."""
    upper_weight, lower_weight = load_u16(job.row_weights + 4 * y), load_u16(job.row_weights + 4 * y + 2)
    to, whole = job.out + y * job.out_pitch + first, count - count % VECTOR_BYTES
    if job.streams:
        stream_between(upper, lower, upper_weight, lower_weight, job.opaque, whole, to)
    else:
        keep_between(upper, lower, upper_weight, lower_weight, job.opaque, whole, to)
    if whole < count:
        upper, lower = upper + 2 * whole, lower + 2 * whole
        keep_between(upper, lower, upper_weight, lower_weight, job.opaque, VECTOR_BYTES, line)
        copy_bytes(to + whole, line, count - whole)


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    row_bytes = 2 * job.tile_samples
    line = scratch + HEADER_BYTES
    rows = line + VECTOR_BYTES
    for tile in range(lo, hi):
        tile_y = tile // job.tiles_x
        first = (tile - tile_y * job.tiles_x) * job.tile_samples
        count = min(job.tile_samples, job.samples - first)
        starts, places = job.starts + first, job.places + 2 * first
        near, far = job.near + 2 * first, job.far + 2 * first
        have = 0
        for y in range(tile_y * ENLARGED_ROWS, min((tile_y + 1) * ENLARGED_ROWS, job.height)):
            upper, lower = load_i64(job.upper + 8 * y), load_i64(job.lower + 8 * y)
            have = max(have, upper)
            while have <= lower:
                to = rows + have % 2 * row_bytes
                sum_columns(job.src + have * job.src_pitch, starts, places, near, far, count, to)
                have += 1
            store_row(job, rows + upper % 2 * row_bytes, rows + lower % 2 * row_bytes, y, first, count, line)
