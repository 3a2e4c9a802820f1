"""Networks that say what the one thing in an image is, and where: a class, and the sides of a box.

Source: Sermanet et al., OverFeat: integrated recognition, localization and detection using convolutional
networks, 2013, section 4.

What this form changed: both answers come from one hidden layer, which reads the last maps of another network
brought to 4x4, for where something lies is lost in their mean.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cnncli.errors import CnncliError
from cnncli.models.detector import SMALL, backbone_of
from cnncli.models.stages import stages
from cnncli.nn import AdaptiveAvgPool, Flatten, Graph, Linear, Relu

if TYPE_CHECKING:
    from cnncli.models.catalog import Model

BOX = "box"
"""Role of the output that has the sides of the box."""
_SIDE = 4  # points along each axis from which the box follows
_HIDDEN = 128


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
    layers = [Flatten(), Linear(_HIDDEN), Relu()]
    if min(graph.output_shape[:2]) > _SIDE:
        graph.add(AdaptiveAvgPool(_SIDE), name="pool")
    hidden = graph.add(*layers, names=("flatten", "hidden", "relu_hidden"))
    graph.set_output(graph.add(Linear(4), name="box", inputs=hidden), role=BOX)
    graph.set_output(graph.add(Linear(classes), name="classes", inputs=hidden))
    return graph
