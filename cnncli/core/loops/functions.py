"""Exponential, logarithm and error function of vectors, accurate to the last digit or two of float32.

Native functions may not call the C library, and the loops need whole vectors at a time anyway.
"""

import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from cnncli.core.loops.rows import inline
from cnncli.core.simd import I32, LANES, VECTOR, constant, fused, splat, vabs, vector, where_greater

INTEGERS = ir.VectorType(I32, LANES)
_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.693359375  # exact in few bits, so that n * LN2_HIGH is exact
_LN2_LOW = -2.12194440e-4
# Cephes expf and logf (S. L. Moshier), minimax polynomials.
_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
_LOG = (
    *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1),
    *(-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
)
ONE = np.float32(1)
ZERO = np.float32(0)
# Abramowitz and Stegun, 7.1.26: |error| <= 1.5e-7.
_ERF_P = np.float32(0.3275911)
_ERF = tuple(np.float32(a) for a in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592))


def _integers(value):
    return ir.Constant(INTEGERS, [value] * LANES)


def _horner(builder, x, coefficients):
    total = constant(coefficients[0])
    for each in coefficients[1:]:
        total = fused(builder, total, x, constant(each))
    return total


@intrinsic
def vexp(typing_context, a):
    """e to the power of a; 0 below -87, NaN stays."""

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(VECTOR, [VECTOR])
        rint = cgutils.get_or_insert_function(builder.module, kind, f"llvm.rint.v{LANES}f32")
        x = args[0]
        low, high = constant(-87.3), constant(88.7)
        tiny = builder.fcmp_ordered("<", x, low)
        x = builder.select(tiny, low, x)
        x = builder.select(builder.fcmp_ordered(">", x, high), high, x)
        n = builder.call(rint, [builder.fmul(x, constant(_LOG2_E))])
        r = fused(builder, n, constant(-_LN2_HIGH), x)
        r = fused(builder, n, constant(-_LN2_LOW), r)
        p = _horner(builder, r, _EXP)
        p = fused(builder, p, builder.fmul(r, r), builder.fadd(r, constant(1)))
        number = builder.fcmp_ordered("ord", n, n)
        n = builder.fptosi(builder.select(number, n, constant(0)), INTEGERS)
        # 2**n as two factors, as 2**128 is not a float32.
        half = builder.ashr(n, _integers(1))
        for part in (half, builder.sub(n, half)):
            bits = builder.shl(builder.add(part, _integers(127)), _integers(23))
            p = builder.fmul(p, builder.bitcast(bits, VECTOR))
        return builder.select(tiny, constant(0), p)

    return vector(vector), codegen


@intrinsic
def vlog(typing_context, a):
    """Natural logarithm of positive, normal numbers."""

    def codegen(context, builder, signature, args):
        bits = builder.bitcast(args[0], INTEGERS)
        # Mantissa in [sqrt(1/2), sqrt(2)): shift the exponent's edge by the bits of sqrt(1/2).
        shifted = builder.sub(bits, _integers(0x3F3504F3))
        n = builder.ashr(shifted, _integers(23))
        m = builder.bitcast(builder.sub(bits, builder.shl(n, _integers(23))), VECTOR)
        n = builder.sitofp(n, VECTOR)
        r = builder.fsub(m, constant(1))
        z = builder.fmul(r, r)
        p = builder.fmul(builder.fmul(_horner(builder, r, _LOG), r), z)
        p = fused(builder, n, constant(_LN2_LOW), p)
        p = fused(builder, z, constant(-0.5), p)
        return fused(builder, n, constant(_LN2_HIGH), builder.fadd(r, p))

    return vector(vector), codegen


@inline
def vsigmoid(x):
    """1 / (1 + exp(-x))."""
    return splat(ONE) / (splat(ONE) + vexp(splat(ZERO) - x))


@inline
def vtanh(x):
    """Hyperbolic tangent; for small x by its series, as the quotient would lose accuracy."""
    square = x * x
    series = x * (splat(ONE) + square * (splat(np.float32(-1 / 3)) + square * splat(np.float32(2 / 15))))
    quotient = splat(ONE) - splat(np.float32(2)) / (vexp(x + x) + splat(ONE))
    return where_greater(splat(np.float32(0.0625)), vabs(x), series, quotient)


@inline
def vnormal(x):
    """Cumulative distribution function of the standard normal distribution."""
    a = vabs(x) * splat(np.float32(0.7071067811865476))
    t = splat(ONE) / (splat(ONE) + a * splat(_ERF_P))
    p = splat(_ERF[0])
    p = p * t + splat(_ERF[1])
    p = p * t + splat(_ERF[2])
    p = p * t + splat(_ERF[3])
    p = p * t + splat(_ERF[4])
    tail = p * t * vexp(splat(ZERO) - a * a) * splat(np.float32(0.5))
    return where_greater(x, splat(ZERO), splat(ONE) - tail, tail)
