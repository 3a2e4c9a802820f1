"""Layers of imported networks as operators of ONNX, each a function of the table at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from cnncli.nn import Layer
from cnncli.nn.graph import Node
from cnncli.nn.layers.arithmetic import (
    LARGEST,
    Absolute,
    Affine,
    Clamp,
    Constant,
    Divide,
    Elu,
    ErrorFunction,
    Exponential,
    HardSigmoid,
    Logarithm,
    Maximum,
    Minimum,
    Multiply,
    Power,
    Softplus,
    SquareRoot,
    Subtract,
)
from cnncli.nn.layers.resize import Resize
from cnncli.nn.layers.views import Rearrangement, Take, View
from cnncli.onnx.operators import Writer, alike, by_matrices, plain


def _affine(writer: Writer, node: Node) -> None:
    inputs, flat = alike(writer, node)
    shape = (-1,) if flat else (-1, 1, 1)
    scale, shift = (writer.weight(node, name) for name in ("scale", "shift"))
    for name in (scale, shift):
        writer.arrays[name] = writer.arrays[name].reshape(shape)
    scaled = writer.add("Mul", [*inputs, scale], f"{node.name}/scaled", flat=flat)
    writer.end(node, "Add", [scaled, shift], flat=flat)


def _constant(writer: Writer, node: Node) -> None:
    """The same values for each image of the batch."""
    layer, name = cast(Constant, node.layer), node.name
    value = writer.weight(node, "value")
    maps = writer.arrays[value].reshape(1, layer.height, layer.width, layer.channels)
    writer.arrays[value] = np.ascontiguousarray(maps.transpose(0, 3, 1, 2))
    shape = writer.add("Shape", [writer.value(node.inputs[0])], f"{name}/shape")
    ends = [writer.constant(f"{name}/{end}", [number]) for end, number in (("first", 0), ("second", 1))]
    batch = writer.add("Slice", [shape, *ends], f"{name}/batch")
    sides = writer.constant(f"{name}/sides", maps.transpose(0, 3, 1, 2).shape[1:])
    dims = writer.add("Concat", [batch, sides], f"{name}/dims", axis=0)
    writer.end(node, "Expand", [value, dims])


def _rearranged(writer: Writer, node: Node) -> None:
    """Values by their places in the picture, pixel by pixel, and back to maps."""
    layer, name = cast(Rearrangement, node.layer), node.name
    outer, inner = layer.tables(node.input_shapes[0])
    places = outer[..., None] + inner
    filled = np.broadcast_to((outer[..., None] < 0) | (inner < 0), places.shape)
    pixels = writer.add("Transpose", [writer.maps(node.inputs[0])], f"{name}/pixels", perm=(0, 2, 3, 1))
    values = writer.add("Flatten", [pixels], f"{name}/values")
    numbers = writer.constant(f"{name}/places", np.where(filled, 0, places).ravel())
    taken = writer.add("Gather", [values, numbers], f"{name}/taken", axis=1)
    if filled.any():
        mask = writer.constant(f"{name}/beyond", filled.ravel(), np.bool_)
        fill = writer.constant(f"{name}/fill", layer.fill, np.float32)
        taken = writer.add("Where", [mask, fill, taken], f"{name}/filled")
    sides = writer.constant(f"{name}/sides", (0, *places.shape))
    maps = writer.add("Reshape", [taken, sides], f"{name}/maps")
    writer.end(node, "Transpose", [maps], perm=(0, 3, 1, 2))


def _resized(writer: Writer, node: Node) -> None:
    rows, columns = cast(Resize, node.layer).tables(node.input_shapes[0])
    by_matrices(writer, node, rows, columns)


def _clamp(writer: Writer, node: Node) -> None:
    layer = cast(Clamp, node.layer)
    inputs, flat = alike(writer, node)
    limits = [
        "" if abs(limit) >= LARGEST else writer.constant(f"{node.name}/{name}", limit, np.float32)
        for name, limit in (("low", layer.low), ("high", layer.high))
    ]
    writer.end(node, "Clip", [*inputs, *limits], flat=flat)


def _power(writer: Writer, node: Node) -> None:
    inputs, flat = alike(writer, node)
    exponent = writer.constant(f"{node.name}/exponent", cast(Power, node.layer).exponent, np.float32)
    writer.end(node, "Pow", [*inputs, exponent], flat=flat)


def _with(kind: str, **fields: str) -> Callable[[Writer, Node], None]:
    """An operator whose attributes are settings of the layer."""

    def write(writer: Writer, node: Node) -> None:
        attributes: dict[str, Any] = {name: float(getattr(node.layer, of)) for name, of in fields.items()}
        plain(kind, **attributes)(writer, node)

    return write


OPERATORS: dict[type[Layer], Callable[[Writer, Node], None]] = {
    Absolute: plain("Abs"),
    Affine: _affine,
    Clamp: _clamp,
    Constant: _constant,
    Divide: plain("Div"),
    Elu: _with("Elu", alpha="slope"),
    ErrorFunction: plain("Erf"),
    Exponential: plain("Exp"),
    HardSigmoid: _with("HardSigmoid", alpha="slope", beta="shift"),
    Logarithm: plain("Log"),
    Maximum: plain("Max"),
    Minimum: plain("Min"),
    Multiply: plain("Mul"),
    Power: _power,
    Resize: _resized,
    Softplus: plain("Softplus"),
    SquareRoot: plain("Sqrt"),
    Subtract: plain("Sub"),
    Take: _rearranged,
    View: _rearranged,
}
