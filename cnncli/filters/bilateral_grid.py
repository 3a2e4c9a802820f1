"""Large bilateral windows by a bilateral grid of colours and positions: its size, and when it is used."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.choices import EXACT_PIXEL, GRID_CORNER, GRID_GAIN, GRID_MIN_SIGMA, GRID_MIN_SIZE, GRID_TAP
from cnncli.core.tiling import HEADER_BYTES, Surface, lay_out
from cnncli.records import record

if TYPE_CHECKING:
    from cnncli.filters.kinds.bilateral import Bilateral

ACCURACY = 0.4  # of sigma_color: maximum error relative to the exact filter; 0.03 on average
_CELLS_PER_SIGMA = {1: 8.0, 3: 3.0}  # cells per sigma, along rows and columns, by the number of colours
_CELLS_PER_SIGMA_COLOR = {1: 6.0, 3: 1.5}  # by the number of colours
_TAIL = 4.0  # reach of taps along colour, in sigma_color
_WEAK = 0.01  # of the spatial weight of a window: pixels with fewer similar neighbours are computed exactly
_TAIL_WEIGHT = 3e-3  # errors of the taps are weighted relative to the Gaussian plus this
_TILES = (512, 384, 256, 192, 128)  # rows and columns of the output
_MAX_FLOATS = 1 << 25  # in a grid: 128 MiB, twice for each thread


@record(eq=False)
class Grid:
    """A bilateral grid for a tile of an image.

    Attributes
    ----------
    colors : int
        Number of colour axes, 1 or 3.
    bins : tuple of int
        Number of cells along each colour axis.
    low : tuple of float
        The colour of the first cell.
    bin, cell : float
        Distance between cells, in units of colour and in pixels.
    rows, columns : int
        Number of cells along rows and columns.
    reach : int
        Spatial taps to each side.
    row_floats, floats : int
        Floats in a row, with zeros at its ends, and in the whole grid.
    tile : (height, width)
        Size of a tile's output in pixels.
    """

    colors: int
    bins: tuple[int, ...]
    low: tuple[float, ...]
    bin: float
    cell: float
    rows: int
    columns: int
    reach: int
    row_floats: int
    floats: int
    tile: tuple[int, int]


def large_window(filter: "Bilateral") -> bool:
    """Whether a window is so large that a grid can be faster."""
    return filter.sigma >= GRID_MIN_SIGMA and filter.size >= GRID_MIN_SIZE


def grid_for(filter: "Bilateral", surface: Surface) -> Grid | None:
    """The grid for a surface; None if the exact filter is to be used.

    That is for small windows, strides, images that are not finite or have neither 1 nor 3 colours, and
    colour ranges so large that a grid would take too much memory.
    """
    colors = surface.channels
    if not large_window(filter) or colors not in _CELLS_PER_SIGMA_COLOR or surface.stride != (1, 1):
        return None
    ends = _color_range(surface)
    if ends is None:
        return None
    low, high = ends
    step = filter.sigma_color * surface.full_scale / _CELLS_PER_SIGMA_COLOR[colors]
    if float((high - low).max()) / step > _MAX_FLOATS:
        return None
    counts = [int((b - a) / step) + 2 for a, b in zip(low.tolist(), high.tolist(), strict=True)]
    bins, lows = (*counts, 1, 1)[:3], (*low.tolist(), 0.0, 0.0)[:3]
    for most in _TILES:
        grid = make_grid(filter, surface, bins=bins, low=lows, most=most)
        if grid.floats <= _MAX_FLOATS:
            return grid if _is_faster(filter, grid) else None
    return None


def make_grid(
    filter: "Bilateral", surface: Surface, *, bins: tuple[int, ...], low: tuple[float, ...], most: int
) -> Grid:
    """A grid for tiles of the output of at most ``most`` rows and columns."""
    colors = 3 if bins[1] > 1 else 1
    step = filter.sigma_color * surface.full_scale / _CELLS_PER_SIGMA_COLOR[colors]
    cell = min(filter.sigma, filter.size / 4) / _CELLS_PER_SIGMA[colors]
    tile = min(surface.out.shape[0], most), min(surface.out.shape[1], most)
    rows, columns = (
        int(((part - 1) * stride + filter.size - 1) / cell) + 3  # one more, in case of rounding
        for part, stride in zip(tile, surface.stride[::-1], strict=True)
    )
    reach = int((filter.size / 2) / cell + 0.5)
    row_floats = -(-((columns + 2 * reach) * (colors + 1) + 16) // 16) * 16
    floats = math.prod(bins) * rows * row_floats
    return Grid(colors, bins, low, step, cell, rows, columns, reach, row_floats, floats, tile)


def _is_faster(filter: "Bilateral", grid: Grid) -> bool:
    """Whether a grid is faster than the exact filter, for a full tile."""
    height, width = grid.tile
    taps = 2 * (2 * grid.reach + 1) + grid.colors * (
        2 * math.ceil(_TAIL * _CELLS_PER_SIGMA_COLOR[grid.colors]) + 1
    )
    corners = 4 * 2**grid.colors * (grid.colors + 1)
    pixels = (height + filter.size) * (width + filter.size) + height * width
    seconds = GRID_TAP * taps * grid.floats + GRID_CORNER * corners * pixels
    return bool(GRID_GAIN * seconds < EXACT_PIXEL * height * width * filter.size**2 * (grid.colors + 1) / 2)


def _color_range(surface: Surface) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Minimum and maximum of each colour; None if they are not finite."""
    src = surface.src
    low, high = src.min(axis=(0, 1)).astype(float), src.max(axis=(0, 1)).astype(float)
    if surface.luma is not None:
        low, high = (np.array([np.dot(each, surface.luma)]) for each in (low, high))
        high += 1e-5 * np.abs(high)  # rounding of luma
    if min(surface.xmap.min(), surface.ymap.min()) < 0:
        low, high = np.minimum(low, surface.fill), np.maximum(high, surface.fill)
    return (low, high) if np.isfinite(low).all() and np.isfinite(high).all() else None


def run_grid(filter: "Bilateral", grid: Grid, surface: Surface, *, threads: int) -> None:
    """Run the bilateral filter by a grid.

    Pixels with hardly any similar pixels in their window become NaN, to be computed by the exact filter.

    Results differ from the exact filter by less than `ACCURACY` of ``sigma_color``, mostly by a few
    hundredths. They depend slightly on the position of the tiles.

    Parameters
    ----------
    filter, surface, threads
        As for `cnncli.filters.kinds.bilateral.run_bilateral`.
    grid : Grid
        From `grid_for`.
    """
    size, channels = filter.size, surface.channels
    job = lay_out(jobs.BILATERAL_GRID, surface, extent=(size, size))
    height, width, _ = surface.out.shape
    pitch = -(-((grid.tile[1] - 1) * surface.stride[0] + size) * channels // 16) * 16 + 64
    grids_at = -(-(HEADER_BYTES + 8 * pitch) // 64) * 64
    spatial, range_ = _spatial_taps(filter, grid), _range_taps(filter, grid, surface.full_scale)
    numbers = {
        "size": size,
        "colors": grid.colors,
        "bins_per_unit": 1 / grid.bin,
        "cells_per_pixel": 1 / grid.cell,
        "grid_rows": grid.rows,
        "row_floats": grid.row_floats,
        "grid_floats": grid.floats,
        "near_reach": grid.reach,
        "like_reach": len(range_) // 2,
        "grids_at": grids_at,
        "weak": _WEAK * float(spatial.sum() ** 2) * grid.cell**2,
        "pitch": pitch,
        "tiles_x": -(-width // grid.tile[1]),
        "tile_width": grid.tile[1],
        "tile_height": grid.tile[0],
    }
    for name, value in numbers.items():
        job.record[name] = value
    job.point("bins", np.array(grid.bins, np.intp))
    job.point("low", np.array(grid.low, np.float32))
    job.point("near_taps", spatial)
    job.point("like_taps", range_)
    count = -(-width // grid.tile[1]) * -(-height // grid.tile[0])
    native.run(
        "bilateral_grid", job.record, count, threads=threads, scratch_bytes=grids_at + 8 * grid.floats + 256
    )


def _spatial_taps(filter: "Bilateral", grid: Grid) -> NDArray[np.float32]:
    """Spatial taps along rows and columns of cells, limited to the window."""
    at = np.arange(-grid.reach, grid.reach + 1) * grid.cell
    inside = np.clip((filter.size / 2 - (np.abs(at) - grid.cell / 2)) / grid.cell, 0, 1)
    # Linear splatting and slicing add a variance of a third of a squared cell.
    falls = np.exp(-(at**2) / (2 * (filter.sigma**2 - grid.cell**2 / 3)))
    return np.asarray(inside * falls, np.float32)


def _range_taps(filter: "Bilateral", grid: Grid, full_scale: float) -> NDArray[np.float32]:
    """Range taps, along the colour axes."""
    sigma = filter.sigma_color * full_scale / grid.bin
    reach = math.ceil(_TAIL * sigma)
    # Linear splatting and slicing turn each tap into a cubic B-spline; their sum should be the Gaussian.
    at = np.linspace(0, reach, 16 * reach + 1)
    target = np.exp(-(at**2) / (2 * sigma**2))
    splines = _spline(at[:, None] - np.arange(-reach, reach + 1))
    weights = 1 / (target + _TAIL_WEIGHT)
    both = splines[:, reach:] + np.where(np.arange(reach + 1) > 0, splines[:, reach::-1], 0)
    half = np.linalg.lstsq(both * weights[:, None], target * weights, rcond=None)[0]
    return np.asarray(np.concatenate([half[:0:-1], half]), np.float32)


def _spline(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cubic B-spline: linear interpolation applied twice."""
    x = np.abs(x)
    return np.where(x < 1, 2 / 3 - x**2 + x**3 / 2, np.clip(2 - x, 0, None) ** 3 / 6)
