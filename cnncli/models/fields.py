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
    """Receptive fields of all layers, (rows, columns), by name; after upsampling, what they have at most.

    That of a layer with several inputs holds those of all of them.
    """
    fields = {INPUT: (Field(1, 0.0, 1), Field(1, 0.0, 1))}
    for node in graph.nodes.values():
        sources = [fields[source] for source in node.inputs]
        sizes = [(shape.height, shape.width) for shape in node.input_shapes]
        joined = [_joined([each[at] for each in sources], [each[at] for each in sizes]) for at in (0, 1)]
        rows, columns = node.layer.window(node.input_shapes[0])
        fields[node.name] = _after(rows, joined[0]), _after(columns, joined[1])
    return fields


def _joined(sources: list[Field], pixels: list[int]) -> Field:
    """The field that holds those of several inputs along an axis, which need not have the same middle.

    A value that all positions of a map share, as a factor of squeeze-and-excitation, adds its field to each.
    """
    first = sources[0]
    if len(sources) == 1:
        return first
    lows, highs = [], []
    for field, count in zip(sources, pixels, strict=True):
        moved = (pixels[0] - 1) * first.step if count < pixels[0] else 0
        lows.append(field.first - (field.size - 1) / 2 - moved)
        highs.append(field.first + (field.size - 1) / 2)
    low, high = min(lows), max(highs)
    return Field(ceil(high - low) + 1, (low + high) / 2, first.step)


def _after(window: Axis, source: Field) -> Field:
    """The field after a window, along one axis."""
    reach = float(window.extent - 1)
    middle = reach / 2 - window.before
    if window.upsampled > 1:
        reach, middle = reach / window.upsampled, -middle / window.upsampled
    return Field(
        source.size + ceil(reach * source.step),
        source.first + middle * source.step,
        _whole(source.step * window.stride / window.upsampled),
    )


def _whole(step: float) -> float:
    """A step as a whole number where it is one."""
    return int(step) if step == int(step) else step
