"""Preprocessing of pictures by operators: what `predict` does before the network, within two levels of 255.

Resizing is two products with matrices of weights, which other operators make from the picture's size: Resize
has an antialias from opset 18 on, but ONNX Runtime's is up to 18 levels from Pillow's.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from cnncli.errors import CnncliError
from cnncli.onnx.operators import Writer
from cnncli.tasks.preprocessing import Preprocessing

_FLOAT, _INT64, _DOUBLE = 1, 7, 11  # types of values
_CUBIC = -0.5  # Pillow's coefficient of the cubic filter
_LOBES = 3  # of its Lanczos filter


def prepare(writer: Writer, pictures: Preprocessing, *, source: str, prepared: str) -> Any:
    """Write the operators from pictures (N, H, W, C) of uint8 to the network's input; returns the input.

    Where the preprocessing resizes the short side and cuts out the middle, pictures have any size, the same
    for all of a batch; otherwise they have the network's.

    Raises
    ------
    CnncliError
        Where it looks for a digit first.
    """
    from onnx import TensorProto, helper

    if pictures.digits:
        raise CnncliError(
            "the network's pictures are prepared as digits are: inverted, cropped and centred, for which "
            "there are no operators; expected a network whose pictures are only resized and scaled",
            "Leave --with-preprocessing out, and prepare them as the metadata say.",
        )
    height, width = pictures.size
    maps = writer.add("Transpose", [source], "picture/planes", perm=(0, 3, 1, 2))
    maps = writer.add("Cast", [maps], "picture/reals", to=_FLOAT)
    sizes: list[int | str] = [height, width]
    if pictures.resize is not None:
        sizes = ["height", "width"]
        maps = _cut(writer, _resized(writer, pictures, maps), (height, width))
    mean, std = np.asarray(pictures.mean, np.float64), np.asarray(pictures.std, np.float64)
    scale = writer.constant("picture/scale", (1 / (255 * std))[:, None, None], np.float32)
    shift = writer.constant("picture/shift", (-mean / std)[:, None, None], np.float32)
    writer.add("Add", [writer.add("Mul", [maps, scale], "picture/scaled"), shift], prepared)
    return helper.make_tensor_value_info(source, TensorProto.UINT8, ["N", *sizes, pictures.channels])


def _resized(writer: Writer, pictures: Preprocessing, maps: str) -> str:
    """Maps whose short side has ``resize`` pixels: along rows, then along columns, both in whole levels."""
    shape = writer.add("Shape", [maps], "picture/shape")
    sides = {
        name: writer.add("Gather", [shape, writer.constant(f"picture/axis {axis}", axis)], f"picture/{name}")
        for name, axis in (("height", 2), ("width", 3))
    }
    short = writer.add("Min", list(sides.values()), "picture/short side")
    resize = writer.constant("picture/resize", pictures.resize)
    for axis, (name, side) in enumerate(reversed(sides.items())):
        after = writer.add("Mul", [side, resize], f"picture/{name} times")
        by = short
        if pictures.long_side != "truncated":
            two = writer.constant("picture/two", 2)
            twice = writer.add("Mul", [after, two], f"picture/{name} twice")
            after = writer.add("Add", [twice, short], f"picture/{name} and a half")
            by = writer.add("Mul", [short, two], "picture/short side twice")
        after = writer.add("Div", [after, by], f"picture/{name} after")
        weights = _weights(writer, pictures.interpolation, side, after, f"picture/{name}")
        if axis == 0:
            turned = writer.add("Transpose", [weights], "picture/across", perm=(1, 0))
            maps = writer.add("MatMul", [maps, turned], "picture/resized across")
        else:
            maps = writer.add("MatMul", [weights, maps], "picture/resized down")
        maps = _levels(writer, maps)
    return maps


def _levels(writer: Writer, maps: str) -> str:
    """Whole levels, halves upwards, from 0 to 255."""
    half = writer.constant("picture/half", 0.5, np.float32)
    limits = (("picture/dark", 0.0), ("picture/bright", 255.0))
    low, high = (writer.constant(name, value, np.float32) for name, value in limits)
    whole = writer.add("Floor", [writer.add("Add", [maps, half], f"{maps}/half")], f"{maps}/levels")
    return writer.add("Clip", [whole, low, high], f"{maps}/picture")


def _weights(writer: Writer, interpolation: str, before: str, after: str, name: str) -> str:
    """(after, before) how much of each pixel is in each pixel of the result, as Pillow computes it."""

    def number(value: float) -> str:
        return writer.constant(f"picture/number {value:g}", value, np.float64)

    def centres(count: str, of: str) -> str:
        zero, one = (writer.constant(f"picture/whole {value}", value) for value in (0, 1))
        numbers = writer.add("Range", [zero, count, one], f"{name}/{of}")
        reals = writer.add("Cast", [numbers], f"{name}/{of} as reals", to=_DOUBLE)
        return writer.add("Add", [reals, number(0.5)], f"{name}/{of} centres")

    sizes = [
        writer.add("Cast", [each], f"{name}/{of}", to=_DOUBLE)
        for each, of in ((before, "pixels before"), (after, "pixels after"))
    ]
    scale = writer.add("Div", sizes, f"{name}/scale")
    places = writer.add("Mul", [centres(after, "new"), scale], f"{name}/places")
    rows = writer.add("Unsqueeze", [places, writer.constant("picture/second", [1])], f"{name}/rows")
    pixels = centres(before, "old")
    if interpolation == "nearest":
        nearest = writer.add("Equal", [_floor(writer, rows), _floor(writer, pixels)], f"{name}/nearest")
        return writer.add("Cast", [nearest], f"{name}/weights", to=_FLOAT)
    wide = writer.add("Max", [scale, number(1)], f"{name}/width of the filter")
    away = writer.add("Div", [writer.add("Sub", [pixels, rows], f"{name}/away"), wide], f"{name}/distance")
    shares = _FILTERS[interpolation](writer, away, name, number)
    total = writer.add("ReduceSum", [shares, "picture/second"], f"{name}/total", keepdims=1)
    return writer.add(
        "Cast", [writer.add("Div", [shares, total], f"{name}/shares")], f"{name}/weights", to=_FLOAT
    )


def _floor(writer: Writer, values: str) -> str:
    return writer.add("Floor", [values], f"{values}/floor")


Number = Callable[[float], str]


def _triangle(writer: Writer, x: str, name: str, number: Number) -> str:
    """1 - abs(x), not below 0."""
    falling = writer.add("Sub", [number(1), writer.add("Abs", [x], f"{name}/abs")], f"{name}/falling")
    return writer.add("Max", [falling, number(0)], f"{name}/triangle")


def _cubic(writer: Writer, x: str, name: str, number: Number) -> str:
    """Two cubic polynomials of abs(x), below 1 and below 2.

    Source: Keys, Cubic convolution interpolation for digital image processing, 1981.
    """
    t = writer.add("Abs", [x], f"{name}/abs")

    def polynomial(part: str, *coefficients: float) -> str:
        value = number(coefficients[0])
        for power, each in enumerate(coefficients[1:]):
            scaled = writer.add("Mul", [value, t], f"{name}/{part} {power} times")
            value = writer.add("Add", [scaled, number(each)], f"{name}/{part} {power}")
        return value

    near = polynomial("near", _CUBIC + 2, -(_CUBIC + 3), 0, 1)
    far = polynomial("far", _CUBIC, -5 * _CUBIC, 8 * _CUBIC, -4 * _CUBIC)
    below = [writer.add("Less", [t, number(most)], f"{name}/below {most}") for most in (1, 2)]
    outer = writer.add("Where", [below[1], far, number(0)], f"{name}/outer")
    return writer.add("Where", [below[0], near, outer], f"{name}/cubic")


def _lanczos(writer: Writer, x: str, name: str, number: Number) -> str:
    """sinc(x) sinc(x / 3) below 3."""

    def sinc(value: str, of: str) -> str:
        angle = writer.add("Mul", [value, number(math.pi)], f"{name}/{of} angle")
        zero = writer.add("Equal", [angle, number(0)], f"{name}/{of} zero")
        safe = writer.add("Where", [zero, number(1), angle], f"{name}/{of} not zero")
        share = writer.add(
            "Div", [writer.add("Sin", [safe], f"{name}/{of} sine"), safe], f"{name}/{of} share"
        )
        return writer.add("Where", [zero, number(1), share], f"{name}/{of}")

    third = writer.add("Div", [x, number(_LOBES)], f"{name}/third")
    product = writer.add("Mul", [sinc(x, "sinc"), sinc(third, "window")], f"{name}/product")
    inside = writer.add("Less", [writer.add("Abs", [x], f"{name}/abs"), number(_LOBES)], f"{name}/inside")
    return writer.add("Where", [inside, product, number(0)], f"{name}/lanczos")


_FILTERS: dict[str, Callable[[Writer, str, str, Number], str]] = {
    "bilinear": _triangle,
    "bicubic": _cubic,
    "lanczos": _lanczos,
}


def _cut(writer: Writer, maps: str, size: tuple[int, int]) -> str:
    """The middle of maps, begun at round(rest / 2), halves to the even number."""
    shape = writer.add("Shape", [maps], "middle/shape")
    ends = [writer.constant(f"middle/{name}", [value]) for name, value in (("from", 2), ("to", 4))]
    sides = writer.add("Slice", [shape, *ends], "middle/sides")
    inner = writer.constant("middle/size", size)
    rest = writer.add("Cast", [writer.add("Sub", [sides, inner], "middle/rest")], "middle/reals", to=_FLOAT)
    half = writer.add("Mul", [rest, writer.constant("middle/half", 0.5, np.float32)], "middle/half the rest")
    start = writer.add("Cast", [writer.add("Round", [half], "middle/round")], "middle/start", to=_INT64)
    end = writer.add("Add", [start, inner], "middle/end")
    return writer.add("Slice", [maps, start, end, writer.constant("sides", [2, 3])], "middle")
