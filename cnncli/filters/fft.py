"""Convolution with large kernels by Fourier transforms of overlapping tiles."""

import math
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs
from cnncli.core.native import processor, run
from cnncli.core.tiling import HEADER_BYTES, Surface, TileJob, lay_out
from cnncli.filters.model import Weights

_SMALLEST = 16  # rows or columns of a tile: a first and a last pass of four points
_LARGEST = 2048
_OFFSET_BYTES = 64  # as in the loop
_ROOM = 256
_STRIP_ROOM = 512


def run_fft(weights: Weights, surface: Surface, *, threads: int) -> int:
    """Correlate a surface with a kernel of any size.

    Parameters
    ----------
    weights : ndarray, shape (kh, kw), float64
        In the order of correlation: the first weight falls on the first pixel under the kernel.
    surface : Surface
        Source, border and output; ``stride`` may be any, the channels 1 to 4.
    threads : int
        Threads to use. The result does not depend on it.

    Returns
    -------
    int
        How many values were clipped to the range of the output's type.
    """
    kh, kw = weights.shape
    height, width, channels = surface.out.shape
    stride_x, stride_y = surface.stride
    rows, columns = _tile_size(kh, kw, (height - 1) * stride_y + 1, (width - 1) * stride_x + 1)
    job = lay_out(jobs.FFT, surface, extent=(kw, kh))
    tile_width = _even_share(width, (columns - kw) // stride_x + 1, 16)
    tile_height = _even_share(height, (rows - kh) // stride_y + 1, 1)
    tiles_x, tiles_y = -(-width // tile_width), -(-height // tile_height)
    group = 2 if channels % 2 and tiles_x * tiles_y > 1 else 1
    point = 8 * processor()[3].lanes
    strip_bytes = rows * point + _STRIP_ROOM
    numbers = {
        "tiles_x": tiles_x,
        "tile_width": tile_width,
        "tile_height": tile_height,
        "rows": rows,
        "columns": columns,
        "padded_width": surface.xmap.size,
        "padded_height": surface.ymap.size,
        "tile_count": tiles_x * tiles_y,
        "group": group,
        "plane_bytes": columns // (point // 8) * strip_bytes,
        "kernel_sum": weights.sum(),
    }
    for name, value in numbers.items():
        job.record[name] = value
    column_radices, row_radices = _radices(rows), _radices(columns)[::-1]
    job.point("turns", _factors(rows, column_radices[0]))
    _point_plan(job, "column", rows // 4, 4, column_radices[1:])
    _point_plan(job, "row", columns, 1, row_radices[:-1])
    job.point("spectrum", _spectrum(weights, column_radices, row_radices))
    pairs = (group * channels + 1) // 2
    scratch_bytes = (
        HEADER_BYTES
        + _OFFSET_BYTES
        + 4 * columns * channels
        + _ROOM
        + 8 * pairs * (4 * columns + _ROOM)
        + columns * point
        + pairs * numbers["plane_bytes"]
    )
    items = -(-tiles_x * tiles_y // group)
    scratches = run("fft", job.record, items, threads=threads, scratch_bytes=scratch_bytes)
    return sum(int(scratch[:8].view(np.int64)[0]) for scratch in scratches)


def fft_cost(kh: int, kw: int, height: int, width: int, channels: int) -> float:
    """What `run_fft` costs, in the unit of direct convolution.

    Parameters
    ----------
    kh, kw : int
        The kernel.
    height, width, channels : int
        The output, times the strides.

    Returns
    -------
    float
        The number of multiply-adds for each output sample that direct convolution does in the same
        time: with a dense kernel, direct convolution costs ``kh * kw``.
    """
    rows, columns = _tile_size(kh, kw, height, width)
    return _cost(rows, columns, kh, kw, height, width) / (height * width)


def _tile_size(kh: int, kw: int, height: int, width: int) -> tuple[int, int]:
    """The cheapest rows and columns of a tile for a dense output."""
    choices = [
        (rows, columns) for rows in _sizes(kh, height) for columns in _sizes(kw, width)
    ]
    return min(choices, key=lambda size: (_cost(*size, kh, kw, height, width), size))


def _sizes(extent: int, length: int) -> list[int]:
    """Powers of two that may be a tile's: larger than the kernel, up to all of a padded row or column."""
    smallest = max(_SMALLEST, 1 << extent.bit_length())
    whole = max(smallest, 1 << (length + extent - 2).bit_length())
    return [size for size in (smallest << i for i in range(16)) if size <= min(whole, max(_LARGEST, smallest))]


def _cost(rows: int, columns: int, kh: int, kw: int, height: int, width: int) -> float:
    tiles = math.ceil(height / (rows - kh + 1)) * math.ceil(width / (columns - kw + 1))
    return tiles * rows * columns * math.log2(rows * columns)


def _even_share(length: int, most: int, multiple: int) -> int:
    """Length of the parts that a length is cut into, at most ``most``, of about one size."""
    share = -(-length // -(-length // most))
    rounded = -(-share // multiple) * multiple
    return rounded if rounded <= most else share


def _radices(size: int) -> list[int]:
    """The passes of a transform of a power of two: a four, then eights and fours."""
    exponent = size.bit_length() - 3
    fours = -exponent % 3
    return [4, *[8] * ((exponent - 2 * fours) // 3), *[4] * fours]


def _factors(size: int, radix: int) -> NDArray[np.float32]:
    """Factors of a pass over blocks of ``size``, shape (size / radix, radix - 1, 2): exp(-2 pi i j k / size)."""
    j, k = np.arange(size // radix)[:, None], np.arange(1, radix)
    angles = -2 * np.pi * (j * k) / size
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).astype(np.float32)


def _point_plan(job: TileJob, axis: str, size: int, blocks: int, radices: list[int]) -> None:
    """Set the passes of one axis: radix, gap, blocks and address of the factors of each."""
    steps = []
    for radix in radices:
        factors = _factors(size, radix)
        job.held.append(factors)
        size //= radix
        steps.append((radix, size, blocks, factors.ctypes.data))
        blocks *= radix
    job.record[f"{axis}_passes"] = len(steps)
    job.point(f"{axis}_plan", np.array(steps, np.intp))


def _order(radices: list[int]) -> NDArray[np.intp]:
    """The frequency at each place after passes that decimate in frequency."""
    return reduce(
        lambda inner, radix: (radix * inner + np.arange(radix)[:, None]).ravel(),
        reversed(radices),
        np.zeros(1, np.intp),
    )


def _spectrum(weights: Weights, column_radices: list[int], row_radices: list[int]) -> NDArray[np.float32]:
    """The kernel's spectrum, conjugated, over the number of points, in the order the loop meets it.

    Shape (rows / lanes, columns, 2, lanes).
    """
    rows, columns = math.prod(column_radices), math.prod(row_radices)
    lanes = processor()[3].lanes
    half = np.fft.fft(np.fft.rfft(weights, columns, axis=1), rows, axis=0)
    v, u = _order(column_radices), _order(row_radices)
    mirrored = u > columns // 2
    u = np.where(mirrored, columns - u, u)
    whole = np.where(mirrored, half[-v % rows][:, u].conj(), half[v][:, u]).conj() / (rows * columns)
    parts = np.stack([whole.real, whole.imag]).astype(np.float32)  # (2, rows, columns)
    return np.ascontiguousarray(parts.reshape(2, rows // lanes, lanes, columns).transpose(1, 3, 0, 2))
