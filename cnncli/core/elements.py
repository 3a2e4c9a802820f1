"""Types of samples in memory, of which one is chosen at run time.

Each loop over samples is emitted once for each type, behind one switch. Imported only to compile.
"""

import functools

from llvmlite import ir
from numba.core import cgutils

from cnncli.core.jobs import ELEMENT_TYPES, RGBX
from cnncli.core.simd import F32, I32, I64, LANES

U8, U16, FLOAT = ELEMENT_TYPES.values()
BYTE = ir.IntType(8)
ELEMENTS = {U8: BYTE, U16: ir.IntType(16), FLOAT: F32}
COLORS, APART_BYTES = 3, 4  # samples and bytes of a pixel that has a fourth byte
GROUP = 4  # vectors of one turn of a loop: four of 32-bit integers make one of bytes
NONE = ir.Constant(I64, 0)
INTEGERS = ir.VectorType(I32, LANES)


def each_element(builder, code, emit, result=None, *, rgbx=None):
    """Emit ``emit(element)`` for each element type; the value of the one that applies, if any.

    ``rgbx()`` is for colours with a fourth byte; without it they are not asked for.
    """
    cases = {each: functools.partial(emit, element) for each, element in ELEMENTS.items()}
    return chosen(builder, code, cases | ({RGBX: rgbx} if rgbx else {}), result)


def chosen(builder, code, cases, result):
    """Emit all cases, a dict of functions by code, and a choice between them; floats by default."""
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
    """Address of a pixel with a fourth byte, by the number of its first sample."""
    pixel = builder.sdiv(sample, ir.Constant(I64, COLORS))
    return builder.add(base, builder.mul(pixel, ir.Constant(I64, APART_BYTES)))


def size_of(element):
    """Bytes of an element."""
    return 4 if element == F32 else element.width // 8


def as_float(builder, value, result):
    """Integers of any width as float32; floats as they are."""
    return value if value.type == result else builder.uitofp(value, result)


def whole_groups(builder, samples, size):
    """For each whole group of a row: the index of its first sample."""
    return cgutils.for_range_slice(
        builder,
        ir.Constant(I64, 0),
        builder.mul(builder.sdiv(samples, ir.Constant(I64, size)), ir.Constant(I64, size)),
        ir.Constant(I64, size),
        inc=True,
    )
