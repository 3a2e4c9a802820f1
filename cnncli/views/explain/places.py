"""Which pixels of a feature map are worked out, and which part of a very long picture is shown."""

import numpy as np
from numpy.typing import NDArray

from cnncli.images.canvas import Box
from cnncli.views.explain.model import Explanation, Place, pixels_at

_LONGEST = 3.0


def scene(e: Explanation) -> tuple[Box, tuple[Place, ...]]:
    """Return the part of the image to show (all of it, if it is not very long) and the places in it."""
    H, W = e.gray.shape
    whole = Box(0, 0, W, H)
    places = choose_places(e)
    if max(W, H) <= _LONGEST * min(W, H) or max(W, H) <= 64:
        return whole, places
    length = max(round(_LONGEST * min(W, H)), 3 * max(e.window))
    x, y = e.center(places[0])
    left = int(np.clip(x - length // 2, 0, max(0, W - length)))
    top = int(np.clip(y - length // 2, 0, max(0, H - length)))
    view = Box(left, top, min(W, left + length), min(H, top + length))
    return view, choose_places(e, view)


def choose_places(e: Explanation, view: Box | None = None) -> tuple[Place, ...]:
    """Choose the pixels of the feature map that are worked out.

    The first is where the filter responds most (for filters that keep a flat area: where it changes
    most), the second has the flattest window; both windows lie inside the image where one can.

    Parameters
    ----------
    e : Explanation
        A filter's run.
    view : Box or None
        The part of the image in which both are to lie.

    Returns
    -------
    tuple of (x, y)
        Two places, or one where they are the same.
    """
    allowed = _allowed(e, view)
    score = np.where(allowed, _interest(e), -1.0)
    y, x = np.unravel_index(int(np.argmax(score)), score.shape)
    strong = (int(x), int(y))
    flat = _flattest(e, allowed, strong)
    return (strong,) if flat == strong else (strong, flat)


def _allowed(e: Explanation, view: Box | None) -> NDArray[np.bool_]:
    """Return which places have their window inside the view, or at least its middle, or all.

    Windows of nothing but numbers are preferred to those with NaN or infinity.
    """
    H, W = e.gray.shape
    region = view or Box(0, 0, W, H)
    columns = _inside(e, 0, (region.left, region.right))
    rows = _inside(e, 1, (region.top, region.bottom))
    allowed = rows[:, None] & columns[None, :]
    plain = allowed & _finite(e)
    return plain if plain.any() else allowed


def _inside(e: Explanation, axis: int, limits: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which places along an axis have their window inside, or at least its middle, or all."""
    first, last = _reaches(e, axis)
    middle = first + e.pivot[axis] * e.dilation[axis]
    for low, high in ((first, last), (middle, middle)):
        inside = (low >= limits[0]) & (high < limits[1])
        if inside.any():
            return inside
    return np.ones(len(first), dtype=bool)


def _reaches(e: Explanation, axis: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first and the last pixel of the window at each place along an axis."""
    n, taps = e.response.shape[1 - axis], e.window[1 - axis]
    first = e.origin[axis] + np.arange(n) * e.stride[axis] - e.pivot[axis] * e.dilation[axis]
    return first, first + (taps - 1) * e.dilation[axis]


def _finite(e: Explanation) -> NDArray[np.bool_]:
    """Return which places have neither NaN nor infinity in the image from end to end of their window."""
    wrong = ~np.isfinite(e.gray)
    if not wrong.any():
        return np.ones(e.response.shape, dtype=bool)
    # How many lie above and to the left of each pixel: four of these sums count those in a window.
    above = np.pad(wrong, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    (left, right), (top, bottom) = (
        (np.clip(first, 0, size), np.clip(last + 1, 0, size))
        for (first, last), size in ((_reaches(e, axis), e.gray.shape[1 - axis]) for axis in (0, 1))
    )
    count = above[np.ix_(bottom, right)] - above[np.ix_(top, right)]
    count -= above[np.ix_(bottom, left)] - above[np.ix_(top, left)]
    return np.asarray(count == 0)


def _interest(e: Explanation) -> NDArray[np.float64]:
    """Return how much there is to see at each place; a little local contrast breaks ties."""
    H, W = e.gray.shape
    h, w = e.response.shape
    gray = np.nan_to_num(e.gray.astype(np.float64), posinf=0.0, neginf=0.0)
    ys = np.clip(e.origin[1] + np.arange(h) * e.stride[1], 0, H - 1)
    xs = np.clip(e.origin[0] + np.arange(w) * e.stride[0], 0, W - 1)
    step = np.zeros((H, W))
    step[1:] += np.abs(np.diff(gray, axis=0))
    step[:, 1:] += np.abs(np.diff(gray, axis=1))
    contrast = step[np.ix_(ys, xs)]
    response = np.nan_to_num(e.response.astype(np.float64), posinf=0.0, neginf=0.0)
    if e.filter.edge_map:
        return contrast * (e.shown > 0)
    if e.filter.is_angle:
        return contrast
    base = gray[np.ix_(ys, xs)] * e.filter.flat_gain(tuple(e.stack))
    return np.asarray(np.abs(response - base) + 1e-6 * contrast, dtype=np.float64)


def _flattest(e: Explanation, allowed: NDArray[np.bool_], strong: Place) -> Place:
    """Return the allowed place whose window has the smallest range.

    Plain black and white windows come last; among equals one well away from ``strong`` is taken.
    """
    h, w = e.window
    ys, xs = np.flatnonzero(allowed.any(axis=1)), np.flatnonzero(allowed.any(axis=0))
    side = max(8, int((4_000_000 / (h * w)) ** 0.5))
    ys, xs = ys[:: -(-len(ys) // side)], xs[:: -(-len(xs) // side)]
    rows = e.origin[1] + ys * e.stride[1] - e.pivot[1] * e.dilation[1]
    columns = e.origin[0] + xs * e.stride[0] - e.pivot[0] * e.dilation[0]
    low, high = _extreme(e, rows, columns, np.fmin), _extreme(e, rows, columns, np.fmax)
    mean = (low + high) / 2
    # A window of plain black or white teaches less than one of gray with as much as 1 % of range.
    extreme = (mean < 0.06 * e.full) | (mean > 0.94 * e.full)
    cost = high - low + 0.01 * e.full * extreme + 1e-6 * np.abs(mean - e.full / 2)
    away = np.hypot(
        (ys[:, None] - strong[1]) / allowed.shape[0], (xs[None, :] - strong[0]) / allowed.shape[1]
    )
    cost = cost - 0.004 * e.full * np.minimum(away, 0.25) / 0.25
    y, x = np.unravel_index(int(np.argmin(np.nan_to_num(cost, nan=np.inf))), cost.shape)
    return int(xs[x]), int(ys[y])


def _extreme(
    e: Explanation, rows: NDArray[np.intp], columns: NDArray[np.intp], pick: np.ufunc
) -> NDArray[np.float64]:
    """Return the least or largest pixel of the windows that begin at rows x columns.

    First along each row that any window covers, then over the rows of each window.
    """
    h, w = e.window
    covered = rows[:, None] + np.arange(h) * e.dilation[1]
    lines, place = np.unique(covered, return_inverse=True)
    place = place.reshape(covered.shape)
    along, _ = pixels_at(e, lines, columns)
    for j in range(1, w):
        pick(along, pixels_at(e, lines, columns + j * e.dilation[0])[0], out=along)
    found = along[place[:, 0]]
    for i in range(1, h):
        pick(found, along[place[:, i]], out=found)
    return np.asarray(found)
