"""Poolings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnncli.nn.layers.combine import Add
from cnncli.nn.layers.normalisation import LocalResponseNorm
from cnncli.nn.layers.pooling import AvgPool, MaxPool
from cnncli.nn.layers.views import Take
from cnncli.onnx.families.movement import lines_of
from cnncli.onnx.families.reduction import reduced
from cnncli.onnx.families.windows import ONE, Extent, both, extents, paddings
from cnncli.onnx.layout import Value
from cnncli.onnx.read import Operator

if TYPE_CHECKING:
    from cnncli.onnx.translation import Translation

LOWEST = -3.4028234e38  # below all that can be in a window
_MOST_TAPS = 200


def max_pool(t: Translation, op: Operator) -> Value:
    """MaxPool along any axes."""
    if len(op.outputs) > 1 and t.is_read(op.outputs[1]):
        raise t.fault("gives the places of maxima, which others read; expected the maxima alone")
    return _pooled(t, op, maximum=True)


def average_pool(t: Translation, op: Operator) -> Value:
    """AveragePool along any axes."""
    return _pooled(t, op, maximum=False)


def _pooled(t: Translation, op: Operator, *, maximum: bool) -> Value:
    x = t.value(op)
    axes = extents(t, op, x, tuple(op.attributes.get("kernel_shape", ())))
    counted = bool(op.attributes.get("count_include_pad", 0))
    simple = all(each.dilation == 1 and 2 * max(each.padding) <= each.size for each in axes)
    simple = simple and all(min(each.pads) >= 0 and _as_ours(each) for each in axes)
    if not simple or (len(axes) > 2 and any(axis.ceil for axis in axes) and not maximum):
        return _by_taps(t, x, axes, maximum=maximum, counted=counted)
    # Windows are boxes: along some axes first, then along the others, of maxima, or of means times shares.
    for at in range(len(axes) % 2 - 1 if len(axes) > 2 else 0, len(axes), 2):
        along = [dim for dim in (at, at + 1) if 0 <= dim < len(axes)] if len(axes) > 1 else [0]
        x = _along(t, x, {dim: axes[dim] for dim in along}, maximum=maximum, counted=counted)
    return x


def _as_ours(axis: Extent) -> bool:
    """Whether there are as many windows as our layers make of it."""
    from cnncli.nn.window import Axis

    ours = Axis(axis.size, axis.stride, *axis.padding, ceil=axis.ceil)
    return ours.count(axis.pixels) == axis.count


def _along(t: Translation, x: Value, axes: dict[int, Extent], *, maximum: bool, counted: bool) -> Value:
    """Pool along one or two axes, by the numbers of their windows; all others are channels."""
    spatial = [2 + at for at in axes]
    others = [dim for dim in range(len(x.dims)) if dim not in spatial]
    rows, columns = spatial[:-1], spatial[-1:]
    if x.places[:2] != tuple(tuple(p for d in each for p in x.groups[d]) for each in (rows, columns)):
        x = t.arrange(x, rows, columns, others)
    up, across = [ONE, *axes.values()][-2:]
    size, stride = both(up.size, across.size), both(up.stride, across.stride)
    padding, ceil = paddings(up, across), up.ceil or across.ceil
    made = MaxPool(size, stride, padding, ceil) if maximum else AvgPool(size, stride, padding, ceil, counted)
    return _of_dims(t, t.add(made, x.node), x, {2 + at: each.count for at, each in axes.items()})


def _of_dims(t: Translation, node: str, x: Value, counts: dict[int, int]) -> Value:
    """A layer's output, placed as its input, with other numbers along some dims, which had one part each."""
    dims = tuple(counts.get(at, dim) for at, dim in enumerate(x.dims))
    parts: list[int] = []
    new: dict[int, int] = {}
    row_parts: dict[int, list[int]] = {0: [], 1: []}
    for at, group in enumerate(x.groups):
        if at in counts:
            if dims[at] > 1:
                axis = 1 if at == max(counts) else 0
                row_parts[axis].append(len(parts))
                parts.append(dims[at])
            continue
        for part in group:
            new[part] = len(parts)
            parts.append(x.parts[part])
    channels = tuple(new[part] for part in x.places[2])
    return Value(node, dims, tuple(parts), (tuple(row_parts[0]), tuple(row_parts[1]), channels))


def _by_taps(t: Translation, x: Value, axes: Sequence[Extent], *, maximum: bool, counted: bool) -> Value:
    """Windows as the largest, or the sum, of what each of their taps sees."""
    from cnncli.nn.layers.arithmetic import Maximum

    if max(each.size for each in axes) > _MOST_TAPS:
        sizes = [each.size for each in axes]
        raise t.fault(
            f"has windows of {sizes} with gaps or wide paddings; expected sides of up to {_MOST_TAPS}"
        )
    found = x
    for at, axis in enumerate(axes):
        total = None
        for tap in range(axis.size):
            seen = lines_of(t, found, 2 + at, _seen(axis, tap), LOWEST if maximum else 0.0)
            if total is not None:
                seen = t.rearranged(seen, total.places)
                layer = Maximum() if maximum else Add()
                seen = Value(t.add(layer, total.node, seen.node), seen.dims, seen.parts, seen.places)
            total = seen
        assert total is not None
        found = total
    if maximum:
        return found
    from cnncli.onnx.families.arithmetic import of_two

    shares = np.ones(found.dims[2:])
    for at, axis in enumerate(axes):
        share = 1 / _counts(axis, counted=counted)
        shares *= share.reshape([-1 if at == each else 1 for each in range(len(axes))])
    return of_two(t, "Mul", found, shares)


def _seen(axis: Extent, tap: int) -> list[int]:
    """The lines that a tap of each window sees; -1 beyond the input."""
    lines = [out * axis.stride + tap * axis.dilation - axis.pads[0] for out in range(axis.count)]
    return [line if 0 <= line < axis.pixels else -1 for line in lines]


def _counts(axis: Extent, *, counted: bool) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Taps of each window that count: those in the input, or in its padding too."""
    low, high = (-axis.pads[0], axis.pixels + axis.pads[1]) if counted else (0, axis.pixels)
    starts = np.arange(axis.count)[:, None] * axis.stride - axis.pads[0]
    taps = starts + axis.dilation * np.arange(axis.size)
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = ((taps >= low) & (taps < high)).sum(axis=1)
    return found.astype(np.float64)


def global_average_pool(t: Translation, op: Operator) -> Value:
    """GlobalAveragePool."""
    x = t.value(op)
    return reduced(t, x, range(2, len(x.dims)), "mean", keep=True)


def global_max_pool(t: Translation, op: Operator) -> Value:
    """GlobalMaxPool."""
    x = t.value(op)
    return reduced(t, x, range(2, len(x.dims)), "max", keep=True)


def response_norm(t: Translation, op: Operator) -> Value:
    """LRN; an even window reaches further forwards, ours backwards, so channels are turned around for it."""
    x, size = t.value(op), int(op.attributes["size"])
    others = (0, *range(2, len(x.dims)))
    if x.places[2] != x.groups[1]:
        x = t.arrange(x, others[:-1], others[-1:], (1,))
    settings = {"alpha": 1e-4, "beta": 0.75, "bias": 1.0}
    numbers = {name: float(op.attributes.get(name, usual)) for name, usual in settings.items()}
    norm = LocalResponseNorm(size, **numbers)
    if size % 2:
        return t.each(norm, x)
    turn = Take(channels=tuple(range(x.shape[2]))[::-1])
    return t.each(turn, t.each(norm, t.each(turn, x)))
