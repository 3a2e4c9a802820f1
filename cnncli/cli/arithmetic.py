"""A filter's response at one pixel, spelled out term by term, for the worked examples of `cnncli kernels`."""

import math
from collections.abc import Sequence
from typing import cast

import numpy as np

from cnncli.filters.model import (
    Bank,
    Bilateral,
    Canny,
    Filter,
    Gradient,
    Linear,
    Median,
    Weights,
    ZeroCrossings,
)

Patch = Sequence[Sequence[float]]

_SOBEL = np.array([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]) / 4


def show(value: float) -> str:
    """Write a number with at most six digits that count."""
    return f"{value + 0.0:.6g}" if abs(value) > 1e-12 else "0"


def spell_out(filter: Filter, patch: Patch) -> tuple[list[str], float]:
    """Work out a filter's response at the middle of a patch.

    Parameters
    ----------
    filter : Filter
        Any kind.
    patch : rows of numbers
        Large enough for the kernel; its middle is column W // 2, row H // 2.

    Returns
    -------
    lines : list of str
        The arithmetic.
    value : float
        The response.
    """
    if isinstance(filter, Linear):
        terms, value = _weighted(filter.weights, patch)
        return [f"{terms} = {show(value)}"], value
    if isinstance(filter, Gradient):
        return _spell_gradient(filter, patch)
    if isinstance(filter, Bank):
        return _spell_bank(filter, patch)
    if isinstance(filter, ZeroCrossings):
        return _spell_crossing(filter, patch)
    if isinstance(filter, Median):
        values = sorted(value for _, _, value in _window(patch, filter.size))
        middle = len(values) // 2
        listed = " ".join(f"[{show(v)}]" if i == middle else show(v) for i, v in enumerate(values))
        return [f"sorted: {listed}", f"the middle one: {show(values[middle])}"], values[middle]
    if isinstance(filter, Bilateral):
        return _spell_bilateral(filter, patch)
    return _spell_canny(cast(Canny, filter), patch)


def _weighted(weights: Weights, patch: Patch, *, shift: int = 0) -> tuple[str, float]:
    """Spell out the sum of the flipped weights times the pixels, without the terms that are 0."""
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


def _spell_gradient(filter: Gradient, patch: Patch) -> tuple[list[str], float]:
    (across, dx), (down, dy) = _weighted(filter.dx, patch), _weighted(filter.dy, patch)
    lines = [f"dx = {across} = {show(dx)}", f"dy = {down} = {show(dy)}"]
    pair = f"{show(dx)}, {show(dy)}"
    if filter.answer == "magnitude":
        value = math.hypot(dx, dy)
        return [*lines, f"magnitude = hypot({pair}) = {show(value)}"], value
    value = {"angle": math.atan2(dy, dx), "x": dx, "y": dy}[filter.answer]
    return [*lines, f"{filter.answer} of ({pair}) = {show(value)}"], value


def _spell_bank(filter: Bank, patch: Patch) -> tuple[list[str], float]:
    spelled = [_weighted(weights, patch) for weights in filter.bank]
    values = [value for _, value in spelled]
    responses = " ".join(show(value) for value in values)
    if filter.answer == "energy":
        norm = math.sqrt(sum(value * value for value in values))
        return [
            f"responses of the masks: {responses}",
            f"square root of the sum of squares = {show(norm)}",
        ], norm
    strength = [abs(value) if filter.rectified else value for value in values]
    best = strength.index(max(strength))
    angle = filter.angles[best]
    lines = [
        f"responses of the masks: {responses}",
        f"strongest, for {show(math.degrees(angle))}°: {spelled[best][0]} = {show(values[best])}",
    ]
    return lines, angle if filter.answer == "direction" else strength[best]


def _spell_crossing(filter: ZeroCrossings, patch: Patch) -> tuple[list[str], float]:
    left, here = (_weighted(filter.weights, patch, shift=shift)[1] for shift in (-1, 0))
    return [
        f"log at the pixel to the left: {show(left)}, at the middle: {show(here)}",
        f"the sign changes, the jump is {show(here)} - {show(left)} = {show(here - left)}",
    ], here - left


def _spell_bilateral(filter: Bilateral, patch: Patch) -> tuple[list[str], float]:
    middle = patch[len(patch) // 2][len(patch[0]) // 2]
    total = scale = 0.0
    for x, y, value in _window(patch, filter.size):
        near = math.exp(-(x * x + y * y) / (2 * filter.sigma**2))
        weight = near * math.exp(-((value - middle) ** 2) / (2 * filter.sigma_color**2))
        total, scale = total + weight * value, scale + weight
    return [
        f"sum of weight × value = {show(total)}, sum of weights = {show(scale)}",
        f"{show(total)} / {show(scale)} = {show(total / scale)}",
    ], total / scale


def _spell_canny(filter: Canny, patch: Patch) -> tuple[list[str], float]:
    left, here, right = (
        math.hypot(_weighted(_SOBEL, patch, shift=shift)[1], _weighted(_SOBEL.T, patch, shift=shift)[1])
        for shift in (-1, 0, 1)
    )
    edge = here >= max(left, right) and here >= filter.high
    return [
        f"Sobel magnitude, left, here and right: {show(left)} {show(here)} {show(right)}",
        f"{'an' if edge else 'no'} edge: largest here, and {show(here)} against high={show(filter.high)}",
    ], float(edge)


def _window(patch: Patch, size: int) -> list[tuple[int, int, float]]:
    middle_x, middle_y, half = len(patch[0]) // 2, len(patch) // 2, size // 2
    offsets = range(-half, half + 1)
    return [(x, y, patch[middle_y + y][middle_x + x]) for y in offsets for x in offsets]
