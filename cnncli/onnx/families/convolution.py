"""Convolutions and fully connected layers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.nn.layers.combine import Flatten
from cnncli.nn.layers.convolution import Conv
from cnncli.nn.layers.linear import Linear
from cnncli.nn.layers.normalisation import BatchNorm
from cnncli.nn.layers.upsampling import ConvTranspose
from cnncli.nn.layers.views import Take
from cnncli.onnx.families.windows import Extent, both, extents, paddings, sides_of
from cnncli.onnx.layout import Value, value_of
from cnncli.onnx.read import Operator

if TYPE_CHECKING:
    from cnncli.onnx.translation import Translation

Array = NDArray[Any]


def convolution(t: Translation, op: Operator) -> Value:
    """Conv along one or two axes."""
    weight = t.needed(op, 1)
    x = t.value(op)
    if weight.ndim == 5:
        return _in_space(t, op, weight)
    axes, weight = extents(t, op, x, weight.shape[2:]), _of_two(weight)
    x = t.maps(x)
    groups = int(op.attributes.get("group", 1))
    if x.dims[1] != weight.shape[1] * groups:
        raise t.fault(f"has weights of {weight.shape[1] * groups} channels; its input has {x.dims[1]}")
    rows, columns = sides_of(axes)
    if min(*rows.pads, *columns.pads) < 0:
        x = _cropped(t, x, rows, columns)
    layer = Conv(
        len(weight),
        both(*weight.shape[2:]),
        both(rows.stride, columns.stride),
        paddings(rows, columns),
        both(rows.dilation, columns.dilation),
        groups,
        bias=t.constant(op, 2) is not None,
    )
    node = t.add(layer, x.node, arrays=op.inputs[1:3], weight=weight, **_bias(t, op, 2))
    return _maps_of(t, node, x)


def transposed(t: Translation, op: Operator) -> Value:
    """ConvTranspose along one or two axes: the layer of that name, or a convolution of spread-out maps."""
    weight = t.needed(op, 1)
    x = t.value(op)
    if weight.ndim > 4:
        raise t.fault(f"has weights of {list(weight.shape)}; expected those of one or two axes")
    axes, weight = extents(t, op, x, weight.shape[2:], transposed=True), _of_two(weight)
    x, (rows, columns) = t.maps(x), sides_of(axes)
    groups = int(op.attributes.get("group", 1))
    if x.dims[1] != len(weight):
        raise t.fault(f"has weights of {len(weight)} channels; its input has {x.dims[1]}")
    outputs, bias = weight.shape[1] * groups, t.constant(op, 2) is not None
    plain = groups == 1 and rows.dilation == columns.dilation == 1
    even = all(each.pads[0] == each.pads[1] >= 0 for each in (rows, columns))
    if plain and even:
        size, stride = both(*weight.shape[2:]), both(rows.stride, columns.stride)
        layer = ConvTranspose(outputs, size, stride, both(rows.pads[0], columns.pads[0]), bias)
        node = t.add(layer, x.node, arrays=op.inputs[1:3], weight=weight, **_bias(t, op, 2))
        return _maps_of(t, node, x)
    spread = Take(_spread(rows), _spread(columns))
    turned = weight.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)[..., ::-1, ::-1]
    turned = turned.reshape(outputs, -1, *weight.shape[2:])
    dilation = both(rows.dilation, columns.dilation)
    convolved = Conv(outputs, both(*weight.shape[2:]), 1, 0, dilation, groups, bias)
    made = t.add(convolved, t.add(spread, x.node), arrays=op.inputs[1:3], weight=turned, **_bias(t, op, 2))
    return _maps_of(t, made, x)


def _spread(axis: Extent) -> tuple[int, ...]:
    """Lines of the input a stride apart, with zeros between and around: all that outputs see."""
    before, after = axis.reach - 1 - axis.pads[0], axis.reach - 1 - axis.pads[1]
    inner = [-1] * ((axis.pixels - 1) * axis.stride + 1)
    inner[:: axis.stride] = range(axis.pixels)
    lines = [-1] * max(before, 0) + inner[max(-before, 0) :] + [-1] * max(after, 0)
    return tuple(lines[: len(lines) + min(after, 0)])


def _cropped(t: Translation, x: Value, rows: Extent, columns: Extent) -> Value:
    up, across = (
        tuple(range(max(-axis.pads[0], 0), axis.pixels - max(-axis.pads[1], 0))) for axis in (rows, columns)
    )
    return _maps_of(t, t.add(Take(up, across), x.node), x)


def _in_space(t: Translation, op: Operator, weight: Array) -> Value:
    """Conv along three axes: for each layer of the output a group, which reads the layers of its window."""
    x = t.value(op)
    depth, rows, columns = extents(t, op, x, weight.shape[2:])
    groups = int(op.attributes.get("group", 1))
    if x.dims[0] != 1 or x.dims[1] != weight.shape[1] * groups:
        raise t.fault(
            f"has weights of {weight.shape[1] * groups} channels; its input has the shape {list(x.dims)}"
        )
    size, outputs = weight.shape[2], depth.count
    lines = [
        at if 0 <= (at := out * depth.stride + tap * depth.dilation - depth.pads[0]) < depth.pixels else -1
        for out in range(outputs)
        for tap in range(size)
    ]
    planes = t.arrange(x, (2,), (3, 4), (1,))
    taken = t.add(Take(rows=tuple(lines)), planes.node)
    each = x.dims[1] // groups
    dims = (outputs, size, *x.dims[3:], groups, each)
    apart = value_of(taken, dims, ((0, 1), (2, 3), (4, 5)))
    joined = t.arrange(apart, (2,), (3,), (0, 4, 1, 5))
    k = len(weight)
    flat = weight.transpose(0, 2, 1, 3, 4).reshape(k, -1, *weight.shape[3:])
    layer = Conv(
        outputs * k,
        both(*flat.shape[2:]),
        both(rows.stride, columns.stride),
        paddings(rows, columns),
        both(rows.dilation, columns.dilation),
        outputs * groups,
        bias=t.constant(op, 2) is not None,
    )
    bias: dict[str, Any] = {name: np.tile(values, outputs) for name, values in _bias(t, op, 2).items()}
    node = t.add(layer, joined.node, weight=np.tile(flat, (outputs, 1, 1, 1)), **bias)
    height, width = t.graph.shape_of(node)[:2]
    return value_of(node, (1, k, outputs, height, width), ((3,), (4,), (2, 1)))


def _of_two(weight: Array) -> Array:
    """Weights of one axis as those of a single row."""
    return weight[:, :, None] if weight.ndim == 3 else weight


def _bias(t: Translation, op: Operator, at: int) -> dict[str, Array]:
    bias = t.constant(op, at)
    return {} if bias is None else {"bias": bias}


def _maps_of(t: Translation, node: str, x: Value) -> Value:
    """A layer's maps with as many dims as its input had."""
    height, width, channels = t.graph.shape_of(node)[:3]
    spatial = {2: (), 3: (width,), 4: (height, width)}[len(x.dims)]
    last = len(x.dims) - 1
    return value_of(node, (1, channels, *spatial), (tuple(range(2, last)), (last,) if last > 1 else (), (1,)))


def batch_norm(t: Translation, op: Operator) -> Value:
    """BatchNormalization with fixed statistics."""
    if op.attributes.get("training_mode", 0):
        raise t.fault("takes the statistics of a batch, as in training; expected a model for inference")
    x = t.value(op)
    if len(x.dims) < 2:
        raise t.fault(f"reads {list(x.dims)}; expected channels as the second axis")
    others = (0, *range(2, len(x.dims)))
    if not _each_alone(x, 1):
        x = t.arrange(x, others[:-1], others[-1:], (1,))
    weights = dict(zip(("weight", "bias", "running_mean", "running_var"), range(1, 5), strict=True))
    epsilon = max(float(op.attributes.get("epsilon", 1e-5)), 1e-12)
    momentum = 1 - min(max(float(op.attributes.get("momentum", 0.9)), 0.0), 1.0)
    arrays = {name: t.needed(op, at) for name, at in weights.items()}
    node = t.add(BatchNorm(round(momentum, 6), epsilon), x.node, arrays=op.inputs[1:5], **arrays)
    return Value(node, x.dims, x.parts, x.places)


def _each_alone(x: Value, dim: int) -> bool:
    """Whether the channels are just a dim."""
    return x.places[2] == x.groups[dim]


def gemm(t: Translation, op: Operator) -> Value:
    """Gemm of a computed and a constant matrix."""
    alpha, beta = (float(op.attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    across = [bool(op.attributes.get(name, 0)) for name in ("transA", "transB")]
    if not isinstance(t.given(op, 0), Value):
        a = t.needed(op, 0)
        weight, x, axis = (a.T if across[0] else a), t.value(op, 1), int(across[1])
        found = weighted(t, op, x, axis, alpha * weight.astype(np.float64))
        found = found if axis == 0 else _swapped(found)
        return _plus(t, op, found, beta)
    b = t.needed(op, 1)
    weight, x = alpha * (b if across[1] else b.T).astype(np.float64), t.value(op)
    c = t.given(op, 2)
    bias = None
    if isinstance(c, np.ndarray) and (c.ndim < 2 or c.shape[0] == 1):
        bias = beta * np.broadcast_to(c.astype(np.float64), (1, len(weight))).ravel()
    found = weighted(t, op, x, 0 if across[0] else 1, weight, bias=bias)
    found = _swapped(found) if across[0] else found
    return found if c is None or bias is not None else _plus(t, op, found, beta)


def _plus(t: Translation, op: Operator, found: Value, beta: float) -> Value:
    from cnncli.onnx.families.arithmetic import of_two

    c = t.given(op, 2)
    if c is None:
        return found
    if isinstance(c, Value):
        return of_two(t, "Add", found, t.affine(c, beta, 0))
    return of_two(t, "Add", found, beta * c.astype(np.float64))


def _swapped(value: Value) -> Value:
    from cnncli.onnx.layout import transposed as moved

    return moved(value, (1, 0))


def matrix_product(t: Translation, op: Operator) -> Value:
    """MatMul of a computed tensor and a constant matrix, or the reverse."""
    a, b = t.given(op, 0), t.given(op, 1)
    if isinstance(a, Value) and isinstance(b, Value):
        raise t.fault(
            "multiplies two computed tensors; expected a constant matrix, as in a network of layers"
        )
    if isinstance(a, Value):
        matrix = t.needed(op, 1)
        vector = matrix.ndim == 1
        matrix = matrix[:, None] if vector else matrix
        if prod(matrix.shape[:-2]) != 1:
            raise t.fault(f"has matrices of {list(matrix.shape)}; expected a single one")
        lead = max(matrix.ndim, len(a.dims)) - len(a.dims) if len(a.dims) > 1 else 0
        a = t.reshape(a, (1,) * lead + a.dims)
        found = weighted(t, op, a, len(a.dims) - 1, matrix.reshape(matrix.shape[-2:]).T)
        return t.reshape(found, found.dims[:-1]) if vector else found
    matrix, x = t.needed(op, 0), t.value(op, 1)
    if matrix.ndim == 1:
        flat = weighted(t, op, x, max(len(x.dims) - 2, 0), matrix[None])
        at = max(len(x.dims) - 2, 0)
        return t.reshape(flat, flat.dims[:at] + flat.dims[at + 1 :])
    if prod(matrix.shape[:-2]) != 1 or len(x.dims) < 2:
        raise t.fault(f"has matrices of {list(matrix.shape)}; expected a single one")
    lead = max(matrix.ndim - len(x.dims), 0)
    x = t.reshape(x, (1,) * lead + x.dims)
    return weighted(t, op, x, len(x.dims) - 2, matrix.reshape(matrix.shape[-2:]))


def weighted(
    t: Translation, op: Operator, x: Value, axis: int, weight: Array, *, bias: Array | None = None
) -> Value:
    """Weighted sums (K, C) along an axis of C values: a fully connected layer, or a convolution of pixels."""
    if x.dims[axis] != weight.shape[1]:
        raise t.fault(f"has weights for {weight.shape[1]} values; its input has {x.dims[axis]}")
    dims = (*x.dims[:axis], len(weight), *x.dims[axis + 1 :])
    arrays = {"weight": weight, **({} if bias is None else {"bias": bias})}
    others = [at for at in range(len(dims)) if at != axis]
    if prod(dims[at] for at in others) == 1:
        source, parts = x.node, x.parts
        if x.shape[:2] != (1, 1):
            source = t.add(Flatten(), source)
        order = [part for axis_ in (x.places[2], x.places[0], x.places[1]) for part in axis_]
        moved = weight.reshape(-1, *parts).transpose(0, *(1 + part for part in order))
        arrays["weight"] = moved.reshape(len(weight), -1)
        names: Sequence[str] = [each for each in op.inputs if each]
        node = t.add(Linear(len(weight), bias is not None), source, arrays=names, **arrays)
        return value_of(node, dims, ((), (), (axis,)))
    if not _each_alone(x, axis):
        x = t.arrange(x, others[:-1], others[-1:], (axis,))
    arrays["weight"] = weight[:, :, None, None]
    node = t.add(Conv(len(weight), 1, bias=bias is not None), x.node, arrays=op.inputs, **arrays)
    held = value_of(node, dims, (others[:-1], others[-1:], (axis,)))
    if x.places == _places_of(x, others, axis):
        return held
    return _with_channels(t, x, node, dims, axis)


def _places_of(x: Value, others: Sequence[int], axis: int) -> Any:
    groups = x.groups
    rows, columns, channels = (
        tuple(part for dim in each for part in groups[dim]) for each in (others[:-1], others[-1:], (axis,))
    )
    return rows, columns, channels


def _with_channels(t: Translation, x: Value, node: str, dims: tuple[int, ...], axis: int) -> Value:
    """A value as another, with another number of channels, which are all of a dim."""
    groups, parts = x.groups, []
    new: dict[int, int] = {}
    for at, group in enumerate(groups):
        if at == axis:
            if dims[axis] > 1:
                parts.append(dims[axis])
            continue
        for part in group:
            new[part] = len(parts)
            parts.append(x.parts[part])
    before = sum(1 for at, group in enumerate(groups) if at < axis for _ in group)
    rows, columns = (tuple(new[part] for part in each) for each in x.places[:2])
    channels = (before,) if dims[axis] > 1 else ()
    return Value(node, tuple(dims), tuple(parts), (rows, columns, channels))
