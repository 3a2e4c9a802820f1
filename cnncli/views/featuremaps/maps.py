"""Feature maps: the activations of each layer for one image, the strongest first."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.models.fields import receptive_fields
from cnncli.models.stages import Stage, features, stages
from cnncli.nn import BatchNorm, Graph, Node, Relu
from cnncli.views.colors import Colors, scale_around, scale_of, short
from cnncli.views.featuremaps.frames import fitted, framed, size_within
from cnncli.views.featuremaps.model import Arrays, Drawing, Request, Subject, of_stages
from cnncli.views.featuremaps.words import kind_of, shape_words
from cnncli.views.sections import ROOM, BarRow, Section, Tile, Window, in_a_row, scaled_size

Floats = NDArray[np.float32]
_LISTED = 10  # values of a list that are written out; all of them are in its strip
_BAR_CELL = 24  # pixels of a value in a strip, at most
_ROWS = 2  # of maps of a layer, unless it is named
_SIDE, _NAMED_SIDE = 84, 168  # pixels of a map
_EVERY = 24  # layers up to which all are drawn alike
_STRIP_SIDE = 72  # of a map in the overview
_OVERVIEW = (
    "A row for each stage, from edges to parts: its strongest maps, each with its number and its mean "
    "magnitude, and the input with the receptive field of the strongest value of the first of them. All maps "
    "of a stage share one scale: dark to bright from 0 up, or blue for negative and orange for positive "
    "values. --all draws every layer, --layer\u00a0NAME all maps of one. Sizes are height × width."
)
_READING = (
    "Under each map are its number and its mean magnitude; the strongest maps come first. All maps of a "
    "layer share one scale: dark to bright from 0 up, or blue for negative and orange for positive values. "
    "Bars of negative values are blue and extend to the left of the zero line. Sizes are height × width."
)


@dataclass(frozen=True, eq=False)
class LayerMaps:
    """A layer and its activations for one image.

    Attributes
    ----------
    node : Node
        The layer.
    values : ndarray, shape (H, W, C), float32
        Its output.
    field : (int, int)
        Receptive field: rows and columns of the input that one value depends on, at most all.
    responses : ndarray, shape (C,), float32
        Mean magnitude of each map.
    order : ndarray, shape (C,), intp
        Maps by response, the strongest first.
    window : (left, top, right, bottom)
        Receptive field of the strongest value of the strongest map, as shares of the input.
    """

    node: Node
    values: Floats
    field: tuple[int, int]
    responses: Floats
    order: NDArray[np.intp]
    window: tuple[float, float, float, float]

    @property
    def flat(self) -> bool:
        """A list of values, not maps."""
        return self.values.shape[:2] == (1, 1)

    @property
    def silent(self) -> int:
        """Maps that are 0 everywhere."""
        return int(np.count_nonzero(np.abs(self.values).max(axis=(0, 1)) == 0))


def draw(subject: Subject, request: Request) -> Drawing:
    """Draw the maps of layers for an image: all of those that are named, the strongest of others."""
    graph, seen = subject.graph, subject.seen
    if not (request.named or request.every) and (found := stages(graph)):
        layers = layer_maps(graph, subject.activations(request.layers))
        return Drawing(
            [_strip_section(layer, found, seen.rgb) for layer in layers],
            {"layers": [_about(each) for each in layers]},
            _arrays(subject, layers),
            _OVERVIEW,
        )
    brief = frozenset() if request.named else _inside_blocks(graph, request.layers)
    layers = layer_maps(graph, subject.activations(request.layers))
    sections = map_sections(
        layers,
        seen.rgb,
        subject.classes,
        rows=None if request.named else _ROWS,
        side=_NAMED_SIDE if request.named else _SIDE,
        brief=brief,
    )
    words = (
        f" {len(brief)} layers inside blocks have one row of maps: --layer\u00a0NAME draws all of one."
        if brief
        else ""
    )
    return Drawing(
        sections, {"layers": [_about(each) for each in layers]}, _arrays(subject, layers), _READING + words
    )


def overview(graph: Graph, names: Sequence[str]) -> Sequence[str]:
    """The layers that stand for the stages of a network, and its last list of values."""
    chosen = of_stages(graph, names)
    last = features(graph)
    return [name for name in names if name in chosen or name == last]


def _arrays(subject: Subject, layers: Sequence[LayerMaps]) -> Arrays:
    return {"input": subject.seen.x, **{each.node.name: each.values for each in layers}}


def _strip_section(layer: LayerMaps, found: Sequence[Stage], image: Colors) -> Section:
    """One row: the input with the receptive field, then the strongest maps."""
    number = next((n for n, stage in enumerate(found, 1) if stage.output == layer.node.name), None)
    if number is None:
        return replace(_list_section(layer, (), listed=0), note="", strip=True)
    stage = found[number - 1]
    size = size_within(layer.values.shape[1], layer.values.shape[0], _STRIP_SIDE)
    scale = scale_of(layer.values)
    height, width = layer.field
    tiles = [Tile(framed(image, layer.window, size), f"{height} × {width}")]
    for c in layer.order[: in_a_row(size[0]) - 1]:
        colors = fitted(scale.colors(layer.values[..., c]), size)
        tiles.append(Tile(colors, f"#{c}", short(float(layer.responses[c]))))
    lines = (f"stage {number} of {len(found)}: {shape_words(layer.node.shape)}",)
    return Section(stage.name, lines, tuple(tiles), side=_STRIP_SIDE, scale=scale, strip=True)


def _inside_blocks(graph: Graph, names: Sequence[str]) -> frozenset[str]:
    """Of the layers of a deep network those of which little is drawn: a norm or a ReLU goes on with them."""
    if len(names) <= _EVERY:
        return frozenset()
    readers = {name: graph.readers(name) for name in names}
    return frozenset(
        name
        for name, found in readers.items()
        if len(found) == 1 and isinstance(found[0].layer, BatchNorm | Relu)
    )


def _about(layer: LayerMaps) -> dict[str, Any]:
    """A layer for ``--json``: its maps by response."""
    return {
        "name": layer.node.name,
        "kind": type(layer.node.layer).__name__,
        "shape": list(layer.values.shape),
        "receptive_field": list(layer.field),
        "silent": layer.silent,
        "ranking": [
            {"map": int(c), "response": float(f"{float(layer.responses[c]):.6g}")} for c in layer.order
        ],
    }


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
        strongest = np.abs(values[..., order[0]])
        y, x = (int(i) for i in np.unravel_index(int(strongest.argmax()), strongest.shape))
        rows, columns = fields[name]
        (top, bottom), (left, right) = rows.span(y, height), columns.span(x, width)
        field = (min(rows.size, height), min(columns.size, width))
        found.append(LayerMaps(node, values, field, responses, order, (left, top, right, bottom)))
    return found


def map_sections(
    layers: Sequence[LayerMaps],
    image: Colors,
    classes: Sequence[str],
    *,
    rows: int | None,
    side: int,
    brief: Collection[str] = (),
) -> list[Section]:
    """Turn layers into sections.

    Parameters
    ----------
    layers : sequence of LayerMaps
        What to show.
    image : ndarray, shape (H, W, 3), uint8
        The network's input.
    classes : sequence of str
        Names of the values of a layer that has as many.
    rows : int or None
        Rows of maps that a layer gets at most; None: as many as it needs.
    side : int
        Pixels that the longer side of a map should have, about.
    brief : collection of str
        Layers that get one row of maps and no window.
    """
    sections = []
    for layer in layers:
        if layer.flat:
            sections.append(_list_section(layer, classes))
        elif layer.node.name in brief:
            section = _map_section(layer, image, rows=1, side=side)
            sections.append(replace(section, window=None))
        else:
            sections.append(_map_section(layer, image, rows=rows, side=side))
    return sections


def _map_section(layer: LayerMaps, image: Colors, *, rows: int | None, side: int) -> Section:
    scale = scale_of(layer.values)
    count = len(layer.order)
    height, width = layer.values.shape[:2]
    across = in_a_row(scaled_size(width, height, side)[0])
    shown = layer.order[: None if rows is None else rows * across]
    tiles = tuple(
        Tile(scale.colors(layer.values[..., c]), f"#{c}", short(float(layer.responses[c]))) for c in shown
    )
    left = count - len(shown)
    words = [f"{left} weaker maps are not shown"] if left else []
    if layer.silent:
        words.append(f"{layer.silent} of {count} maps {'is' if layer.silent == 1 else 'are'} 0 everywhere")
    caption = f"receptive field of the strongest activation, in map #{layer.order[0]}"
    window = Window(image, layer.window, caption)
    return Section(
        layer.node.name, _lines(layer), tiles, side=side, scale=scale, window=window, note="; ".join(words)
    )


def _list_section(layer: LayerMaps, classes: Sequence[str], *, listed: int = _LISTED) -> Section:
    """The largest values with bars; all of them in their order as a strip, where there are more."""
    values = layer.values.reshape(-1)
    named = len(values) == len(classes) and layer.node.name == "head"
    order = np.argsort(-values if named else -np.abs(values), kind="stable")[:listed]
    reach = float(np.abs(values).max()) or 1.0
    bars = tuple(
        BarRow(classes[i] if named else f"#{i}", short(float(values[i])), float(values[i]) / reach)
        for i in order
    )
    tiles: tuple[Tile, ...] = ()
    scale = None
    side = ROOM
    note = "logits: the values before the softmax" if named else ""
    if len(values) > listed:
        scale = scale_around(values) if bars else scale_of(values)  # colours mean what those of bars do
        strip = _strip(scale.colors(values))
        tiles = (Tile(strip, ""),)
        side = min(ROOM, max(strip.shape[:2]))  # its own size: no wider than there is room
        last = len(values) - 1
        note = "; ".join(text for text in (note, f"all of them, #0 to #{last}, row by row") if text)
    return Section(layer.node.name, _lines(layer), tiles, bars=bars, scale=scale, note=note, side=side)


def _strip(colors: Colors) -> Colors:
    """Values as cells in rows of their order, white where the last row has none."""
    count = len(colors)
    rows = -(-count // (ROOM // 8))
    columns = -(-count // rows)
    cell = max(1, min(_BAR_CELL, ROOM // columns))
    grid = np.full((rows * columns, 3), 255, np.uint8)
    grid[:count] = colors
    height = max(cell, 14) if rows > 1 else 28
    return np.repeat(np.repeat(grid.reshape(rows, columns, 3), height, axis=0), cell, axis=1)


def _lines(layer: LayerMaps) -> tuple[str, ...]:
    height, width = layer.field
    return (kind_of(layer.node), shape_words(layer.node.shape), f"receptive field {height} × {width}")
