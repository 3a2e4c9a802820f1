"""Names of layers from those in a model: ``layer1.0.conv1`` of ``/layer1/layer1.0/conv1/Conv``."""

from __future__ import annotations

import re

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
