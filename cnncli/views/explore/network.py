"""A network as data for a page: its layers, what each reads, and its weights.

Legend: shapes are (C, H, W) here, as scripts have them; weights lie as in PyTorch.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.models.fields import Field, receptive_fields
from cnncli.models.words import words_of
from cnncli.nn import INPUT, BatchNorm, ConvTranspose, Dropout, Graph, Network, Node, Shape, Upsample
from cnncli.nn.window import Axis, pair, window_of
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.views.explore.frame import packed
from cnncli.views.featuremaps.words import kind_of

#: Parameters up to which a page computes by itself: with weights as they are, and rounded to 16 bits.
EXACT, ROUNDED = 1_000_000, 6_000_000
MOST_WORK = 1_600_000_000  # multiply-adds of an input that a page may take: about 3 s in a browser
#: Kinds of layers that a page computes.
KINDS = frozenset(
    {
        "conv",
        "convtranspose",
        "upsample",
        "linear",
        "batchnorm",
        "localresponsenorm",
        "maxpool",
        "avgpool",
        "globalavgpool",
    }
    | {"adaptiveavgpool", "add", "concat", "padchannels", "scalechannels", "flatten", "dropout"}
    | {"relu", "relu6", "leakyrelu", "sigmoid", "tanh", "silu", "gelu"}
)
_SETTINGS = (
    "groups",
    "epsilon",
    "slope",
    "size",
    "alpha",
    "beta",
    "bias",
    "count_padding",
    "before",
    "after",
)
_WINDOWED = frozenset(("conv", "maxpool", "avgpool", "globalavgpool", "adaptiveavgpool"))


def can_explore(graph: Graph) -> bool:
    """Whether a page can show a network: scripts know all its kinds of layers."""
    return not unknown_to_pages(graph)


def unknown_to_pages(graph: Graph) -> list[str]:
    """What a network has that no page computes, in words; nothing of those that can be explored."""
    nodes = graph.pruned([graph.output]).nodes.values()
    return list(
        dict.fromkeys(kind_of(node) for node in nodes if type(node.layer).__name__.lower() not in KINDS)
    )


def precision(graph: Graph, parameters: int) -> str | None:
    """How the weights of a network stand in a page: ``float32``, ``float16``, or not (None)."""
    if parameters > ROUNDED or graph.multiply_adds > MOST_WORK:
        return None
    return "float32" if parameters <= EXACT else "float16"


def rounded(arrays: Mapping[str, NDArray[Any]], kind: str) -> dict[str, NDArray[Any]]:
    """Weights as a page has them: kernels in ``kind``, unless that overflows, and vectors in float32."""
    return {
        name: _fitting(array, kind) if array.ndim > 1 else np.asarray(array, np.float32)
        for name, array in arrays.items()
    }


def _fitting(array: NDArray[Any], kind: str) -> NDArray[Any]:
    if kind == "float16" and float(np.abs(array).max(initial=0)) < float(np.finfo(np.float16).max):
        return np.asarray(array, np.float16)
    return np.asarray(array, np.float32)


def network_data(network: Network, graph: Graph, preprocessing: Preprocessing) -> dict[str, Any]:
    """The layers of a network, and how its input is made.

    Parameters
    ----------
    network : Network
        With its weights.
    graph : Graph
        Those of its layers that lead to the main output.
    preprocessing : Preprocessing
        Of its pictures.

    Returns
    -------
    dict
        nodes, input (C, H, W), output, scale and shift (of a value 0 to 255, a channel each), weights (by
        layer and name; None where they are too many), few (then: those of the first layers and of norms).
    """
    fields = receptive_fields(graph)
    arrays = {name: network.array(name) for name in (*network.parameters, *network.states)}
    kind = precision(graph, network.size)
    few = {node.name for node in graph.readers(INPUT)}
    few |= {name for name, node in graph.nodes.items() if isinstance(node.layer, BatchNorm)}
    mean, std = (np.asarray(each, np.float64) for each in (preprocessing.mean, preprocessing.std))
    return {
        "nodes": [_node(node, fields[node.name]) for node in graph.nodes.values()],
        "input": _shape(graph.input_shape),
        "output": graph.output,
        "scale": (1 / (255 * std)).astype(np.float32).tolist(),
        "shift": (-mean / std).astype(np.float32).tolist(),
        "weights": None if kind is None else _by_layer(rounded(arrays, kind), set(graph.nodes)),
        "few": _by_layer(rounded(arrays, "float32"), few) if kind is None else {},
        "precision": kind,
    }


def _by_layer(arrays: Mapping[str, NDArray[Any]], layers: set[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, array in arrays.items():
        layer, _, own = name.rpartition(".")
        if layer in layers:
            found.setdefault(layer, {})[own] = packed(array)
    return found


def _shape(shape: Shape) -> list[int]:
    return [shape.channels, shape.height, shape.width]


def _node(node: Node, fields: tuple[Field, Field]) -> dict[str, Any]:
    kind = type(node.layer).__name__.lower()
    found = {
        "name": node.name,
        "kind": kind,
        "inputs": list(node.inputs),
        "shape": _shape(node.shape),
        "words": words_of(node),
        "about": kind_of(node),
        "field": [asdict(field) for field in fields],
    }
    if kind in _WINDOWED:
        found["window"] = [_axis(axis) for axis in node.layer.window(node.input_shapes[0])]
    if isinstance(node.layer, Dropout):
        return found
    if isinstance(node.layer, ConvTranspose):
        layer = node.layer
        found["window"] = [_axis(axis) for axis in window_of(layer.kernel, layer.stride, layer.padding)]
        return found
    if isinstance(node.layer, Upsample):
        return found | {"factor": list(pair(node.layer.factor)), "mode": node.layer.mode}
    settings = {name: getattr(node.layer, name) for name in _SETTINGS if hasattr(node.layer, name)}
    return found | {name: value for name, value in settings.items() if isinstance(value, int | float)}


def _axis(axis: Axis) -> dict[str, int]:
    names = ("size", "stride", "before", "after", "dilation")
    return {name: getattr(axis, name) for name in names}
