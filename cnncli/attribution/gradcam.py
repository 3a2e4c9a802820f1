"""Grad-CAM: the maps of a layer, weighed by the mean gradient of a class's output in each.

Source: Selvaraju et al., Grad-CAM, 2017. They leave out what is below 0; here the sign stays.
"""

from __future__ import annotations

import numpy as np

from cnncli.attribution.model import Attribution, Floats, How, Plans, enlarged
from cnncli.errors import CnncliError
from cnncli.nearest import did_you_mean
from cnncli.nn import Add, BatchNorm, Concat, Conv, Dropout, Graph, Node, ScaleChannels
from cnncli.nn.gradient import of_class
from cnncli.nn.layers.activation import Activation

_GOES_ON = (Activation, Add, BatchNorm, Concat, Dropout, ScaleChannels)  # belongs to the layer before


def attribute(plans: Plans, x: Floats, target: int, how: How) -> Attribution:
    """Where the layer's maps speak for the class, (h, w) enlarged to the image."""
    graph = plans.network.graph
    layer = how.layer or chosen_layer(graph)
    if how.layer is not None:
        _check(graph, layer)
    flow = plans.gradient(1, wrt=(layer,), keep=(layer,)).run(x[None], of_class(target))
    weights = flow.gradients[layer][0].mean((0, 1), dtype=np.float64)
    values = np.asarray(flow.activations[layer][0] @ weights, np.float32)
    shape = list(flow.activations[layer].shape[1:])
    return Attribution(values[..., None], enlarged(values, *x.shape[:2]), {"layer": layer, "shape": shape})


def layers_with_maps(graph: Graph) -> list[str]:
    """The layers before the main output whose maps have more than one pixel."""
    return [node.name for node in _with_maps(graph)]


def chosen_layer(graph: Graph) -> str:
    """The last convolution whose maps have more than one pixel, with what belongs to it.

    That is its norm and activation, and the sum, the concatenation or the scaling in which its block ends,
    but no pooling.

    Raises
    ------
    CnncliError
        Where there is no such convolution.
    """
    pruned = graph.pruned((graph.output,))
    maps = _with_maps(graph)
    convolutions = [node for node in maps if isinstance(node.layer, Conv)]
    if not convolutions:
        raise CnncliError(
            "the network has no convolution with maps of more than one pixel; expected one for Grad-CAM",
            "Use another method, such as integrated.",
        )
    node = convolutions[-1]
    while True:
        after = [
            each
            for each in pruned.readers(node.name)
            if isinstance(each.layer, _GOES_ON) and each.shape[:2] == node.shape[:2]
        ]
        if len(after) != 1:
            return node.name
        (node,) = after


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
