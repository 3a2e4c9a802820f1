"""One output pixel of a filter, worked out from the patch under its window.

Every function here takes the patch and answers in the numbers and lines that a page shows,
and in the response as recomputed from them.
"""

from dataclasses import replace
from math import atan2, degrees

import numpy as np

from cnncli.filters.color import from_linear
from cnncli.filters.model import Bank, Bilateral, Canny, Gradient, Median, ZeroCrossings
from cnncli.views.explain.model import (
    CANNY_WINDOW,
    Branch,
    Explanation,
    Grid,
    Numbers,
    Place,
    Working,
    decimals_of,
    number,
    patch_at,
    pixels_at,
    whole_weights,
)

_NOISE = 1e-6

Outcome = tuple[tuple[Branch, ...], tuple[str, ...], float]


def work_out(e: Explanation, place: Place) -> Working:
    """Return the numbers that lead from the patch around ``place`` to its pixel."""
    values, outside = patch_at(e, place)
    patch = Grid(
        values,
        "gray",
        e.full,
        decimals_of(values),
        "pixels",
        marked=e.pivot,
        faint=outside if outside.any() else None,
    )
    bars: tuple[tuple[str, float, bool], ...] = ()
    match e.filter:
        case Gradient() as f:
            branches, lines, value = _gradient(e, f, patch)
        case Bank() as f:
            branches, lines, value, bars = _bank(e, f, patch)
        case Median() as f:
            branches, lines, value = _median(e, f, patch)
        case Bilateral() as f:
            branches, lines, value = _bilateral(e, f, patch)
        case Canny() as f:
            branches, lines, value = _canny(e, f, patch, place)
        case ZeroCrossings() as f:
            branches, lines, value = _zero_crossings(e, f, patch, place)
        case _:
            branches, value = _linear(e, patch)
            lines = ()
    pixel = int(e.shown[place[1], place[0]])
    ran = float(e.response[place[1], place[0]])
    if not np.isclose(value, ran, rtol=1e-3, atol=1e-3 * e.full, equal_nan=True):
        # Filters in a chain or repeated: the page shows one pass, the run went on from there.
        lines, value = (*lines, f"in the whole run: {number(ran, decimals_of([ran]))}"), ran
    lines = (*lines, *_mapping(e, value, pixel))
    return Working(place, patch, branches, lines, value, pixel, bars)


def _weighted(patch: Grid, taps: Numbers, name: str) -> tuple[Branch, float]:
    """Multiply a kernel out over a patch."""
    weights, divisor = whole_weights(taps)
    products = patch.values * weights
    total = float(products.sum())
    answer = total / divisor
    decimals = decimals_of(products)
    kernel = Grid(weights, "signed", _largest(weights), decimals_of(weights), _kernel_caption(name, divisor))
    grid = Grid(products, "signed", _largest(products), decimals, "products")
    lines = [*_sum_lines(patch, kernel, grid, total)]
    if divisor != 1:
        lines.append(f"{number(total, decimals)} ÷ {divisor} = {number(answer, decimals_of([answer]))}")
    return Branch((("×", kernel), ("=", grid)), tuple(lines)), answer


def _kernel_caption(name: str, divisor: int) -> str:
    return f"{name} × {divisor}" if divisor != 1 else name


def _sum_lines(patch: Grid, kernel: Grid, products: Grid, total: float) -> list[str]:
    """Spell the sum: whole where it is short, else its largest terms and how many there are."""
    d = products.decimals
    flat = products.values.ravel()
    end = f"=\u00a0{number(total, d)}"
    terms = flat[flat != 0]
    if flat.size == 1:
        p, w = patch.values.item(), kernel.values.item()
        return [f"{number(p, patch.decimals)} × {number(w, kernel.decimals)} {end}"]
    if terms.size <= 9:
        return [f"{_chain(terms, d) or '0'} {end}"]
    order = np.argsort(-np.abs(flat), kind="stable")[:3]
    return [f"{_chain(flat[order], d)} + … {end}", f"({flat.size} products, the largest first)"]


def _chain(terms: Numbers, decimals: int) -> str:
    s = " ".join(_signed(t, decimals) for t in terms)
    return s.removeprefix("+\u00a0") if s.startswith("+") else s.replace("\u00a0", "", 1)


def _signed(value: float, decimals: int) -> str:
    return f"{'−' if value < 0 else '+'}\u00a0{number(abs(value), decimals)}"


def _largest(values: Numbers) -> float:
    return float(np.abs(values).max(initial=0.0, where=np.isfinite(values))) or 1.0


def _linear(e: Explanation, patch: Grid) -> tuple[tuple[Branch, ...], float]:
    if not len(e.stack):
        return (), float(patch.values[e.pivot[1], e.pivot[0]])
    branch, value = _weighted(patch, e.stack[0], "kernel")
    return (branch,), value


def _gradient(e: Explanation, f: Gradient, patch: Grid) -> Outcome:
    if f.answer in ("x", "y"):
        branch, value = _weighted(patch, e.stack[0 if f.answer == "x" else -1], f"d{f.answer} kernel")
        return (branch,), (), value
    bx, dx = _weighted(patch, e.stack[0], "dx kernel")
    by, dy = _weighted(patch, e.stack[1], "dy kernel")
    d = max(decimals_of([dx]), decimals_of([dy]))
    parts = (f"dx = {number(dx, d)}", f"dy = {number(dy, d)}")
    if f.answer == "angle":
        value = 0.0 if np.hypot(dx, dy) <= _noise(e) else atan2(dy, dx)
        return (bx, by), (*parts, f"direction = {number(degrees(value), 1)}°"), value
    value = float(np.hypot(dx, dy))
    return (bx, by), (*parts, f"√(dx² + dy²) = {number(value, decimals_of([value]))}"), value


def _bank(
    e: Explanation, f: Bank, patch: Grid
) -> tuple[tuple[Branch, ...], tuple[str, ...], float, tuple[tuple[str, float, bool], ...]]:
    answers = np.einsum("nij,ij->n", e.stack, patch.values)
    by_magnitude = f.answer == "abs" or f.rectified or f.answer == "energy"
    ranked = np.nan_to_num(np.abs(answers) if by_magnitude else answers, nan=-np.inf)
    winner = int(np.argmax(ranked))
    names = bank_names(f)
    bars = tuple(
        (name, float(v), i == winner) for i, (name, v) in enumerate(zip(names, answers, strict=True))
    )
    branch, _ = _weighted(patch, e.stack[winner], f"kernel {names[winner]}")
    best = float(answers[winner])
    d = decimals_of([best])
    if f.answer == "energy":
        value = float(np.sqrt((answers**2).sum()))
        lines: tuple[str, ...] = (
            f"√(sum of {len(answers)} squares) = {number(value, decimals_of([value]))}",
        )
    elif f.answer == "direction":
        value = 0.0 if abs(best) <= _noise(e) else f.angles[winner]
        lines = (f"strongest: {number(best, d)}", f"its direction = {number(degrees(value), 1)}°")
    else:
        value = abs(best) if by_magnitude else max(best, 0.0)
        lines = (f"strongest of {len(answers)}: {number(value, d)}",)
    return (branch,), lines, value, bars


def bank_names(f: Bank) -> tuple[str, ...]:
    """Name a bank's kernels by their directions, or by number where those are not told apart."""
    names = tuple(f"{number(round(degrees(a)), 0)}°" for a in f.angles)
    return names if len(set(names)) == len(names) else tuple(f"#{i + 1}" for i in range(len(names)))


def _noise(e: Explanation) -> float:
    """Return the answer below which a direction is nothing but rounding."""
    return _NOISE * e.full * float(np.abs(e.stack).sum(axis=(1, 2)).max())


def _median(e: Explanation, f: Median, patch: Grid) -> Outcome:
    h, w = patch.values.shape
    ordered = np.sort(patch.values, axis=None)
    value = float(ordered[ordered.size // 2])
    middle = (w // 2, h // 2)
    grid = Grid(ordered.reshape(h, w), "gray", e.full, patch.decimals, "from dark to light", marked=middle)
    nth = ordered.size // 2 + 1
    lines = (f"number {nth} of {ordered.size}, the middle one, is {number(value, patch.decimals)}",)
    return (Branch((("sort", grid),), ()),), lines, value


def _bilateral(e: Explanation, f: Bilateral, patch: Grid) -> Outcome:
    r = f.size // 2
    i = np.arange(-r, r + 1)
    near = np.exp(-(i[:, None] ** 2 + i[None, :] ** 2) / (2 * f.sigma**2))
    alike = np.exp(-((patch.values - patch.values[r, r]) ** 2) / (2 * (f.sigma_color * e.full) ** 2))
    weights = near * alike
    products = patch.values * weights
    total, mass = float(products.sum()), float(weights.sum())
    value = total / mass
    d = decimals_of(products)
    kernel = Grid(weights, "signed", 1.0, 2, "weights at this place", marked=(r, r))
    grid = Grid(products, "signed", _largest(products), d, "products")
    spelled = _sum_lines(patch, kernel, grid, total)
    lines = (
        f"weights add up to {number(mass, 3)}",
        f"{number(total, d)} ÷ {number(mass, 3)} = {number(value, decimals_of([value]))}",
    )
    return (Branch((("×", kernel), ("=", grid)), tuple(spelled)),), lines, value


def _canny(e: Explanation, f: Canny, patch: Grid, place: Place) -> Outcome:
    strength = _edge_strength(e, place, f.sigma)
    r = CANNY_WINDOW // 2
    here = float(strength[r, r])
    reach = max(f.high, float(strength.max()))
    grid = Grid(strength, "signed", reach, 2, "gradient, share of full scale", marked=(r, r))
    edge = e.shown[place[1], place[0]] > 0
    if edge:
        verdict = "a ridge of the gradient, joined to a strong edge: kept"
    elif here < f.low:
        verdict = "below the low threshold: no edge"
    else:
        verdict = "no ridge, or not joined to a strong edge: dropped"
    lines = (
        f"gradient here {number(here, 3)}",
        f"thresholds: low {f.low:g}, high {f.high:g}",
        verdict,
    )
    steps = (("→", grid), ("→", _written(e, place, r)))
    return (Branch(steps, ()),), lines, float(e.response[place[1], place[0]])


def _written(e: Explanation, place: Place, reach: int) -> Grid:
    """Return what is written out around a place; cells off the feature map are 0 and faint."""
    h, w = e.shown.shape
    ys, xs = place[1] + np.arange(-reach, reach + 1), place[0] + np.arange(-reach, reach + 1)
    off = ((ys < 0) | (ys >= h))[:, None] | ((xs < 0) | (xs >= w))[None, :]
    values = e.shown[np.ix_(np.clip(ys, 0, h - 1), np.clip(xs, 0, w - 1))].astype(np.float64)
    faint = off if off.any() else None
    return Grid(np.where(off, 0.0, values), "gray", 255.0, 0, "edges", marked=(reach, reach), faint=faint)


def _edge_strength(e: Explanation, place: Place, sigma: float) -> Numbers:
    """Return the Sobel magnitude of the smoothed image around a place, as a share of full scale."""
    r, reach = CANNY_WINDOW // 2, max(1, round(4 * sigma))
    x, y = e.center(place)
    far = r + 1 + reach
    values, _ = pixels_at(e, y + np.arange(-far, far + 1), x + np.arange(-far, far + 1))
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * max(sigma, 1e-6) ** 2))
    bell /= bell.sum()
    smooth = np.apply_along_axis(
        np.convolve, 1, np.apply_along_axis(np.convolve, 0, values, bell, "valid"), bell, "valid"
    )
    across = smooth[:-2] + 2 * smooth[1:-1] + smooth[2:]
    down = smooth[:, :-2] + 2 * smooth[:, 1:-1] + smooth[:, 2:]
    dx, dy = across[:, 2:] - across[:, :-2], down[2:] - down[:-2]
    return np.asarray(np.hypot(dx, dy) / (4 * e.full), dtype=np.float64)


def _zero_crossings(e: Explanation, f: ZeroCrossings, patch: Grid, place: Place) -> Outcome:
    branch, _ = _weighted(patch, e.stack[0], "kernel")
    near = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            around, _ = patch_at(e, (place[0] + j - 1, place[1] + i - 1))
            near[i, j] = (around * e.stack[0]).sum()
    grid = Grid(near, "signed", _largest(near), decimals_of(near), "sums here and around", marked=(1, 1))
    edge = e.shown[place[1], place[0]] > 0
    least = number(f.threshold * e.full, decimals_of([f.threshold * e.full]))
    verdict = "there is one here" if edge else "there is none here"
    lines = (f"an edge is a step of {least} or more through zero", verdict)
    branch = replace(branch, steps=(*branch.steps, ("→", grid)))
    return (branch,), lines, float(e.response[place[1], place[0]])


def _mapping(e: Explanation, value: float, pixel: int) -> tuple[str, ...]:
    """Say how the response becomes the pixel: in numbers where the rule is a line, else in words."""
    if isinstance(e.filter, Canny | ZeroCrossings):
        return ()
    angle = isinstance(e.filter, Gradient | Bank) and e.filter.answer in ("angle", "direction")
    if e.gain is None or angle:
        return (f"{e.rule} → {pixel}",) if e.rule else ()
    start = float(from_linear(np.array([value], np.float32), e.full, e.curve)[0]) if e.coded else value
    mapped = start * e.gain + e.offset
    written = abs(mapped) if e.rectified else mapped
    if abs(float(np.clip(written, 0, 255)) - pixel) > 1:
        if e.veiled:
            return (f"weighted by opacity in the run → {pixel}",)
        return (f"{e.rule} → {pixel}",) if e.rule else ()
    lines = (*_coded(e, start), *_scaled(e, start, mapped))
    if e.rectified and mapped < 0:
        lines = (*lines, f"sign dropped: {number(written, decimals_of([written]))}")
    if written == pixel:
        return lines
    if not np.isfinite(written):
        return (*lines, f"{number(written, 0)} is written as {pixel}")
    how = "round" if 0 <= round(written) <= 255 else "clip to 0..255"
    return (*lines, f"{how} → {pixel}")


def _coded(e: Explanation, value: float) -> tuple[str, ...]:
    """Say what linear light is as a number of the image."""
    return (f"as {e.curve.name}: {number(value, decimals_of([value]))}",) if e.coded else ()


def _scaled(e: Explanation, value: float, mapped: float) -> tuple[str, ...]:
    """Spell gain and offset, where they change anything."""
    if e.gain is None or (e.gain, e.offset) == (1.0, 0.0):
        return ()
    shown = number(value, decimals_of([value]))
    s = shown if e.gain == 1 else f"{shown} × {_short(e.gain)}"
    s = s if e.offset == 0 else f"{s} {_signed(e.offset, decimals_of([e.offset]))}"
    return (f"{s} = {number(mapped, decimals_of([mapped]))}",)


def _short(value: float) -> str:
    s = f"{value:.4g}"
    return s.replace("-", "−")
