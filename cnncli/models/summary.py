"""What a network is made of: shapes, parameters, multiply-adds, memory, receptive field."""

from dataclasses import dataclass

from cnncli.nn import INPUT, Graph, Linear, Node, Shape

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
        Trained numbers.
    multiply_adds : int
        Of one sample, forward.
    memory : int
        Bytes of its output for the batch.
    receptive_field : (int, int)
        Rows and columns of the picture that one output value sees, at most the picture's.
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
    """A network's layers and sums.

    Attributes
    ----------
    layers : tuple of LayerRow
        In the order of computation.
    batch : int
        Samples that the memory is for.
    """

    layers: tuple[LayerRow, ...]
    batch: int

    @property
    def parameters(self) -> int:
        """Trained numbers."""
        return sum(row.parameters for row in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Of one sample, forward."""
        return sum(row.multiply_adds for row in self.layers)

    @property
    def memory(self) -> int:
        """Bytes of all outputs for the batch: what a backward pass needs kept."""
        return sum(row.memory for row in self.layers)


def summary(graph: Graph, batch: int = 1) -> Summary:
    """Sum up a network.

    Parameters
    ----------
    graph : Graph
        The network.
    batch : int
        Samples that the memory is for.

    Returns
    -------
    Summary
    """
    whole = graph.input_shape[:2]
    seen: dict[str, tuple[Pair, Pair]] = {
        INPUT: ((1, 1), (1, 1))
    }  # receptive field, and step from value to value
    rows = []
    for node in graph.nodes.values():
        field, step = _receptive(node, seen)
        seen[node.name] = field, step
        rows.append(
            LayerRow(
                node.name,
                type(node.layer).__name__,
                node.shape,
                sum(p.size for p in node.layer.parameters(node.input_shapes)),
                node.layer.multiply_adds(node.input_shapes),
                4 * batch * node.shape.size,
                (min(field[0], whole[0]), min(field[1], whole[1])),
            )
        )
    return Summary(tuple(rows), batch)


def _receptive(node: Node, seen: dict[str, tuple[Pair, Pair]]) -> tuple[Pair, Pair]:
    """Receptive field and step after a layer (Araujo et al., Computing receptive fields, 2019)."""
    before = [seen[source] for source in node.inputs]
    (window_y, window_x), (stride_y, stride_x) = _window(node)
    fields = [(f[0] + (window_y - 1) * s[0], f[1] + (window_x - 1) * s[1]) for f, s in before]
    steps = [(s[0] * stride_y, s[1] * stride_x) for _, s in before]
    return (max(f[0] for f in fields), max(f[1] for f in fields)), steps[0]


def _window(node: Node) -> tuple[Pair, Pair]:
    """Rows and columns that a layer looks at, and its stride."""
    layer, x = node.layer, node.input_shapes[0]
    if isinstance(layer, Linear) and x.origin is not None:
        return (x.origin[0], x.origin[1]), (1, 1)
    if type(layer).__name__ == "GlobalAvgPool":
        return (x.height, x.width), (1, 1)
    window = getattr(layer, "kernel", None) or getattr(layer, "window", None)
    if window is None:
        return (1, 1), (1, 1)
    stride = getattr(layer, "stride", None) or window
    (height, width), (dy, dx) = _pair(window), _pair(getattr(layer, "dilation", 1))
    return ((height - 1) * dy + 1, (width - 1) * dx + 1), _pair(stride)


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value
