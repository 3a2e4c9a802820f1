"""Networks that say what the one thing in an image is, and where: a class, and the sides of a box.

Sources: Sermanet et al., OverFeat: integrated recognition, localization and detection using convolutional
networks, 2013, section 4; Oquab, Bottou, Laptev and Sivic, Is object localization for free?, 2015, section 3.

What this form changed: the class follows from the highest values of maps, wherever they are, as in the
latter: in the mean of all points a thing would be lost among what is around it. The box follows from a layer
that reads narrower maps point by point, for where something lies is lost in a maximum.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cnncli.errors import CnncliError
from cnncli.models.blocks import conv_bn
from cnncli.models.detector import SMALL, backbone_of
from cnncli.models.stages import stages
from cnncli.nn import AdaptiveAvgPool, BatchNorm, Conv, Flatten, Graph, Linear, MaxPool, Relu

if TYPE_CHECKING:
    from cnncli.models.catalog import Model

BOX = "box"
"""Role of the output that has the sides of the box."""
_SIDE = 8  # points along each axis from which the box follows, at most
_MAPS, _NARROW, _HIDDEN = 128, 32, 128


def localizer_on(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    models: Mapping[str, "Model"],
    on: str = SMALL,
    width: float = 1.0,
) -> Graph:
    """`localizer` on one of some models, ``width`` times as wide."""
    return localizer(backbone_of(input_shape, classes, models.get(on), on=on, width=width), classes)


def localizer(backbone: Graph, classes: int) -> Graph:
    """Cut a network after its last maps, and add a class and a box.

    Parameters
    ----------
    backbone : Graph
        A network for classes, of which what comes after the maps is left out.
    classes : int
        Values of the main output.

    Raises
    ------
    CnncliError
        Where it has no maps.
    """
    found = stages(backbone)
    if not found:
        raise CnncliError("it has no maps; expected some", "Choose another network to localize with.")
    graph = backbone.pruned([found[-1].output])
    maps = conv_bn(graph, "_maps", Conv(_MAPS, 3, padding=1, bias=False), BatchNorm())
    narrow = conv_bn(graph, "_narrow", Conv(_NARROW, 1, bias=False), BatchNorm())
    if min(graph.output_shape[:2]) > _SIDE:
        narrow = graph.add(AdaptiveAvgPool(_SIDE), name="pool")
    layers = [Flatten(), Linear(_HIDDEN), Relu(), Linear(4)]
    graph.set_output(
        graph.add(*layers, names=("flatten", "hidden", "relu_hidden", "box"), inputs=narrow), role=BOX
    )
    highest = MaxPool(graph.shape_of(maps)[:2])
    graph.set_output(graph.add(highest, Linear(classes), names=("highest", "classes"), inputs=maps))
    return graph
