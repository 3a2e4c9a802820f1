"""Stages of a network: how its feature maps go from edges to parts, in as few steps as the graph has."""

from collections.abc import Iterator

from cnncli.models.fields import Field, receptive_fields
from cnncli.nn import INPUT, Concat, Dropout, Flatten, Graph, Node
from cnncli.records import record


@record
class Stage:
    """Layers that compute maps of one coarseness, in one scope.

    Attributes
    ----------
    name : str
        The scope where the stage has one to itself, such as ``layer1``; else that of `output`.
    output : str
        The layer whose maps stand for it: all that comes later depends on them alone.
    layers : tuple of str
        Its layers, also poolings that lead to the next one, in the order of computation.
    """

    name: str
    output: str
    layers: tuple[str, ...]


def stages(graph: Graph) -> list[Stage]:
    """Find the stages on the way to the main output.

    A stage ends where the maps become coarser, or the scope that holds the blocks (``layer1`` holds
    ``layer1.0`` and ``layer1.1``). What only pools belongs to the stage before it. Layers that compute lists
    of values, at the end, belong to none. A network that answers for each pixel, whose skips pass by all that
    lies between (U-Net), has a stage for each outermost scope.

    Parameters
    ----------
    graph : Graph
        The network.

    Returns
    -------
    list of Stage
        In the order of computation; empty for a network without maps.
    """
    if graph.output_shape[:2] != (1, 1) and graph.scopes:
        return _outermost(graph)
    fields = receptive_fields(graph)
    found: list[tuple[object, str, list[str]]] = []  # what tells stages apart, output, layers
    for node, layers, learned in _steps(graph.pruned([graph.output])):
        if node.shape.height * node.shape.width == 1:
            break
        step = _step_of(fields[node.name])
        key = (step, _holder(graph, node))
        if found and (found[-1][0] == key or not learned):
            first, output, held = found.pop()
            # A pooling that leads on, and what is inactive outside training, do not stand for it.
            goes_on = step == _step_of(fields[output]) and not isinstance(node.layer, Dropout)
            found.append((first, node.name if goes_on else output, held + layers))
        else:
            found.append((key, node.name, layers))
    scopes = [_scope_of(graph, held) for _, _, held in found]
    return [
        Stage(scope if scope and scopes.count(scope) == 1 else output, output, tuple(held))
        for scope, (_, output, held) in zip(scopes, found, strict=True)
    ]


def _outermost(graph: Graph) -> list[Stage]:
    """A stage for each outermost scope, and for each run of layers of one coarseness outside scopes."""
    fields = receptive_fields(graph)
    held: dict[str, list[str]] = {}
    run: tuple[str, tuple[float, float]] | None = None  # name and coarseness of the run that goes on
    for name in graph.pruned([graph.output]).nodes:
        scope, dot, _ = name.partition(".")
        if dot:
            run = None
        elif held and isinstance(graph.nodes[name].layer, Concat):
            scope = next(reversed(held))  # it only puts maps together, which were computed before
        else:
            step = _step_of(fields[name])
            run = run if run is not None and run[1] == step else (name, step)
            scope = run[0]
        held.setdefault(scope, []).append(name)
    return [
        Stage(
            scope if any(each.startswith(f"{scope}.") for each in names) else names[-1],
            names[-1],
            tuple(names),
        )
        for scope, names in held.items()
    ]


def features(graph: Graph) -> str | None:
    """The last list of values that the main output is computed from; None where that is maps."""
    name = graph.nodes[graph.head()].inputs[0]
    while name != INPUT and isinstance(graph.nodes[name].layer, Dropout | Flatten):
        name = graph.nodes[name].inputs[0]
    shape = graph.shape_of(name)
    return name if name != INPUT and shape.height * shape.width == 1 else None


def _steps(graph: Graph) -> Iterator[tuple[Node, list[str], bool]]:
    """Steps that everything goes through: the last layer of each, all of them, and whether any has weights.

    A block is one step, whatever is inside.
    """
    order = [*graph.nodes.values()]
    last = {name: place for place, node in enumerate(order) for name in node.inputs}
    awaited = last.get(INPUT, 0)  # the last place that reads what came before
    layers: list[str] = []
    learned = False
    for place, node in enumerate(order):
        layers.append(node.name)
        learned = learned or bool(node.layer.parameters(node.input_shapes))
        block = _block(graph, node)
        ends = not block or place + 1 == len(order) or _block(graph, order[place + 1]) != block
        if ends and place >= awaited:
            yield node, layers, learned
            layers, learned = [], False
        awaited = max(awaited, last.get(node.name, place))


def _step_of(fields: tuple[Field, Field]) -> tuple[float, float]:
    """Pixels of the image from one value to the next, along rows and columns."""
    return fields[0].step, fields[1].step


def _holder(graph: Graph, node: Node) -> str:
    """The scope that holds a layer's block, or the layer itself."""
    return (_block(graph, node) or node.name).rpartition(".")[0]


def _block(graph: Graph, node: Node) -> str:
    """The outermost block that a layer lies in; empty for none."""
    return next((scope for scope in node.scopes if graph.scopes.get(scope)), "")


def _scope_of(graph: Graph, names: list[str]) -> str:
    """The innermost scope that holds all of some layers, more than a block; empty for none."""
    parts = [name.split(".")[:-1] for name in names]
    shared = []
    for each in zip(*parts, strict=False):
        if len(set(each)) > 1:
            break
        shared.append(each[0])
    scope = ".".join(shared)
    return scope.rpartition(".")[0] if graph.scopes.get(scope) else scope
