"""The area of each pixel cell that a shape covers: the weights of disk and motion.

Cells are unit squares centred on integer coordinates; the shape is centred on (0, 0).
"""

import math

import numpy as np
from numpy.typing import NDArray

from cnncli.filters.model import Weights

_Polygon = list[tuple[float, float]]


def disk_coverage(radius: float) -> Weights:
    """Return the exact area of each cell inside a circle.

    Parameters
    ----------
    radius : float
        In pixels, at least 0.5.

    Returns
    -------
    ndarray, shape (n, n), n odd, float64
        0 to 1, symmetric; the sum is the circle's area.
    """
    half = max(0, math.ceil(radius - 0.5))
    corners = np.arange(half + 1, dtype=np.float64) + 0.5
    # Areas of [0, x] x [0, y], then differences; the axes bisect the cells of row and column 0.
    area = np.zeros((half + 2, half + 2))
    area[1:, 1:] = _quarter_area(*np.meshgrid(corners, corners), radius)
    quadrant = np.diff(np.diff(area, axis=0), axis=1)
    quadrant[0, :] *= 2
    quadrant[:, 0] *= 2
    quadrant = np.where(quadrant < 1e-9, 0.0, np.minimum(quadrant, 1.0))
    quadrant = (quadrant + quadrant.T) / 2
    lower = np.hstack([quadrant[:, :0:-1], quadrant])
    return np.vstack([lower[:0:-1], lower])


def _quarter_area(x: NDArray[np.float64], y: NDArray[np.float64], radius: float) -> Weights:
    """Return the area of [0, x] x [0, y] inside the circle, for x and y from 0 up."""
    x, y = np.minimum(x, radius), np.minimum(y, radius)
    # Left of `turn` the circle is above y, right of it below.
    turn = np.minimum(x, np.sqrt(np.maximum(radius**2 - y**2, 0)))
    return turn * y + _under_arc(x, radius) - _under_arc(turn, radius)


def _under_arc(x: NDArray[np.float64], radius: float) -> Weights:
    """Return the integral of sqrt(radius^2 - t^2) from 0 to x."""
    height = np.sqrt(np.maximum(radius**2 - x**2, 0))
    return np.asarray((x * height + radius**2 * np.arcsin(np.minimum(x / radius, 1))) / 2)


def streak_coverage(length: float, angle: float) -> Weights:
    """Return the area of each cell that a streak one pixel wide covers.

    Parameters
    ----------
    length : float
        In pixels.
    angle : float
        In degrees from the x axis towards the y axis.

    Returns
    -------
    ndarray, shape (kh, kw), both odd, float64
        0 to 1, symmetric under a rotation by 180 degrees; the sum is the length.
    """
    # Rounding makes right angles exact, so that no empty columns are added.
    along = round(math.cos(math.radians(angle)), 15), round(math.sin(math.radians(angle)), 15)
    ux, uy = along[0] * length / 2, along[1] * length / 2
    vx, vy = -along[1] / 2, along[0] / 2
    streak = [(-ux - vx, -uy - vy), (ux - vx, uy - vy), (ux + vx, uy + vy), (-ux + vx, -uy + vy)]
    half_x = max(0, math.ceil(round(max(x for x, _ in streak) - 0.5, 9)))
    half_y = max(0, math.ceil(round(max(y for _, y in streak) - 0.5, 9)))
    weights = np.zeros((2 * half_y + 1, 2 * half_x + 1))
    y, x = np.mgrid[-half_y : half_y + 1, -half_x : half_x + 1]
    # Half the width of the streak and half a cell's diagonal: cells further from the axis are not covered.
    near = np.abs(x * along[1] - y * along[0]) < 0.5 + math.sqrt(0.5)
    for row, column in np.argwhere(near & ((y < 0) | ((y == 0) & (x <= 0)))):
        weights[row, column] = _cell_area(streak, column - half_x, row - half_y)
    weights[weights < 1e-9] = 0
    mirrored = weights[::-1, ::-1].copy()
    mirrored[half_y, half_x] = 0
    return np.asarray(weights + mirrored)


def _cell_area(polygon: _Polygon, column: int, row: int) -> float:
    """Clip a polygon to a cell, side by side (Sutherland and Hodgman, 1974); its area."""
    for axis, centre in ((0, column), (1, row)):
        for side in (-1.0, 1.0):
            polygon = _clip(polygon, axis, side, side * centre + 0.5)
    wrapped = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    return abs(sum(a[0] * b[1] - a[1] * b[0] for a, b in wrapped)) / 2


def _clip(polygon: _Polygon, axis: int, side: float, limit: float) -> _Polygon:
    """Keep the part where ``side * coordinate <= limit``."""
    kept: _Polygon = []
    for start, end in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        before, after = side * start[axis] - limit, side * end[axis] - limit
        if before <= 0:
            kept.append(start)
        if before * after < 0:
            fraction = before / (before - after)
            kept.append(
                (start[0] + fraction * (end[0] - start[0]), start[1] + fraction * (end[1] - start[1]))
            )
    return kept
