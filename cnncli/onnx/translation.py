"""An ONNX model as a graph of our layers, operator by operator.

Operators of constants alone are folded. What is left reads the image, and each family of operators
(`cnncli.onnx.families`) says what layers it becomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.nn import Graph, Layer
from cnncli.nn.graph import INPUT
from cnncli.nn.layers.arithmetic import Affine, Constant
from cnncli.nn.layers.combine import Flatten
from cnncli.nn.layers.views import Take, View
from cnncli.onnx.fold import fold
from cnncli.onnx.layout import Dims, Places, Value, merged, placed, reshaped, steps_of, value_of, view_of
from cnncli.onnx.naming import beside, name_for
from cnncli.onnx.read import Model, Operator

Array = NDArray[Any]
Given = Value | Array
Kind = TypeVar("Kind")
_HINT = "Simplify the model first, such as with onnxsim, or report it."
#: Layers that stand beside the one that an operator is, which has its name.
_BESIDE = (View, Take, Flatten, Constant, Affine)
MOST_LAYERS = 10_000
_MOST_OF_ONE = 1 << 30  # values of a layer's output …
_MOST_MOVED = 1 << 26  # … and of one that is read by tables of places
_MOST_MADE = 1 << 28  # values of folded constants


class Translation:
    """The graph that is being made of a model.

    Parameters
    ----------
    model : Model
        What is read.
    taken : Value
        Its input: where the image's values lie.

    Attributes
    ----------
    graph : Graph
        The layers so far.
    arrays : dict of str to ndarray
        Weights and buffers by name.
    values : dict of str to Value or ndarray
        What the model's names stand for.
    before_softmax : dict of str to Value
        By the layer that gives the result of a Softmax or Sigmoid: what it was computed of, and which.
    """

    def __init__(self, model: Model, name: str, taken: Value) -> None:
        self.model = model
        self.opset = model.opset
        height, width, channels = taken.shape
        self.graph = Graph((height, width, channels))
        self.arrays: dict[str, NDArray[np.float32]] = {}
        self.values: dict[str, Given] = dict(model.constants)
        self.values[name] = taken
        self.before_softmax: dict[str, tuple[str, Value]] = {}
        self._operator: Operator | None = None
        self._made = 0  # values of folded constants
        self._read = {name for each in model.operators for name in each.inputs} | set(model.outputs)

    def run(self) -> None:
        """Translate all operators.

        Raises
        ------
        CnncliError
            Where one is not known, reads what nothing gives, or does not fit what it reads.
        """
        from cnncli.onnx.families import OPERATORS

        for operator in self.model.operators:
            self._operator = operator
            inputs = [self._found(operator, name) for name in operator.inputs]
            if any(isinstance(each, Value) for each in inputs):
                reads = OPERATORS.get(operator.kind)
                if reads is None:
                    raise unknown(operator, OPERATORS)
                results = self._checked(operator, reads)
            else:
                results = self._folded(operator, [None if isinstance(e, Value) else e for e in inputs])
            self._keep(operator, results)

    def _folded(self, operator: Operator, inputs: list[Array | None]) -> list[Array]:
        """The outputs of an operator of constants, of which only so many values are made in all."""
        results = fold(operator, inputs, self.opset)
        self._made += sum(each.size for each in results) if inputs else 0
        if self._made > _MOST_MADE:
            raise self.fault(f"makes more than {_MOST_MADE:,} values of constants, with those before it")
        return results

    def _checked(self, operator: Operator, reads: Any) -> Sequence[Given | None]:
        """What a family makes of an operator; faults of shapes and types name it."""
        try:
            results = reads(self, operator)
        except CnncliError as fault:
            if str(operator) in fault.message:
                raise
            raise CnncliError(f"{operator}: {fault.message}", fault.hint) from fault
        except (ValueError, IndexError, TypeError, KeyError, ZeroDivisionError, OverflowError) as error:
            raise self.fault(f"does not fit what it reads ({error})") from error
        return [results] if isinstance(results, Value | np.ndarray) else list(results)

    def _found(self, operator: Operator, name: str) -> Given | None:
        if not name:
            return None
        if name not in self.values:
            raise CnncliError(
                f"{operator} reads {name!r}, which nothing before it gives; expected operators in order, and "
                "one picture as the input",
                _HINT,
            )
        return self.values[name]

    def _keep(self, operator: Operator, results: Sequence[Given | None]) -> None:
        for name, result in zip(operator.outputs, results, strict=False):
            if not name or result is None:
                continue
            if name in self.values:
                raise CnncliError(f"{operator} gives {name!r}, which is there already", _HINT)
            self.values[name] = result

    def is_read(self, name: str) -> bool:
        """Whether an operator reads a value, or the model gives it."""
        return bool(name) and name in self._read

    def fault(self, why: str) -> CnncliError:
        """What to raise for the operator that is being translated."""
        return CnncliError(f"{self._operator} {why}", _HINT)

    # --- what an operator reads ---

    def given(self, operator: Operator, at: int) -> Given | None:
        """An input by its number; None where it is left out."""
        name = operator.inputs[at] if at < len(operator.inputs) else ""
        return self.values[name] if name else None

    def value(self, operator: Operator, at: int = 0) -> Value:
        """An input that is computed of the image."""
        found = self.given(operator, at)
        if isinstance(found, Value):
            return found
        raise self.fault(f"has a constant as its input {at + 1}; expected one that depends on the image")

    def constant(self, operator: Operator, at: int) -> Array | None:
        """An input that is a constant; None where it is left out."""
        found = self.given(operator, at)
        if isinstance(found, Value):
            raise self.fault(f"computes its input {operator.inputs[at]!r} of the image; expected a constant")
        return found

    def needed(self, operator: Operator, at: int) -> Array:
        """An input that is a constant and has to be there."""
        found = self.constant(operator, at)
        if found is None:
            raise self.fault(f"lacks its input {at + 1}")
        return found

    def whole(self, operator: Operator, name: str, at: int) -> tuple[int, ...] | None:
        """Whole numbers that are an attribute, or in later versions an input; None where there are none."""
        if name in operator.attributes:
            value = operator.attributes[name]
            return (value,) if isinstance(value, int) else tuple(value)
        found = self.constant(operator, at) if at >= 0 else None
        return None if found is None else tuple(int(each) for each in found.ravel())

    # --- what it becomes ---

    def add(self, layer: Layer, *sources: str, arrays: Sequence[str] = (), **weights: Any) -> str:
        """Add a layer with its weights; ``arrays`` are the model's names of them. Returns its name."""
        operator = self._operator
        assert operator is not None
        if len(self.graph.nodes) >= MOST_LAYERS:
            raise self.fault(f"would be layer {MOST_LAYERS + 1:,}; expected at most {MOST_LAYERS:,}")
        name = name_for(operator, tuple(arrays), self.graph)
        if isinstance(layer, _BESIDE):
            name = beside(name, type(layer).__name__.lower(), self.graph)
        made = self.graph.add(layer, inputs=sources or (INPUT,), name=name)
        size, most = (
            self.graph.shape_of(made).size,
            _MOST_MOVED if isinstance(layer, View | Take) else _MOST_OF_ONE,
        )
        if size > most:
            raise self.fault(f"gives {size:,} values; expected at most {most:,}")
        for each, array in weights.items():
            self.arrays[f"{made}.{each}"] = np.ascontiguousarray(array, np.float32)
        return made

    def each(self, layer: Layer, value: Value, **weights: Any) -> Value:
        """Apply a layer that changes neither dims nor places."""
        return Value(self.add(layer, value.node, **weights), value.dims, value.parts, value.places)

    def arrange(
        self, value: Value, rows: Sequence[int], columns: Sequence[int], channels: Sequence[int]
    ) -> Value:
        """The value with dims, given by their numbers, as rows, columns and channels, slowest first."""
        groups = value.groups
        rows, columns, channels = (
            [part for dim in axis for part in groups[dim]] for axis in (rows, columns, channels)
        )
        return self.rearranged(value, (tuple(rows), tuple(columns), tuple(channels)))

    def rearranged(self, value: Value, places: Places) -> Value:
        """The value with its parts in other places."""
        if places == value.places:
            return value
        node = self.add(view_of(value, places), value.node)
        return Value(node, value.dims, value.parts, places)

    def maps(self, value: Value) -> Value:
        """The value as feature maps: dims of (1, C), (1, C, W) or (1, C, H, W)."""
        if not 2 <= len(value.dims) <= 4:
            raise self.fault(f"reads {list(value.dims)}; expected maps of one or two axes")
        if value.dims[0] != 1:
            raise self.fault(f"reads a batch of {value.dims[0]}; expected one picture")
        spatial = tuple(range(2, len(value.dims)))
        return self.arrange(value, spatial[:-1], spatial[-1:], (1,))

    def reshape(self, value: Value, dims: Dims) -> Value:
        """The value with other dims, its values in the same order."""
        if prod(dims) != prod(value.dims):
            raise self.fault(f"reshapes {list(value.dims)} to {list(dims)}; expected as many values")
        found = reshaped(value, dims)
        if found is None:
            found = reshaped(self.in_order(value), dims)
        assert found is not None
        return found

    def in_order(self, value: Value) -> Value:
        """The value with all of its parts as one, in order."""
        held = self.rearranged(value, ((), (), tuple(range(len(value.parts)))))
        size = prod(value.parts)
        return Value(held.node, (size,), (size,) if size > 1 else (), ((), (), (0,) if size > 1 else ()))

    def single(self, value: Value) -> Value:
        """The value with one part for each dim, where a dim's parts need not follow one another now."""
        groups = value.groups
        if not all(_in_runs(axis, groups) for axis in value.places):
            spatial = [at for at in range(len(value.dims)) if groups[at]]
            value = self.arrange(value, spatial[:-2], spatial[-2:-1], spatial[-1:])
        return _one_part(value)

    def repeated(self, value: Value, dims: Dims, like: Value | None = None) -> tuple[Value, Value]:
        """The value broadcast to dims and placed as another; returns that one in as fine parts, too."""
        like = like or usual(dims, "")
        narrow = self.reshape(value, (1,) * (len(dims) - len(value.dims)) + value.dims)
        repeats = [narrow.dims[at] == 1 for at in range(len(dims))]
        sizes = [
            1 if repeats[at] else like.parts[part] for at, group in enumerate(like.groups) for part in group
        ]
        fine = self.reshape(narrow, tuple(sizes))
        pieces = fine.groups
        whole = [
            size
            for size, group in zip(like.parts, pieces, strict=True)
            for size in ([fine.parts[part] for part in group] or [size])
        ]
        target = reshaped(like, tuple(whole))
        assert target is not None
        target = Value(like.node, like.dims, target.parts, target.places)
        steps, of = steps_of(fine), iter([part for group in pieces for part in (group or (None,))])
        step = [0 if part is None else steps[part] for part in of]
        rows, columns, channels = (
            merged([(target.parts[part], step[part]) for part in axis]) for axis in target.places
        )
        view = View(0, rows, columns, channels)
        same = fine.shape == target.shape and view == view_of(target, target.places)
        node = fine.node if same else self.add(view, fine.node)
        return Value(node, dims, target.parts, target.places), target

    def fixed(self, array: Array, like: Value) -> str:
        """A layer that gives a constant of the dims of a value, placed as that one."""
        whole = placed(np.broadcast_to(np.asarray(array, np.float32), like.dims), like)
        height, width, channels = like.shape
        return self.add(Constant(height, width, channels), INPUT, value=whole.ravel())

    def affine(self, value: Value, scale: Array | float, shift: Array | float) -> Value:
        """Each channel of the layer's output times a number, plus another."""
        channels = value.shape[2]
        given = {"scale": scale, "shift": shift}
        return self.each(
            Affine(), value, **{name: np.broadcast_to(each, channels) for name, each in given.items()}
        )


def usual(dims: Sequence[int], node: str) -> Value:
    """A tensor in the usual places: (N, C, H, W), or with its last dims as rows, columns and channels."""
    last = len(dims)
    if last == 4 and dims[0] == 1:
        return value_of(node, dims, ((2,), (3,), (1,)))
    if last in (2, 3) and dims[0] == 1:
        return value_of(node, dims, ((), tuple(range(2, last)), (1,)))
    return value_of(
        node, dims, (tuple(range(last - 2)), tuple(range(max(last - 2, 0), last - 1)), (last - 1,))
    )


def _in_runs(axis: Dims, groups: Sequence[Dims]) -> bool:
    """Whether the parts of each dim in an axis follow one another, in order, and none is elsewhere."""
    for group in groups:
        if any(part in axis for part in group):
            at = axis.index(group[0]) if group[0] in axis else 0
            if axis[at : at + len(group)] != group:
                return False
    return True


def _one_part(value: Value) -> Value:
    """The same with one part for each dim, as its parts follow one another."""
    first = {group[0]: group for group in value.groups if group}
    number = {start: at for at, start in enumerate(first)}
    rows, columns, channels = (
        tuple(number[part] for part in axis if part in number) for axis in value.places
    )
    parts = tuple(dim for dim in value.dims if dim > 1)
    return Value(value.node, value.dims, parts, (rows, columns, channels))


def unknown(operator: Operator, known: Any) -> CnncliError:
    """What to raise for an operator that is not in the table."""
    return CnncliError(
        f"{operator} is an operator that is not known; expected one of {len(known)}, such as Conv and Gemm",
        "Export the model with plain operators of ONNX, or report it.",
    )
