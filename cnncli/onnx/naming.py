"""Names of layers from those in a model: ``layer1.0.conv1`` of ``/layer1/layer1.0/conv1/Conv``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cnncli.nn import Graph
from cnncli.nn.graph import INPUT, scopes_of
from cnncli.onnx.read import Operator

_WEIGHTS = (".weight", ".bias", ".running_mean", ".running_var")
_OTHER = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST, _DEEPEST = 120, 8


def name_for(operator: Operator, arrays: tuple[str, ...], graph: Graph) -> str | None:
    """What a layer of an operator is called; None where the model has no name for it."""
    known = next((each.removesuffix(end) for each in arrays for end in _WEIGHTS if each.endswith(end)), "")
    name = _cleaned(known) or _cleaned(_path(operator))
    return _free(name, graph) if name else None


def beside(name: str | None, kind: str, graph: Graph) -> str:
    """What a layer is called that stands beside the one of a name: by its kind, in the same scope."""
    scope = (name or "").rpartition(".")[0]
    number = 1
    while (found := f"{scope}.{kind}{number}".lstrip(".")) in graph.nodes or found in graph.scopes:
        number += 1
    return found


def in_whole_scopes(layers: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Names in scopes that are blocks: of which no layer reads, by way of others, what the block gives.

    Parameters
    ----------
    layers : mapping of str to sequence of str
        What each layer reads, in topological order.

    Returns
    -------
    dict of str to str
        New names: a scope that is no block is a part of its layers' names.
    """
    scopes = {scope for name in layers for scope in scopes_of(name)}
    broken = {scope for scope in scopes if _comes_back(layers, f"{scope}.")}
    named = {}
    for name in layers:
        joints = {len(scope) for scope in scopes_of(name) if scope in broken}
        named[name] = "".join("_" if at in joints else letter for at, letter in enumerate(name))
    return (
        named if len(set(named.values())) == len(named) else {name: name.replace(".", "_") for name in layers}
    )


def _comes_back(layers: Mapping[str, Sequence[str]], start: str) -> bool:
    """Whether a layer of a scope reads what others make of what the scope gives."""
    after: set[str] = set()
    for name, inputs in layers.items():
        if name.startswith(start):
            if after & set(inputs):
                return True
        elif any(each in after or each.startswith(start) for each in inputs):
            after.add(name)
    return False


def _path(operator: Operator) -> str:
    """The modules of a name as PyTorch writes it, without the operator and what the next one repeats."""
    if "/" not in operator.name:
        return operator.name
    parts = [part for part in operator.name.split("/") if part]
    kind = re.sub(r"_\d+$", "", parts[-1])
    if kind == operator.kind and len(parts) > 1:
        parts.pop()
    kept = [
        part for part, after in zip(parts, [*parts[1:], ""], strict=True) if not after.startswith(f"{part}.")
    ]
    return ".".join(kept)


def _cleaned(name: str) -> str:
    parts = [_OTHER.sub("_", part).strip("_-") for part in name.split(".")]
    kept = [part for part in parts if part]
    return "" if len(kept) > _DEEPEST or len(name) > _LONGEST else ".".join(kept)


def _free(name: str, graph: Graph) -> str:
    """The name, with a number where it is taken."""
    number, found = 1, name
    while (
        found in graph.nodes
        or found in (*graph.scopes, INPUT)
        or any(scope in graph.nodes for scope in scopes_of(found))
    ):
        number += 1
        found = (
            f"{name}_{number}" if number < 1000 or "." not in name else f"{name.replace('.', '_')}_{number}"
        )
    return found
