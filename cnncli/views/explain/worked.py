"""One output pixel of a filter, worked out from the patch under its window.

Every function here takes the patch and answers in the numbers and lines that a page shows,
and in the response as recomputed from them.
"""

from dataclasses import replace
from math import atan2, degrees, hypot, radians

import numpy as np

from cnncli.filters.model import Bank, Bilateral, Canny, Gradient, Median, Unsharp, ZeroCrossings
from cnncli.views.explain.arithmetic import Result, multiply, result, settled, sum_lines, weigh
from cnncli.views.explain.edges import canny, zero_crossings
from cnncli.views.explain.grids import fitted_decimals, is_legible
from cnncli.views.explain.model import (
    Branch,
    Explanation,
    Grid,
    Numbers,
    Place,
    Working,
    as_printed,
    decimals_of,
    number,
    patch_at,
)
from cnncli.views.explain.pixels import pixel_lines

_NOISE = 1e-6
_BARS = 24  # kernels of a bank that get a bar, the strongest of more

Bars = tuple[tuple[str, float, bool], ...]
Outcome = tuple[tuple[Branch, ...], tuple[str, ...], Result]


def work_out(e: Explanation, place: Place, cell: int = 0) -> Working:
    """Return the numbers that lead from the patch around ``place`` to its pixel.

    Parameters
    ----------
    e : Explanation
        A filter's run.
    place : (x, y)
        A pixel of the feature map.
    cell : int
        Side of the cells that the numbers have to fit into, in pixels; 0: as large as they need.
    """
    values, outside = patch_at(e, place)
    patch = Grid(values, "gray", e.full, decimals_of(values), "pixels", marked=e.pivot)
    fewest = patch.decimals - (patch.decimals not in (0, 2))
    patch = replace(patch, decimals=fitted_decimals(patch, cell, fewest))
    patch = replace(patch, faint=outside if outside.any() else None)
    bars: Bars = ()
    match e.filter:
        case Gradient() as f:
            branches, lines, found = _gradient(e, f, patch, cell)
        case Bank() as f:
            branches, lines, found, bars = _bank(e, f, patch, place, cell)
        case Median() as f:
            branches, lines, found = _median(e, f, patch)
        case Bilateral() as f:
            branches, lines, found = _bilateral(e, f, patch, cell)
        case Canny() as f:
            branches, lines, found = canny(e, f, place)
        case ZeroCrossings() as f:
            branches, lines, found = zero_crossings(e, f, patch, place, cell)
        case _:
            branches, lines, found = _linear(e, patch, cell)
    pixel = int(e.shown[place[1], place[0]])
    ran = float(e.response[place[1], place[0]])
    if not np.isclose(found.real, ran, rtol=1e-3, atol=1e-3 * e.full, equal_nan=True):
        # Weighted by opacity, or repeated: the page shows one plain pass, the run went on from there.
        found = result(ran, ran)
        lines = (*lines, f"in the whole run: {found.text}")
    lines = (*lines, *pixel_lines(e, found, pixel))
    return Working(place, patch, branches, lines, found.real, pixel, bars)


def _linear(e: Explanation, patch: Grid, cell: int) -> Outcome:
    x, y = e.pivot
    middle = float(patch.values[y, x])
    if not len(e.stack):
        return (), (), Result(float(patch.printed[y, x]), middle, patch.decimals)
    branch, found = weigh(patch, e.stack[0], "kernel", cell)
    lines, found = settled(found)
    if isinstance(e.filter, Unsharp) and e.filter.min_change > 0:
        kept, found = _kept_if_alike(e, e.filter, patch, found)
        lines = (*lines, *kept)
    return (branch,), lines, found


def _kept_if_alike(e: Explanation, f: Unsharp, patch: Grid, found: Result) -> tuple[tuple[str, ...], Result]:
    """Compare the response with the pixel itself, which stays where they differ by less than a threshold."""
    x, y = e.pivot
    middle = Result(float(patch.printed[y, x]), float(patch.values[y, x]), patch.decimals)
    least = f.min_change * e.full
    change = result(abs(found.shown - middle.shown), abs(found.real - middle.real))
    small = change.real < least
    line = f"a change of {change.text}, threshold {number(least, decimals_of([least]))}: "
    return (line + ("the pixel stays" if small else "applied"),), middle if small else found


def _gradient(e: Explanation, f: Gradient, patch: Grid, cell: int) -> Outcome:
    if f.answer in ("x", "y"):
        branch, found = weigh(patch, e.stack[0 if f.answer == "x" else -1], f"d{f.answer} kernel", cell)
        lines, found = settled(found)
        return (branch,), lines, found
    bx, dx = weigh(patch, e.stack[0], "dx kernel", cell)
    by, dy = weigh(patch, e.stack[1], "dy kernel", cell)
    parts = (f"dx = {dx.text}", f"dy = {dy.text}")
    if f.answer == "angle":
        lines, found = _angle(
            "direction = atan2(dy, dx)",
            0.0 if hypot(dx.shown, dy.shown) <= _noise(e) else atan2(dy.shown, dx.shown),
            0.0 if hypot(dx.real, dy.real) <= _noise(e) else atan2(dy.real, dx.real),
        )
        return (bx, by), (*parts, *lines), found
    found = result(hypot(dx.shown, dy.shown), hypot(dx.real, dy.real))
    line = f"√(dx² + dy²) = {found.text}"
    lines, found = settled(found)
    return (bx, by), (*parts, line, *lines), found


def _angle(what: str, shown: float, real: float) -> tuple[tuple[str, ...], Result]:
    """Say an angle in degrees; the result is in radians, as responses are."""
    found = Result(float(as_printed(degrees(shown), 1)), degrees(real), 1)
    lines, found = settled(found)
    end = Result(radians(found.shown), real, found.decimals)
    return (f"{what} = {number(float(as_printed(degrees(shown), 1)), 1)}°", *lines), end


def _bank(
    e: Explanation, f: Bank, patch: Grid, place: Place, cell: int
) -> tuple[tuple[Branch, ...], tuple[str, ...], Result, Bars]:
    responses = np.einsum("nij,ij->n", e.stack, patch.values)
    winner = _winner(e, f, responses, place)
    bars = _bars(f, responses, winner)
    branch, best = weigh(patch, e.stack[winner], f"kernel {bank_names(f)[winner]}", cell)
    if f.answer == "energy":
        total = float(np.sqrt((responses**2).sum()))
        line, found = f"√(sum of {len(responses)} squares) = ", result(total, total)
        return (branch,), (line + found.text,), found, bars
    corrected, best = settled(best)
    if f.answer == "direction":
        angle = 0.0 if abs(best.real) <= _noise(e) else f.angles[winner]
        lines, found = _angle("its direction", angle, angle)
        return (branch,), (*corrected, f"strongest of {len(responses)}: {best.text}", *lines), found, bars
    sign = np.sign(best.real) if _by_magnitude(f) else 1.0
    found = Result(max(sign * best.shown, 0.0), max(sign * best.real, 0.0), best.decimals)
    return (branch,), (*corrected, f"strongest of {len(responses)}: {found.text}"), found, bars


def _by_magnitude(f: Bank) -> bool:
    return f.answer in ("abs", "energy") or f.rectified


def _winner(e: Explanation, f: Bank, responses: Numbers, place: Place) -> int:
    """Return which kernel counts; of those that tie, the one that the run has taken."""
    ranked = np.nan_to_num(np.abs(responses) if _by_magnitude(f) else responses, nan=-np.inf)
    if f.answer != "direction":
        return int(np.argmax(ranked))
    tied = np.flatnonzero(ranked >= ranked.max() - _noise(e))
    ran = float(e.response[place[1], place[0]])
    return int(min(tied.tolist(), key=lambda i: abs(f.angles[i] - ran)))


def _bars(f: Bank, responses: Numbers, winner: int) -> Bars:
    """Return the responses of a bank's kernels, of many the strongest, in their order."""
    strongest = np.argsort(-np.abs(np.nan_to_num(responses)), kind="stable")
    many = len(responses) > _BARS
    chosen = sorted({winner, *strongest[: _BARS - 1].tolist()}) if many else range(len(responses))
    names = bank_names(f)
    return tuple((names[i], float(responses[i]), i == winner) for i in chosen)


def bank_names(f: Bank) -> tuple[str, ...]:
    """Name a bank's kernels by their directions, or by number where those are not told apart."""
    names = tuple(f"{number(round(degrees(a)), 0)}°" for a in f.angles)
    return names if len(set(names)) == len(names) else tuple(f"#{i + 1}" for i in range(len(names)))


def _noise(e: Explanation) -> float:
    """Return the response below which a direction is nothing but rounding."""
    return _NOISE * e.full * float(np.abs(e.stack).sum(axis=(1, 2)).max())


def _median(e: Explanation, f: Median, patch: Grid) -> Outcome:
    h, w = patch.values.shape
    ordered = np.sort(patch.values, axis=None)
    middle = (w // 2, h // 2)
    grid = Grid(ordered.reshape(h, w), "gray", e.full, patch.decimals, "from dark to light", marked=middle)
    nth = ordered.size // 2
    found = Result(float(grid.printed.ravel()[nth]), float(ordered[nth]), patch.decimals)
    lines = (f"number {nth + 1} of {ordered.size}, the median, is {found.text}",)
    return (Branch((("sort", grid),), ()),), lines, found


def _bilateral(e: Explanation, f: Bilateral, patch: Grid, cell: int) -> Outcome:
    r = f.size // 2
    i = np.arange(-r, r + 1)
    near = np.exp(-(i[:, None] ** 2 + i[None, :] ** 2) / (2 * f.sigma**2))
    alike = np.exp(-((patch.values - patch.values[r, r]) ** 2) / (2 * (f.sigma_color * e.full) ** 2))
    weights = Grid(near * alike, "signed", 1.0, 3, "weights at this place", marked=(r, r))
    weights = replace(weights, decimals=fitted_decimals(weights, cell, 2))
    products, total = multiply(patch, weights, cell)
    by_hand = is_legible(products, cell)
    mass_real = float(weights.values.sum())
    mass = result(float((weights.printed if by_hand else weights.values).sum()), mass_real)
    found = result(total.shown / mass.shown if mass.shown else np.nan, total.real / mass_real)
    spelled = sum_lines(patch, weights, products, total)
    line = f"{total.text} ÷ {mass.text} = {found.text}"
    corrected, found = settled(found)
    lines = (f"the weights add up to {mass.text}", line, *corrected)
    return (Branch((("×", weights), ("=", products)), tuple(spelled)),), lines, found
