"""What a network makes of one picture, for its figure: maps, the answer, and how large gradients are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from cnncli.data.conversion import Taken
from cnncli.nn import Graph
from cnncli.nn.layers.combine import Flatten
from cnncli.views.architecture.cards import Card
from cnncli.views.colors import scale_of

Pixels = NDArray[np.uint8]
SEED = 0  # of the weights of a network that is not trained


@dataclass(frozen=True, eq=False)
class Example:
    """A picture on its way through a network, forward and back.

    Attributes
    ----------
    name : str
        Of the picture.
    picture : ndarray, shape (H, W) or (H, W, 3), uint8
        As the network takes it.
    answers : tuple of (str, float)
        Classes and their probabilities, the highest first.
    true : str
        The class that the loss takes for the true one.
    loss : float
        The cross-entropy.
    activations : mapping of str to ndarray, shape (H, W, C)
        Outputs of layers, by name.
    outputs, weights : mapping of str to float
        Euclidean norms of the gradients of the loss: of a layer's output, and of its parameters.
    drawn : bool
        Its maps are drawn on the layers.
    taken : Taken or None
        What was done to the picture.
    """

    name: str
    picture: Pixels
    answers: tuple[tuple[str, float], ...] = ()
    true: str = ""
    loss: float = 0.0
    activations: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    outputs: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    drawn: bool = True
    taken: Taken | None = None


def layers_on(graph: Graph, card: Card) -> list[str]:
    """Names of all layers that a card stands for, in the order of computation."""
    if card.block is None:
        return list(card.names)
    scopes = tuple(f"{name}." for name in card.names)
    return [name for name in graph.nodes if name.startswith(scopes)]


def tip_of(graph: Graph, card: Card) -> str:
    """The layer whose output is that of a card: its last one, before it is flattened."""
    layers = [name for name in layers_on(graph, card) if not isinstance(graph.nodes[name].layer, Flatten)]
    return layers[-1]


def weight_norm(graph: Graph, card: Card, example: Example) -> float | None:
    """The norm of the gradient of all parameters on a card; None where it has none."""
    found = [example.weights[name] for name in layers_on(graph, card) if name in example.weights]
    return sqrt(sum(each * each for each in found)) if found else None


def map_pictures(values: NDArray[np.float32], most: int) -> list[Pixels]:
    """Maps of a layer as pictures, at one scale: those that vary most over the picture first.

    Parameters
    ----------
    values : ndarray, shape (H, W, C)
        What the layer computes.
    most : int
        Pictures at most.

    Returns
    -------
    list of ndarray, shape (H, W, 3), uint8
    """
    scale = scale_of(values)
    order = np.argsort(-values.std(axis=(0, 1)), kind="stable")[:most]
    return [scale.colors(values[..., channel]) for channel in order]


def column_picture(values: NDArray[np.float32], most: int) -> Pixels:
    """The outputs of a layer without extent as one column, (rows, 1, 3): means of equal shares if many."""
    flat = values.reshape(-1)
    rows = np.array([part.mean() for part in np.array_split(flat, min(most, len(flat)))])
    return scale_of(flat).colors(rows[:, None])
