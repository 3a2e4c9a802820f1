"""Graphs as plain JSON, stored in checkpoints so that no code is needed to rebuild the network.

A graph is an object::

    {"version": 2, "input": [28, 28, 1], "outputs": {"main": "head"}, "blocks": {"layer1.0": "BasicBlock"},
     "layers": [
        {"name": "layer1.0.conv1", "kind": "conv", "inputs": ["input"], "out_channels": 8, …}, …]}

``kind`` is a key of `LAYERS`; the remaining keys are the layer's settings, all of them. ``outputs`` are nodes
by role, and ``blocks`` the kinds of those scopes that have one. Version 1 had neither: its only output was
``"output": "head"``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

from cnncli.checked import Fields, MalformedError
from cnncli.errors import CnncliError
from cnncli.nn.graph import MAIN, Graph
from cnncli.nn.layer import Layer
from cnncli.nn.layers.activation import Gelu, LeakyRelu, Relu, Relu6, Sigmoid, Silu, Tanh
from cnncli.nn.layers.clips import Clip, Frames
from cnncli.nn.layers.combine import Add, Concat, Flatten, PadChannels, ScaleChannels
from cnncli.nn.layers.convolution import Conv
from cnncli.nn.layers.dropout import Dropout
from cnncli.nn.layers.linear import Linear
from cnncli.nn.layers.normalisation import BatchNorm, LocalResponseNorm
from cnncli.nn.layers.pooling import AdaptiveAvgPool, AvgPool, GlobalAvgPool, MaxPool
from cnncli.nn.layers.upsampling import ConvTranspose, Upsample

VERSION = 2

LAYERS: dict[str, type[Layer]] = {
    "adaptiveavgpool": AdaptiveAvgPool,
    "add": Add,
    "avgpool": AvgPool,
    "batchnorm": BatchNorm,
    "clip": Clip,
    "concat": Concat,
    "conv": Conv,
    "convtranspose": ConvTranspose,
    "dropout": Dropout,
    "flatten": Flatten,
    "frames": Frames,
    "gelu": Gelu,
    "globalavgpool": GlobalAvgPool,
    "leakyrelu": LeakyRelu,
    "linear": Linear,
    "localresponsenorm": LocalResponseNorm,
    "maxpool": MaxPool,
    "padchannels": PadChannels,
    "relu": Relu,
    "relu6": Relu6,
    "scalechannels": ScaleChannels,
    "sigmoid": Sigmoid,
    "silu": Silu,
    "tanh": Tanh,
    "upsample": Upsample,
}
_KINDS = {layer: kind for kind, layer in LAYERS.items()}
OF_TEXTS = ("boundedlinear", "convovertime", "embedding")
"""Kinds of `cnncli.nn.layers.text.LAYERS`, which networks for images need not import."""
FROM_ELSEWHERE = (
    "absolute",
    "affine",
    "clamp",
    "constant",
    "divide",
    "elu",
    "errorfunction",
    "exponential",
    "hardsigmoid",
    "logarithm",
    "maximum",
    "minimum",
    "multiply",
    "power",
    "resize",
    "softplus",
    "squareroot",
    "subtract",
    "take",
    "view",
)
"""Kinds of `cnncli.nn.layers.elsewhere.LAYERS`, of which imported networks are made."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")  # what a graph checks besides
_KIND = re.compile(r"[A-Za-z0-9_ -]{1,60}")  # of a block
_MAX_LAYERS = 10_000
_MAX_OUTPUTS = 100
_MAX_DEPTH = 16  # of scopes within scopes
_MAX_STEPS = 32  # of a view, along one axis
_MAX_SIZE = 1 << 20  # of any size in pixels or channels; reading images has its own limits
_MAX_WHOLE = (1 << 64) - 1  # of the seed of a dropout
_LARGEST = {"seed": _MAX_WHOLE, "words": 1 << 24, "start": 1 << 40}
#: Ranges of settings that are not sizes; layers check their sizes themselves.
_RANGES = {
    "rate": (0.0, 1 - 2**-24),
    "momentum": (0.0, 1.0),
    "epsilon": (1e-12, 1.0),
    "max_norm": (1e-6, 1e6),
    **dict.fromkeys(("low", "high", "fill"), (-3.5e38, 3.5e38)),
}
_RANGE = (-1e6, 1e6)


def as_dict(graph: Graph) -> dict[str, Any]:
    """A graph as a dict of JSON types.

    Parameters
    ----------
    graph : Graph
        All its layers are in `LAYERS`.
    """
    layers = [
        {
            "name": node.name,
            "kind": _kind_of(node.layer),
            "inputs": list(node.inputs),
            **_settings(node.layer),
        }
        for node in graph.nodes.values()
    ]
    return {
        "version": VERSION,
        "input": list(graph.input_shape[:3]),
        "outputs": graph.outputs,
        "blocks": {name: kind for name, kind in graph.scopes.items() if kind},
        "layers": layers,
    }


def from_dict(fields: Fields) -> Graph:
    """The inverse of `as_dict`, for JSON from any source.

    Raises
    ------
    MalformedError
        If a value is missing, unknown, of the wrong type or out of range, or layers do not fit together.
    """
    if (version := fields.whole("version", 1, _MAX_WHOLE)) > VERSION:
        raise MalformedError(f"its layers are of version {version}; this cnncli reads up to {VERSION}")
    fields.only({"version", "input", "layers", *(("output",) if version == 1 else ("outputs", "blocks"))})
    height, width, channels = fields.wholes("input", 3, 1, _MAX_SIZE)
    rows = fields.rows("layers")
    if not 1 <= len(rows) <= _MAX_LAYERS:
        raise MalformedError(f"it has {len(rows):,} layers; expected 1 to {_MAX_LAYERS:,}")
    graph = Graph((height, width, channels))
    try:
        for row in rows:
            graph.add(_layer(row), inputs=row.texts("inputs"), name=_name(row))
        if version == 1:
            graph.set_output(fields.text("output"))
        else:
            _set_outputs(graph, fields.fields("outputs"))
            _set_kinds(graph, fields.fields("blocks"))
    except CnncliError as fault:
        raise MalformedError(fault.message) from fault
    return graph


def _name(row: Fields) -> str:
    name = row.text("name")
    if not _NAME.fullmatch(name):
        raise MalformedError("the name of a layer has other characters than letters, digits, _ . -")
    if name.count(".") > _MAX_DEPTH:
        raise MalformedError(f"a layer lies in {name.count('.')} scopes; expected at most {_MAX_DEPTH}")
    return name


def _set_outputs(graph: Graph, outputs: Fields) -> None:
    roles = outputs.raw()
    if MAIN not in roles or len(roles) > _MAX_OUTPUTS:
        raise MalformedError(
            f"it has {len(roles):,} outputs; expected 1 to {_MAX_OUTPUTS}, {MAIN} among them"
        )
    for role in roles:
        if not _NAME.fullmatch(role):
            raise MalformedError("the name of an output has other characters than letters, digits, _ . -")
        graph.set_output(outputs.text(role), role)


def _set_kinds(graph: Graph, blocks: Fields) -> None:
    for name in blocks.raw():
        if name not in graph.scopes:
            raise MalformedError("it names the kind of a block that has no layers")
        if not _KIND.fullmatch(kind := blocks.text(name)):
            raise MalformedError("the kind of a block has other characters than letters, digits, _ and -")
        graph.set_kind(name, kind)


def _of_texts() -> dict[str, type[Layer]]:
    from cnncli.nn.layers import text

    return text.LAYERS


def _from_elsewhere() -> dict[str, type[Layer]]:
    from cnncli.nn.layers import elsewhere

    return elsewhere.LAYERS


def _kind_of(layer: Layer) -> str:
    kind = _KINDS.get(type(layer))
    others = {**_of_texts(), **_from_elsewhere()}.items() if kind is None else ()
    return kind or next(kind for kind, each in others if each is type(layer))


def _settings(layer: Layer) -> dict[str, Any]:
    return {field.name: _plain(getattr(layer, field.name)) for field in dataclasses.fields(layer)}  # type: ignore[arg-type]


def _plain(value: Any) -> Any:
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _layer(row: Fields) -> Layer:
    kind = row.text("kind")
    layers = _of_texts() if kind in OF_TEXTS else _from_elsewhere() if kind in FROM_ELSEWHERE else LAYERS
    if kind not in layers:
        known = ", ".join(sorted((*LAYERS, *OF_TEXTS, *FROM_ELSEWHERE)))
        raise MalformedError(f"there is no layer of kind {kind!r}; expected one of {known}")
    wanted = dataclasses.fields(layers[kind])  # type: ignore[arg-type]
    row.only({"name", "kind", "inputs", *(field.name for field in wanted)})
    return layers[kind](**{field.name: _READERS[str(field.type)](row, field.name) for field in wanted})


def _pair(row: Fields, name: str) -> Any:
    if isinstance(row.raw()[name], list):
        return row.wholes(name, 2, 0, _MAX_SIZE)
    return row.whole(name, 0, _MAX_SIZE)


def _optional_pair(row: Fields, name: str) -> Any:
    return None if row.raw()[name] is None else _pair(row, name)


def _padding(row: Fields, name: str) -> Any:
    value = row.raw()[name]
    if not isinstance(value, list) or not any(isinstance(each, list) for each in value):
        return _pair(row, name)
    if len(value) != 2:
        raise MalformedError(f"{name} has {len(value):,} values; expected 2")
    rows, columns = (Fields({name: each}).wholes(name, 2, 0, _MAX_SIZE) for each in value)
    return rows, columns


def _padding_or_word(row: Fields, name: str) -> Any:
    return row.text(name) if isinstance(row.raw()[name], str) else _padding(row, name)


def _lines(row: Fields, name: str) -> Any:
    return row.wholes(name, None, -1, _MAX_SIZE)


def _steps(row: Fields, name: str) -> Any:
    value = row.raw()[name]
    if not isinstance(value, list) or len(value) > _MAX_STEPS:
        raise MalformedError(f"{name} is no list of at most {_MAX_STEPS} steps")
    pairs = [Fields({name: each}).wholes(name, 2, -_LARGEST["start"], _LARGEST["start"]) for each in value]
    if any(not 1 <= count <= _MAX_SIZE for count, _ in pairs):
        raise MalformedError(f"{name} has a count that is not from 1 to {_MAX_SIZE:,}")
    return tuple(pairs)


#: How a setting is read, by its type annotation in the layer.
_READERS: dict[str, Callable[[Fields, str], Any]] = {
    "bool": Fields.flag,
    "int": lambda row, name: row.whole(name, 0, _LARGEST.get(name, _MAX_SIZE)),
    "str": Fields.text,
    "Lines": _lines,
    "Steps": _steps,
    "float": lambda row, name: row.number(name, *_RANGES.get(name, _RANGE)),
    "Pair": _pair,
    "Pair | None": _optional_pair,
    "Padding": _padding,
    "Padding | str": _padding_or_word,
}
