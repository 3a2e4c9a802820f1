"""Conversion between RGB, three bytes per pixel, and RGBX, four bytes per pixel."""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.loops.integers import load_u8, store_8
from cnncli.core.loops.tile_io import inline
from cnncli.core.simd import I32, loaded, record, stored

JOB = jobs.SPACING
GROUP = 16  # pixels per iteration
RGB, RGBX = 3, 4  # bytes of a pixel
BYTE = ir.IntType(8)


def _group(src_bytes, dst_bytes):
    """An intrinsic that converts `GROUP` pixels; the fourth byte of a pixel is dropped, or set to 255."""
    source = ir.VectorType(BYTE, GROUP * src_bytes)
    places = [
        pixel * src_bytes + channel if channel < RGB else GROUP * src_bytes
        for pixel in range(GROUP)
        for channel in range(dst_bytes)
    ]

    @intrinsic
    def move(typing_context, src, dst):
        def codegen(context, builder, signature, args):
            pixels = loaded(builder, args[0], source, 1)
            filled = ir.Constant(source, [255] * source.count)
            order = ir.Constant(ir.VectorType(I32, len(places)), places)
            stored(builder, args[1], builder.shuffle_vector(pixels, filled, order), 1)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp), codegen

    return move


pack, space = _group(RGBX, RGB), _group(RGB, RGBX)


@inline
def move_rest(src, dst, pixels, src_bytes, dst_bytes):
    """The remaining pixels, fewer than a group."""
    for _ in range(pixels):
        for channel in range(RGB):
            store_8(dst + channel, load_u8(src + channel))
        if dst_bytes == RGBX:
            store_8(dst + RGB, 255)
        src += src_bytes
        dst += dst_bytes


def loop(job_pointer, scratch, lo, hi):
    """Rows lo to hi."""
    job = record(job_pointer)
    width = job.width
    # Packing a group reads the fourth byte of its last pixel, which may not exist at the image's end.
    whole = width - width % GROUP if job.rgbx else (width - 1) // GROUP * GROUP
    for row in range(lo, hi):
        src = job.src + row * job.src_pitch
        dst = job.dst + row * job.dst_pitch
        if job.rgbx:
            for x in range(0, whole, GROUP):
                space(src + RGB * x, dst + RGBX * x)
            move_rest(src + RGB * whole, dst + RGBX * whole, width - whole, RGB, RGBX)
        else:
            for x in range(0, whole, GROUP):
                pack(src + RGBX * x, dst + RGB * x)
            move_rest(src + RGBX * whole, dst + RGB * whole, width - whole, RGBX, RGB)
