"""Resize and Upsample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnncli.nn.layers.resize import Resize
from cnncli.nn.layers.upsampling import Upsample
from cnncli.onnx.families.movement import lines_of
from cnncli.onnx.layout import Value, value_of
from cnncli.onnx.read import Operator
from cnncli.records import record

if TYPE_CHECKING:
    from cnncli.onnx.translation import Translation


@record
class Scaled:
    """A dim that is resized.

    Attributes
    ----------
    pixels, count : int
        Before and after.
    scale : float
        The ratio, which need not be that of the two.
    region : (float, float)
        What is seen of it, of ``tf_crop_and_resize``.
    """

    pixels: int
    count: int
    scale: float
    region: tuple[float, float] = (0.0, 1.0)


def resize(t: Translation, op: Operator) -> Value:
    """Resize: nearest ones are lines by their numbers, others are interpolated."""
    x = t.value(op)
    dims = _dims(t, op, x)
    mode = {"nearest": "nearest", "linear": "linear", "bilinear": "linear", "cubic": "cubic"}[
        op.attributes.get("mode", "nearest")
    ]
    how = str(
        op.attributes.get("coordinate_transformation_mode", "half_pixel" if t.opset > 10 else "asymmetric")
    )
    if op.kind == "Upsample":
        how = "asymmetric"
    lines = {at: _line(t, dim, how) for at, dim in dims.items() if (dim.pixels, dim.scale) != (dim.count, 1)}
    lines.update({at: _line(t, dim, how) for at, dim in dims.items() if how == "tf_crop_and_resize"})
    outside = float(op.attributes.get("extrapolation_value", 0.0))
    bounded = how == "tf_crop_and_resize"
    if mode != "nearest":
        return _interpolated(
            t, op, x, {at: (dims[at].count, *line) for at, line in lines.items()}, mode=mode, bounded=bounded
        )
    whole = _whole_factors(x, dims, lines, op, how=how, opset=t.opset)
    if whole is not None and _plain_maps(x):
        node = t.add(Upsample(whole), x.node)
        shape = (*x.dims[:2], *(dims[at].count for at in (2, 3)))
        return value_of(node, shape, ((2,), (3,), (1,)))
    for at, (start, step) in lines.items():
        places = start + step * np.arange(dims[at].count)
        numbers = _nearest(places, str(op.attributes.get("nearest_mode", "round_prefer_floor")), op, t.opset)
        beyond = (places < 0) | (places > x.dims[at] - 1) if bounded else np.zeros(len(places), bool)
        numbers = np.where(beyond, -1, numbers.clip(0, x.dims[at] - 1))
        x = lines_of(t, x, at, numbers.astype(int).tolist(), outside)
    return x


def _plain_maps(x: Value) -> bool:
    groups = x.groups
    return len(x.dims) == 4 and x.dims[0] == 1 and x.places == (groups[2], groups[3], groups[1])


def _whole_factors(
    x: Value,
    dims: dict[int, Scaled],
    lines: dict[int, tuple[float, float]],
    op: Operator,
    *,
    how: str,
    opset: int,
) -> tuple[int, int] | None:
    """Factors of rows and columns, where each pixel becomes a block."""
    if len(x.dims) != 4 or not lines or set(lines) - {2, 3}:
        return None
    old = op.kind == "Upsample" or opset <= 10
    rounding = "floor" if old else str(op.attributes.get("nearest_mode", "round_prefer_floor"))
    centred = how in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric")
    if not (rounding.startswith("round") if centred else how == "asymmetric" and rounding == "floor"):
        return None
    both = [dims.get(at, Scaled(x.dims[at], x.dims[at], 1.0)) for at in (2, 3)]
    if any(
        each.count % each.pixels or each.scale != each.count / each.pixels or each.count == 1 for each in both
    ):
        return None
    return both[0].count // both[0].pixels, both[1].count // both[1].pixels


def _dims(t: Translation, op: Operator, x: Value) -> dict[int, Scaled]:
    """The dims that the operator speaks of, with their sizes after it."""
    old = op.kind == "Upsample" or t.opset <= 10
    region = None if old else t.constant(op, 1)
    scales = t.constant(op, 1 if old else 2)
    if scales is None or not scales.size:
        scales = np.asarray(op.attributes.get("scales", ()), np.float64)
    sizes = None if old else t.constant(op, 3)
    axes = [range(len(x.dims))[axis] for axis in op.attributes.get("axes") or range(len(x.dims))]
    if sizes is not None and sizes.size:
        wanted = _proportional(op, [x.dims[at] for at in axes], [int(each) for each in sizes])
        pairs = [(count, scale) for count, scale in wanted]
    else:
        pairs = [(math.floor(x.dims[at] * float(s)), float(s)) for at, s in zip(axes, scales, strict=True)]
    if min(count for count, _ in pairs) < 1 or max(count for count, _ in pairs) > 1 << 20:
        raise t.fault(f"resizes {list(x.dims)} to {[count for count, _ in pairs]}")
    half = len(axes)
    regions = [
        (0.0, 1.0)
        if region is None or region.size != 2 * half
        else (float(region[at]), float(region[at + half]))
        for at in range(half)
    ]
    return {
        axis: Scaled(x.dims[axis], count, scale, seen)
        for axis, (count, scale), seen in zip(axes, pairs, regions, strict=True)
    }


def _proportional(op: Operator, pixels: Sequence[int], sizes: Sequence[int]) -> list[tuple[int, float]]:
    """Sizes and scales, of one ratio where keep_aspect_ratio_policy says so."""
    policy = op.attributes.get("keep_aspect_ratio_policy", "stretch")
    ratios = [size / before for size, before in zip(sizes, pixels, strict=True)]
    if policy == "stretch":
        return list(zip(sizes, ratios, strict=True))
    ratio = min(ratios) if policy == "not_larger" else max(ratios)
    return [(math.floor(ratio * before + 0.5), ratio) for before in pixels]


def _line(t: Translation, dim: Scaled, how: str) -> tuple[float, float]:
    """Where the first pixel of the output is in the input, and how far apart they are."""
    exact = dim.scale * dim.pixels
    step = 1 / dim.scale
    if how == "asymmetric":
        return 0.0, step
    if how == "half_pixel" or (how == "pytorch_half_pixel" and exact != 1):
        return 0.5 * step - 0.5, step
    if how == "pytorch_half_pixel":
        return -0.5, 0.0
    if how == "align_corners":
        return (0.0, 0.0) if exact == 1 else (0.0, (dim.pixels - 1) / (exact - 1))
    if how == "half_pixel_symmetric":
        return dim.pixels / 2 * (1 - dim.count / exact) + 0.5 * step - 0.5, step
    if how == "tf_crop_and_resize":
        first, last = (each * (dim.pixels - 1) for each in dim.region)
        return ((first + last) / 2, 0.0) if exact == 1 else (first, (last - first) / (exact - 1))
    if how == "tf_half_pixel_for_nn":
        return 0.5 * step, step
    raise t.fault(f"has coordinate_transformation_mode {how!r}, which is not known")


def _nearest(places: np.ndarray, mode: str, op: Operator, opset: int) -> np.ndarray:
    if op.kind == "Upsample" or (opset <= 10 and op.kind == "Resize"):
        mode = "floor"
    rounded: dict[str, np.ndarray] = {
        "round_prefer_floor": np.ceil(places - 0.5),
        "round_prefer_ceil": np.floor(places + 0.5),
        "floor": np.floor(places),
        "ceil": np.ceil(places),
    }
    return rounded[mode]


def _interpolated(
    t: Translation,
    op: Operator,
    x: Value,
    lines: dict[int, tuple[int, float, float]],
    *,
    mode: str,
    bounded: bool,
) -> Value:
    """Two dims at a time as rows and columns."""
    if bounded and op.attributes.get("extrapolation_value", 0.0):
        x = t.affine(x, 1, -float(op.attributes["extrapolation_value"]))
    rest = sorted(lines)
    while rest:
        along, rest = rest[-2:], rest[:-2]
        columns = along[-1]
        rows = (
            along[0]
            if len(along) > 1
            else next((at for at in (2, 1, 0) if at != columns and at < len(x.dims)), None)
        )
        others = [at for at in range(len(x.dims)) if at not in (rows, columns)]
        x = t.arrange(x, () if rows is None else (rows,), (columns,), others)
        (height, top, down), (width, left, across) = (
            lines.get(at, (1 if at is None else x.dims[at], 0.0, 1.0)) if at is not None else (1, 0.0, 1.0)
            for at in (rows, columns)
        )
        layer = Resize(
            height,
            width,
            top,
            down,
            left,
            across,
            mode,
            float(op.attributes.get("cubic_coeff_a", -0.75)),
            bool(op.attributes.get("antialias", 0)),
            bool(op.attributes.get("exclude_outside", 0)),
            bounded,
        )
        node = t.add(layer, x.node)
        dims = list(x.dims)
        dims[columns] = width
        if rows is not None:
            dims[rows] = height
        x = value_of(node, dims, (() if rows is None else (rows,), (columns,), others))
    if bounded and op.attributes.get("extrapolation_value", 0.0):
        x = t.affine(x, 1, float(op.attributes["extrapolation_value"]))
    return x
