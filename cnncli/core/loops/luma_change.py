"""Colours changed as their luma is: the difference is added to red, green and blue, and clipped."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.elements import COLORS, U8
from cnncli.core.loops.integers import load_u8, load_u16, store_8, store_16
from cnncli.core.loops.tile_io import inline
from cnncli.core.simd import I32, I64, LANES, load_i64, loaded, record, store_i64, stored

JOB = jobs.LUMA_CHANGE
PIXELS = 2 * LANES  # at a time
SAMPLES = COLORS * PIXELS


def _changes(element, wide):
    """A function for `PIXELS` pixels of a type, by wider integers; how many samples are clipped."""
    one, three = ir.VectorType(element, PIXELS), ir.VectorType(element, SAMPLES)
    numbers, many = ir.VectorType(wide, PIXELS), ir.VectorType(wide, SAMPLES)
    spread = ir.Constant(ir.VectorType(I32, SAMPLES), [place // COLORS for place in range(SAMPLES)])

    def every(number):
        return ir.Constant(many, [number] * SAMPLES)

    @intrinsic
    def change(typing_context, dst, src, before, after):
        def codegen(context, builder, signature, args):
            dst, src, before, after = args
            levels = [builder.zext(loaded(builder, at, one, 1), numbers) for at in (after, before)]
            difference = builder.sub(*levels)
            difference = builder.shuffle_vector(difference, difference, spread)
            value = builder.add(builder.zext(loaded(builder, src, three, 1), many), difference)
            low, high = every(0), every(2**element.width - 1)
            bounded = builder.select(builder.icmp_signed("<", value, low), low, value)
            bounded = builder.select(builder.icmp_signed(">", value, high), high, bounded)
            stored(builder, dst, builder.trunc(bounded, three), 1)
            mask = builder.bitcast(builder.icmp_signed("!=", value, bounded), ir.IntType(SAMPLES))
            kind = ir.FunctionType(mask.type, [mask.type])
            ones = cgutils.get_or_insert_function(builder.module, kind, f"llvm.ctpop.i{SAMPLES}")
            found = builder.call(ones, [mask])
            return builder.trunc(found, I64) if SAMPLES > 64 else builder.zext(found, I64)

        return types.intp(*[types.intp] * 4), codegen

    return change


change_bytes, change_words = _changes(ir.IntType(8), ir.IntType(16)), _changes(ir.IntType(16), I32)


@inline
def bounded_sum(value, difference, top):
    """The sum from 0 to ``top``, and whether it is clipped."""
    found = value + difference
    bounded = min(max(found, 0), top)
    return bounded, found != bounded


@inline
def change_pixel(of_bytes, dst, src, before, after):
    """A single pixel; how many samples are clipped."""
    clipped = 0
    for color in range(COLORS):
        if of_bytes:
            difference = load_u8(after) - load_u8(before)
            value, beyond = bounded_sum(load_u8(src + color), difference, 255)
            store_8(dst + color, value)
        else:
            difference = load_u16(after) - load_u16(before)
            value, beyond = bounded_sum(load_u16(src + 2 * color), difference, 65535)
            store_16(dst + 2 * color, value)
        clipped += beyond
    return clipped


def loop(job_pointer, scratch, lo, hi):
    """Rows lo to hi; adds the samples that are clipped to the count in scratch."""
    job = record(job_pointer)
    of_bytes = job.type == U8
    size = 1 if of_bytes else 2
    whole = job.width - job.width % PIXELS
    clipped = 0
    for y in range(lo, hi):
        src, dst = job.src + y * job.src_pitch, job.out + y * job.out_pitch
        before, after = job.before + y * job.width * size, job.after + y * job.width * size
        if of_bytes:
            for x in range(0, whole, PIXELS):
                clipped += change_bytes(dst + 3 * x, src + 3 * x, before + x, after + x)
        else:
            for x in range(0, 2 * whole, 2 * PIXELS):
                clipped += change_words(dst + 3 * x, src + 3 * x, before + x, after + x)
        for x in range(size * whole, size * job.width, size):
            clipped += change_pixel(of_bytes, dst + 3 * x, src + 3 * x, before + x, after + x)
    store_i64(scratch, load_i64(scratch) + clipped)
