"""Convolution with large kernels by Fourier transforms, with rounding errors relative to each window.

A transform's errors are relative to all values of a tile, so that a single 1e20 would spoil outputs whose
windows do not contain it. Tiles in which that could matter are skipped by the transforms (see
`core/loops/fft.py`) and computed here: directly if the kernel is small, else in *bands* of magnitude. The
windows whose largest magnitude is in the highest band are computed by a transform of all values; then the
values of that band, which no remaining window contains, are set to 0, and so on downwards.
"""

import math

import numpy as np
from numpy.typing import NDArray

from cnncli.core.choices import DIRECT_TAPS
from cnncli.core.heap import aligned_empty
from cnncli.core.tiling import Surface
from cnncli.filters.execute import run_direct
from cnncli.filters.model import Blocks, Weights
from cnncli.filters.overflow import as_float32
from cnncli.filters.transforms import fft_cost, grid_of, run_tiles
from cnncli.records import replace

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

MAX_CHANNELS = 4  # of a tile
BAND = 1 / 32  # ratio of a band's lower to its upper end
_MAX_CELLS = 1 << 18  # of a counting kernel: the error of a sum of so many ones is below a half
_ONE = np.ones((1, 1))
_HALF = np.float32(0.5)


def run_fft(weights: Weights, surface: Surface, *, threads: int) -> int:
    """Correlate a surface with a kernel of any size.

    The error of each output is at most 1e-4 of sum |weights| times the largest magnitude under the
    kernel's nonzero weights, regardless of other values; 1e-3 where that magnitude is less than 1/32 of the
    root mean square around it, and none where it is 0; or, for an integer output, at most 0.02 levels
    before rounding. A value that is not finite affects all outputs whose kernel covers it, as in a sum of
    products. Intermediate sums do not overflow if the result fits into float32.

    Parameters
    ----------
    weights : ndarray, shape (kh, kw), float64
        In correlation order: the first weight applies to the first pixel under the kernel.
    surface : Surface
        Source, border and output; any stride and number of channels.
    threads : int
        Threads to use. The result does not depend on it.

    Returns
    -------
    int
        How many values were clipped to the range of the output's type.
    """
    if surface.channels > MAX_CHANNELS:
        return _run_channel_groups(weights, surface, threads)
    checks = np.float32 in (surface.src.dtype, surface.out.dtype)
    clipped, left_out = run_tiles(weights, surface, threads=threads, checks=checks)
    for rows, columns in left_out:
        part = part_of(surface, rows, columns, weights.shape)
        height, width, _ = part.out.shape
        cost = fft_cost(*weights.shape, height * part.stride[1], width * part.stride[0], 1)
        if np.count_nonzero(weights) <= DIRECT_TAPS * cost:
            clipped += run_direct(weights, part, dilation=1, threads=threads)
        else:
            clipped += _run_bands(weights, part, threads)
    return clipped


def fft_blocks(kernel: tuple[int, int], surface: Surface) -> Blocks:
    """The rows that `run_fft` transforms together, for a kernel of a shape (kh, kw)."""
    rows, below = 1, 0
    for channels in {min(surface.channels, MAX_CHANNELS), surface.channels % MAX_CHANNELS} - {0}:
        grid = grid_of(kernel, replace(surface, out=surface.out[..., :channels]))
        rows = math.lcm(rows, grid.tile[0] * grid.together)
        below = max(below, grid.size[0] - kernel[0] - (grid.tile[0] - 1) * surface.stride[1])
    return Blocks(rows, below)


def _run_channel_groups(weights: Weights, surface: Surface, threads: int) -> int:
    """Convolve more channels than a transform supports, a few at a time."""
    clipped = 0
    for first in range(0, surface.channels, MAX_CHANNELS):
        some = slice(first, first + MAX_CHANNELS)
        src = np.ascontiguousarray(surface.src[..., some])
        out = aligned_empty((*surface.out.shape[:2], src.shape[2]), surface.out.dtype)
        clipped += run_fft(weights, replace(surface, src=src, out=out), threads=threads)
        surface.out[..., some] = out
    return clipped


def part_of(surface: Surface, rows: slice, columns: slice, extent: tuple[int, ...]) -> Surface:
    """The surface for a part of the output; ``extent`` is the kernel's (height, width)."""
    (first_y, last_y), (first_x, last_x) = (
        (part.start * step, (part.stop - 1) * step + reach)
        for part, step, reach in zip((rows, columns), surface.stride[::-1], extent, strict=True)
    )
    return replace(
        surface,
        out=surface.out[rows, columns],
        xmap=surface.xmap[first_x:last_x],
        ymap=surface.ymap[first_y:last_y],
        rows=None,
    )


def _run_bands(weights: Weights, part: Surface, threads: int) -> int:
    """Convolve a part of the output in bands, channel by channel."""
    shape = (part.ymap.size, part.xmap.size, part.channels)
    padded = replace(
        part, out=aligned_empty(shape, np.float32), stride=(1, 1), absolute=False, scale=1.0, bias=0.0
    )
    run_direct(_ONE, padded, dilation=1, threads=threads)
    results = aligned_empty(part.out.shape, np.float32)
    bands = _Bands(weights, part.stride, part.out.shape[:2], threads)
    for channel in range(part.channels):
        results[..., channel] = bands.convolve(np.array(padded.out[..., channel], np.float32))
    stored = replace(
        _without_border(results, part.out), absolute=part.absolute, scale=part.scale, bias=part.bias
    )
    return run_direct(_ONE, stored, dilation=1, threads=threads)


def _without_border(pixels: Floats, out: NDArray[np.generic]) -> Surface:
    """The surface of an array without a border."""
    return Surface(src=pixels, out=out, xmap=np.arange(pixels.shape[1]), ymap=np.arange(pixels.shape[0]))


class _Bands:
    """Applies a kernel to arrays of one channel, (H, W), that need no border."""

    def __init__(
        self, weights: Weights, stride: tuple[int, int], shape: tuple[int, ...], threads: int
    ) -> None:
        self.weights = weights
        self.stride = stride
        self.shape = shape
        self.threads = threads

    def convolve(self, values: Floats) -> Floats:
        """All outputs; ``values`` are overwritten."""
        infinite = self.not_finite(values)
        values[~np.isfinite(values)] = 0
        sizes = np.abs(values)
        results = np.zeros(self.shape, np.float32)
        open_ = np.ones(self.shape, bool)
        while open_.any() and (top := float(sizes.max(initial=0))) > 0:
            low = np.float32(top * BAND)
            hit = self.touched(sizes >= low, self.weights != 0) & open_
            if hit.any():
                exponent = int(np.frexp(top)[1])
                found = self.transformed(np.ldexp(values, -exponent), self.weights)
                results[hit] = as_float32(np.ldexp(found[hit].astype(np.float64), exponent))
            smaller = sizes < low
            values *= smaller
            sizes *= smaller
            open_ &= ~hit
        results += infinite
        return results

    def not_finite(self, values: Floats) -> Floats:
        """The sum of the values that are not finite in each window; 0 where there are none."""
        added = np.zeros(self.shape, np.float32)
        if np.isfinite(values).all():
            return added
        with np.errstate(invalid="ignore"):
            for sign in (1, -1):
                for size in (np.inf, -np.inf):
                    hit = self.touched(values == sign * size, sign * self.weights > 0)
                    added[hit] += np.float32(size)
        added[self.touched(np.isnan(values), self.weights != 0)] = np.nan
        return added

    def touched(self, marked: Mask, cells: Mask) -> Mask:
        """Where a marked pixel is under one of the cells."""
        touched = np.zeros(self.shape, bool)
        if marked.any() and cells.any():
            ones = marked.astype(np.float32)
            for some in np.array_split(np.flatnonzero(cells), -(-np.count_nonzero(cells) // _MAX_CELLS)):
                counting = np.zeros(cells.shape)
                counting.flat[some] = 1
                touched |= self.transformed(ones, counting) > _HALF
        return touched

    def transformed(self, values: Floats, weights: Weights) -> Floats:
        """One transform of all values."""
        out = aligned_empty((*self.shape, 1), np.float32)
        surface = replace(_without_border(values[..., None], out), stride=self.stride)
        run_tiles(weights, surface, threads=self.threads, checks=False)
        return out[..., 0]
