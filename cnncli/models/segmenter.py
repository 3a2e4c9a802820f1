"""Networks for masks on another network: its maps at all scales, joined from the coarsest to the finest.

Sources: Lin et al., Feature pyramid networks for object detection, 2017, section 3; Kirillov, Girshick, He
and Dollár, Panoptic feature pyramid networks, 2019, section 3; Kayalibay, Jensen and van der Smagt, CNN-based
segmentation of medical imaging data, 2017, figure 5.

What this form changed: levels are as wide as the maps they come from, up to a limit, so that fine ones are
narrow. Each has values for the classes, whose sum the last layer reads beside the finest maps: what a thing
is can be learned where a few values see all of it, and where its edges are from the finest. These read the
image itself as well, all of its pixels as channels: at 128x128 most of what is wrong is within a pixel of
an edge, and the first layer of a network for classes keeps little of where edges are.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from cnncli.errors import CnncliError
from cnncli.models.blocks import conv_bn
from cnncli.models.detector import SMALL, backbone_of
from cnncli.models.stages import stages
from cnncli.nn import INPUT, Add, BatchNorm, Concat, Conv, ConvTranspose, Graph, Upsample

if TYPE_CHECKING:
    from cnncli.models.catalog import Model

_COARSEST = 32  # pixels from point to point of the coarsest maps that are used
_DETAILS = 8  # channels of the image beside the finest maps, for each pixel from point to point


def segmenter_on(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    models: Mapping[str, "Model"],
    on: str = SMALL,
    width: float = 1.0,
    neck: float = 64,
) -> Graph:
    """`segmenter` on one of some models, ``width`` times as wide, with levels of at most so many channels."""
    backbone = backbone_of(input_shape, classes, models.get(on), on=on, width=width)
    return segmenter(backbone, classes, channels=round(neck))


def segmenter(backbone: Graph, classes: int, *, channels: int = 64) -> Graph:
    """Cut a network after its last maps, and join its maps from the coarsest to the finest.

    Parameters
    ----------
    backbone : Graph
        A network for classes, of which what comes after the maps is left out.
    classes : int
        Outputs of each pixel.
    channels : int
        Of a level, at most.

    Raises
    ------
    CnncliError
        Where its maps do not halve from one to the next.
    """
    ends = _ends(backbone)
    graph = backbone.pruned([*ends.values()])
    finest, *coarser = ends
    levels = {stride: min(channels, graph.shape_of(end).channels) for stride, end in ends.items()}
    found = scores = ""
    for stride in (*reversed(coarser), finest):
        with graph.scope(f"level{stride}", kind="Level"):
            lateral = graph.add(Conv(levels[stride], 1), inputs=ends[stride], name="lateral")
            if found:
                deeper = graph.add(Conv(levels[stride], 1), inputs=found, name="deeper")
                enlarged = graph.add(Upsample(2), inputs=deeper, name="enlarged")
                lateral = graph.add(Add(), inputs=(lateral, enlarged), name="sum")
            graph.set_output(lateral)
            more = _add_details(graph, lateral, stride) if 1 < stride == finest else 0
            conv = Conv(levels[stride] + more, 3, padding=1, bias=False)
            found = conv_bn(graph, "1", conv, BatchNorm())
            if scores:
                scores = graph.add(Upsample(2, "bilinear"), inputs=scores, name="enlarged_scores")
            if stride != finest:
                own = graph.add(Conv(classes, 1), inputs=found, name="scores")
                scores = graph.add(Add(), inputs=(own, scores), name="summed") if scores else own
    if scores:
        found = graph.add(Concat(), inputs=(found, scores), name="joined")
    last = Conv(classes, 1) if finest == 1 else ConvTranspose(classes, finest, finest)
    graph.add(last, inputs=found, name="classes")
    return graph


def _add_details(graph: Graph, maps: str, stride: int) -> int:
    """Put the image's pixels beside maps of every so many; returns how many channels to keep for them."""
    details = _DETAILS * stride
    detail = graph.add(Conv(details, stride, stride), inputs=INPUT, name="detail")
    graph.add(Concat(), inputs=(maps, detail), name="detailed")
    return details // 2


def _ends(backbone: Graph) -> dict[int, str]:
    """By pixels from point to point, the finest first, the last layer with maps of each coarseness."""
    height, width, _ = backbone.input_shape[:3]
    found: dict[int, str] = {}
    for stage in stages(backbone):
        shape = backbone.shape_of(stage.output)
        stride = height // shape.height
        if stride > _COARSEST:
            break
        if (stride * shape.height, stride * shape.width) == (height, width):
            found[stride] = stage.output
        else:
            raise CnncliError(
                f"{width}x{height} pixels are no multiple of its maps of {shape.width}x{shape.height}; "
                "expected maps that halve",
                f"Use --size with multiples of {_COARSEST}.",
            )
    strides = [*found]
    if not found or any(b != 2 * a for a, b in pairwise(strides)):
        raise CnncliError(
            f"it has maps of every {', '.join(map(str, strides)) or 'no'} pixels; expected maps that halve",
            "Choose another network for masks.",
        )
    return found
