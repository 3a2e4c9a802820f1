"""Colour pixels of three bytes, between images that keep them close together and those that keep four."""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.loops.integers import load_u8, store_8
from cnncli.core.loops.tile_io import inline
from cnncli.core.simd import I32, loaded, record, stored

JOB = jobs.SPACING
GROUP = 16  # pixels of one turn
CLOSE, RGBX = 3, 4  # bytes of a pixel
BYTE = ir.IntType(8)


def _group(src_bytes, dst_bytes):
    """An intrinsic that moves `GROUP` pixels; the fourth byte of a pixel is left out, or is 255."""
    source = ir.VectorType(BYTE, GROUP * src_bytes)
    places = [
        pixel * src_bytes + channel if channel < CLOSE else GROUP * src_bytes
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


pack, space = _group(RGBX, CLOSE), _group(CLOSE, RGBX)


@inline
def move_rest(src, dst, pixels, src_bytes, dst_bytes):
    """Pixels that make no group."""
    for _ in range(pixels):
        for channel in range(CLOSE):
            store_8(dst + channel, load_u8(src + channel))
        if dst_bytes == RGBX:
            store_8(dst + CLOSE, 255)
        src += src_bytes
        dst += dst_bytes


def loop(job_pointer, scratch, lo, hi):
    """Rows lo to hi."""
    job = record(job_pointer)
    width = job.width
    # A group that is packed reads the fourth byte of its last pixel, which the image's last need not have.
    whole = width - width % GROUP if job.rgbx else (width - 1) // GROUP * GROUP
    for row in range(lo, hi):
        src = job.src + row * job.src_pitch
        dst = job.dst + row * job.dst_pitch
        if job.rgbx:
            for x in range(0, whole, GROUP):
                space(src + CLOSE * x, dst + RGBX * x)
            move_rest(src + CLOSE * whole, dst + RGBX * whole, width - whole, CLOSE, RGBX)
        else:
            for x in range(0, whole, GROUP):
                pack(src + RGBX * x, dst + CLOSE * x)
            move_rest(src + RGBX * whole, dst + CLOSE * whole, width - whole, RGBX, CLOSE)
