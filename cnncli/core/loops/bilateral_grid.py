"""The bilateral filter by a bilateral grid, in a time almost independent of the window's size.

Colours and positions are axes of a grid that is much coarser than the image. Each pixel under a tile is
splatted to the nearest cells, linearly along every axis; the grid is blurred along each axis; and each pixel
of the output is sliced from the nearest cells, also linearly. The taps compensate for the blur of splatting
and slicing.

Source: J. Chen, S. Paris, F. Durand: Real-time Edge-Aware Image Processing with the Bilateral Grid, 2007.
"""

import numpy as np

from cnncli.core import jobs
from cnncli.core.loops.integers import clear
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import LANES, fma, load_f32, load_i64, record, splat, store_f32, vload, vstore, zeros

JOB = jobs.BILATERAL_GRID
ONE = np.float32(1)
ZERO = np.float32(0)


@inline
def place_on(job, axis, value):
    """The cell of a colour axis below a value, and the distance of the value from it."""
    at = (value - load_f32(job.low + 4 * axis)) * job.bins_per_unit
    cell = int(at)
    cell = max(0, min(cell, load_i64(job.bins + 8 * axis) - 2))
    return cell, at - np.float32(cell)


@inline
def corner_at(job, grid, pixel, y, x, corner):
    """Address of one of the eight cells around a colour, at a row and column of cells, and its weight."""
    values = job.colors + 1
    index, share = 0, ONE
    for axis in range(3):
        if axis < job.colors:
            cell, beyond = place_on(job, axis, load_f32(pixel + 4 * axis))
            if corner >> axis & 1:
                cell += 1
                share *= beyond
            else:
                share *= ONE - beyond
            index = index * load_i64(job.bins + 8 * axis) + cell
    index = index * job.grid_rows + y
    return grid + 4 * (index * job.row_floats + (job.near_reach + x) * values), share


@inline
def splat_pixel(job, grid, pixel, y, beyond_y, x, beyond_x):
    """Splat a pixel to the cells around it."""
    colors = job.colors
    for corner in range(1 << colors):
        at, share = corner_at(job, grid, pixel, y, x, corner)
        for near in range(4):
            part = share * (beyond_y if near & 2 else ONE - beyond_y)
            part *= beyond_x if near & 1 else ONE - beyond_x
            cell = at
            if near & 2:
                cell += 4 * job.row_floats
            if near & 1:
                cell += 4 * (colors + 1)
            for c in range(colors):
                color = load_f32(pixel + 4 * c) - load_f32(job.low + 4 * c)
                store_f32(cell + 4 * c, load_f32(cell + 4 * c) + part * color)
            store_f32(cell + 4 * colors, load_f32(cell + 4 * colors) + part)


@inline
def blur(src, dst, outer, length, inner, taps, reach):
    """Weighted sums along an axis whose cells are ``inner`` floats apart, a multiple of the lanes."""
    step = 4 * inner
    for each in range(outer):
        first = each * length * step
        for i in range(length):
            low, high = max(-reach, -i), min(reach, length - 1 - i)
            at = first + i * step
            for j in range(0, step, 4 * LANES):
                total = zeros()
                for t in range(low, high + 1):
                    total = fma(
                        vload(src + at + t * step + j), splat(load_f32(taps + 4 * (t + reach))), total
                    )
                vstore(dst + at + j, total)


@inline
def blur_rows(src, dst, rows, row_floats, values, taps, reach):
    """Weighted sums along rows of cells, which are padded with as many zeros as taps."""
    pad = 4 * reach * values
    inside = 4 * row_floats - 2 * pad
    for row in range(rows):
        at = row * 4 * row_floats + pad
        for j in range(0, inside - 4 * LANES + 1, 4 * LANES):
            total = zeros()
            for t in range(-reach, reach + 1):
                tap = splat(load_f32(taps + 4 * (t + reach)))
                total = fma(vload(src + at + j + 4 * t * values), tap, total)
            vstore(dst + at + j, total)


@inline
def read_pixel(job, grid, pixel, y, beyond_y, x, beyond_x, dst):
    """Slice the mean at a pixel; NaN where too few pixels are similar for the grid to be accurate."""
    colors = job.colors
    total, sum_0, sum_1, sum_2 = ZERO, ZERO, ZERO, ZERO
    for corner in range(1 << colors):
        at, share = corner_at(job, grid, pixel, y, x, corner)
        for near in range(4):
            part = share * (beyond_y if near & 2 else ONE - beyond_y)
            part *= beyond_x if near & 1 else ONE - beyond_x
            cell = at
            if near & 2:
                cell += 4 * job.row_floats
            if near & 1:
                cell += 4 * (colors + 1)
            total += part * load_f32(cell + 4 * colors)
            sum_0 += part * load_f32(cell)
            if colors == 3:
                sum_1 += part * load_f32(cell + 4)
                sum_2 += part * load_f32(cell + 8)
    for c in range(colors):
        value = np.float32(np.nan)
        if total >= job.weak:
            summed = sum_0 if c == 0 else sum_1 if c == 1 else sum_2
            value = load_f32(job.low + 4 * c) + summed / total
        store_f32(dst + 4 * c, value)


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    channels, size, values = job.channels, job.size, job.colors + 1
    row = scratch + HEADER_BYTES
    answer = row + 4 * job.pitch
    first, second = scratch + job.grids_at, scratch + job.grids_at + 4 * job.grid_floats
    colors = load_i64(job.bins + 8 * 0) * load_i64(job.bins + 8 * 1) * load_i64(job.bins + 8 * 2)
    plane = job.grid_rows * job.row_floats
    for tile in range(lo, hi):
        tile_y = tile // job.tiles_x
        x0 = (tile - tile_y * job.tiles_x) * job.tile_width
        y0 = tile_y * job.tile_height
        width = min(job.tile_width, job.out_width - x0)
        height = min(job.tile_height, job.out_height - y0)
        dense = (width - 1) * job.stride_x + 1
        pixels = dense + size - 1
        left, top = x0 * job.stride_x, y0 * job.stride_y
        clear(first, 8 * job.grid_floats)
        for y in range((height - 1) * job.stride_y + size):
            load_row(job, top + y, left, pixels, row)
            at_y = np.float32(y) * job.cells_per_pixel
            cell_y = int(at_y)
            for x in range(pixels):
                at_x = np.float32(x) * job.cells_per_pixel
                cell_x = int(at_x)
                splat_pixel(
                    job, first, row + 4 * x * channels, cell_y, at_y - np.float32(cell_y),
                    cell_x, at_x - np.float32(cell_x),
                )  # fmt: skip
        here, there = first, second
        outer, inner = 1, colors * plane
        for axis in range(3):
            inner //= load_i64(job.bins + 8 * axis)
            if load_i64(job.bins + 8 * axis) > 1:
                blur(here, there, outer, load_i64(job.bins + 8 * axis), inner, job.like_taps, job.like_reach)
                here, there = there, here
            outer *= load_i64(job.bins + 8 * axis)
        blur(here, there, colors, job.grid_rows, job.row_floats, job.near_taps, job.near_reach)
        here, there = there, here
        blur_rows(here, there, colors * job.grid_rows, job.row_floats, values, job.near_taps, job.near_reach)
        here, there = there, here
        for y in range(height):
            middle = y * job.stride_y + size // 2
            load_row(job, top + middle, left, pixels, row)
            at_y = np.float32(middle) * job.cells_per_pixel
            cell_y = int(at_y)
            for each in range(width):
                x = each * job.stride_x
                column = x + size // 2
                at_x = np.float32(column) * job.cells_per_pixel
                cell_x = int(at_x)
                read_pixel(
                    job, here, row + 4 * column * channels, cell_y, at_y - np.float32(cell_y),
                    cell_x, at_x - np.float32(cell_x), answer + 4 * x * channels,
                )  # fmt: skip
            store_row(job, answer, y0 + y, x0, width, scratch)
