"""Sums and quotients as a page has them: done with the numbers that stand on it.

A page rounds, so what a reader works out differs a little from the run. `Result` carries both, and
`settled` says the run's own number where the two do not read alike.
"""

from dataclasses import dataclass, replace
from math import degrees, radians

import numpy as np

from cnncli.views.explain.grids import fitted_decimals, is_legible
from cnncli.views.explain.model import (
    Branch,
    Explanation,
    Grid,
    Numbers,
    as_printed,
    decimals_of,
    number,
    whole_weights,
)

_SPELLED = 9  # products that a sum is written out with, at most
_LARGEST = 3  # of more products, so many are written
_NOISE = 1e-6
UNROUNDED = "from unrounded numbers: "


@dataclass(frozen=True)
class Result:
    """A number on a page.

    Attributes
    ----------
    shown : float
        What the arithmetic on the page comes to, as printed with ``decimals``.
    real : float
        The same from unrounded numbers.
    decimals : int
        How many it is printed with.
    """

    shown: float
    real: float
    decimals: int

    @property
    def text(self) -> str:
        """The number as it is printed."""
        return number(self.shown, self.decimals)


@dataclass(frozen=True)
class Outcome:
    """What a filter makes of one window.

    Attributes
    ----------
    branches : tuple of Branch
        What each kernel makes of the pixels.
    lines : tuple of str
        How the branches become the response.
    found : Result
        The response.
    bars : tuple of (label, value, wins)
        The responses of a bank's kernels.
    """

    branches: tuple[Branch, ...]
    lines: tuple[str, ...]
    found: Result
    bars: tuple[tuple[str, float, bool], ...] = ()


def noise(e: Explanation) -> float:
    """Return the response below which a direction is nothing but rounding."""
    return _NOISE * e.full * float(np.abs(e.stack).sum(axis=(1, 2)).max())


def angle_lines(what: str, shown: float, real: float) -> tuple[tuple[str, ...], Result]:
    """Say an angle in degrees; the result is in radians, as responses are."""
    found = Result(float(as_printed(degrees(shown), 1)), degrees(real), 1)
    lines, found = settled(found)
    end = Result(radians(found.shown), real, found.decimals)
    return (f"{what} = {number(float(as_printed(degrees(shown), 1)), 1)}°", *lines), end


def result(shown: float, real: float) -> Result:
    """Print what a step of the arithmetic comes to with as many decimals as show it well."""
    decimals = decimals_of([shown])
    return Result(float(as_printed(shown, decimals)), real, decimals)


def settled(found: Result) -> tuple[tuple[str, ...], Result]:
    """Return the line that corrects a number which rounding has changed, if it has, and the number."""
    if np.isnan(found.real) or found.text == number(found.real, found.decimals):
        return (), found
    decimals = max(found.decimals, decimals_of([found.real]))
    exact = Result(float(as_printed(found.real, decimals)), found.real, decimals)
    return (f"{UNROUNDED}{exact.text}",), exact


def weigh(patch: Grid, taps: Numbers, name: str, cell: int) -> tuple[Branch, Result]:
    """Multiply a kernel out over a patch.

    Parameters
    ----------
    patch : Grid
        Pixels under the window.
    taps : ndarray, shape (kh, kw), float64
        The kernel as applied to the image.
    name : str
        Of the kernel.
    cell : int
        Side of the cells that the numbers have to fit into, in pixels; 0: as large as they need.
    """
    weights, divisor = whole_weights(taps)
    caption = f"{name} × {divisor}" if divisor != 1 else name
    kernel = weights_grid(weights, caption, cell)
    products, total = multiply(patch, kernel, cell)
    lines = [*sum_lines(patch, kernel, products, total)]
    if divisor == 1:
        return Branch((("×", kernel), ("=", products)), tuple(lines)), total
    found = result(total.shown / divisor, total.real / divisor)
    lines.append(f"{total.text} ÷ {divisor} = {found.text}")
    return Branch((("×", kernel), ("=", products)), tuple(lines)), found


def weights_grid(weights: Numbers, caption: str, cell: int) -> Grid:
    """Return a kernel's cells."""
    decimals = decimals_of(weights)
    grid = Grid(weights, "signed", largest(weights), decimals, caption)
    if np.allclose(weights, grid.printed, rtol=0, atol=1e-12):
        return replace(grid, trim=True)
    finer = replace(grid, decimals=decimals + 1)
    return replace(grid, decimals=fitted_decimals(finer, cell, decimals))


def multiply(patch: Grid, kernel: Grid, cell: int) -> tuple[Grid, Result]:
    """Return the products, of the printed numbers where they are legible, and their sum."""
    legible = is_legible(patch, cell) and is_legible(kernel, cell)  # else nobody can follow
    values = patch.printed * kernel.printed if legible else patch.values * kernel.values
    own = decimals_of(values)
    if not np.array_equal(patch.values, patch.printed):  # a whole sum of rounded pixels is not exact
        own = max(own, patch.decimals)
    finer = int(legible and not kernel.trim)  # many rounded products add up to a rounding that shows
    grid = Grid(values, "signed", largest(values), own + finer, "products")
    decimals = fitted_decimals(grid, cell, own - (own not in (0, 2)))
    if not is_legible(replace(grid, decimals=decimals), cell):
        decimals = own
    grid = replace(grid, decimals=decimals)
    real = float((patch.values * kernel.values).sum())
    if is_legible(grid, cell) or np.count_nonzero(grid.printed) <= _SPELLED:
        grid = replace(grid, values=grid.printed)
        return grid, Result(float(as_printed(float(grid.values.sum()), decimals)), real, decimals)
    return grid, result(real, real)


def sum_lines(patch: Grid, kernel: Grid, products: Grid, total: Result) -> list[str]:
    """Spell the sum: whole where it is short, else its largest terms and how many there are."""
    d, flat = products.decimals, products.values.ravel()
    end = f"=\u00a0{total.text}"
    if flat.size == 1:
        return [f"{patch.texts[0][0]} × {kernel.texts[0][0]} {end}"]
    terms = flat[flat != 0]
    if terms.size <= _SPELLED:
        return [f"{chain(terms, d) or 'sum'} {end}"]
    order = np.argsort(-np.abs(flat), kind="stable")[:_LARGEST]
    return [f"{chain(flat[order], d)} + … {end}", f"({flat.size} products, the largest first)"]


def chain(terms: Numbers, decimals: int) -> str:
    """Write terms with their signs between them."""
    s = " ".join(signed(t, decimals) for t in terms)
    return s.removeprefix("+\u00a0") if s.startswith("+") else s.replace("\u00a0", "", 1)


def signed(value: float, decimals: int) -> str:
    """Write a number with its sign, a no-break space between them."""
    return f"{'−' if value < 0 else '+'}\u00a0{number(abs(value), decimals)}"


def largest(values: Numbers) -> float:
    """Return the largest finite magnitude, 1 where there is none."""
    return float(np.abs(values).max(initial=0.0, where=np.isfinite(values))) or 1.0
