"""What of given arrays does not fit a network, by name."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.models.catalog import MODELS
from cnncli.models.choice import build
from cnncli.nn import Graph
from cnncli.text import listed

Shape = tuple[int, ...]


def shapes_of(graph: Graph) -> dict[str, Shape]:
    """The shape of each parameter and buffer of a network, named and shaped as in PyTorch."""
    return {
        f"{node.name}.{array.name}": tuple(array.shape)
        for node in graph.nodes.values()
        for array in (*node.layer.parameters(node.input_shapes), *node.layer.state(node.input_shapes))
    }


def difference(arrays: Mapping[str, NDArray[Any]], wanted: Mapping[str, Shape]) -> str:
    """Say which arrays are missing, too many or of another shape: how many, and the first; empty if none."""
    missing = [name for name in wanted if name not in arrays]
    extra = [shown(name) for name in arrays if name not in wanted]
    misshapen = [
        f"{name} is {_size(arrays[name].shape)} instead of {_size(shape)}"
        for name, shape in wanted.items()
        if name in arrays and arrays[name].shape != shape
    ]
    parts = [
        f"{_arrays(names)} {what} ({listed(names)})"
        for names, what in ((missing, "missing"), (extra, "too many"), (misshapen, "of another shape"))
        if names
    ]
    return "; ".join(parts)


def _arrays(names: Sequence[str]) -> str:
    return f"{len(names):,} arrays are" if len(names) > 1 else "1 array is"


def _size(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "a single number"


def head_of(graph: Graph) -> str:
    """Name of the weights of the layer that gives the outputs."""
    return f"{graph.head()}.weight"


def fitting(arrays: Mapping[str, NDArray[Any]]) -> str | None:
    """The named model for photographs, or for what it is usual for, that has exactly these arrays."""
    for name, model in MODELS.items():
        for option in ("", *(f":{each}" for each, limits in model.options.items() if limits is None)):
            graph = build(name + option, *model.usual)
            head = arrays.get(head_of(graph))
            if head is None:
                continue
            shapes = shapes_of(build(name + option, model.usual[0], max(1, len(head))))
            if shapes == {each: array.shape for each, array in arrays.items()}:
                return name + option
    return None


def misfit(name: str, model: str, arrays: Mapping[str, NDArray[Any]], why: str) -> CnncliError:
    """The error for arrays that do not fit a model."""
    other = fitting(arrays)
    return CnncliError(
        f"{name} does not fit {model}: {why}",
        f"Say -m {other}, whose arrays these are."
        if other
        else "Name the network that these weights were trained for with -m.",
    )
