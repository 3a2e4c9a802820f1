"""Sums and windows of worked examples, spelled out for a reader."""

import numpy as np

from cnncli.filters.model import Patch, Weights


def show(value: float) -> str:
    """Write a number with at most six digits that count."""
    return f"{value + 0.0:.6g}" if abs(value) > 1e-12 else "0"


def weighted(weights: Weights, patch: Patch, *, shift: int = 0) -> tuple[str, float]:
    """Spell out the sum of flipped weights times pixels at the middle of a patch, without terms that are 0.

    Parameters
    ----------
    weights : ndarray, shape (kh, kw)
        As written for convolution.
    patch : rows of numbers
        Its middle is column W // 2, row H // 2.
    shift : int
        Columns from the middle to the place of the sum.

    Returns
    -------
    terms : str
        ``0.5×1 - 0.25×0.2``.
    total : float
        Their sum.
    """
    kh, kw = weights.shape
    left, top = len(patch[0]) // 2 + shift - (kw - 1 - kw // 2), len(patch) // 2 - (kh - 1 - kh // 2)
    terms, total = "", 0.0
    for (row, column), weight in np.ndenumerate(weights[::-1, ::-1]):
        pixel = patch[top + row][left + column]
        if abs(weight) < 1e-12 or pixel == 0:
            continue
        total += float(weight) * pixel
        sign = ("- " if weight < 0 else "+ ") if terms else ("-" if weight < 0 else "")
        terms += f"{' ' if terms else ''}{sign}{show(abs(float(weight)))}×{show(pixel)}"
    return terms or "0", total


def window(patch: Patch, size: int) -> list[tuple[int, int, float]]:
    """The pixels of the window around the middle of a patch, row by row: x and y from the middle, value."""
    middle_x, middle_y, half = len(patch[0]) // 2, len(patch) // 2, size // 2
    offsets = range(-half, half + 1)
    return [(x, y, patch[middle_y + y][middle_x + x]) for y in offsets for x in offsets]
