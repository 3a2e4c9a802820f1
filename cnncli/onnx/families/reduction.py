"""Means, sums and extremes along axes, and what is made of them."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import TYPE_CHECKING, Literal

from cnncli.nn.layers.arithmetic import Divide, Exponential, Logarithm, Multiply, SquareRoot, Subtract
from cnncli.nn.layers.pooling import GlobalAvgPool, MaxPool
from cnncli.onnx.layout import Value
from cnncli.onnx.read import Operator

if TYPE_CHECKING:
    from cnncli.onnx.translation import Translation

How = Literal["mean", "sum", "max", "min"]
_KINDS: dict[str, How] = {"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max", "ReduceMin": "min"}


def reduced(t: Translation, x: Value, axes: Iterable[int], how: How, *, keep: bool) -> Value:
    """The mean, sum, maximum or minimum along axes; these become 1, or are left out."""
    rank = len(x.dims)
    along = sorted({axis % rank for axis in axes})
    kept = [at for at in range(rank) if at not in along]
    dims = tuple(1 if at in along else dim for at, dim in enumerate(x.dims))
    if prod(x.dims[at] for at in along) > 1:
        gone, left = (tuple(part for at in each for part in x.groups[at]) for each in (along, kept))
        if x.places[2] != left:
            x = t.rearranged(x, (gone[:-1], gone[-1:], left))  # sums of sums of rows round less
        if how == "min":
            x = t.affine(x, -1, 0)
        height, width, _ = x.shape
        layer = GlobalAvgPool() if how in ("mean", "sum") else MaxPool((height, width))
        node = t.add(layer, x.node)
        parts = tuple(x.parts[part] for at in kept for part in x.groups[at])
        x = Value(node, dims, parts, ((), (), tuple(range(len(parts)))))
        if how == "sum":
            x = t.affine(x, height * width, 0)
        elif how == "min":
            x = t.affine(x, -1, 0)
    final = dims if keep else tuple(x.dims[at] for at in kept)
    return t.reshape(x, final)


def reduce(t: Translation, op: Operator) -> Value:
    """ReduceMean and its like; axes are an attribute, or in later versions an input."""
    x = t.value(op)
    axes = t.whole(op, "axes", 1)
    if axes is None or not axes:
        if op.attributes.get("noop_with_empty_axes", 0):
            return x
        axes = tuple(range(len(x.dims)))
    return reduced(t, x, axes, _KINDS[op.kind], keep=bool(op.attributes.get("keepdims", 1)))


def softmax(t: Translation, op: Operator) -> Value:
    """Softmax and LogSoftmax along an axis; before version 13 along all from it on."""
    x = t.value(op)
    rank = len(x.dims)
    axis = int(op.attributes.get("axis", -1 if t.opset >= 13 else 1)) % max(rank, 1)
    axes = (axis,) if t.opset >= 13 else tuple(range(axis, rank))
    largest, like = t.repeated(reduced(t, x, axes, "max", keep=True), x.dims, x)
    less = _like(t.add(Subtract(), like.node, largest.node), like)
    powers = t.each(Exponential(), less)
    total = reduced(t, powers, axes, "sum", keep=True)
    if op.kind == "LogSoftmax":
        total = t.each(Logarithm(), total)
    total, like = t.repeated(total, x.dims, less if op.kind == "LogSoftmax" else powers)
    layer = Subtract() if op.kind == "LogSoftmax" else Divide()
    found = _like(t.add(layer, like.node, total.node), like)
    if {part for at in axes for part in x.groups[at]} == set(x.places[2]):
        t.before_softmax[found.node] = (op.kind, x)
    return found


def _like(node: str, value: Value) -> Value:
    return Value(node, value.dims, value.parts, value.places)


def instance_norm(t: Translation, op: Operator) -> Value:
    """InstanceNormalization: each channel less its mean, by its deviation, times a number, plus another."""
    x = t.value(op)
    axes = tuple(range(2, len(x.dims)))
    shape = (-1,) + (1,) * len(axes)
    return _normalised(t, op, x, axes, shape)


def layer_norm(t: Translation, op: Operator) -> Value:
    """LayerNormalization: the same along the last axes, with a number for each value there."""
    x = t.value(op)
    first = range(len(x.dims))[int(op.attributes.get("axis", -1))]
    if any(t.is_read(name) for name in op.outputs[1:]):
        raise t.fault("gives means or deviations, which others read; expected the values alone")
    return _normalised(t, op, x, tuple(range(first, len(x.dims))), x.dims[first:])


def _normalised(
    t: Translation, op: Operator, x: Value, axes: tuple[int, ...], shape: tuple[int, ...]
) -> Value:
    """x less its mean along axes, by its deviation, times a constant, plus another."""
    mean, like = t.repeated(reduced(t, x, axes, "mean", keep=True), x.dims, x)
    less = _like(t.add(Subtract(), like.node, mean.node), like)
    squares = _like(t.add(Multiply(), less.node, less.node), less)
    spread = t.affine(
        reduced(t, squares, axes, "mean", keep=True), 1, float(op.attributes.get("epsilon", 1e-5))
    )
    root, like = t.repeated(t.each(SquareRoot(), spread), x.dims, less)
    found = _like(t.add(Divide(), like.node, root.node), like)
    from cnncli.onnx.families.arithmetic import of_two

    scaled = of_two(t, "Mul", found, t.needed(op, 1).reshape(shape))
    shift = t.constant(op, 2)
    return scaled if shift is None else of_two(t, "Add", scaled, shift.reshape(shape))
