"""A file of ONNX as plain records: nodes, constants and what goes in and out. Nothing in it is run.

Constants may lie in other files (*external data*): only those in the model's folder are read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown
from cnncli.onnx.package import onnx_package
from cnncli.records import record, replace

Array = NDArray[Any]
Dims = tuple[int | None, ...]

MOST_NODES = 50_000
MOST_VALUES = 1 << 31  # of a constant
_MOST_BYTES = (1 << 31) - 1  # of a message of Protocol Buffers
_AGAIN = "Copy the model again from where it came, with the files beside it."
_FLOAT, _DOUBLE, _INT32, _INT64 = 1, 11, 6, 7
_INITIAL, _DEFAULT = ("", "ai.onnx"), "ai.onnx"


@record(eq=False)
class Operator:
    """A node of the model.

    Attributes
    ----------
    kind : str
        ``Conv``; with its domain before it where that is not ONNX's own.
    name : str
        May be empty.
    inputs, outputs : tuple of str
        Names of values; an empty one is left out.
    attributes : dict
        Numbers, texts, tuples of them, and arrays by name.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.kind} {shown(self.name or next(iter(self.outputs), ''))}"


@record(eq=False)
class Model:
    """A model as it lies in a file.

    Attributes
    ----------
    path : Path
        The file.
    opset : int
        Version of the operators.
    inputs : dict of str to (int, dims)
        Type of the values, a number of ONNX's, and dims, None where they are free; those that have an
        initial value are constants.
    outputs : tuple of str
        Names of what it gives.
    operators : tuple of Operator
        In order.
    constants : dict of str to ndarray
        Initial values by name.
    metadata : dict of str to str
        What its maker noted.
    producer : str
        Who wrote it.
    """

    path: Path
    opset: int
    inputs: Mapping[str, tuple[int, Dims]]
    outputs: tuple[str, ...]
    operators: tuple[Operator, ...]
    constants: Mapping[str, Array]
    metadata: Mapping[str, str]
    producer: str


def read_model(path: Path) -> Model:
    """Read a file of ONNX.

    Raises
    ------
    CnncliError
        Where the package onnx is missing, or the file cannot be read, is damaged or cut short, or asks for
        files that are not in its folder.
    """
    onnx = onnx_package("read")
    from google.protobuf.message import DecodeError  # what onnx is made of

    try:
        data = path.read_bytes()
    except OSError as error:
        raise reading_fault(error, path) from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise damaged(path, "it cannot be parsed") from error
    if not model.graph.node and not model.graph.output:
        raise damaged(path, "it holds no graph" if data else "it is empty")
    return model_of(model, path)


def from_value(model: Model, name: str) -> Model:
    """The part of a model behind a value that an operator gives, of real numbers; all of it where none does.

    Parameters
    ----------
    model : Model
        With one input.
    name : str
        Of the value, (N, C, H, W), which becomes the input, of any size.
    """
    if not any(name in each.outputs for each in model.operators if name):
        return model
    needed, kept = set(model.outputs), []
    for each in reversed(model.operators):
        if name not in each.outputs and needed & set(each.outputs):
            needed |= set(each.inputs)
            kept.append(each)
    return replace(model, inputs={name: (_FLOAT, (None,) * 4)}, operators=tuple(reversed(kept)))


def model_of(model: Any, path: Path) -> Model:
    """The records of a message, whose external data lie beside a path.

    Raises
    ------
    CnncliError
        As of `read_model`.
    """
    graph = model.graph
    if len(graph.node) > MOST_NODES:
        raise damaged(path, f"it has {len(graph.node):,} nodes; expected at most {MOST_NODES:,}")
    if graph.sparse_initializer:
        raise damaged(path, "it holds sparse constants, which are not read")
    constants: dict[str, Array] = {}
    for tensor in graph.initializer:
        name = _text(tensor.name)
        if name in constants:
            raise damaged(path, f"two constants are named {shown(name)}")
        constants[name] = array_of(tensor, path)
    return Model(
        path,
        _opset(model, path),
        {name: _taken(each, path) for each in graph.input if (name := _text(each.name)) not in constants},
        tuple(_text(each.name) for each in graph.output),
        tuple(_operator(node, path) for node in graph.node),
        constants,
        {_text(each.key): _text(each.value) for each in model.metadata_props},
        f"{_text(model.producer_name)} {_text(model.producer_version)}".strip(),
    )


def damaged(path: Path, why: str) -> CnncliError:
    """What to raise for a file that is no model."""
    return CnncliError(f"{shown(path)} is no model of ONNX that can be read: {why}", _AGAIN)


def _opset(model: Any, path: Path) -> int:
    versions = [each.version for each in model.opset_import if each.domain in _INITIAL]
    if not versions:
        raise damaged(path, "it does not say which operators it uses")
    return int(versions[0])


def _taken(value: Any, path: Path) -> tuple[int, Dims]:
    kind = value.type
    if not kind.HasField("tensor_type"):
        raise damaged(path, f"its input {shown(_text(value.name))} is no tensor")
    if not kind.tensor_type.HasField("shape"):
        raise damaged(path, f"its input {shown(_text(value.name))} has no shape")
    dims = tuple(
        int(dim.dim_value) if dim.WhichOneof("value") == "dim_value" and dim.dim_value >= 0 else None
        for dim in kind.tensor_type.shape.dim
    )
    return int(kind.tensor_type.elem_type), dims


def _operator(node: Any, path: Path) -> Operator:
    kind, domain = _text(node.op_type), _text(node.domain)
    kind = kind if domain in _INITIAL else f"{domain}.{kind}"
    inputs, outputs = tuple(map(_text, node.input)), tuple(map(_text, node.output))
    operator = Operator(kind, _text(node.name), inputs, outputs, {})
    values = {_text(each.name): _attribute(each, operator, path) for each in node.attribute}
    return replace(operator, attributes=values)


def _decimal(value: float) -> float:
    """A float32 as the number that was meant: 1e-5, not 9.99999974e-6."""
    return float(str(np.float32(value)))


def _text(value: str | bytes) -> str:
    """A text of the message, which may hold bytes that are none."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _attribute(each: Any, operator: Operator, path: Path) -> Any:
    """The value of an attribute; a graph within the graph becomes None."""
    kinds = each.AttributeType
    readers: dict[int, Any] = {
        kinds.FLOAT: lambda: _decimal(each.f),
        kinds.INT: lambda: int(each.i),
        kinds.STRING: lambda: _text(each.s),
        kinds.TENSOR: lambda: array_of(each.t, path),
        kinds.FLOATS: lambda: tuple(map(_decimal, each.floats)),
        kinds.INTS: lambda: tuple(map(int, each.ints)),
        kinds.STRINGS: lambda: tuple(map(_text, each.strings)),
    }
    if each.ref_attr_name:
        raise damaged(path, f"{operator} refers to an attribute of a function")
    reader = readers.get(each.type)
    return None if reader is None else reader()


def array_of(tensor: Any, path: Path) -> Array:
    """A constant as an array.

    Raises
    ------
    CnncliError
        Where its size is not what it says, or its data are in a file that is not to be read.
    """
    onnx = onnx_package("read")
    name, dims = shown(_text(tensor.name)), tuple(tensor.dims)
    if min(dims, default=0) < 0 or prod(dims) > MOST_VALUES:
        raise damaged(path, f"the constant {name} has the shape {list(dims)}")
    try:
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except KeyError:
        raise damaged(path, f"the constant {name} is of the unknown type {tensor.data_type}") from None
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return _external(tensor, kind, path)
    if tensor.HasField("raw_data") and kind.itemsize * 8 >= 8 and tensor.data_type <= _LAST_WHOLE:
        if len(tensor.raw_data) != prod(dims) * kind.itemsize:
            raise damaged(
                path,
                f"the constant {name} has {len(tensor.raw_data):,} bytes; expected "
                f"{prod(dims) * kind.itemsize:,} for {list(dims)}",
            )
        return np.frombuffer(tensor.raw_data, kind).reshape(dims)
    try:
        found: Array = onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError, OverflowError) as error:
        raise damaged(path, f"the constant {name} does not hold what its shape says") from error
    return found


_LAST_WHOLE = 16  # of the types of whole bytes: bfloat16; those of less are packed


def _external(tensor: Any, kind: np.dtype[Any], path: Path) -> Array:
    """A constant in another file of the model's folder, mapped."""
    name = shown(_text(tensor.name))
    entries = {_text(each.key): _text(each.value) for each in tensor.external_data}
    file = _beside(path, entries.get("location", ""), name)
    count = prod(tensor.dims)
    needed = count * kind.itemsize
    try:
        offset = int(entries.get("offset") or 0)
        length = int(entries.get("length") or needed)
    except ValueError:
        raise damaged(path, f"the place of the constant {name} is no number") from None
    try:
        size = file.stat().st_size
        if not file.is_file():
            raise damaged(path, f"{shown(file)}, where the constant {name} lies, is no file")
        if offset < 0 or length != needed or offset + length > size:
            raise damaged(
                path,
                f"the constant {name} takes {needed:,} bytes and lies in {length:,} from {offset:,} on of "
                f"{shown(file)}, which has {size:,}",
            )
        if not count:
            return np.zeros(tuple(tensor.dims), kind)
        return np.memmap(file, kind, "r", offset, tuple(tensor.dims))
    except OSError as error:
        raise reading_fault(error, file) from error


def _beside(path: Path, location: str, name: str) -> Path:
    """The file at a location, if that lies in the model's folder, without links that lead out."""
    where = f"the constant {name} lies in {shown(location)}"
    parts = Path(location.replace("\\", "/")).parts if location else ()
    if not parts or "\0" in location or Path(location).is_absolute() or ".." in parts or ":" in parts[0]:
        raise damaged(path, f"{where}; expected a file of the model's folder")
    folder = os.path.realpath(path.parent)
    found = os.path.realpath(path.parent / location)
    if os.path.commonpath([folder, found]) != folder:
        raise damaged(path, f"{where}, which leads out of the model's folder")
    return Path(found)
