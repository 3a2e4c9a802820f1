"""Units of layers: which are drawn, where they look, and what they are called."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import OptionError
from cnncli.models.fields import Field, receptive_fields
from cnncli.models.stages import stages
from cnncli.nn import Graph
from cnncli.views.featuremaps.model import Request, Subject
from cnncli.views.featuremaps.words import shape_words

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels of the input; right and bottom are one past the last."""


def units_of(subject: Subject, layer: str, request: Request, *, usual: int) -> list[int]:
    """The units of a layer that are drawn: those asked for, else its first.

    Parameters
    ----------
    subject : Subject
        The network.
    layer : str
        Name.
    request : Request
        Its ``units`` are numbers, or of the last layer names of classes.
    usual : int
        How many, where none is asked for.

    Raises
    ------
    OptionError
        Where the layer has no such unit.
    """
    count = subject.graph.shape_of(layer).channels
    if not request.units:
        return list(range(min(usual, count)))
    return [_number(subject, layer, word, count) for word in request.units]


def _number(subject: Subject, layer: str, word: str, count: int) -> int:
    names = subject.classes if layer == subject.graph.output else ()
    if word in names:
        return names.index(word)
    if word.isdecimal() and int(word) < count:
        return int(word)
    from cnncli.nearest import did_you_mean

    known = f"0 to {count - 1}" + (", or a class" if names else "")
    hint = did_you_mean(word, names, form="--unit {}") if names else ""
    raise OptionError(
        f"--unit is {word!r}; expected a unit of {layer}: {known}", hint or "Give the number of a unit."
    )


def unit_name(subject: Subject, layer: str, unit: int) -> str:
    """``#3``, or the class that an output stands for."""
    return subject.classes[unit] if layer == subject.graph.output else f"#{unit}"


def layer_lines(graph: Graph, layer: str) -> tuple[str, tuple[str, ...]]:
    """What a layer is called, and its stage, shape and receptive field."""
    found = stages(graph)
    height, width = FieldMap(graph, layer).size
    shape = shape_words(graph.shape_of(layer))
    for number, stage in enumerate(found, 1):
        if stage.output == layer:
            shape = f"stage {number} of {len(found)}: {shape}"
            return stage.name, (shape, f"receptive field {height} × {width}")
    return layer, (shape, f"receptive field {height} × {width}")


class FieldMap:
    """Where each value of a layer looks.

    Parameters
    ----------
    graph : Graph
        The network.
    layer : str
        Name.
    """

    def __init__(self, graph: Graph, layer: str) -> None:
        shape, whole = graph.shape_of(layer), graph.input_shape
        self._fields = receptive_fields(graph)[layer]
        self._whole = (whole.height, whole.width)
        rows, columns = self._fields
        self.tops, self.bottoms = _ends(rows, shape.height, whole.height)
        self.lefts, self.rights = _ends(columns, shape.width, whole.width)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a receptive field, at most those of the input."""
        rows, columns = self._fields
        return min(rows.size, self._whole[0]), min(columns.size, self._whole[1])

    def box(self, row: int, column: int) -> Box:
        """The receptive field of a value, clipped at the border of the input."""
        return (
            int(self.lefts[column]),
            int(self.tops[row]),
            int(self.rights[column]),
            int(self.bottoms[row]),
        )

    def overlaps(self, row: int, column: int) -> NDArray[np.float64]:
        """Of each value's receptive field, the share of the smaller of the two that it has with one's."""
        left, top, right, bottom = self.box(row, column)
        down = np.clip(np.minimum(self.bottoms, bottom) - np.maximum(self.tops, top), 0, None)
        across = np.clip(np.minimum(self.rights, right) - np.maximum(self.lefts, left), 0, None)
        areas = np.outer(self.bottoms - self.tops, self.rights - self.lefts)
        return np.outer(down, across) / np.minimum(areas, max(1, (bottom - top) * (right - left)))


def framed_patch(pixels: NDArray[np.uint8], box: Box, size: tuple[int, int]) -> NDArray[np.uint8]:
    """What a receptive field holds, gray where it reaches beyond the input.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, C), uint8
        Its part of the input, as ``box`` cuts it.
    box : Box
        The same.
    size : (int, int)
        Rows and columns of the whole field.
    """
    left, top, _, _ = box
    height, width = (max(each) for each in zip(size, pixels.shape[:2], strict=True))
    out = np.full((height, width, 3), _OUTSIDE, np.uint8)
    y = 0 if top else height - pixels.shape[0]
    x = 0 if left else width - pixels.shape[1]
    out[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
    return out


_OUTSIDE = (222, 227, 231)


def mosaic(rows: Sequence[Sequence[NDArray[np.uint8]]], *, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Pictures of one width and height side by side, white between them and where there is none."""
    width, height = size
    gap = 4
    across = max((len(row) for row in rows), default=0) or 1
    out = np.full((len(rows) * (height + gap), across * (width + gap) - gap, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            y, x = i * (height + gap) + gap // 2, j * (width + gap)
            out[y : y + height, x : x + width] = picture
    return out


def _ends(field: Field, count: int, whole: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First pixel of each field along an axis, and the one after its last."""
    spans = np.array([field.span(place, whole) for place in range(count)]) * whole
    lows = np.floor(spans[:, 0] + 1e-6).astype(np.intp)
    highs = np.ceil(spans[:, 1] - 1e-6).astype(np.intp)
    return lows, np.maximum(highs, lows + 1)
