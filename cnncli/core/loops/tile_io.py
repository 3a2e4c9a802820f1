"""Load source rows as float32 with their border; store rows as the output's type."""

import numpy as np
from numba import njit

from cnncli.core.choices import ROWS_AHEAD
from cnncli.core.elements import COLORS, FLOAT, RGBX_BYTES, U8
from cnncli.core.jobs import RGBX
from cnncli.core.loads import load_luma, load_sample, load_vectors
from cnncli.core.loops.integers import store_8
from cnncli.core.simd import LANES, fma_f32, load_f32, load_i64, store_f32, store_i64
from cnncli.core.stores import store_sample, store_vectors

HEADER_BYTES = 64  # scratch before the rows: the count of clipped values, on its own cache line
OPAQUE = 255  # the fourth byte of RGBX pixels in the output
ZERO = np.float32(0)
HALF = np.float32(0.5)
HIGH_U8 = np.float32(255)
HIGH_U16 = np.float32(65535)

inline = njit(error_model="numpy", forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


@inline
def load_pixel(job, row, column, dst):
    """One pixel of a source row, or its luma."""
    channels, kind = COLORS if job.gray else job.channels, job.src_type
    first = column * channels
    if kind == RGBX:
        first, kind = column * RGBX_BYTES, U8
    if job.gray:
        total = load_sample(row, first, kind) * job.red
        total = fma_f32(load_sample(row, first + 1, kind), job.green, total)
        store_f32(dst, fma_f32(load_sample(row, first + 2, kind), job.blue, total))
    else:
        for channel in range(channels):
            store_f32(dst + 4 * channel, load_sample(row, first + channel, kind))


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
    # The inner range: whole vectors, which read no sample beyond the last pixel.
    at = dst + (lo - padded_column) * step
    whole = 0
    if hi > lo:
        first = load_i64(job.xmap + 8 * lo)
        if job.gray:
            whole = (hi - lo) - (hi - lo) % LANES
            load_luma(row, first, job.src_type, hi - lo, at, job.red, job.green, job.blue)
        else:
            samples = (hi - lo) * job.channels
            load_vectors(row, first * job.channels, job.src_type, samples, at, ROWS_AHEAD * job.src_pitch)
            unit = COLORS * LANES if job.src_type == RGBX else LANES
            whole = (samples - samples % unit) // job.channels
    # Its remainder, and the border on either side, pixel by pixel.
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
    """Store floats at ``src``, dense columns, as pixels of an output row from ``column`` on.

    Counts clipped values; for a float output, adds to the count if any value is not finite.
    """
    channels, kind, step, unit = job.channels, job.out_type, job.channels, LANES
    if kind == RGBX:
        kind, step, unit = U8, RGBX_BYTES, COLORS * LANES
    dst = job.out + row * job.out_pitch
    limit = HIGH_U8 if kind == U8 else HIGH_U16
    samples = pixels * channels
    whole = samples - samples % unit if job.stride_x == 1 else 0
    ahead, first = ROWS_AHEAD * job.out_pitch, column * channels
    clipped = store_vectors(src, whole, dst, first, job.out_type, job.absolute, job.scale, job.bias, ahead)
    for i in range(whole, samples):
        pixel = i // channels
        channel = i - pixel * channels
        sample = load_f32(src + 4 * (pixel * job.stride_x * channels + channel))
        if job.absolute:
            sample = abs(sample)
        sample = fma_f32(sample, job.scale, job.bias)
        if kind < FLOAT:
            bounded = sample if sample > ZERO else ZERO
            bounded = bounded if bounded < limit else limit
            clipped += np.intp(abs(sample - bounded) > HALF)
            sample = bounded
        else:
            clipped += np.intp(sample - sample != ZERO)
        at = (column + pixel) * step + channel
        store_sample(dst, at, kind, sample)
        if channels < step and channel == channels - 1:
            store_8(dst + at + 1, OPAQUE)
    store_i64(scratch, load_i64(scratch) + clipped)
