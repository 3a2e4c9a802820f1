"""Filters as the scripts of a page have them."""

from collections.abc import Sequence
from itertools import groupby
from math import degrees
from typing import Any

import numpy as np

from cnncli.filters.catalog import CATALOG
from cnncli.filters.kinds.bank import Bank
from cnncli.filters.kinds.bilateral import Bilateral
from cnncli.filters.kinds.canny import Canny
from cnncli.filters.kinds.gradient import Gradient
from cnncli.filters.kinds.kuwahara import Kuwahara
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.kinds.median import Median
from cnncli.filters.kinds.unsharp import Unsharp
from cnncli.filters.kinds.zero_crossings import ZeroCrossings
from cnncli.filters.model import Filter, Weights
from cnncli.filters.smoothing import gaussian_size, gaussian_taps
from cnncli.filters.spec import parse_spec
from cnncli.views.explain.model import whole_weights

#: What scripts call each kind; those of the first line are computed in the page, of others than both the page
#: shows pixels and the command's result.
_LIVE = {Linear: "linear", Unsharp: "linear", Gradient: "gradient", Bank: "bank", Median: "median"}
_SHOWN = {Bilateral: "bilateral", Kuwahara: "kuwahara", Canny: "canny", ZeroCrossings: "zero-crossings"}
_EXPLAINED = {
    Median: "No weights: the pixels of the window are sorted and the middle one, the median, is taken.",
    Bilateral: "Each weight is a product, by distance and by difference: pixels across an edge hardly count.",
    Canny: "Four steps lead to edges one pixel wide: blur, gradient, non-maximum suppression, hysteresis.",
    ZeroCrossings: "The sum of weights times pixels changes its sign at an edge.",
}
#: Presets of a kernel, where they are not just its name.
_PRESETS = {
    "box": ("box", "box:size=5"),
    "gaussian": ("gaussian", "gaussian:sigma=2"),
    **{name: (name, f"{name}:x", f"{name}:y") for name in ("sobel", "scharr", "prewitt", "farid")},
    "laplacian": ("laplacian", "laplacian:neighbours=8"),
    "gabor": ("gabor:size=11",),
    "gabor-bank": ("gabor-bank:size=11",),
}


def presets() -> list[dict[str, Any]]:
    """The named kernels that are computed in the page, by family as ``cnncli kernels`` lists them."""
    groups = groupby(CATALOG.values(), key=lambda entry: entry.family)
    found = [
        {"family": family, "filters": [each for entry in entries for each in _presets(entry.name)]}
        for family, entries in groups
    ]
    return [group for group in found if group["filters"]]


def _presets(name: str) -> list[dict[str, Any]]:
    filters = [(spec, parse_spec(spec)) for spec in _PRESETS.get(name, (name,))]
    return [
        {**filter_data(each), "label": spec, "spec": spec} for spec, each in filters if type(each) in _LIVE
    ]


def filter_data(filter: Filter) -> dict[str, Any]:
    """A filter as scripts have it: its kernels as written, in whole numbers where they have them."""
    kind = _LIVE.get(type(filter)) or _SHOWN.get(type(filter), "plain")
    window = 2 * filter.shown_reach + 1
    return {
        "name": filter.name,
        "label": "your matrix" if filter.name == "custom" else _spec(filter),
        "spec": _spec(filter),
        "kind": kind,
        "live": type(filter) in _LIVE,
        "kernels": [kernel_data(weights) for weights in filter.kernels],
        "names": _names(filter),
        "anchor": None if filter.anchor is None else list(filter.anchor),
        "flips": filter.flips,
        "signed": filter.signed,
        "span": filter.span,
        "gray": filter.gray,
        "isAngle": filter.is_angle,
        "edgeMap": filter.edge_map,
        "least": filter.min_change if isinstance(filter, Unsharp) else 0,
        "size": window,
        "reach": filter.reach,
        "explained": _EXPLAINED.get(type(filter), filter.explained),
        **_parameters(filter),
    }


def kernel_data(weights: Weights) -> dict[str, Any]:
    """A kernel as rows of cells and what they are divided by."""
    cells, divisor = whole_weights(np.asarray(weights, np.float64))
    return {"cells": [[_short(value) for value in row] for row in cells.tolist()], "divisor": divisor}


def _short(value: float) -> float | int:
    """A weight in so many digits as matter to a pixel."""
    return int(value) if value == int(value) else float(f"{value:.9g}")


def _spec(filter: Filter) -> str:
    """The SPEC of a filter, by its name alone where that says all."""
    if filter.name in CATALOG and parse_spec(filter.name).spec == filter.spec:
        return filter.name
    return filter.spec


def _names(filter: Filter) -> Sequence[str]:
    """What the kernels of a filter are called."""
    if isinstance(filter, Gradient):
        return ["dx", "dy"]
    if not isinstance(filter, Bank):
        return ["kernel"]
    angles = [f"{round(degrees(angle))}°".replace("-", "−") for angle in filter.angles]
    if len(set(angles)) == len(filter.bank):
        return angles
    return [f"#{number + 1}" for number in range(len(filter.bank))]


def _parameters(filter: Filter) -> dict[str, Any]:
    """What only some kinds have."""
    if isinstance(filter, Gradient):
        return {"output": filter.output}
    if isinstance(filter, Bank):
        rectified = filter.rectified or filter.output == "abs"
        return {"output": filter.output, "angles": list(filter.angles), "rectified": rectified}
    if isinstance(filter, Bilateral):
        return {"sigma": filter.sigma, "sigmaColor": filter.sigma_color}
    if isinstance(filter, Canny):
        bell = gaussian_taps(filter.sigma, gaussian_size(filter.sigma))
        return {"low": filter.low, "high": filter.high, "bell": bell.tolist()}
    if isinstance(filter, ZeroCrossings):
        return {"threshold": filter.threshold, "shown": kernel_data(filter.weights[::-1, ::-1])}
    return {}
