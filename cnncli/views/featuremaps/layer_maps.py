"""Outputs of layers for one image: their maps ranked, and the part of the input that each looked at."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.models.fields import Field, receptive_fields
from cnncli.nn import Graph, Node
from cnncli.views.featuremaps.frames import Part

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LayerMaps:
    """A layer and its activations for one image.

    Attributes
    ----------
    node : Node
        The layer.
    values : ndarray, shape (H, W, C), float32
        Its output.
    responses : ndarray, shape (C,), float32
        Mean magnitude of each map.
    order : ndarray, shape (C,), intp
        Maps by response, the strongest first.
    fields : (Field, Field)
        What a value depends on, along rows and columns.
    image : (height, width)
        Of the network's input.
    """

    node: Node
    values: Floats
    responses: Floats
    order: NDArray[np.intp]
    fields: tuple[Field, Field]
    image: tuple[int, int]

    @property
    def flat(self) -> bool:
        """A list of values, not maps."""
        return self.values.shape[:2] == (1, 1)

    @property
    def silent(self) -> int:
        """Maps that are 0 everywhere."""
        return int(np.count_nonzero(np.abs(self.values).max(axis=(0, 1)) == 0))

    @property
    def field(self) -> tuple[int, int]:
        """Receptive field: rows and columns of the input that one value depends on, at most all."""
        (rows, columns), (height, width) = self.fields, self.image
        return min(rows.size, height), min(columns.size, width)

    @property
    def by_variation(self) -> NDArray[np.intp]:
        """Maps by the standard deviation over their places, those that vary most first."""
        return np.argsort(-self.values.std(axis=(0, 1), dtype=np.float64), kind="stable")

    def window(self, c: int) -> Part:
        """Receptive field of the strongest value of map ``c``, as shares of the input."""
        sizes = np.abs(self.values[..., c])
        y, x = (int(i) for i in np.unravel_index(int(sizes.argmax()), sizes.shape))
        (rows, columns), (height, width) = self.fields, self.image
        (top, bottom), (left, right) = rows.span(y, height), columns.span(x, width)
        return left, top, right, bottom


def layer_maps(graph: Graph, activations: Mapping[str, Floats]) -> list[LayerMaps]:
    """Rank the maps of layers.

    Parameters
    ----------
    graph : Graph
        The network.
    activations : mapping of str to ndarray, shape (H, W, C), float32
        Outputs by layer, for one image.

    Returns
    -------
    list of LayerMaps
        In the order of computation.
    """
    fields = receptive_fields(graph)
    height, width = graph.input_shape[:2]
    found = []
    for name, node in graph.nodes.items():
        if name not in activations:
            continue
        values = activations[name].reshape(node.shape[:3])
        responses = np.abs(values).mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
        order = np.argsort(-responses, kind="stable")
        found.append(LayerMaps(node, values, responses, order, fields[name], (height, width)))
    return found
