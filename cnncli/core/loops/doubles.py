"""Vectors of float64 with as many lanes as those of float32, for what float32 is not exact enough for.

Imported only to compile.
"""

from llvmlite import ir
from numba.core import cgutils

from cnncli.core.simd import I64, LANES

DOUBLE = ir.DoubleType()
DOUBLES = ir.VectorType(DOUBLE, LANES)
_BITS = ir.VectorType(I64, LANES)
_WHOLE = 2.0**52  # adding it leaves a whole number below it in the low bits …
_WHOLE_BITS = 0x4330000000000000  # … beside these


def doubles(value):
    """A constant."""
    return ir.Constant(DOUBLES, [float(value)] * LANES)


def floor(builder, value):
    """The next whole numbers below."""
    kind = ir.FunctionType(DOUBLES, [DOUBLES])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.floor.v{LANES}f64")
    return builder.call(function, [value])


def whole_bits(builder, value):
    """Whole numbers from 0 to 2^52 as 64-bit integers."""
    bits = builder.bitcast(builder.fadd(value, doubles(_WHOLE)), _BITS)
    return builder.xor(bits, _every(_WHOLE_BITS))


def _every(bits):
    return ir.Constant(_BITS, [bits] * LANES)
