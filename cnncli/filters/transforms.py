"""Fourier transforms of overlapping tiles: their sizes, cost and job.

Rounding errors are relative to all values of a tile, see `MIN_FRACTION`; `fft.py` handles the rest.
"""

import functools
import itertools
import math

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs
from cnncli.core.choices import (
    CACHED_POINTS,
    DIRECT_SECONDS,
    MAX_TILE_SIDE,
    PASS_COST,
    POINT_COST,
    ROW_COST,
    TALL_COST,
    UNCACHED_COST,
)
from cnncli.core.native import processor, run
from cnncli.core.tiling import HEADER_BYTES, Surface, TileJob, lay_out
from cnncli.filters.model import Weights
from cnncli.records import record

_MIN_SIDE = 16  # rows or columns of a tile: radix-4 passes at both ends, in vectors of up to 16
_MULTIPLE = 16  # a tile's width is a multiple of this, so that rows are stored in whole vectors
_OFFSET_BYTES = 192  # for the offsets of a group's planes, at most 6, what is dark, and two vectors
BOUND = 1e-4  # of sum |weights| times the largest magnitude in a window: maximum error of an output
MIN_FRACTION = 1 / 32  # of a tile's root mean square: smallest peak of a window for which that holds
# Where a window is darker than that, or black: the smallest value that is not 0, as small as in any picture
# of 8 bits, and what rounding leaves of sum |weights| times the root mean square at most, below which outputs
# become 0. Both errors together are less than 1e-3 of the window's own magnitude.
DARK_FRACTION, ROUNDING = 1 / 256, 1.5e-6
_SAMPLES = 4  # rows of a block that are checked
_LEVELS = 0.02  # of an integer output: an error hidden by rounding
_LARGEST_FLOOR = 1e30
_SLACK = 256  # bytes that whole vectors may read or write after a row
_STRIP_SLACK = 512  # strips at a distance of a power of two would map to the same cache sets


def run_tiles(
    weights: Weights, surface: Surface, *, threads: int, checks: bool
) -> tuple[int, list[tuple[slice, slice]]]:
    """Correlate a surface with a kernel of any size, tile by tile.

    Parameters
    ----------
    weights : ndarray, shape (kh, kw), float64
        In correlation order: the first weight applies to the first pixel under the kernel.
    surface : Surface
        Source, border and output; any stride, 1 to 4 channels.
    threads : int
        Threads to use. The result does not depend on it.
    checks : bool
        Whether to skip tiles with a window whose magnitudes are all below `MIN_FRACTION` of the tile's.

    Returns
    -------
    clipped : int
        How many values were clipped to the range of the output's type.
    left_out : list of (rows, columns)
        Parts of the output that were not written: skipped tiles, and those not finite.
    """
    grid = grid_of(weights.shape, surface)
    job, scratch_bytes = _describe(surface, weights.shape, grid)
    job.record["kernel_sum"] = weights.sum()
    job.point("spectrum", _spectrum(weights, grid.size))
    tile_count = int(job.record["tile_count"][0])
    left_out = np.zeros(tile_count, np.uint8)
    job.point("left_out", left_out)
    if checks:
        _set_checks(job, weights, grid.size)
    items = -(-tile_count // int(job.record["group"][0]))
    scratches = run("fft", job.record, items, threads=threads, scratch_bytes=scratch_bytes)
    clipped = sum(int(scratch[:8].view(np.int64)[0]) for scratch in scratches)
    return clipped, _joined_parts(left_out.reshape(-1, grid.across), grid, surface.out.shape[:2])


@record
class Grid:
    """The tiles of an output.

    Attributes
    ----------
    size, tile : (rows, columns)
        Loaded and stored by a tile.
    across : int
        Tiles side by side.
    group : int
        Tiles processed together.
    """

    size: tuple[int, int]
    tile: tuple[int, int]
    across: int
    group: int

    @property
    def together(self) -> int:
        """Rows of tiles until groups begin at the left again."""
        return 2 if self.group == 2 and self.across % 2 else 1


def grid_of(kernel: tuple[int, ...], surface: Surface) -> Grid:
    """The tiles of a surface's whole output, for a kernel of a shape (kh, kw)."""
    kh, kw = kernel
    height, width, channels = surface.whole_rows, *surface.out.shape[1:]
    stride_x, stride_y = surface.stride
    size = _tile_size((kh, kw), ((height - 1) * stride_y + 1, (width - 1) * stride_x + 1), channels)
    tile = (
        _even_part(height, (size[0] - kh) // stride_y + 1, 1),
        _even_part(width, (size[1] - kw) // stride_x + 1, _MULTIPLE),
    )
    across = -(-width // tile[1])
    group = 2 if channels % 2 and across * -(-height // tile[0]) > 1 else 1
    return Grid(size, tile, across, group)


def _set_checks(job: TileJob, weights: Weights, size: tuple[int, int]) -> None:
    """Set the checks that decide in which tiles transforms are accurate."""
    surface = job.surface
    blocks = [
        min(1 << ((extent + 1) // 2).bit_length() - 1, most)
        for extent, most in zip(weights.shape, (size[0] // 4, size[1]), strict=True)
    ]
    record = job.record
    record["checks"], record["block_rows"], record["block_columns"] = 1, *blocks
    record["sampled_rows"] = max(1, blocks[0] // _SAMPLES)
    record["reach"] = size[0] * size[1] / MIN_FRACTION**2
    if surface.out.dtype == np.float32:
        record["dark_reach"] = size[0] * size[1] / DARK_FRACTION**2
        record["dark"] = ROUNDING * float(np.abs(weights).sum())
    else:
        unit = BOUND * float(np.abs(weights).sum()) * abs(surface.scale)
        record["floor"] = min(_LEVELS / unit, _LARGEST_FLOOR) if unit else _LARGEST_FLOOR


def _joined_parts(
    left_out: NDArray[np.uint8], grid: Grid, shape: tuple[int, ...]
) -> list[tuple[slice, slice]]:
    """Rows and columns of skipped tiles: neighbours in a row joined, and then equal rows of a block."""
    tile = grid.tile
    parts: dict[tuple[int, int], list[list[int]]] = {}
    for number, row in enumerate(left_out):
        edges = np.flatnonzero(np.diff(row, prepend=0, append=0))
        for start, end in edges.reshape(-1, 2).tolist():
            runs = parts.setdefault((start, end), [])
            if runs and runs[-1][1] == number and number % grid.together:
                runs[-1][1] = number + 1
            else:
                runs.append([number, number + 1])
    return [
        (
            slice(top * tile[0], min(bottom * tile[0], shape[0])),
            slice(start * tile[1], min(end * tile[1], shape[1])),
        )
        for (start, end), runs in parts.items()
        for top, bottom in runs
    ]


@functools.cache
def fft_cost(kh: int, kw: int, height: int, width: int, channels: int) -> float:
    """Cost of `run_tiles`, in the unit of direct convolution.

    Parameters
    ----------
    kh, kw : int
        The kernel.
    height, width, channels : int
        The output, times the strides.

    Returns
    -------
    float
        The number of multiply-adds per output sample that direct convolution performs in the same
        time: the cost of direct convolution with a dense kernel is ``kh * kw``.
    """
    kernel, dense = (kh, kw), (height, width)
    seconds = _seconds(_tile_size(kernel, dense, channels), kernel, dense, channels)
    return seconds / (height * width * channels * DIRECT_SECONDS)


def _tile_size(kernel: tuple[int, int], dense: tuple[int, int], channels: int) -> tuple[int, int]:
    """The cheapest rows and columns of a tile for an output without strides."""
    choices = itertools.product(_sizes(kernel[0], dense[0]), _sizes(kernel[1], dense[1]))
    return min(choices, key=lambda size: (_seconds(size, kernel, dense, channels), size))


def _sizes(extent: int, length: int) -> list[int]:
    """Candidate sizes of a tile: powers of two larger than the kernel, up to a whole padded row or column."""
    smallest = max(_MIN_SIDE, 1 << extent.bit_length())
    whole = 1 << (length + extent - 2).bit_length()
    roomy = smallest if 4 * smallest >= 5 * extent else 2 * smallest
    largest = max(smallest, min(whole, max(MAX_TILE_SIDE, roomy)))
    return [smallest << doubled for doubled in range((largest // smallest).bit_length())]


def _seconds(size: tuple[int, int], kernel: tuple[int, int], dense: tuple[int, int], channels: int) -> float:
    """Time of one thread, by the costs in `cnncli.core.choices`."""
    rows, columns = size
    valid_rows, valid_columns = rows - kernel[0] + 1, columns - kernel[1] + 1
    tiles = math.ceil(dense[0] / valid_rows) * math.ceil(dense[1] / valid_columns)
    planes = 2 * math.ceil(tiles * channels / 2) + 1  # one more for the spectrum
    # Columns without results are not transformed back; every loaded row costs extra, tall tiles more.
    every, back = PASS_COST
    point = math.log2(rows * columns) * (every + back * valid_columns / columns)
    point += POINT_COST + ROW_COST / columns + (TALL_COST if rows > columns else 0)
    point += UNCACHED_COST * max(0, math.log2(rows * columns / CACHED_POINTS))
    return planes * rows * columns * point * 1e-9


def _even_part(length: int, most: int, multiple: int) -> int:
    """Length of about equal parts of a length, at most ``most``."""
    part = -(-length // -(-length // most))
    rounded = -(-part // multiple) * multiple
    return rounded if rounded <= most else part


def _describe(surface: Surface, kernel: tuple[int, ...], grid: Grid) -> tuple[TileJob, int]:
    """The job for a kernel of a shape (kh, kw), and its scratch bytes."""
    rows, columns = grid.size
    tile_height, tile_width = grid.tile
    channels, group = surface.channels, grid.group
    job = lay_out(jobs.FFT, surface, extent=(kernel[1], kernel[0]))
    tile_count = grid.across * -(-surface.out.shape[0] // tile_height)
    pairs = (group * channels + 1) // 2
    lanes = processor()[3].lanes
    row_bytes, strip_bytes = 4 * columns + _SLACK, rows * 8 * lanes + _STRIP_SLACK
    line_at = HEADER_BYTES + _OFFSET_BYTES
    rows_at = line_at + 4 * columns * channels + _SLACK
    buffer_at = rows_at + 8 * pairs * row_bytes
    strips_at = buffer_at + columns * 8 * lanes
    pair_bytes = columns // lanes * strip_bytes
    peaks_at = strips_at + pairs * pair_bytes
    numbers = {
        "tiles_x": grid.across,
        "tile_width": tile_width,
        "tile_height": tile_height,
        "rows": rows,
        "columns": columns,
        "padded_width": surface.xmap.size,
        "padded_height": surface.ymap.size,
        "tile_count": tile_count,
        "group": group,
        "kept": -(-((tile_width - 1) * surface.stride[0] + 1) // lanes),
        "line_at": line_at,
        "rows_at": rows_at,
        "row_bytes": row_bytes,
        "buffer_at": buffer_at,
        "strips_at": strips_at,
        "strip_bytes": strip_bytes,
        "pair_bytes": pair_bytes,
        "peaks_at": peaks_at,
    }
    for name, value in numbers.items():
        job.record[name] = value
    radices = _radices(rows)
    job.point("turns", _twiddles(rows, radices[0]))
    _point_plan(job, "column", rows // radices[0], radices[0], radices[1:])
    _point_plan(job, "row", columns, 1, _radices(columns)[:0:-1])
    return job, peaks_at + 8 * row_bytes


def _spectrum(weights: Weights, size: tuple[int, int]) -> NDArray[np.float32]:
    """The kernel's spectrum divided by the number of points, computed by the loop, in its order."""
    rows, columns = size
    kh, kw = weights.shape
    kernel = (weights / (rows * columns)).astype(np.float32)[:, :, None]
    surface = Surface(src=kernel, out=np.zeros((1, 1, 1), np.float32), xmap=np.arange(kw), ymap=np.arange(kh))
    job, scratch_bytes = _describe(surface, (kh, kw), Grid(size, (1, 1), 1, 1))
    spectrum = np.empty(2 * rows * columns, np.float32)
    job.record["prepares"] = 1
    job.point("spectrum", spectrum)
    _point_plan(job, "row", columns, 1, _radices(columns)[::-1])
    run("fft", job.record, 1, threads=1, scratch_bytes=scratch_bytes)
    return spectrum


def _radices(size: int) -> list[int]:
    """The radices of a transform's passes, for columns in this order, for rows in reverse.

    A 4 comes first, because the passes that load and store rows and the one with the product are radix-4;
    then 8s and 4s.
    """
    exponent = size.bit_length() - 3
    fours = -exponent % 3
    return [4, *[8] * ((exponent - 2 * fours) // 3), *[4] * fours]


def _twiddles(size: int, radix: int) -> NDArray[np.float32]:
    """Twiddle factors of a pass over blocks of ``size``: exp(-2 pi i j k / size), (j, k, 2), k from 1."""
    j, k = np.arange(size // radix)[:, None], np.arange(1, radix)
    angles = -2 * np.pi * (j * k) / size
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).astype(np.float32)


def _point_plan(job: TileJob, axis: str, size: int, blocks: int, radices: list[int]) -> None:
    """Set the passes of one axis: radix, gap, blocks and address of the factors of each."""
    steps = []
    for radix in radices:
        twiddles = _twiddles(size, radix)
        job.held.append(twiddles)
        size //= radix
        steps.append((radix, size, blocks, twiddles.ctypes.data))
        blocks *= radix
    job.record[f"{axis}_passes"] = len(steps)
    job.point(f"{axis}_plan", np.array(steps, np.intp))
