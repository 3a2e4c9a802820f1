"""Load source rows as float32 with their border; store rows as the output's type."""

import numpy as np
from numba import njit

from cnncli.core.convert import FLOAT, U8, load_luma, load_sample, load_vectors, store_sample, store_vectors
from cnncli.core.simd import LANES, fma_f32, load_f32, load_i64, store_f32, store_i64

HEADER_BYTES = 64  # scratch before the rows: the count of clipped values, on a cache line of its own
AHEAD = 2  # source rows from the one that is loaded to the one that is fetched into the cache
ZERO = np.float32(0)
HALF = np.float32(0.5)
HIGH_U8 = np.float32(255)
HIGH_U16 = np.float32(65535)

inline = njit(error_model="numpy", forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


@inline
def load_pixel(job, row, column, dst):
    """One pixel of a source row, or its luma."""
    if job.gray:
        total = load_sample(row, 3 * column, job.src_type) * job.red
        total = fma_f32(load_sample(row, 3 * column + 1, job.src_type), job.green, total)
        store_f32(dst, fma_f32(load_sample(row, 3 * column + 2, job.src_type), job.blue, total))
    else:
        for channel in range(job.channels):
            store_f32(dst + 4 * channel, load_sample(row, column * job.channels + channel, job.src_type))


@inline
def load_row(job, padded_row, padded_column, pixels, dst):
    """Pixels of a row of the padded image, from ``padded_column`` on, to floats at ``dst``."""
    step = 4 * job.channels
    source_row = load_i64(job.ymap + 8 * padded_row)
    row = job.src + source_row * job.src_pitch
    end = padded_column + pixels
    lo = min(max(job.inner_lo, padded_column), end)
    hi = min(max(job.inner_hi, lo), end)
    if source_row < 0:
        lo = hi = end
    # The inner stretch: whole vectors, which read no sample beyond the last pixel.
    at = dst + (lo - padded_column) * step
    whole = 0
    if hi > lo:
        first = load_i64(job.xmap + 8 * lo)
        if job.gray:
            whole = (hi - lo) - (hi - lo) % LANES
            load_luma(row, 3 * first, job.src_type, hi - lo, at, job.red, job.green, job.blue)
        else:
            samples = (hi - lo) * job.channels
            load_vectors(row, first * job.channels, job.src_type, samples, at, AHEAD * job.src_pitch)
            whole = (samples - samples % LANES) // job.channels
    # Its rest, and the border at either side, pixel by pixel.
    p = padded_column
    while p < end:
        if p == lo:
            p += whole
        if p < end:
            at = dst + (p - padded_column) * step
            column = load_i64(job.xmap + 8 * p)
            if source_row >= 0 and column >= 0:
                load_pixel(job, row, column, at)
            else:
                for channel in range(job.channels):
                    store_f32(at + 4 * channel, job.fill)
        p += 1


@inline
def store_row(job, src, row, column, pixels, scratch):
    """Floats at ``src``, dense columns, as pixels of an output row from ``column`` on."""
    channels = job.channels
    dst = job.out + row * job.out_pitch
    first = column * channels
    limit = HIGH_U8 if job.out_type == U8 else HIGH_U16
    samples = pixels * channels
    whole = samples - samples % LANES if job.stride_x == 1 else 0
    ahead = AHEAD * job.out_pitch
    clipped = store_vectors(src, whole, dst, first, job.out_type, job.absolute, job.scale, job.bias, ahead)
    for i in range(whole, samples):
        pixel = i // channels
        sample = load_f32(src + 4 * (pixel * job.stride_x * channels + i - pixel * channels))
        if job.absolute:
            sample = abs(sample)
        sample = fma_f32(sample, job.scale, job.bias)
        if job.out_type < FLOAT:
            bounded = sample if sample > ZERO else ZERO
            bounded = bounded if bounded < limit else limit
            clipped += np.intp(abs(sample - bounded) > HALF)
            sample = bounded
        store_sample(dst, first + i, job.out_type, sample)
    store_i64(scratch, load_i64(scratch) + clipped)
