"""The views of ``cnncli featuremaps``: which layers each draws, how, and what it says about them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.nn import BatchNorm, Dropout, Flatten, Graph, Network, Node, Relu

if TYPE_CHECKING:
    from cnncli.views.featuremaps import LayerMaps
    from cnncli.views.sections import Section

_EVERY = 24  # layers up to which all are drawn alike unless some are named

Arrays = dict[str, NDArray[np.float32]]


class ViewInputs(NamedTuple):
    """A network, what it computes from a picture, and how much of it is drawn.

    Attributes
    ----------
    network : Network
    names : list of str
        The layers that are drawn.
    activations : mapping
        Of each layer its output, (C, H, W) or (C,); of a view that does not run layers, of none but the last.
    x : ndarray
        What the network takes, (C, H, W).
    pixels : ndarray
        The same before it is normalised, (H, W, C).
    classes : sequence of str
    rows : int or None
        Of tiles of a layer at most; None: all.
    side : int
        Of a tile, in pixels.
    brief : collection of str
        Layers of which one row is drawn.
    """

    network: Network
    names: list[str]
    activations: Mapping[str, NDArray[np.float32]]
    x: NDArray[np.float32]
    pixels: NDArray[Any]
    classes: Sequence[str]
    rows: int | None
    side: int
    brief: Collection[str]


Drawn = tuple[list["Section"], list[dict[str, Any]], Arrays]
"""Sections of a page, objects for JSON, and arrays by their names."""


class View(NamedTuple):
    """A view.

    Attributes
    ----------
    has : callable
        Whether a node is among its layers.
    noun : str
        What messages call such a layer.
    runs : bool
        It draws what layers compute from the image, so that their outputs are kept.
    title : str
        Of the page; the network's name is put in.
    reading : str
        How to read the page.
    sides : (int, int)
        Of a tile, in pixels: in the page of all layers, and of those named.
    draw : callable
    """

    has: Callable[[Node], bool]
    noun: str
    runs: bool
    title: str
    reading: str
    sides: tuple[int, int]
    draw: Callable[[ViewInputs], Drawn]


def _changes_values(node: Node) -> bool:
    return not isinstance(node.layer, Flatten | Dropout)


def _has_kernels(node: Node) -> bool:
    return hasattr(node.layer, "bias")


def _draw_maps(inputs: ViewInputs) -> Drawn:
    from cnncli.views.colors import as_rgb
    from cnncli.views.featuremaps import layer_maps, map_sections

    layers = layer_maps(inputs.network.graph, {each: inputs.activations[each] for each in inputs.names})
    sections = map_sections(
        layers, as_rgb(inputs.pixels), inputs.classes, rows=inputs.rows, side=inputs.side, brief=inputs.brief
    )
    arrays = {"input": inputs.x, **{each.node.name: each.values for each in layers}}
    return sections, [_about_maps(each) for each in layers], arrays


def _draw_filters(inputs: ViewInputs) -> Drawn:
    from cnncli.views.featuremaps import kernel_sections, learned_arrays

    learned = learned_arrays(inputs.network.graph, inputs.network.export())
    learned = {each: learned[each] for each in inputs.names}
    sections = kernel_sections(learned, inputs.classes, rows=inputs.rows, side=inputs.side)
    about: list[dict[str, Any]] = [
        {"name": each, "shape": list(weight.shape)} for each, (_, weight) in learned.items()
    ]
    return sections, about, {each: weight for each, (_, weight) in learned.items()}


def _about_maps(layer: "LayerMaps") -> dict[str, Any]:
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


VIEWS = {
    "maps": View(
        has=_changes_values,
        noun="layer",
        runs=True,
        title="Feature maps of {}",
        reading="Under each map are its number and its mean magnitude; the strongest maps come first. All "
        "maps of a layer share one scale: dark to bright from 0 up, or blue for negative and orange for "
        "positive values. Bars of negative values are blue and extend to the left of the zero line.",
        sides=(84, 168),
        draw=_draw_maps,
    ),
    "filters": View(
        has=_has_kernels,
        noun="layer with kernels",
        runs=False,
        title="Learned kernels of {}",
        reading="Negative weights are blue, positive ones orange. The number under a kernel of the first "
        "layer is the root of the sum of its squared weights; the strongest come first.",
        sides=(70, 98),
        draw=_draw_filters,
    ),
}


def chosen_layers(graph: Graph, chosen: Sequence[str], view: str) -> tuple[list[str], frozenset[str]]:
    """Which layers are drawn, and of which of them little.

    Parameters
    ----------
    graph : Graph
        The network.
    chosen : sequence of str
        Names; none: all, little of what lies inside the blocks of a deep network.
    view : str
        Of `VIEWS`.

    Raises
    ------
    CnncliError
        For a name that no such layer has; the nearest is suggested.
    """
    known = [name for name, node in graph.nodes.items() if VIEWS[view].has(node)]
    for name in chosen:
        if name not in known:
            raise _unknown(name, known, view)
    if chosen:
        return [name for name in known if name in chosen], frozenset()
    if not VIEWS[view].runs or len(known) <= _EVERY:
        return known, frozenset()
    return known, frozenset(name for name in known if _goes_on(graph, name))


def _goes_on(graph: Graph, name: str) -> bool:
    """The one layer that reads it is a norm or a ReLU, which belongs to it."""
    readers = graph.readers(name)
    return len(readers) == 1 and isinstance(readers[0].layer, BatchNorm | Relu)


def _unknown(name: str, known: list[str], view: str) -> CnncliError:
    from cnncli.nearest import did_you_mean

    hint = did_you_mean(name, known, form="--layer {}") or "Leave --layer out to see all of them."
    return CnncliError(
        f"--layer is {name!r}; the network has no such {VIEWS[view].noun}: {', '.join(known)}", hint
    )
