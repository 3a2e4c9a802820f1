"""Direct convolution of bytes with a small kernel of small whole numbers, in 16-bit integers.

Twice as many samples to a vector as in floats, no conversion before the sum, and no error. Kernels such
as Sobel's and Laplace's are of this kind, up to a power of two that goes into the final scale.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.convert import FLOAT, U8, U16, float_vectors, store_as_pixels
from cnncli.core.loops.median_network import row_copier
from cnncli.core.loops.paired_rows import ONE, ZERO, in_place, tile_columns
from cnncli.core.loops.tile_io import AHEAD, HEADER_BYTES, inline, store_row
from cnncli.core.simd import (
    I64,
    LANES,
    fetch_to_read,
    fetch_to_write,
    load_i64,
    loaded,
    record,
    splatted,
    store_i64,
    stored,
)

JOB = jobs.DIRECT
BYTE, WORD = ir.IntType(8), ir.IntType(16)
CHUNK = 8 * LANES  # sums kept in registers
BYTES, WORDS = ir.VectorType(BYTE, CHUNK), ir.VectorType(WORD, CHUNK)
load_bytes = row_copier(1)


@intrinsic
def byte_sums_as(typing_context, src, count, taps, dst, element, absolute, scale, bias, as_bytes):
    """Sums over taps, each an offset in bytes and a weight, for one chunk, stored as pixels.

    ``|sum| if absolute``, times scale plus bias, clamped; with ``as_bytes`` (a scale of 1, a whole bias,
    an output of bytes) in integers. The number of values that the clamp changed by more than rounding.
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
    negative = builder.sub(low, sums)
    magnitude = builder.select(builder.icmp_signed(">", sums, low), sums, negative)
    wanted = splatted(builder, builder.icmp_signed("!=", absolute, ir.Constant(I64, 0)), CHUNK)
    values = builder.select(wanted, magnitude, sums)
    values = builder.add(values, splatted(builder, builder.fptosi(bias, WORD), CHUNK))
    whole = ir.IntType(16 * CHUNK)
    above = builder.bitcast(builder.and_(values, ir.Constant(WORDS, [0xFF00] * CHUNK)), whole)
    clipped = cgutils.alloca_once(builder, I64)
    builder.store(ir.Constant(I64, 0), clipped)
    with builder.if_then(builder.icmp_unsigned("!=", above, ir.Constant(whole, 0)), likely=False):
        beyond = builder.icmp_unsigned(">", values, high)  # below 0 as well, which is large without a sign
        far = builder.zext(builder.bitcast(beyond, ir.IntType(CHUNK)), whole)
        kind = ir.FunctionType(whole, [whole])
        ones = cgutils.get_or_insert_function(builder.module, kind, f"llvm.ctpop.i{whole.width}")
        builder.store(builder.trunc(builder.call(ones, [far]), I64), clipped)
    values = builder.select(builder.icmp_signed("<", values, low), low, values)
    values = builder.select(builder.icmp_signed(">", values, high), high, values)
    stored(builder, dst, builder.trunc(values, BYTES), 1)
    return builder.load(clipped)


@inline
def store_sums(job, src, taps, row, column, pixels, spare, scratch):
    """A row of sums as pixels: whole chunks straight to the output, the rest by way of scratch."""
    channels, out_type = job.channels, job.out_type
    pixel_bytes = 1 if out_type == U8 else 2 if out_type == U16 else 4
    out = job.out + row * job.out_pitch + column * channels * pixel_bytes
    samples = ((pixels - 1) * job.stride_x + 1) * channels
    whole = samples - samples % (CHUNK * channels) if job.stride_x == 1 else 0
    clipped = 0
    for i in range(0, samples, CHUNK):
        to, kind, absolute, scale, bias, as_bytes = spare + 4 * i, FLOAT, 0, ONE, ZERO, 0
        if i < whole:
            to = out + i * pixel_bytes
            kind, absolute, scale, bias, as_bytes = out_type, job.absolute, job.scale, job.bias, job.as_bytes
            fetch_to_write(to + AHEAD * job.out_pitch, CHUNK * pixel_bytes)
        clipped += byte_sums_as(src + i, job.tap_count, taps, to, kind, absolute, scale, bias, as_bytes)
    if whole < samples:
        done = whole // channels
        store_row(job, spare + 4 * whole, row, column + done, pixels - done, scratch)
    return clipped


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    pitch = job.pitch
    spare = scratch + HEADER_BYTES
    rows = spare + 4 * pitch
    clipped = 0
    for tile in range(lo, hi):
        tile_y = tile // job.tiles_x
        x0, width = tile_columns(job, tile - tile_y * job.tiles_x)
        y0 = tile_y * job.tile_height
        height = min(job.tile_height, job.out_height - y0)
        top, left = y0 * job.stride_y, x0 * job.stride_x
        pixels = (width - 1) * job.stride_x + job.extent_x
        need = (height - 1) * job.stride_y + job.extent_y
        base = in_place(job, top, need, left, pixels, 1)
        step, taps, ready = job.src_pitch, job.source_offsets, need
        if base == 0:
            base, step, taps, ready = rows, pitch, job.tap_offsets, 0
        for y in range(height):
            while ready < y * job.stride_y + job.extent_y:
                load_bytes(job, top + ready, left, pixels, rows + ready * pitch)
                ready += 1
            first = base + y * job.stride_y * step
            fetch_to_read(first + (job.extent_y + AHEAD) * step, pixels * job.channels)
            clipped += store_sums(job, first, taps, y0 + y, x0, width, spare, scratch)
    store_i64(scratch, load_i64(scratch) + clipped)
