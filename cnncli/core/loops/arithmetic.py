"""Elementwise arithmetic and functions, forward and backward, over the rows of tensors.

They are rare in networks of ours, so they are apart from `elementwise`, which every network compiles.
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.functions import ONE, ZERO, vexp, vlog, vnormal, vsigmoid
from cnncli.core.loops.rows import inline, place
from cnncli.core.nn_jobs import ARITHMETIC_KINDS
from cnncli.core.simd import (
    LANES,
    VECTOR_BYTES,
    record,
    splat,
    vabs,
    vload,
    vload_first,
    vmax,
    vmin,
    vsqrt,
    vstore,
    vstore_first,
    where_equal,
    where_greater,
)

JOB = nn_jobs.ARITHMETIC
DIFFERENCE, QUOTIENT, QUOTIENT_BACK, MAXIMUM, MAXIMUM_BACK, MINIMUM, MINIMUM_BACK = map(np.intp, range(7))
EXPONENTIAL, LOGARITHM, ROOT, ROOT_BACK, ABSOLUTE, ABSOLUTE_BACK, ERROR, ERROR_BACK = map(
    np.intp, range(7, 15)
)
CLAMP, CLAMP_BACK, HARD, HARD_BACK, ELU, ELU_BACK, SOFTPLUS, SOFTPLUS_BACK = map(np.intp, range(15, 23))
POWER, POWER_BACK, NEGATIVE = map(np.intp, range(23, 26))
assert len(ARITHMETIC_KINDS) == 26
HALF = np.float32(0.5)
TWO = np.float32(2)
INFINITE = np.float32(np.inf)
NOT_A_NUMBER = np.float32(np.nan)
OVERFLOW = np.float32(88.72283)  # logarithm of the largest number
TINY = np.float32(1.1754944e-38)  # the smallest normal number
SCALE = np.float32(2.0**24)
SCALE_LOG = np.float32(24 * 0.6931471805599453)
SLOPE = np.float32(1.1283791670955126)  # of the error function at 0: 2 / sqrt(pi)
ROOT_OF_TWO = np.float32(1.4142135623730951)
SMALL = np.float32(0.3)  # below it the series is the more accurate


@inline
def logarithm(a):
    """Of any number: -inf at 0, NaN below."""
    zero = splat(ZERO)
    small = where_greater(splat(TINY), a, a * splat(SCALE), a)
    found = vlog(small) - where_greater(splat(TINY), a, splat(SCALE_LOG), zero)
    found = where_equal(a, splat(INFINITE), a, found)
    found = where_greater(a, zero, found, splat(NOT_A_NUMBER))
    return where_equal(a, zero, zero - splat(INFINITE), found)


@inline
def exponential(a):
    """Of any number: infinite where it is beyond float32."""
    return where_greater(a, splat(OVERFLOW), splat(INFINITE), vexp(a))


@inline
def error(a):
    """The error function; near 0 by its series."""
    square = a * a
    series = splat(np.float32(-1 / 1320)) * square + splat(np.float32(1 / 216))
    series = series * square - splat(np.float32(1 / 42))
    series = series * square + splat(np.float32(0.1))
    series = series * square - splat(np.float32(1 / 3))
    series = a * splat(SLOPE) * (series * square + splat(ONE))
    far = splat(TWO) * vnormal(a * splat(ROOT_OF_TWO)) - splat(ONE)
    return where_greater(splat(SMALL), vabs(a), series, far)


@inline
def power(a, exponent, parity):
    """a to the power of a number; its parity is 1 if it is an odd whole number, 2 if an even one, or 0."""
    zero = splat(ZERO)
    size = exponential(exponent * logarithm(vabs(a)))
    below = where_equal(parity, splat(TWO), size, splat(NOT_A_NUMBER))
    below = where_equal(parity, splat(ONE), zero - size, below)
    return where_greater(zero, a, below, size)


@inline
def sign(a):
    """1 above 0, -1 below."""
    zero = splat(ZERO)
    return where_greater(a, zero, splat(ONE), where_greater(zero, a, zero - splat(ONE), zero))


@inline
def larger_share(a, b, slope):
    """How much of a gradient the larger of two gets: half of it where they are equal."""
    return where_greater(a, b, slope, where_equal(a, b, slope * splat(HALF), splat(ZERO)))


@inline
def compute(kind, a, b, c, alpha, beta):
    """One vector. Backward kinds of one tensor have its value in a, and the gradient in b."""
    zero = splat(ZERO)
    one = splat(ONE)
    if kind == DIFFERENCE:
        return a - b
    if kind == NEGATIVE:
        return zero - a
    if kind == QUOTIENT:
        return a / b
    if kind == QUOTIENT_BACK:  # of the divisor b
        return zero - c * a / (b * b)
    if kind == MAXIMUM:
        return where_equal(a, a, where_greater(a, b, a, b), a)
    if kind == MAXIMUM_BACK:  # of a
        return larger_share(a, b, c)
    if kind == MINIMUM:
        return where_equal(a, a, where_greater(b, a, a, b), a)
    if kind == MINIMUM_BACK:  # of a
        return larger_share(b, a, c)
    if kind == EXPONENTIAL:
        return exponential(a)
    if kind == LOGARITHM:
        return logarithm(a)
    if kind == ROOT:
        return vsqrt(a)
    if kind == ROOT_BACK:  # a is the output
        return b * splat(HALF) / a
    if kind == ABSOLUTE:
        return vabs(a)
    if kind == ABSOLUTE_BACK:
        return b * sign(a)
    if kind == ERROR:
        return error(a)
    if kind == ERROR_BACK:
        return b * splat(SLOPE) * vexp(zero - a * a)
    if kind == CLAMP:  # the upper limit where the two cross
        return where_equal(a, a, vmin(beta, vmax(alpha, a)), a)
    if kind == CLAMP_BACK:
        return where_greater(beta, a, where_greater(a, alpha, b, zero), zero)
    if kind == HARD:
        return vmin(one, vmax(zero, a * alpha + beta))
    if kind == HARD_BACK:
        line = a * alpha + beta
        return where_greater(one, line, where_greater(line, zero, b * alpha, zero), zero)
    if kind == ELU:
        return where_greater(a, zero, a, alpha * (vexp(a) - one))
    if kind == ELU_BACK:
        return where_greater(a, zero, b, b * alpha * vexp(a))
    if kind == SOFTPLUS:
        rest = vlog(one + vexp(zero - vabs(a)))
        return where_greater(a, zero, a, zero) + rest
    if kind == SOFTPLUS_BACK:
        return b * vsigmoid(a)
    if kind == POWER:
        return power(a, alpha, beta)
    if kind == POWER_BACK:  # beta is the parity of alpha - 1
        return b * alpha * power(a, alpha - one, beta)
    return a


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    kind = job.kind
    alpha = splat(job.alpha)
    beta = splat(job.beta)
    floats = job.floats
    zero = splat(ZERO)
    for each in range((hi - lo) * job.rows):
        image = each // job.rows
        row = each - image * job.rows
        a = place(job.a, job.a_chunk, scratch, chunk) + image * job.a_image + row * job.a_row
        b = place(job.b, job.b_chunk, scratch, chunk) + image * job.b_image + row * job.b_row
        c = place(job.c, job.c_chunk, scratch, chunk) + image * job.c_image + row * job.c_row
        out = place(job.out, job.out_chunk, scratch, chunk) + image * job.out_image + row * job.out_row
        for i in range(0, 4 * floats, VECTOR_BYTES):
            left, to = floats - i // 4, out + i
            if left >= LANES:
                value = compute(kind, vload(a + i), vload(b + i), vload(c + i), alpha, beta)
                vstore(to, value + vload(to) if job.add else value)
            else:
                parts = vload_first(a + i, left, zero), vload_first(b + i, left, zero)
                value = compute(kind, *parts, vload_first(c + i, left, zero), alpha, beta)
                value = value + vload_first(to, left, zero) if job.add else value
                vstore_first(to, left, value)
