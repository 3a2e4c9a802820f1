"""Feature maps: the activations of each layer for one image, the strongest first."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cnncli.models.stages import stages
from cnncli.nn import BatchNorm, Graph, Relu
from cnncli.views.colors import Colors, scale_around, scale_of, short
from cnncli.views.featuremaps.layer_maps import LayerMaps, layer_maps
from cnncli.views.featuremaps.model import Arrays, Drawing, Request, Subject
from cnncli.views.featuremaps.overview import READING, strips
from cnncli.views.featuremaps.words import kind_of, shape_words
from cnncli.views.sections import ROOM, BarRow, Section, Tile, Window, in_a_row, scaled_size

_LISTED = 10  # values of a list that are written out; all of them are in its strip
_BAR_CELL = 24  # pixels of a value in a strip, at most
_ROWS = 2  # of maps of a layer, unless it is named
_SIDE, _NAMED_SIDE = 84, 168  # pixels of a map
_EVERY = 24  # layers up to which all are drawn alike
_READING = (
    "Under each map are its number and its mean magnitude; the strongest maps come first. All maps of a "
    "layer share one scale: dark to bright from 0 up, or blue for negative and orange for positive values. "
    "Bars of negative values are blue and extend to the left of the zero line. Sizes are height × width."
)


def draw(subject: Subject, request: Request) -> Drawing:
    """Draw the maps of layers for an image: all of those that are named, the strongest of others."""
    graph, seen = subject.graph, subject.seen
    if not (request.named or request.every) and (found := stages(graph)):
        layers = layer_maps(graph, subject.activations(request.layers))
        return Drawing(
            strips(layers, found, seen.rgb),
            {"layers": [_about(each) for each in layers]},
            _arrays(subject, layers),
            READING,
            fits_screen=True,
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


def _arrays(subject: Subject, layers: Sequence[LayerMaps]) -> Arrays:
    return {"input": subject.seen.x, **{each.node.name: each.values for each in layers}}


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
    window = Window(image, layer.window(int(layer.order[0])), caption)
    return Section(
        layer.node.name, _lines(layer), tiles, side=side, scale=scale, window=window, note="; ".join(words)
    )


def _list_section(layer: LayerMaps, classes: Sequence[str]) -> Section:
    """The largest values with bars; all of them in their order as a strip, where there are more."""
    values = layer.values.reshape(-1)
    named = len(values) == len(classes) and layer.node.name == "head"
    order = np.argsort(-values if named else -np.abs(values), kind="stable")[:_LISTED]
    reach = float(np.abs(values).max()) or 1.0
    bars = tuple(
        BarRow(classes[i] if named else f"#{i}", short(float(values[i])), float(values[i]) / reach)
        for i in order
    )
    tiles: tuple[Tile, ...] = ()
    scale = None
    side = ROOM
    note = "logits: the values before the softmax" if named else ""
    if len(values) > _LISTED:
        scale = scale_around(values)  # colours mean what those of bars do
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
