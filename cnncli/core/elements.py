"""Types of samples in memory, selected at run time.

Each loop over samples is emitted once per type, behind one switch. Imported only to compile.
"""

import functools

from llvmlite import ir
from numba.core import cgutils

from cnncli.core.jobs import ELEMENT_TYPES, RGBX
from cnncli.core.simd import F32, I32, I64, LANES

U8, U16, FLOAT = ELEMENT_TYPES.values()
BYTE = ir.IntType(8)
ELEMENTS = {U8: BYTE, U16: ir.IntType(16), FLOAT: F32}
COLORS, RGBX_BYTES = 3, 4  # samples and bytes of an RGBX pixel
GROUP = 4  # vectors per iteration: four of 32-bit integers make one of bytes
NONE = ir.Constant(I64, 0)
INTEGERS = ir.VectorType(I32, LANES)


def for_each_element(builder, code, emit, result=None, *, rgbx=None):
    """Emit ``emit(element)`` for each element type; returns the value of the selected one, if any.

    ``rgbx()`` emits the code for RGBX pixels; without it they are not supported.
    """
    cases = {each: functools.partial(emit, element) for each, element in ELEMENTS.items()}
    return switch_on_type(builder, code, cases | ({RGBX: rgbx} if rgbx else {}), result)


def switch_on_type(builder, code, cases, result):
    """Emit a switch over cases, a dict of functions by code; floats are the default."""
    done = builder.append_basic_block("element.done")
    blocks = {each: builder.append_basic_block(f"element.{each}") for each in cases}
    switch = builder.switch(code, blocks[FLOAT])
    values = []
    for each, block in blocks.items():
        if each != FLOAT:
            switch.add_case(ir.Constant(I64, each), block)
        builder.position_at_end(block)
        values.append((cases[each](), builder.block))
        builder.branch(done)
    builder.position_at_end(done)
    if result is None:
        return None
    phi = builder.phi(result)
    for value, block in values:
        phi.add_incoming(value, block)
    return phi


def address_of(builder, base, index, element):
    """Address of the index-th element."""
    return builder.add(base, builder.mul(index, ir.Constant(I64, size_of(element))))


def rgbx_address(builder, base, sample):
    """Address of an RGBX pixel, by the index of its first sample."""
    pixel = builder.sdiv(sample, ir.Constant(I64, COLORS))
    return builder.add(base, builder.mul(pixel, ir.Constant(I64, RGBX_BYTES)))


def size_of(element):
    """Bytes of an element."""
    return 4 if element == F32 else element.width // 8


def as_float(builder, value, result):
    """Convert integers of any width to float32; floats are unchanged."""
    return value if value.type == result else builder.uitofp(value, result)


def steps(builder, stop, step=1):
    """Loop over 0, step, … below ``stop``."""
    return cgutils.for_range_slice(builder, ir.Constant(I64, 0), stop, ir.Constant(I64, step), inc=True)


def whole_groups(builder, samples, size):
    """Loop over whole groups of a row, by the index of their first sample."""
    whole = builder.mul(builder.sdiv(samples, ir.Constant(I64, size)), ir.Constant(I64, size))
    return steps(builder, whole, size)
