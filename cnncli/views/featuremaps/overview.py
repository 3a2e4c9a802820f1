"""The overview: a row for each stage, from edges to parts, in the height of a screen."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.models.stages import Stage, features
from cnncli.nn import Graph
from cnncli.views.colors import Colors, scale_of
from cnncli.views.featuremaps.frames import fitted, framed, size_within
from cnncli.views.featuremaps.layer_maps import LayerMaps
from cnncli.views.featuremaps.model import of_stages
from cnncli.views.featuremaps.words import shape_words
from cnncli.views.sections import Section, Tile
from cnncli.views.sections_screen import LIST, ROOM, in_a_strip, strip_side

READING = (
    "A row for each stage, from edges to parts: the input with the receptive field of the strongest value of "
    "the first map, then the maps that vary most over the image, by number. All maps of a stage share one "
    "scale: dark to bright from 0 up, or blue for negative and orange for positive values. --all draws every "
    "layer, --layer\u00a0NAME all maps of one, ranked by response. Sizes are height × width."
)
_CELL = 24, 28  # pixels of a value of a list, at most


def overview(graph: Graph, names: Sequence[str]) -> Sequence[str]:
    """The layers that stand for the stages of a network, and its last list of values."""
    chosen = of_stages(graph, names)
    last = features(graph)
    return [name for name in names if name in chosen or name == last]


def strips(layers: Sequence[LayerMaps], found: Sequence[Stage], image: Colors) -> list[Section]:
    """Turn layers into rows.

    Parameters
    ----------
    layers : sequence of LayerMaps
        Those that `overview` chooses.
    found : sequence of Stage
        All of the network.
    image : ndarray, shape (H, W, 3), uint8
        The network's input.
    """
    numbers = {stage.output: number for number, stage in enumerate(found, 1)}
    lists = sum(layer.node.name not in numbers for layer in layers)
    side, rows = strip_side(len(layers) - lists, lists)
    return [
        _stage(layer, found, numbers[layer.node.name], image, side=side, rows=rows)
        if layer.node.name in numbers
        else _list(layer)
        for layer in layers
    ]


def _stage(
    layer: LayerMaps, found: Sequence[Stage], number: int, image: Colors, *, side: int, rows: int
) -> Section:
    """The input with the receptive field, then the maps that vary most."""
    order = layer.by_variation
    size = size_within(layer.values.shape[1], layer.values.shape[0], side)
    scale = scale_of(layer.values)
    height, width = layer.field
    tiles = [Tile(framed(image, layer.window(int(order[0])), size), f"{height} × {width}")]
    for c in order[: rows * in_a_strip(size[0]) - 1]:
        tiles.append(Tile(fitted(scale.colors(layer.values[..., c]), size), f"#{c}"))
    lines = (f"stage {number} of {len(found)}", shape_words(layer.node.shape))
    return Section(found[number - 1].name, lines, tuple(tiles), side=max(size), scale=scale, strip=True)


def _list(layer: LayerMaps) -> Section:
    values = layer.values.reshape(-1)
    scale = scale_of(values)
    picture = _cells(scale.colors(values))
    tile = Tile(picture, "")
    lines = (shape_words(layer.node.shape),)
    return Section(layer.node.name, lines, (tile,), scale=scale, side=max(picture.shape[:2]), strip=True)


def _cells(colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Values as cells in rows of their order, white where the last row has none."""
    count = len(colors)
    rows = max(1, int(LIST / max(1.0, (ROOM * LIST / count) ** 0.5)))  # so that cells are about square
    columns = -(-count // rows)
    wide, high = max(1, min(_CELL[0], ROOM // columns)), max(1, min(_CELL[1], LIST // rows))
    grid = np.full((rows * columns, 3), 255, np.uint8)
    grid[:count] = colors
    return np.repeat(np.repeat(grid.reshape(rows, columns, 3), high, axis=0), wide, axis=1)
