"""Receptive fields: the part of the input that one value of a layer depends on.

Source: Araujo, Norris, Sim, Computing receptive fields of convolutional neural networks, 2019.
"""

from dataclasses import dataclass

from cnncli.nn import INPUT, Graph, Node


@dataclass(frozen=True)
class Field:
    """Receptive field of a layer's values along one axis.

    Attributes
    ----------
    size : int
        Pixels that one value depends on.
    first : float
        Center of the first value's field, measured from the center of the first pixel.
    step : int
        Distance in pixels between neighbouring values.
    """

    size: int
    first: float
    step: int

    def span(self, position: int, whole: int) -> tuple[float, float]:
        """The part of an input of ``whole`` pixels that a value depends on, as fractions from 0 to 1."""
        middle = self.first + position * self.step + 0.5
        low, high = middle - self.size / 2, middle + self.size / 2
        return max(0.0, low / whole), min(1.0, high / whole)


def receptive_fields(graph: Graph) -> dict[str, tuple[Field, Field]]:
    """Receptive fields of all layers, (rows, columns), by name."""
    fields = {INPUT: (Field(1, 0.0, 1), Field(1, 0.0, 1))}
    for node in graph.nodes.values():
        sources = [fields[source] for source in node.inputs]
        fields[node.name] = (_after(node, sources, 0), _after(node, sources, 1))
    return fields


def _after(node: Node, sources: list[tuple[Field, Field]], axis: int) -> Field:
    window = node.layer.window(node.input_shapes[0])[axis]
    widest = max((each[axis] for each in sources), key=lambda field: field.size)
    return Field(
        widest.size + (window.extent - 1) * widest.step,
        widest.first + ((window.extent - 1) / 2 - window.before) * widest.step,
        sources[0][axis].step * window.stride,
    )
