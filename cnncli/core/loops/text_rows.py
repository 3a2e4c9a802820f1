"""Where texts end, and sums of rows of floats of any length."""

import numpy as np

from cnncli.core.loops.rows import inline
from cnncli.core.simd import LANES, VECTOR_BYTES, fma, fma_f32, load_f32, splat, store_f32, vload, vstore

ZERO = np.float32(0)


@inline
def length_of(numbers, most):
    """Words of a text: those before the first 0."""
    count = 0
    while count < most and load_f32(numbers + 4 * count) != ZERO:
        count += 1
    return count


@inline
def add_scaled(out, x, floats, factor):
    """out += factor * x, and nothing beyond the end."""
    factors = splat(factor)
    whole = 4 * (floats - floats % LANES)
    for i in range(0, whole, VECTOR_BYTES):
        vstore(out + i, fma(vload(x + i), factors, vload(out + i)))
    for i in range(whole, 4 * floats, 4):
        store_f32(out + i, fma_f32(load_f32(x + i), factor, load_f32(out + i)))


@inline
def clear(out, floats):
    """Zeros, and nothing beyond the end."""
    whole = 4 * (floats - floats % LANES)
    for i in range(0, whole, VECTOR_BYTES):
        vstore(out + i, splat(ZERO))
    for i in range(whole, 4 * floats, 4):
        store_f32(out + i, ZERO)
