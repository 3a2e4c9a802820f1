"""Grad-CAM: the maps of a layer, weighed by the mean gradient of a class's output in each.

What is said of a place, such as a box or a region, is explained place by place: each position of the maps is
weighed by its own gradient, for the mean over all would also light up what is alike elsewhere.

Sources: Selvaraju et al., Grad-CAM, 2017, who leave out what is below 0; here the sign stays. Draelos and
Carin, Use HiResCAM instead of Grad-CAM, 2020, and Zhao and Chan, ODAM: gradient-based instance-specific
visual explanations for object detection, 2023, for places.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnncli.attribution.model import Aim, Attribution, Floats, How, Plans, Target, enlarged
from cnncli.errors import CnncliError
from cnncli.nearest import did_you_mean
from cnncli.nn import INPUT, Add, BatchNorm, Concat, Conv, Dropout, Graph, Node, ScaleChannels
from cnncli.nn.layers.activation import Activation

_GOES_ON = (Activation, Add, BatchNorm, Concat, Dropout, ScaleChannels)  # belongs to the layer before
_FEWEST = 8  # pixels a side of maps in which one sees where something is


def attribute(plans: Plans, x: Floats, target: Target, how: How) -> Attribution:
    """Where the layer's maps speak for the class, (h, w) enlarged to the image."""
    graph = plans.network.graph
    layer = how.layer or chosen_layer(graph)
    if how.layer is not None:
        _check(graph, layer)
    flow = plans.flow(x[None], target, wrt=(layer,), keep=(layer,))
    maps, slopes = flow.activations[layer][0], flow.gradients[layer][0].astype(np.float64)
    if not (of_place := isinstance(target, Aim)):
        slopes = slopes.mean((0, 1))
    values = np.asarray((maps * slopes).sum(-1), np.float32)
    about = {"layer": layer, "shape": list(maps.shape), **({"by_position": True} if of_place else {})}
    return Attribution(values[..., None], enlarged(values, *x.shape[:2]), about)


def layers_with_maps(graph: Graph) -> list[str]:
    """The layers before the main output whose maps have more than one pixel."""
    return [node.name for node in _with_maps(graph)]


def chosen_layer(graph: Graph) -> str:
    """The last convolution whose maps have more than one pixel, with what belongs to it.

    That is its norm and activation, and the sum, the concatenation or the scaling in which its block ends,
    but no pooling. Where outputs are maps themselves, it is one of the coarsest before maps are enlarged
    again, of 8 pixels a side or more, and as many as outputs have, if they have fewer than the input.

    Raises
    ------
    CnncliError
        Where there is no such convolution.
    """
    if missing := lacks(graph):
        raise CnncliError(f"{missing}; expected one for Grad-CAM", "Use another method, such as integrated.")
    pruned = graph.pruned((graph.output,))
    places = _places(pruned)
    node = _convolutions(places)[-1]
    while True:
        after = [
            each
            for each in pruned.readers(node.name)
            if isinstance(each.layer, _GOES_ON) and each.name in places and each.shape[:2] == node.shape[:2]
        ]
        if len(after) != 1:
            return node.name
        (node,) = after


def lacks(graph: Graph) -> str | None:
    """Why a network has no Grad-CAM; None where it has."""
    if _convolutions(_places(graph.pruned((graph.output,)))):
        return None
    return "the network has no convolution with maps of more than one pixel"


def _convolutions(places: Mapping[str, Node]) -> list[Node]:
    return [node for node in places.values() if isinstance(node.layer, Conv)]


def _places(pruned: Graph) -> dict[str, Node]:
    """The layers among which Grad-CAM chooses, by name."""
    found = _with_maps(pruned)
    height, width = pruned.output_shape[:2]
    if height * width > 1:
        least = min(_FEWEST, *pruned.input_shape[:2])
        if height < pruned.input_shape.height:
            least = max(least, min(height, width))
        before = _not_enlarged(pruned) - {pruned.output}
        found = [node for node in found if node.name in before and min(node.shape[:2]) >= least]
        sizes = [node.shape.height * node.shape.width for node in found if isinstance(node.layer, Conv)]
        found = [node for node in found if node.shape.height * node.shape.width == min(sizes, default=0)]
    return {node.name: node for node in found}


def _not_enlarged(graph: Graph) -> set[str]:
    """The layers that only see maps which no layer has enlarged."""
    found = {INPUT}
    for node in graph.nodes.values():
        axes = node.layer.window(node.input_shapes[0])
        if found.issuperset(node.inputs) and all(axis.upsampled == 1 for axis in axes):
            found.add(node.name)
    return found


def _with_maps(graph: Graph) -> list[Node]:
    nodes = graph.pruned((graph.output,)).nodes.values()
    return [node for node in nodes if node.shape.height * node.shape.width > 1]


def _check(graph: Graph, layer: str) -> None:
    known = layers_with_maps(graph)
    if layer not in known:
        hint = did_you_mean(layer, known, "Leave it out for the last convolution.")
        raise CnncliError(
            f"there is no layer {layer!r} with maps of more than one pixel before the output; expected one "
            f"of {', '.join(known)}",
            hint,
        )
