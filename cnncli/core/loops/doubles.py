"""Vectors of float64 with as many lanes as those of float32, for what float32 is not exact enough for.

Imported only to compile.
"""

import math

from llvmlite import ir
from numba.core import cgutils

from cnncli.core.simd import I64, LANES

DOUBLE = ir.DoubleType()
DOUBLES = ir.VectorType(DOUBLE, LANES)
_BITS = ir.VectorType(I64, LANES)
_MANTISSA = 52
_WHOLE = 2.0**52  # adding it leaves a whole number below it in the low bits …
_WHOLE_BITS = 0x4330000000000000  # … beside these
_NEAREST = 1.5 * _WHOLE  # adding it rounds to the nearest whole number, of either sign
_ROOT_OF_HALF_BITS = 0x3FE6A09E667F3BCD
_ONE_BITS = 0x3FF0000000000000
#: log(m) = 2 (s + s^3 / 3 + s^5 / 5 + …) with s = (m - 1) / (m + 1): to 5e-11 for m from the root of 1/2 to
#: that of 2.
_LOG2 = tuple(2 / (power * math.log(2)) for power in (11, 9, 7, 5, 3, 1))
#: 2^r: terms of the exponential series, to 7e-12 for |r| up to 1/2.
_EXP2 = tuple(math.log(2) ** power / math.factorial(power) for power in range(9, -1, -1))


def doubles(value):
    """A constant."""
    return ir.Constant(DOUBLES, [float(value)] * LANES)


def floor(builder, value):
    """The next whole numbers below."""
    return _called(builder, "floor", value)


def magnitude(builder, value):
    """Numbers without their signs."""
    return _called(builder, "fabs", value)


def _called(builder, name, value):
    kind = ir.FunctionType(DOUBLES, [DOUBLES])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f64")
    return builder.call(function, [value])


def whole_bits(builder, value):
    """Whole numbers from 0 to 2^52 as 64-bit integers."""
    bits = builder.bitcast(builder.fadd(value, doubles(_WHOLE)), _BITS)
    return builder.xor(bits, _every(_WHOLE_BITS))


def limited(builder, value, least, most):
    """Not below one number and not above another; NaN stays."""
    value = builder.select(builder.fcmp_ordered(">", least, value), least, value)
    return builder.select(builder.fcmp_ordered("<", most, value), most, value)


def power(builder, base, exponent):
    """Finite numbers above 0, normal ones, to the power of a number; to 1e-9 and within 2^-1000 to 2^1000."""
    return _exp2(
        builder, limited(builder, builder.fmul(_log2(builder, base), exponent), doubles(-1000), doubles(1000))
    )


def _every(bits):
    return ir.Constant(_BITS, [bits] * LANES)


def _series(builder, x, coefficients):
    total = doubles(coefficients[0])
    for each in coefficients[1:]:
        total = builder.fadd(builder.fmul(total, x), doubles(each))
    return total


def _log2(builder, value):
    bits = builder.bitcast(value, _BITS)
    # Mantissas from the root of 1/2 to that of 2: the exponent's edge is moved by the former's bits.
    moved = builder.add(builder.sub(bits, _every(_ROOT_OF_HALF_BITS)), _every(_ONE_BITS))
    biased = builder.lshr(moved, _every(_MANTISSA))
    exponent = builder.bitcast(builder.or_(biased, _every(_WHOLE_BITS)), DOUBLES)
    exponent = builder.fsub(exponent, doubles(_WHOLE + 1023))
    scale = builder.shl(builder.sub(biased, _every(1023)), _every(_MANTISSA))
    mantissa = builder.bitcast(builder.sub(bits, scale), DOUBLES)
    s = builder.fdiv(builder.fsub(mantissa, doubles(1)), builder.fadd(mantissa, doubles(1)))
    return builder.fadd(exponent, builder.fmul(s, _series(builder, builder.fmul(s, s), _LOG2)))


def _exp2(builder, value):
    moved = builder.fadd(value, doubles(_NEAREST))
    rest = builder.fsub(value, builder.fsub(moved, doubles(_NEAREST)))
    scale = builder.shl(builder.bitcast(moved, _BITS), _every(_MANTISSA))
    found = builder.bitcast(_series(builder, rest, _EXP2), _BITS)
    return builder.bitcast(builder.add(found, scale), DOUBLES)
