"""Noisy linear imputation: removed pixels become weighted means of their neighbours, and a little noise.

Legend: B masks, C channels, H x W pixels, S = B * C planes of one channel each.

Source: Rong et al., A consistent and efficient evaluation strategy for attribution methods (ROAD), 2022,
section 5: what is put in place of pixels is to tell nothing of where they were. Each removed pixel is the
mean of its eight neighbours, those along rows and columns weighed 1/6, the diagonal ones 1/12, which makes a
sparse system of linear equations. Weights of neighbours beyond the edge are left out and the others sum to 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.attribution.model import Floats
from cnncli.errors import CnncliError
from cnncli.threaded import in_threads

Bools = NDArray[np.bool_]
NOISE = 0.01  # standard deviation, white being 1, as published
_AT_ONCE = 1 << 18  # values that are solved for at a time: what a core's cache holds
_ENOUGH = 1e-4  # of the first residual, in the norm of the preconditioner: less than the noise off, by far
_MOST = 500  # steps of the solver; 30 are usual
_COARSER = 4  # pixels of a grid to one of the next
_SHIFTS = (
    (0, 1, 4),
    (1, 0, 4),
    (1, 1, 2),
    (1, -1, 2),
)  # to half of the neighbours, twice twelve times weight


class _Grid(NamedTuple):
    """Hats on a coarser grid: (h, H) along rows, (W, w) along columns, and 1 / their energies (S, h, w)."""

    rows: Floats
    columns: Floats
    inverse: Floats


def imputed(
    x: Floats,
    gone: Bools,
    *,
    noise: NDArray[np.floating],
    random: np.random.Generator,
    threads: int = 1,
) -> Floats:
    """Copies of an image with pixels replaced by what their neighbours suggest.

    Parameters
    ----------
    x : ndarray, shape (H, W, C), float32
        The image.
    gone : ndarray, shape (B, H, W), bool
        Which pixels each copy loses; one at least stays.
    noise : ndarray, shape (C,)
        Standard deviation of what is added to each replaced value, in units of ``x``.
    random : numpy.random.Generator
        Draws the noise.
    threads : int
        That solve.

    Returns
    -------
    ndarray, shape (B, H, W, C), float32

    Raises
    ------
    CnncliError
        Where a copy loses every pixel.
    """
    if gone.all(axis=(1, 2)).any():
        raise CnncliError(
            "every pixel of an image is removed; expected one to stay", "Remove a smaller share of them."
        )
    planes = np.ascontiguousarray(x.transpose(2, 0, 1), np.float32)
    count = max(1, _AT_ONCE // x.size)
    parts = [gone[lo : lo + count] for lo in range(0, len(gone), count)]
    solved = in_threads(lambda at: _solved(planes, parts[at]), len(parts), threads=threads)
    stacked = np.concatenate(solved).reshape(len(gone), *planes.shape)
    made = np.ascontiguousarray(stacked.transpose(0, 2, 3, 1))
    added = random.standard_normal(made.shape, np.float32) * np.asarray(noise, np.float32)
    made += np.where(gone[..., None], added, np.float32(0))
    return made


def _solved(planes: Floats, gone: Bools) -> Floats:
    """(S, H, W) planes (C, H, W) under B masks, by the method of conjugate gradients.

    The matrix is that of a graph's Laplacian, symmetric and positive definite. A hole of many pixels is
    slow to fill from its rim, so steps are preconditioned by sums of hats on ever coarser grids (Bramble,
    Pasciak and Xu, Parallel multilevel preconditioners, 1990): 30 steps, where 300 would be needed.
    """
    holes = np.repeat(gone.astype(np.float32), len(planes), axis=0)
    degree = _spread(np.ones((1, *gone.shape[1:]), np.float32))
    known: Floats = np.tile(planes, (len(gone), 1, 1)) * (1 - holes)
    grids = _grids(gone, degree[0], len(planes))
    degree = degree * holes
    inverse = np.divide(holes, degree, out=np.zeros_like(holes), where=holes > 0)
    residual = _spread(known) * holes
    found = np.zeros_like(residual)
    eased = _eased(residual, holes, inverse, grids)
    step, size = eased.copy(), _product(residual, eased)
    first = size
    for _ in range(_MOST):
        image = degree * step - _spread(step) * holes
        length = size / np.maximum(_product(step, image), np.float32(1e-30))
        found += length * step
        residual -= length * image
        eased = _eased(residual, holes, inverse, grids)
        before, size = size, _product(residual, eased)
        if (size <= _ENOUGH**2 * first).all():
            break
        step *= size / np.maximum(before, np.float32(1e-30))
        step += eased
    return known + found


def _spread(planes: Floats) -> Floats:
    """Twelve times the weighted sum of the neighbours of each pixel; nothing lies beyond the edge."""
    rows = planes + planes
    rows[:, 1:] += planes[:, :-1]
    rows[:, :-1] += planes[:, 1:]
    out = rows + rows
    out[:, :, 1:] += rows[:, :, :-1]
    out[:, :, :-1] += rows[:, :, 1:]
    out -= 4 * planes
    return out


def _product(a: Floats, b: Floats) -> Floats:
    """(S, 1, 1) inner products of planes."""
    return np.asarray(np.einsum("shw,shw->s", a, b)[:, None, None], np.float32)


def _eased(residual: Floats, holes: Floats, inverse: Floats, grids: list[_Grid]) -> Floats:
    """What the preconditioner makes of a residual: its part on each grid, over the energy there."""
    out = residual * inverse
    for grid in grids:
        coarse = grid.rows @ (residual @ grid.columns) * grid.inverse
        out += grid.rows.T @ coarse @ grid.columns.T * holes
    return out


def _grids(gone: Bools, degree: Floats, channels: int) -> list[_Grid]:
    """Coarser grids, down to two nodes a side; hats are cut off where pixels are known."""
    height, width = degree.shape
    holes, coarser = gone.astype(np.float32), _COARSER
    grids = []
    while max(height, width) > 2 * coarser:
        rows, columns = (_hats(size, -(-size // coarser)) for size in (height, width))
        energy = rows**2 @ (degree * holes) @ (columns**2).T
        for down, across, weight in _SHIFTS:
            here, there = _shifted(width, across)
            both = holes[:, : height - down, here] * holes[:, down:, there]
            along = rows[:, : height - down] * rows[:, down:]
            energy -= weight * (along @ both @ (columns[:, here] * columns[:, there]).T)
        some = energy > 1e-3  # where a hat lies on a hole
        inverse = np.divide(1, energy, out=np.zeros_like(energy), where=some)
        grids.append(_Grid(rows, np.ascontiguousarray(columns.T), np.repeat(inverse, channels, axis=0)))
        coarser *= _COARSER
    return grids


def _shifted(width: int, across: int) -> tuple[slice, slice]:
    """Columns that have a neighbour so far to the right, and these neighbours."""
    if across >= 0:
        return slice(0, width - across), slice(across, width)
    return slice(-across, width), slice(0, width + across)


def _hats(size: int, nodes: int) -> Floats:
    """(nodes, size) how much of each node a pixel has, linear between the nodes."""
    at = (np.arange(size) + 0.5) * nodes / size - 0.5
    return np.asarray(np.maximum(0, 1 - np.abs(at - np.arange(nodes)[:, None])), np.float32)
