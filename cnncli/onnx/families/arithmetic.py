"""Operators on each value, and on pairs of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.nn.layer import Layer
from cnncli.nn.layers.activation import Gelu, LeakyRelu, Relu, Relu6, Sigmoid, Tanh
from cnncli.nn.layers.arithmetic import (
    LARGEST,
    Absolute,
    Clamp,
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
from cnncli.nn.layers.combine import Add, ScaleChannels
from cnncli.nn.layers.dropout import Dropout
from cnncli.onnx.layout import Value, placed
from cnncli.onnx.read import Operator

if TYPE_CHECKING:
    from cnncli.onnx.translation import Translation

Array = NDArray[Any]
_LAYERS: dict[str, Callable[[], Layer]] = {
    "Add": Add,
    "Sub": Subtract,
    "Mul": Multiply,
    "Div": Divide,
    "Max": Maximum,
    "Min": Minimum,
}
_PLAIN: dict[str, Callable[[], Layer]] = {
    "Abs": Absolute,
    "Erf": ErrorFunction,
    "Exp": Exponential,
    "Log": Logarithm,
    "Relu": Relu,
    "Sigmoid": Sigmoid,
    "Softplus": Softplus,
    "Sqrt": SquareRoot,
    "Tanh": Tanh,
}
_ROUNDED = 6e-8  # by so much float32 may miss 1/6
_REALS = (1, 10, 11, 16)  # types of real numbers: all become float32


def function(t: Translation, op: Operator) -> Value:
    """An operator that is a layer without settings."""
    x = t.value(op)
    found = t.each(_PLAIN[op.kind](), x)
    if op.kind == "Sigmoid":
        t.before_softmax[found.node] = (op.kind, x)
    return found


def same(t: Translation, op: Operator) -> Value:
    """An operator that changes nothing when the network is not trained."""
    return t.value(op)


def cast(t: Translation, op: Operator) -> Value:
    """Cast between real numbers, which are float32 here; to whole ones values would be cut."""
    to = int(op.attributes.get("to", 0))
    if to not in _REALS:
        raise t.fault(f"makes values of type {to} of computed ones; expected real numbers")
    return t.value(op)


def dropout(t: Translation, op: Operator) -> tuple[Value, Array]:
    """Dropout: nothing but in training, and a mask that keeps all."""
    x, ratio = t.value(op), t.constant(op, 1)
    training = t.constant(op, 2)
    if training is not None and bool(training):
        raise t.fault("drops values at random, as in training; expected a model for inference")
    rate = float(op.attributes.get("ratio", 0.5)) if ratio is None else float(ratio)
    if not 0 < rate < 1:
        return x, np.ones(x.dims, bool)
    return t.each(Dropout(rate, seed=len(t.graph.nodes)), x), np.ones(x.dims, bool)


def leaky_relu(t: Translation, op: Operator) -> Value:
    """LeakyRelu."""
    return t.each(LeakyRelu(float(op.attributes.get("alpha", 0.01))), t.value(op))


def elu(t: Translation, op: Operator) -> Value:
    """Elu, and Selu, which is one times a number."""
    if op.kind == "Elu":
        return t.each(Elu(float(op.attributes.get("alpha", 1.0))), t.value(op))
    alpha = float(op.attributes.get("alpha", 1.67326319217681884765625))
    gamma = float(op.attributes.get("gamma", 1.05070102214813232421875))
    return t.affine(t.each(Elu(alpha), t.value(op)), gamma, 0)


def hard_sigmoid(t: Translation, op: Operator) -> Value:
    """HardSigmoid."""
    return t.each(_hard(op), t.value(op))


def _hard(op: Operator) -> HardSigmoid:
    alpha = float(op.attributes.get("alpha", 1 / 6 if op.kind == "HardSwish" else 0.2))
    return HardSigmoid(
        1 / 6 if abs(alpha - 1 / 6) < _ROUNDED else alpha, float(op.attributes.get("beta", 0.5))
    )


def hard_swish(t: Translation, op: Operator) -> Value:
    """HardSwish: x times HardSigmoid(x)."""
    x = t.value(op)
    return _like(t.add(Multiply(), x.node, t.each(_hard(op), x).node), x)


def gelu(t: Translation, op: Operator) -> Value:
    """Gelu, computed with the error function."""
    if op.attributes.get("approximate", "none") != "none":
        raise t.fault(f"is approximated by {op.attributes['approximate']!r}; expected 'none'")
    return t.each(Gelu(), t.value(op))


def clip(t: Translation, op: Operator) -> Value:
    """Clip; limits are attributes, or in later versions inputs, and each may be left out."""
    limits: list[float] = []
    for at, (name, none) in enumerate((("min", -LARGEST), ("max", LARGEST)), start=1):
        given = t.constant(op, at)
        value = op.attributes.get(name, none) if given is None else given.ravel()[0]
        limits.append(float(np.clip(float(value), -LARGEST, LARGEST)))
    low, high = limits
    x = t.value(op)
    if low == 0 and high == 6:
        return t.each(Relu6(), x)
    return t.each(Relu() if low == 0 and high >= LARGEST else Clamp(low, high), x)


def prelu(t: Translation, op: Operator) -> Value:
    """PRelu: one slope for all, or a function of its own for what is above 0 and what is below."""
    x, slope = t.value(op), t.needed(op, 1)
    if (slope == slope.flat[0]).all():
        return t.each(LeakyRelu(float(slope.flat[0])), x)
    above = t.each(Relu(), x)
    below = of_two(t, "Mul", t.each(Clamp(high=0.0), x), _widened(t, slope, x))
    return of_two(t, "Add", above, below)


def _widened(t: Translation, slope: Array, x: Value) -> Array:
    """Slopes for the channels of maps, where older versions give them as a vector."""
    if t.opset < 7 and slope.ndim == 1 and len(x.dims) > 2:
        return slope.reshape(-1, *(1,) * (len(x.dims) - 2))
    return slope


def two(t: Translation, op: Operator) -> Value:
    """Add, Sub, Mul, Div of two, each computed or a constant."""
    a, b = t.given(op, 0), t.given(op, 1)
    if "axis" in op.attributes and isinstance(a, Value) and b is not None:  # before version 7
        rank = len(b.dims) if isinstance(b, Value) else b.ndim
        shape = (1,) * 0 + (1,) * (len(a.dims) - int(op.attributes["axis"]) % len(a.dims) - rank)
        b = t.reshape(b, b.dims + shape) if isinstance(b, Value) else b.reshape(b.shape + shape)
    if a is None or b is None:
        raise t.fault("lacks an input")
    return of_two(t, op.kind, a, b)


def several(t: Translation, op: Operator) -> Value:
    """Sum, Max, Min, Mean of any number."""
    given = [each for at in range(len(op.inputs)) if (each := t.given(op, at)) is not None]
    kind = {"Sum": "Add", "Mean": "Add"}.get(op.kind, op.kind)
    total: Any = given[0]
    for each in given[1:]:
        if isinstance(total, Value) or isinstance(each, Value):
            total = of_two(t, kind, total, each)
        else:
            total = {"Add": np.add, "Max": np.maximum, "Min": np.minimum}[kind](total, each)
    found: Value = total
    return t.affine(found, 1 / len(given), 0) if op.kind == "Mean" else found


def negative(t: Translation, op: Operator) -> Value:
    """Neg."""
    return t.affine(t.value(op), -1, 0)


def reciprocal(t: Translation, op: Operator) -> Value:
    """Reciprocal."""
    return of_two(t, "Div", np.ones(1), t.value(op))


def power(t: Translation, op: Operator) -> Value:
    """Pow of a computed number by a constant one."""
    x, exponents = t.value(op), t.needed(op, 1)
    if not (exponents == exponents.flat[0]).all():
        raise t.fault("has a power for each value; expected one")
    exponent = float(exponents.flat[0])
    if exponent == 1:
        return x
    if exponent == 2:
        return _like(t.add(Multiply(), x.node, x.node), x)
    return t.each(SquareRoot() if exponent == 0.5 else Power(exponent), x)


def of_two(t: Translation, kind: str, a: Value | Array, b: Value | Array) -> Value:
    """Two tensors, broadcast to the dims of both."""
    first, second = (each.dims if isinstance(each, Value) else each.shape for each in (a, b))
    dims = tuple(np.broadcast_shapes(first, second))
    if not isinstance(b, Value):
        assert isinstance(a, Value)
        return _with_constant(t, kind, _wide(t, a, dims), b, constant_first=False)
    if not isinstance(a, Value):
        return _with_constant(t, kind, _wide(t, b, dims), a, constant_first=True)
    if kind in ("Add", "Mul") and a.dims != dims:
        a, b = b, a
    a = _wide(t, a, dims)
    if kind == "Mul" and _scales(a, b):
        return _like(t.add(ScaleChannels(), a.node, b.node), a)
    other, like = t.repeated(b, dims, a)
    return _like(t.add(_LAYERS[kind](), like.node, other.node), like)


def _wide(t: Translation, value: Value, dims: tuple[int, ...]) -> Value:
    """The value broadcast to dims."""
    return value if value.dims == dims else t.repeated(value, dims)[0]


def _scales(a: Value, b: Value) -> bool:
    """Whether b has a number for each channel of a, in the same order."""
    if len(a.dims) != len(b.dims) or a.shape[:2] == (1, 1) or b.shape[:2] != (1, 1):
        return False
    mine, theirs = a.groups, b.groups
    channels = [part for at, group in enumerate(mine) for part in group if b.dims[at] == a.dims[at]]
    plain = tuple(b.parts) == tuple(a.parts[part] for part in channels)
    order = [channels.index(part) for part in a.places[2] if part in channels]
    del theirs
    return plain and len(order) == len(a.places[2]) == len(channels) and tuple(order) == b.places[2]


def _with_constant(t: Translation, kind: str, x: Value, c: Array, *, constant_first: bool) -> Value:
    """Of a computed tensor and a constant: an affine function of each channel where it is one."""
    c = np.asarray(c, np.float64)
    if kind in ("Max", "Min") and c.size == 1:
        limit = float(c.ravel()[0])
        return t.each(Clamp(low=limit) if kind == "Max" else Clamp(high=limit), x)
    pixels = placed(np.broadcast_to(c, x.dims), x)
    each = pixels[0, 0]
    alike = c.size == 1 or bool((pixels == each).all())
    with np.errstate(all="ignore"):
        scale, shift = {
            ("Add", False): (1.0, each),
            ("Add", True): (1.0, each),
            ("Sub", False): (1.0, -each),
            ("Sub", True): (-1.0, each),
            ("Mul", False): (each, 0.0),
            ("Mul", True): (each, 0.0),
            ("Div", False): (1 / each, 0.0),
        }.get((kind, constant_first), (np.inf, 0.0))
    if alike and np.isfinite(scale).all() and np.isfinite(shift).all():
        return t.affine(x, scale, shift)
    fixed = t.fixed(c, x)
    sources = (fixed, x.node) if constant_first else (x.node, fixed)
    return _like(t.add(_LAYERS[kind](), *sources), x)


def _like(node: str, value: Value) -> Value:
    return Value(node, value.dims, value.parts, value.places)
