"""Load samples (uint8, uint16, float32) as vectors of float32. Imported only to compile."""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from cnncli.core.elements import (
    BYTE,
    COLORS,
    GROUP,
    INTEGERS,
    RGBX_BYTES,
    address_of,
    as_float,
    for_each_element,
    rgbx_address,
    size_of,
    whole_groups,
)
from cnncli.core.simd import (
    F32,
    I32,
    I64,
    LANES,
    LINE,
    VECTOR,
    constant,
    fused,
    loaded,
    prefetch,
    splatted,
    stored,
)


@intrinsic
def load_sample(typing_context, base, index, element):
    """The index-th sample as float32."""

    def codegen(context, builder, signature, args):
        def emit(element):
            return as_float(
                builder, loaded(builder, address_of(builder, *args[:2], element), element, 1), F32
            )

        return for_each_element(builder, args[2], emit, F32)

    return types.float32(types.intp, types.intp, types.intp), codegen


@intrinsic
def load_vectors(typing_context, base, index, element, samples, dst, ahead):
    """Samples from the index-th on as float32 to ``dst``, in whole vectors; the remainder is not loaded.

    Memory ``ahead`` bytes further is prefetched. RGBX pixels are loaded in units of three vectors of samples;
    the index then is the first sample of a pixel.
    """

    def codegen(context, builder, signature, args):
        base, first, code, samples, dst, ahead = args

        def convert(i, element):
            address = address_of(builder, base, builder.add(first, i), element)
            value = loaded(builder, address, ir.VectorType(element, LANES), 1)
            stored(builder, address_of(builder, dst, i, F32), as_float(builder, value, VECTOR), 4)
            return address

        def emit(element):
            size = GROUP * LANES
            with whole_groups(builder, samples, size) as (i, _):
                for vector in range(GROUP):
                    at = convert(builder.add(i, ir.Constant(I64, vector * LANES)), element)
                    if vector * LANES * size_of(element) % LINE == 0:
                        prefetch(builder, builder.add(at, ahead))
            start = builder.mul(builder.sdiv(samples, ir.Constant(I64, size)), ir.Constant(I64, size))
            with whole_groups(builder, builder.sub(samples, start), LANES) as (i, _):
                convert(builder.add(start, i), element)

        def rgbx():
            with whole_groups(builder, samples, COLORS * LANES) as (i, _):
                address = rgbx_address(builder, base, builder.add(first, i))
                pixels = _loaded_rgbx(builder, address)
                for vector in range(COLORS):
                    places = [divmod(vector * LANES + lane, COLORS) for lane in range(LANES)]
                    at = address_of(builder, dst, builder.add(i, ir.Constant(I64, vector * LANES)), F32)
                    stored(builder, at, _picked(builder, pixels, places), 4)
                prefetch(builder, builder.add(address, ahead))

        for_each_element(builder, code, emit, rgbx=rgbx)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 6), codegen


@intrinsic
def load_luma(typing_context, base, index, element, pixels, dst, red, green, blue):
    """Weighted sums of the three samples of each pixel, from the index-th pixel on, in whole vectors."""

    def codegen(context, builder, signature, args):
        base, first, code, pixels, dst, *weights = args
        weights = [splatted(builder, weight) for weight in weights]

        def weigh(load, step):
            """Weighted sums of pixels loaded by ``load(index)``, with ``step`` samples per pixel."""
            with whole_groups(builder, pixels, LANES) as (i, _):
                values = load(builder.mul(builder.add(first, i), ir.Constant(I64, step)))
                total = constant(0)
                for channel, weight in enumerate(weights):
                    places = [(lane, channel) for lane in range(LANES)]
                    total = fused(builder, _picked(builder, values, places, step), weight, total)
                stored(builder, address_of(builder, dst, i, F32), total, 4)

        def emit(element):
            wide = ir.VectorType(element, COLORS * LANES)
            weigh(lambda index: loaded(builder, address_of(builder, base, index, element), wide, 1), COLORS)

        def rgbx():
            weigh(lambda index: _loaded_rgbx(builder, builder.add(base, index)), RGBX_BYTES)

        for_each_element(builder, code, emit, rgbx=rgbx)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5, *[types.float32] * 3), codegen


def float_vectors(builder, integers, *, signed):
    """Convert a long vector of integers below 2**31 to vectors of floats."""
    wide = integers.type.count
    kind = ir.VectorType(I32, wide)
    if integers.type != kind:
        integers = builder.sext(integers, kind) if signed else builder.zext(integers, kind)
    floats = builder.sitofp(integers, ir.VectorType(F32, wide))
    none = ir.Constant(floats.type, ir.Undefined)
    orders = (ir.Constant(INTEGERS, list(range(at, at + LANES))) for at in range(0, wide, LANES))
    return [builder.shuffle_vector(floats, none, order) for order in orders]


def _loaded_rgbx(builder, address):
    """The bytes of as many RGBX pixels as a vector has lanes."""
    return loaded(builder, address, ir.VectorType(BYTE, RGBX_BYTES * LANES), 1)


def _picked(builder, samples, places, step=RGBX_BYTES):
    """A vector of floats from samples, ``step`` per pixel; its lanes are given as (pixel, channel)."""
    lanes = ir.Constant(INTEGERS, [step * pixel + channel for pixel, channel in places])
    none = ir.Constant(samples.type, ir.Undefined)
    return as_float(builder, builder.shuffle_vector(samples, none, lanes), VECTOR)
