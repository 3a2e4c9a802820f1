"""Direct convolution of bytes with a small kernel of small integers, in 16-bit integers.

Twice as many samples per vector as with floats, no conversion before the sum, and no error. Kernels such as
Sobel's and Laplace's are of this kind, up to a power of two that is folded into the final scale.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.choices import ROWS_AHEAD
from cnncli.core.loads import float_vectors
from cnncli.core.loops.kernel_rows import in_place, storing_chunks, tile_at
from cnncli.core.loops.median_network import row_copier
from cnncli.core.loops.tile_io import HEADER_BYTES, inline
from cnncli.core.simd import (
    I64,
    LANES,
    fetch_to_read,
    load_i64,
    loaded,
    record,
    splatted,
    store_i64,
    stored,
)
from cnncli.core.stores import store_as_pixels

JOB = jobs.DIRECT
BYTE, WORD = ir.IntType(8), ir.IntType(16)
CHUNK = 8 * LANES  # sums kept in registers
BYTES, WORDS = ir.VectorType(BYTE, CHUNK), ir.VectorType(WORD, CHUNK)
load_bytes = row_copier(1)


@intrinsic
def byte_sums_as(typing_context, src, count, taps, dst, element, absolute, scale, bias, as_bytes):
    """Sums over taps, each an offset in bytes and a weight, for one chunk, stored as pixels.

    ``|sum| if absolute``, times scale plus bias, clamped; with ``as_bytes`` (a scale of 1, an integer bias,
    an output of bytes) in integers. Returns the number of values clamped by more than rounding.
    """

    def codegen(context, builder, signature, args):
        src, count, taps, dst, element, absolute, scale, bias, as_bytes = args
        sums = _sums(builder, src, count, taps)
        clipped = cgutils.alloca_once(builder, I64)
        with builder.if_else(builder.icmp_signed("!=", as_bytes, ir.Constant(I64, 0))) as (whole, broken):
            with whole:
                builder.store(_store_bytes(builder, sums, dst, absolute, bias), clipped)
            with broken:
                rows = [float_vectors(builder, sums, signed=True)]
                count = store_as_pixels(builder, rows, (dst,), element, absolute, scale, bias)
                builder.store(count, clipped)
        return builder.load(clipped)

    numbers = [types.intp] * 6 + [types.float32] * 2 + [types.intp]
    return types.intp(*numbers), codegen


def _sums(builder, src, count, taps):
    """One chunk of sums."""
    total = cgutils.alloca_once(builder, WORDS)
    builder.store(ir.Constant(WORDS, [0] * CHUNK), total)
    with cgutils.for_range_slice(
        builder, ir.Constant(I64, 0), count, ir.Constant(I64, 1), intp=I64, inc=True
    ) as (tap, _):
        entry = builder.add(taps, builder.mul(tap, ir.Constant(I64, 16)))
        weight = builder.trunc(loaded(builder, builder.add(entry, ir.Constant(I64, 8)), I64, 8), WORD)
        at = builder.add(src, loaded(builder, entry, I64, 8))
        samples = builder.zext(loaded(builder, at, BYTES, 1), WORDS)
        product = builder.mul(samples, splatted(builder, weight, CHUNK))
        builder.store(builder.add(builder.load(total), product), total)
    return builder.load(total)


def _store_bytes(builder, sums, dst, absolute, bias):
    """Store |sum| or sum, plus bias, clamped to bytes; how many were clamped."""
    low, high = (ir.Constant(WORDS, [limit] * CHUNK) for limit in (0, 255))
    wanted = cgutils.alloca_once_value(builder, sums)
    with builder.if_then(builder.icmp_signed("!=", absolute, ir.Constant(I64, 0))):
        positive = builder.icmp_signed(">", sums, low)
        builder.store(builder.select(positive, sums, builder.sub(low, sums)), wanted)
    values = builder.load(wanted)
    values = builder.add(values, splatted(builder, builder.fptosi(bias, WORD), CHUNK))
    whole = ir.IntType(16 * CHUNK)
    above = builder.bitcast(builder.and_(values, ir.Constant(WORDS, [0xFF00] * CHUNK)), whole)
    clipped = cgutils.alloca_once(builder, I64)
    builder.store(ir.Constant(I64, 0), clipped)
    with builder.if_then(builder.icmp_unsigned("!=", above, ir.Constant(whole, 0)), likely=False):
        beyond = builder.icmp_unsigned(">", values, high)  # also below 0, which is large as unsigned
        far = builder.zext(builder.bitcast(beyond, ir.IntType(CHUNK)), whole)
        kind = ir.FunctionType(whole, [whole])
        ones = cgutils.get_or_insert_function(builder.module, kind, f"llvm.ctpop.i{whole.width}")
        builder.store(builder.trunc(builder.call(ones, [far]), I64), clipped)
    values = builder.select(builder.icmp_signed("<", values, low), low, values)
    values = builder.select(builder.icmp_signed(">", values, high), high, values)
    stored(builder, dst, builder.trunc(values, BYTES), 1)
    return builder.load(clipped)


@inline
def sum_chunk(job, src, taps, count, i, to, kind, absolute, scale, bias, final):
    """One chunk of a row, for `storing_chunks`."""
    as_bytes = job.as_bytes if final else 0
    return byte_sums_as(src + i, count, taps, to, kind, absolute, scale, bias, as_bytes)


store_sums = storing_chunks(CHUNK, sum_chunk)


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    pitch = job.pitch
    spare = scratch + HEADER_BYTES
    rows = spare + 4 * pitch
    clipped = 0
    for tile in range(lo, hi):
        x0, y0, width, height, pixels, need = tile_at(job, tile)
        top, left = y0 * job.stride_y, x0 * job.stride_x
        base = in_place(job, top, need, left, pixels, 1)
        step, taps, ready = job.src_pitch, job.source_offsets, need
        if base == 0:
            base, step, taps, ready = rows, pitch, job.tap_offsets, 0
        for y in range(height):
            while ready < y * job.stride_y + job.extent_y:
                load_bytes(job, top + ready, left, pixels, rows + ready * pitch)
                ready += 1
            first = base + y * job.stride_y * step
            fetch_to_read(first + (job.extent_y + ROWS_AHEAD) * step, pixels * job.channels)
            clipped += store_sums(job, first, taps, job.tap_count, y0 + y, x0, width, spare, scratch)
    store_i64(scratch, load_i64(scratch) + clipped)
