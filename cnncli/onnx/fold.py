"""Operators of constants alone, computed when the model is read: shapes, and weights that it puts together.

They are of any type and any number of axes, and computed by ONNX's own reference implementation. What could
grow beyond bounds is measured first.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.onnx.read import Operator

Array = NDArray[Any]
MOST = 1 << 27  # values of a result
_SLOW = ("AveragePool", "Conv", "ConvTranspose", "LRN", "MaxPool", "Resize", "Upsample")  # loops of Python
_MOST_SLOW = 1 << 18  # values that they read, and make
#: Operators whose results may be larger than all that they read.
_GROWING = ("ConstantOfShape", "Expand", "Tile", "Range", "OneHot", "Pad", "Resize", "Upsample", "EyeLike")
#: Operators that are folded. Others of constants alone are refused, such as those of random numbers.
FOLDED = frozenset(
    (
        *_GROWING,
        *("Abs", "Add", "And", "ArgMax", "ArgMin", "AveragePool", "BatchNormalization", "Cast", "CastLike"),
        *("Ceil", "Clip", "Compress", "Concat", "Constant", "Conv", "ConvTranspose", "Cos", "CumSum"),
        *("DepthToSpace", "Div", "Dropout", "Elu", "Equal", "Erf", "Exp", "Flatten", "Floor", "Gather"),
        *("GatherElements", "GatherND", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "Greater"),
        *(
            "GreaterOrEqual",
            "HardSigmoid",
            "HardSwish",
            "Identity",
            "LRN",
            "LeakyRelu",
            "Less",
            "LessOrEqual",
        ),
        *(
            "Log",
            "LogSoftmax",
            "MatMul",
            "Max",
            "MaxPool",
            "Min",
            "Mod",
            "Mul",
            "Neg",
            "NonZero",
            "Not",
            "Or",
        ),
        *("PRelu", "Pow", "Reciprocal", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd"),
        *("ReduceSum", "Relu", "Reshape", "Round", "ScatterND", "Selu", "Shape", "Sigmoid", "Sign", "Sin"),
        *("Size", "Slice", "Softmax", "Softplus", "SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub", "Sum"),
        *("Tanh", "Transpose", "Trilu", "Unsqueeze", "Where", "Xor"),
    )
)


def fold(operator: Operator, inputs: Sequence[Array | None], opset: int) -> list[Array]:
    """The outputs of an operator of constants.

    Raises
    ------
    CnncliError
        Where it is not one that is folded, its inputs do not fit, or its result would be too large.
    """
    if operator.kind not in FOLDED:
        raise _fault(operator, "reads constants alone; expected an operator that can be computed in advance")
    if operator.kind == "Constant":
        return [_constant(operator)]
    _check_size(operator, inputs)
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    named = [name if given is not None else "" for name, given in zip(_names(inputs), inputs, strict=True)]
    attributes = {name: _settable(value) for name, value in operator.attributes.items() if value is not None}
    outputs = [f"out{at}" if name else "" for at, name in enumerate(operator.outputs)]
    node = helper.make_node(operator.kind, named, outputs, **attributes)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info(name, 1, None) for name in named if name],
        [helper.make_tensor_value_info(name, 0, None) for name in outputs if name],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    fed = {name: given for name, given in zip(named, inputs, strict=True) if given is not None}
    try:
        with np.errstate(all="ignore"):
            found = ReferenceEvaluator(model).run(None, fed)
    except Exception as error:
        raise _fault(operator, f"of constants cannot be computed: {error}") from error
    made = iter(found)
    return [np.asarray(next(made)) if name else np.zeros(0) for name in outputs]


def _constant(operator: Operator) -> Array:
    """The value that an attribute of any of several names has."""
    kinds: dict[str, Any] = {"value": None, "value_int": np.int64, "value_ints": np.int64}
    kinds |= {"value_float": np.float32, "value_floats": np.float32}
    for name, kind in kinds.items():
        value = operator.attributes.get(name)
        if value is not None:
            return np.asarray(value, kind)
    raise _fault(operator, "has no value of numbers")


def _names(inputs: Sequence[Array | None]) -> list[str]:
    return [f"in{at}" for at in range(len(inputs))]


def _settable(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        from onnx import numpy_helper

        return numpy_helper.from_array(np.array(value, order="C"))
    return value


def _check_size(operator: Operator, inputs: Sequence[Array | None]) -> None:
    """Refuse what would become too large, before it is computed."""
    given = [each for each in inputs if each is not None]
    sizes = [each.size for each in given]
    try:
        count = prod(np.broadcast_shapes(*(each.shape for each in given))) if given else 0
    except ValueError:
        count = 0
    if operator.kind in _GROWING:
        count = max(count, _grown(operator, given))
    elif operator.kind in ("MatMul", "Gemm", "Gather"):
        count = max(count, prod(sizes[:2]))
    most = _MOST_SLOW if operator.kind in _SLOW else MOST
    if max(count, sum(sizes) if operator.kind in _SLOW else 0) > most:
        raise _fault(operator, f"would make {count:,} values of constants; expected at most {most:,}")


def _grown(operator: Operator, given: Sequence[Array]) -> int:
    """An upper limit of how many values come of it."""
    numbers = [each.astype(np.float64).ravel() for each in given if each.dtype.kind in "iuf"]
    if operator.kind == "Range":
        first, limit, step = (float(each[0]) for each in numbers[:3]) if len(numbers) > 2 else (0.0, 0.0, 1.0)
        return int(min(abs((limit - first) / step), 1e18)) if step else 0
    if operator.kind in ("ConstantOfShape", "OneHot", "EyeLike"):
        return _product(numbers[-1 if operator.kind == "ConstantOfShape" else 1 % len(numbers)])
    if not given or len(numbers) < 2:
        return 0
    size, last = max(given[0].size, 1), numbers[1]
    if operator.kind == "Pad":
        half = last.size // 2
        padded = [a + b for a, b in zip(last[:half], last[half:], strict=True)]
        return _product([n + pad for n, pad in zip(given[0].shape, padded, strict=False)])
    most = max(_product(each) for each in numbers[1:])
    return size * most if operator.kind in ("Tile", "Resize", "Upsample") and most < MOST else most


def _product(values: Any) -> int:
    total = 1.0
    for each in values:
        total *= max(float(each), 1.0)
    return int(min(total, 1e18))


def _fault(operator: Operator, why: str) -> CnncliError:
    return CnncliError(f"{operator} {why}", "Simplify the model first, such as with onnxsim.")
