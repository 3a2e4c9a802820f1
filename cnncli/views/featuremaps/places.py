"""Receptive fields: the part of the input that a value of a layer depends on.

Source: Araujo, Norris, Sim, Computing receptive fields of convolutional neural networks, 2019.
"""

from dataclasses import dataclass

from cnncli.nn import INPUT, Conv, Graph, Linear, Node

Pair = tuple[int, int]


@dataclass(frozen=True)
class Field:
    """Receptive field of a layer's values along one axis.

    Attributes
    ----------
    size : int
        Pixels that one value depends on.
    first : float
        Where the middle of the first value's field lies, counted from the middle of the first pixel.
    step : int
        Pixels from value to value.
    """

    size: int
    first: float
    step: int

    def span(self, position: int, whole: int) -> tuple[float, float]:
        """What a value depends on of an input of ``whole`` pixels, as shares from 0 to 1."""
        middle = self.first + position * self.step + 0.5
        low, high = middle - self.size / 2, middle + self.size / 2
        return max(0.0, low / whole), min(1.0, high / whole)


def receptive_fields(graph: Graph) -> dict[str, tuple[Field, Field]]:
    """Fields of all layers, (rows, columns), by name."""
    fields = {INPUT: (Field(1, 0.0, 1), Field(1, 0.0, 1))}
    for node in graph.nodes.values():
        sources = [fields[source] for source in node.inputs]
        fields[node.name] = (_after(node, sources, 0), _after(node, sources, 1))
    return fields


def _after(node: Node, sources: list[tuple[Field, Field]], axis: int) -> Field:
    window, stride, padding = _geometry(node, axis)
    widest = max((each[axis] for each in sources), key=lambda field: field.size)
    step = sources[0][axis].step
    return Field(
        widest.size + (window - 1) * widest.step,
        widest.first + ((window - 1) / 2 - padding) * widest.step,
        step * stride,
    )


def _geometry(node: Node, axis: int) -> tuple[int, int, int]:
    """Pixels that a layer looks at, its stride and its padding, along one axis."""
    layer, x = node.layer, node.input_shapes[0]
    if isinstance(layer, Linear) and x.origin is not None:
        return x.origin[axis], 1, 0
    if type(layer).__name__ == "GlobalAvgPool":
        return (x.height, x.width)[axis], 1, 0
    window = getattr(layer, "kernel", None) or getattr(layer, "window", None)
    if window is None:
        return 1, 1, 0
    stride = getattr(layer, "stride", None) or window
    padding = layer.paddings[axis] if isinstance(layer, Conv) else _pair(getattr(layer, "padding", 0))[axis]
    dilation = _pair(getattr(layer, "dilation", 1))[axis]
    return (_pair(window)[axis] - 1) * dilation + 1, _pair(stride)[axis], padding


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value
