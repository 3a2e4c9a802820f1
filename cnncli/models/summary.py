"""A network's layers and their sums: shapes, parameters, multiply-adds, receptive fields, memory."""

from collections.abc import Mapping
from dataclasses import dataclass

from cnncli.models.fields import Field, receptive_fields
from cnncli.nn import INPUT, Flatten, Graph, Node, Shape
from cnncli.nn.fusion import fuse
from cnncli.nn.window import whole

Pair = tuple[int, int]
_FLOAT = 4  # bytes


@dataclass(frozen=True)
class LayerRow:
    """A layer in a summary.

    Attributes
    ----------
    name, kind : str
        Of the layer.
    shape : Shape
        Of its output.
    parameters : int
        Number of learned parameters.
    multiply_adds : int
        Of the forward pass of one sample.
    receptive_field : (int, int)
        Rows and columns of the image that one output value depends on, at most those of the image.
    """

    name: str
    kind: str
    shape: Shape
    parameters: int
    multiply_adds: int
    receptive_field: Pair


@dataclass(frozen=True)
class Summary:
    """A network's layers, and its sums.

    Attributes
    ----------
    layers : tuple of LayerRow
        In the order of computation, also those that serve training alone.
    parameters : int
        Number of learned parameters, of all layers.
    multiply_adds : int
        Of one sample's way to the main output.
    memory : int
        Bytes of all parameters and, in inference of one sample, of the activations that are needed at once:
        those that a layer reads, makes, or leaves for later layers. Layers that a plan fuses have one
        activation. A plan takes more for its own copies of the weights, as the processor reads them.
    receptive_field : (int, int) or None
        Rows and columns that a value of the last feature maps depends on, which may be more than the image
        has; None where a layer before them takes means over the whole image.
    """

    layers: tuple[LayerRow, ...]
    parameters: int
    multiply_adds: int
    memory: int
    receptive_field: Pair | None


def summary(graph: Graph) -> Summary:
    """Summarise a network.

    Parameters
    ----------
    graph : Graph
        The network.

    Returns
    -------
    Summary
    """
    height, width = graph.input_shape[:2]
    fields = receptive_fields(graph)
    rows = []
    for node in graph.nodes.values():
        field = fields[node.name]
        rows.append(
            LayerRow(
                node.name,
                type(node.layer).__name__,
                node.shape,
                sum(each.size for each in node.layer.parameters(node.input_shapes)),
                node.multiply_adds,
                (min(field[0].size, height), min(field[1].size, width)),
            )
        )
    main = graph.pruned([graph.output])
    parameters = sum(row.parameters for row in rows)
    return Summary(
        tuple(rows),
        parameters,
        sum(row.multiply_adds for row in rows if row.name in main.nodes),
        _FLOAT * (parameters + activations_at_once(main)),
        _last_field(main, fields),
    )


def activations_at_once(graph: Graph) -> int:
    """The most values that inference of one sample needs at a time; the sample itself is not counted."""
    stages = fuse(graph, training=False, trained=(), keep=()).owners
    owners: dict[str, str] = {}  # of each layer, the one whose memory holds its output
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for place, node in enumerate(graph.nodes.values()):
        source = owners.get(node.inputs[0], INPUT)
        shares = stages[node.name] != node.name or isinstance(node.layer, Flatten)
        owners[node.name] = source if shares else node.name
        if not shares:
            first[node.name] = place
        for each in (node.name, *node.inputs):
            last[owners.get(each, INPUT)] = place
    changes = [0] * (len(graph.nodes) + 1)
    for name, place in first.items():
        size = graph.nodes[name].shape.frames * graph.nodes[name].shape.size
        changes[place] += size
        changes[last[name] + 1] -= size
    most = now = 0
    for change in changes:
        now += change
        most = max(most, now)
    return most


def _last_field(graph: Graph, fields: Mapping[str, tuple[Field, Field]]) -> Pair | None:
    """The receptive field of the last feature maps; of all layers where none makes maps."""
    maps = [node for node in graph.nodes.values() if node.shape.height * node.shape.width > 1]
    if not maps:
        return graph.input_shape[:2]
    pooled: set[str] = set()  # layers of which each value depends on the whole image
    for node in graph.nodes.values():
        if _sees_all(node) or pooled & set(node.inputs):
            pooled.add(node.name)
    if maps[-1].name in pooled:
        return None
    rows, columns = fields[maps[-1].name]
    return rows.size, columns.size


def _sees_all(node: Node) -> bool:
    x = node.input_shapes[0]
    return node.shape[:2] == (1, 1) != x[:2] and node.layer.window(x) == whole(x.height, x.width)
