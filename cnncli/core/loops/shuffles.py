"""Bytes of a vector in another order."""

from llvmlite import ir
from numba.core import cgutils

from cnncli.core.elements import BYTE
from cnncli.core.native import processor
from cnncli.core.simd import I32, VECTOR_BYTES

BYTES = ir.VectorType(BYTE, VECTOR_BYTES)
PIECE = 16  # bytes among which one instruction chooses
_HAS = frozenset(processor()[2].split())
_INSTRUCTIONS = {
    ("ssse3", 16): "llvm.x86.ssse3.pshuf.b.128",
    ("avx2", 32): "llvm.x86.avx2.pshuf.b",
    ("avx512bw", 64): "llvm.x86.avx512.pshuf.b.512",
    ("asimd", 16): "llvm.aarch64.neon.tbl1.v16i8",
    ("neon", 16): "llvm.aarch64.neon.tbl1.v16i8",
}
_NAME = next(
    (name for (needs, size), name in _INSTRUCTIONS.items() if needs in _HAS and size == VECTOR_BYTES), ""
)
#: Whether the shuffle is x86-64's, which takes the low half of a place, and 0 where its highest bit is set.
MASKS = _NAME.startswith("llvm.x86")


def shuffled(builder, values, places):
    """Of each `PIECE` of bytes those at the places, 0 to 15, of the same piece of another vector."""
    if _NAME:
        kind = ir.FunctionType(BYTES, [BYTES, BYTES])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, _NAME), [values, places])
    found = ir.Constant(BYTES, ir.Undefined)
    for lane in range(VECTOR_BYTES):
        number = ir.Constant(I32, lane)
        place = builder.zext(builder.extract_element(places, number), I32)
        place = builder.add(place, ir.Constant(I32, lane // PIECE * PIECE))
        found = builder.insert_element(found, builder.extract_element(values, place), number)
    return found
