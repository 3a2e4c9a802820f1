"""The sentences of an explained convolution, each chosen by the numbers that it describes."""

import numpy as np

from cnncli.views.explain.kernels import drawn_of, rotations
from cnncli.views.explain.model import Explanation, Working, decimals_of, number, whole_weights

_WEIGHTLESS = (
    "A filter slides a window over the image. From the pixels under the window it computes one pixel of the "
    "feature map."
)
_WEIGHTED = (
    "A convolution slides a small grid of weights over the image, multiplies each weight by the pixel "
    "under it and adds up the products. The sum becomes one pixel of the feature map."
)
_ALIKE, _STRONG = 0.05, 0.02
"""Shares of full scale: pixels no further apart are alike, responses above it are strong."""
_TO_PIXEL = " From response to pixel: {}."


def subtitle(e: Explanation) -> str:
    """Say in one or two sentences what happens on the page."""
    return _WEIGHTED if len(e.stack) else _WEIGHTLESS


def filter_heading(e: Explanation) -> str:
    """Name the panel of the filter."""
    if not len(e.stack):
        return "The filter"
    n, drawn = len(e.stack), len(drawn_of(len(e.stack)))
    count = {1: "The kernel", 2: "The two kernels"}
    return count.get(n, f"The {n} kernels" if drawn == n else f"{drawn} of the {n} kernels")


def after(e: Explanation) -> str:
    """Say what has run before: ``after gaussian and sobel``, or how many of them."""
    if len(e.before) > 3:
        return f"after {len(e.before)} other filters"
    return f"after {' and '.join(e.before)}"


def map_heading(e: Explanation) -> str:
    """Name the panel of the feature map."""
    return "The feature map" if e.colors is None else "The green feature map"


def map_caption(e: Explanation) -> str:
    """Say how the feature map comes about."""
    h, w = e.shown.shape
    rule = _TO_PIXEL.format(e.rule) if e.rule else ""
    if e.filter.edge_map:
        rule = " 255 on an edge, 0 elsewhere."
    elif e.filter.is_angle and e.gain is not None:
        rule = " A direction of 0° is mid-gray, −180° black, 180° white."
    colors = "" if e.colors is None else " The output has one for each colour channel; this is the green one."
    return f"{w} × {h} pixels, one for each position of the window.{rule}{colors}"


def place_heading(e: Explanation, working: Working, index: int) -> str:
    """Name window A or B by what it is."""
    if working.patch.values.size == 1:
        return "another pixel" if index else "where the filter changes the image most"
    if float(np.ptp(working.patch.values)) <= _ALIKE * e.full:
        return "a flat area"
    if index == 1:
        return "the flattest window"
    if e.filter.combines or e.filter.edge_map:
        return "an edge"
    return "the strongest response" if _sums_to(e, 0.0) else "where the filter changes the image most"


def remark(e: Explanation, working: Working) -> str:
    """Say what can be seen in a window's numbers."""
    low, high = float(working.patch.values.min()), float(working.patch.values.max())
    d = working.patch.decimals
    middle = float(working.patch.values[e.pivot[1], e.pivot[0]])
    spread = f"{number(low, d)} to {number(high, d)}"
    if working.patch.values.size == 1:
        return "A single weight: each pixel changes on its own, whatever its neighbours."
    alike = high - low <= _ALIKE * e.full
    if number(low, d) == number(high, d):
        nearly = "" if low == high or np.isnan(low) else "nearly "
        pixels = f"All pixels are {nearly}equal ({number(low, d)})"
    else:
        pixels = f"The pixels range from {spread}"
    if e.filter.edge_map:
        return f"{pixels}."
    if _sums_to(e, 0.0):
        if alike:
            return f"{pixels}. The weights add up to 0, so the products cancel."
        if abs(working.value) > _STRONG * e.full or e.filter.is_angle:
            return f"{pixels}. Bright and dark pixels meet different weights, so the products do not cancel."
        return f"{pixels}, and the products nearly cancel."
    value = number(working.value, decimals_of([working.value]))
    return f"{pixels}. The marked pixel, {number(middle, d)}, becomes {value}."


def _sums_to(e: Explanation, total: float) -> bool:
    weight = np.abs(e.stack).sum()
    return bool(len(e.stack)) and bool(np.all(np.abs(e.stack.sum(axis=(1, 2)) - total) <= 1e-6 * weight))


def rotated(e: Explanation) -> str:
    """Say what convolution does to the kernels before it applies them."""
    found = rotations(e)
    which = "them" if len(found) > 1 else "the kernel"
    if any(rotation.rotated for rotation in found):
        again = "them" if len(found) > 1 else "it"
        return f" Convolution rotates {which} by 180° before applying {again}."
    if found and not found[0].symmetric:
        return f" Correlation applies {which} as written."
    return ""


def scaled(e: Explanation) -> str:
    """Say that the weights are shown as whole numbers, where they are."""
    divisors = {whole_weights(taps)[1] for taps in e.stack}
    if divisors == {1}:
        return ""
    if len(divisors) == 1:
        d = divisors.pop()
        return f" Shown multiplied by {d}, as whole numbers; the sum is divided by {d}."
    return " Shown as whole numbers; each sum is divided again."
