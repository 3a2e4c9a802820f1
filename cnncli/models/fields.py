"""Receptive fields: the part of the input that one value of a layer depends on.

Source: Araujo, Norris, Sim, Computing receptive fields of convolutional neural networks, 2019.
"""

from dataclasses import dataclass
from math import ceil

from cnncli.nn import INPUT, Graph
from cnncli.nn.window import Axis


@dataclass(frozen=True)
class Field:
    """Receptive field of a layer's values along one axis.

    Attributes
    ----------
    size : int
        Pixels that one value depends on.
    first : float
        Center of the first value's field, measured from the center of the first pixel.
    step : float
        Distance in pixels between neighbouring values, on average; below 1 where maps were enlarged.
    """

    size: int
    first: float
    step: float

    def span(self, position: int, whole: int) -> tuple[float, float]:
        """The part of an input of ``whole`` pixels that a value depends on, as fractions from 0 to 1."""
        middle = self.first + position * self.step + 0.5
        low, high = middle - self.size / 2, middle + self.size / 2
        return max(0.0, low / whole), min(1.0, high / whole)


def receptive_fields(graph: Graph) -> dict[str, tuple[Field, Field]]:
    """Receptive fields of all layers, (rows, columns), by name; after upsampling, what they have at most."""
    fields = {INPUT: (Field(1, 0.0, 1), Field(1, 0.0, 1))}
    for node in graph.nodes.values():
        sources = [fields[source] for source in node.inputs]
        rows, columns = node.layer.window(node.input_shapes[0])
        fields[node.name] = (
            _after(rows, [rows_of for rows_of, _ in sources]),
            _after(columns, [columns_of for _, columns_of in sources]),
        )
    return fields


def _after(window: Axis, sources: list[Field]) -> Field:
    """The field after a window, along one axis; of several inputs the widest field counts."""
    widest = max(sources, key=lambda field: field.size)
    reach = float(window.extent - 1)
    middle = reach / 2 - window.before
    if window.upsampled > 1:
        reach, middle = reach / window.upsampled, -middle / window.upsampled
    return Field(
        widest.size + ceil(reach * widest.step),
        widest.first + middle * widest.step,
        _whole(sources[0].step * window.stride / window.upsampled),
    )


def _whole(step: float) -> float:
    """A step as a whole number where it is one."""
    return int(step) if step == int(step) else step
