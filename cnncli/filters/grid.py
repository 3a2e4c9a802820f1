"""Large bilateral windows by a grid of colours and places: which grid, and for which images it will do."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.tiling import HEADER_BYTES, Surface, lay_out
from cnncli.filters.model import Bilateral
from cnncli.records import record

ACCURACY = 0.4  # of sigma_color, by which an answer may differ from that of the exact form; 0.03 on average
_NEAR = {1: 8.0, 3: 3.0}  # cells in sigma, along rows and columns, by the number of colours
_LIKE = {1: 6.0, 3: 1.5}  # cells in sigma_color
_TAIL = 4.0  # sigmas of colour that taps reach
_WEAK = 0.01  # of all that lies in a window, by its distance: what has to be like a pixel
_TAIL_WEIGHT = 3e-3  # a misfit of the taps counts relative to the Gaussian, and to this
_TILES = (512, 384, 256, 192, 128)  # rows and columns of the output
# Seconds, measured with 16 lanes: of a tap of a float of the grid; of a corner of a pixel that is shared or
# read; of a pixel of a window, of a colour, in the exact form.
_TAP, _CORNER, _EXACT = 1.2e-10, 2.5e-9, 8e-11
_GAIN = 1.5  # by which a grid has to be faster
_LEAST_SIGMA = 15.0  # pixels: below it, or with fewer pixels in a window, the exact form is as fast
_LEAST_SIZE = 45
_MOST_FLOATS = 1 << 25  # of a grid: 128 MiB, twice for each thread


@record(eq=False)
class Grid:
    """A grid for a tile of an image.

    Attributes
    ----------
    colors : int
        Axes of colour, 1 or 3.
    bins : tuple of int
        Cells of each colour's axis.
    low : tuple of float
        The colour of the first.
    bin, cell : float
        Units of colour, and pixels, from one cell to the next.
    rows, columns : int
        Cells of places.
    reach : int
        Taps of places to each side.
    row_floats, floats : int
        Of a row, with zeros at its ends, and of all.
    tile : (height, width)
        Pixels of a tile's output.
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


def large_window(filter: Bilateral) -> bool:
    """Whether a window is so large that a grid is faster."""
    return filter.sigma >= _LEAST_SIGMA and filter.size >= _LEAST_SIZE


def grid_for(filter: Bilateral, surface: Surface) -> Grid | None:
    """The grid for a surface; None where the exact form is to be taken.

    That is where windows are small, with strides, where the image has another number of colours than 1 or 3
    or is not finite, and where colours reach so far that a grid would take too much memory.
    """
    colors = surface.channels
    if not large_window(filter) or colors not in _LIKE or surface.stride != (1, 1):
        return None
    ends = _ends(surface)
    if ends is None:
        return None
    low, high = ends
    step = filter.sigma_color * surface.full_scale / _LIKE[colors]
    if float((high - low).max()) / step > _MOST_FLOATS:
        return None
    counts = [int((b - a) / step) + 2 for a, b in zip(low.tolist(), high.tolist(), strict=True)]
    bins, lows = (*counts, 1, 1)[:3], (*low.tolist(), 0.0, 0.0)[:3]
    for most in _TILES:
        grid = lay_grid(filter, surface, bins=bins, low=lows, most=most)
        if grid.floats <= _MOST_FLOATS:
            return grid if _pays(filter, grid) else None
    return None


def lay_grid(
    filter: Bilateral, surface: Surface, *, bins: tuple[int, ...], low: tuple[float, ...], most: int
) -> Grid:
    """A grid for tiles of an output of at most so many rows and columns."""
    colors = 3 if bins[1] > 1 else 1
    step = filter.sigma_color * surface.full_scale / _LIKE[colors]
    cell = min(filter.sigma, filter.size / 4) / _NEAR[colors]
    tile = min(surface.out.shape[0], most), min(surface.out.shape[1], most)
    rows, columns = (
        int(((part - 1) * stride + filter.size - 1) / cell) + 3  # one more, should rounding reach it
        for part, stride in zip(tile, surface.stride[::-1], strict=True)
    )
    reach = int((filter.size / 2) / cell + 0.5)
    row_floats = -(-((columns + 2 * reach) * (colors + 1) + 16) // 16) * 16
    floats = math.prod(bins) * rows * row_floats
    return Grid(colors, bins, low, step, cell, rows, columns, reach, row_floats, floats, tile)


def _pays(filter: Bilateral, grid: Grid) -> bool:
    """Whether a grid is faster than the exact form, of a tile that is whole."""
    height, width = grid.tile
    taps = 2 * (2 * grid.reach + 1) + grid.colors * (2 * math.ceil(_TAIL * _LIKE[grid.colors]) + 1)
    corners = 4 * 2**grid.colors * (grid.colors + 1)
    pixels = (height + filter.size) * (width + filter.size) + height * width
    seconds = _TAP * taps * grid.floats + _CORNER * corners * pixels
    return bool(_GAIN * seconds < _EXACT * height * width * filter.size**2 * (grid.colors + 1) / 2)


def _ends(surface: Surface) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """The least and the greatest of each colour; None where they are not finite."""
    src = surface.src
    low, high = src.min(axis=(0, 1)).astype(float), src.max(axis=(0, 1)).astype(float)
    if surface.luma is not None:
        low, high = (np.array([np.dot(each, surface.luma)]) for each in (low, high))
        high += 1e-5 * np.abs(high)  # rounding of luma
    if min(surface.xmap.min(), surface.ymap.min()) < 0:
        low, high = np.minimum(low, surface.fill), np.maximum(high, surface.fill)
    return (low, high) if np.isfinite(low).all() and np.isfinite(high).all() else None


def run_grid(filter: Bilateral, grid: Grid, surface: Surface, *, threads: int) -> None:
    """Run the bilateral filter by a grid.

    Pixels that hardly anything in their window is like become NaN, for the exact form to be taken for them.

    Answers differ from those of the exact form by less than `ACCURACY` of ``sigma_color``, most of them by a
    few hundredths. They depend a little on where tiles begin.

    Parameters
    ----------
    filter, surface, threads
        As for `cnncli.filters.ranked.run_bilateral`.
    grid : Grid
        From `grid_for`.
    """
    size, channels = filter.size, surface.channels
    job = lay_out(jobs.BILATERAL_GRID, surface, extent=(size, size))
    height, width, _ = surface.out.shape
    pitch = -(-((grid.tile[1] - 1) * surface.stride[0] + size) * channels // 16) * 16 + 64
    grids_at = -(-(HEADER_BYTES + 8 * pitch) // 64) * 64
    near, like = _near_taps(filter, grid), _like_taps(filter, grid, surface.full_scale)
    numbers = {
        "size": size,
        "colors": grid.colors,
        "bins_per_unit": 1 / grid.bin,
        "cells_per_pixel": 1 / grid.cell,
        "grid_rows": grid.rows,
        "row_floats": grid.row_floats,
        "grid_floats": grid.floats,
        "near_reach": grid.reach,
        "like_reach": len(like) // 2,
        "grids_at": grids_at,
        "weak": _WEAK * float(near.sum() ** 2) * grid.cell**2,
        "pitch": pitch,
        "tiles_x": -(-width // grid.tile[1]),
        "tile_width": grid.tile[1],
        "tile_height": grid.tile[0],
    }
    for name, value in numbers.items():
        job.record[name] = value
    job.point("bins", np.array(grid.bins, np.intp))
    job.point("low", np.array(grid.low, np.float32))
    job.point("near_taps", near)
    job.point("like_taps", like)
    count = -(-width // grid.tile[1]) * -(-height // grid.tile[0])
    native.run(
        "bilateral_grid", job.record, count, threads=threads, scratch_bytes=grids_at + 8 * grid.floats + 256
    )


def _near_taps(filter: Bilateral, grid: Grid) -> NDArray[np.float32]:
    """Taps along rows and columns of cells, which end with the window."""
    at = np.arange(-grid.reach, grid.reach + 1) * grid.cell
    inside = np.clip((filter.size / 2 - (np.abs(at) - grid.cell / 2)) / grid.cell, 0, 1)
    # Sharing and reading, linearly, spread by a third of a squared cell.
    falls = np.exp(-(at**2) / (2 * (filter.sigma**2 - grid.cell**2 / 3)))
    return np.asarray(inside * falls, np.float32)


def _like_taps(filter: Bilateral, grid: Grid, full_scale: float) -> NDArray[np.float32]:
    """Taps along colours."""
    sigma = filter.sigma_color * full_scale / grid.bin
    reach = math.ceil(_TAIL * sigma)
    # Sharing and reading, linearly, make a cubic B-spline of each tap; their sum is to be the Gaussian.
    at = np.linspace(0, reach, 16 * reach + 1)
    wanted = np.exp(-(at**2) / (2 * sigma**2))
    splines = _spline(at[:, None] - np.arange(-reach, reach + 1))
    weights = 1 / (wanted + _TAIL_WEIGHT)
    both = splines[:, reach:] + np.where(np.arange(reach + 1) > 0, splines[:, reach::-1], 0)
    half = np.linalg.lstsq(both * weights[:, None], wanted * weights, rcond=None)[0]
    return np.asarray(np.concatenate([half[:0:-1], half]), np.float32)


def _spline(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cubic B-spline: two linear interpolations, one after the other."""
    x = np.abs(x)
    return np.where(x < 1, 2 / 3 - x**2 + x**3 / 2, np.clip(2 - x, 0, None) ** 3 / 6)
