"""A network's layers: shapes, parameters, multiply-adds, memory, receptive fields."""

from dataclasses import dataclass

from cnncli.models.fields import receptive_fields
from cnncli.nn import Graph, Shape

Pair = tuple[int, int]


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
    memory : int
        Bytes of its output for the batch.
    receptive_field : (int, int)
        Rows and columns of the image that one output value depends on, at most those of the image.
    """

    name: str
    kind: str
    shape: Shape
    parameters: int
    multiply_adds: int
    memory: int
    receptive_field: Pair


@dataclass(frozen=True)
class Summary:
    """A network's layers and their totals.

    Attributes
    ----------
    layers : tuple of LayerRow
        In the order of computation.
    batch : int
        Samples in a batch, for the memory.
    """

    layers: tuple[LayerRow, ...]
    batch: int

    @property
    def parameters(self) -> int:
        """Number of learned parameters."""
        return sum(row.parameters for row in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Of the forward pass of one sample."""
        return sum(row.multiply_adds for row in self.layers)

    @property
    def memory(self) -> int:
        """Bytes of all activations of the batch, which the backward pass needs."""
        return sum(row.memory for row in self.layers)


def summary(graph: Graph, batch: int = 1) -> Summary:
    """Summarise a network.

    Parameters
    ----------
    graph : Graph
        The network.
    batch : int
        Samples in a batch, for the memory.

    Returns
    -------
    Summary
    """
    whole = graph.input_shape[:2]
    fields = receptive_fields(graph)
    rows = []
    for node in graph.nodes.values():
        field = fields[node.name]
        rows.append(
            LayerRow(
                node.name,
                type(node.layer).__name__,
                node.shape,
                sum(p.size for p in node.layer.parameters(node.input_shapes)),
                node.layer.multiply_adds(node.input_shapes),
                4 * batch * node.shape.size,
                (min(field[0].size, whole[0]), min(field[1].size, whole[1])),
            )
        )
    return Summary(tuple(rows), batch)
