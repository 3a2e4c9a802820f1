"""Detectors: maps of another network at several scales, of which each point gives a class and a box.

Sources: Lin et al., Feature pyramid networks for object detection, 2017, section 3; Tian, Shen, Chen and He,
FCOS: fully convolutional one-stage object detection, 2019, section 3.

What this form changed: two scales, or three for images from 256 pixels, which is enough for things that are
at most a half of the image; each scale has a head of its own; and there is no centreness, for only points
near the middle of a thing learn to find it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cnncli.errors import CnncliError, OptionError
from cnncli.models.blocks import conv_bn, widened
from cnncli.models.resnet import basic_block
from cnncli.models.stages import stages
from cnncli.nn import Add, BatchNorm, Conv, Graph, Upsample

if TYPE_CHECKING:
    from cnncli.models.catalog import Model

CLASSES, BOXES = "classes", "boxes"
"""What the roles of outputs begin with; the number of pixels from point to point comes after it."""
SMALL = "small"
"""Name of the network of `small_backbone`."""
STRIDES = (8, 16, 32)
_LARGE = 256  # pixels of the shorter side from which there are three scales


def small_backbone(input_shape: tuple[int, int, int], *, width: float = 1.0) -> Graph:
    """Two convolutions that quarter the resolution, and a residual block at that and each coarser scale.

    It has about a twentieth of the multiply-adds of ResNet-18, most of them where the maps are fine.
    """
    graph = Graph(input_shape)
    conv_bn(graph, "1", Conv(widened(16, width), 3, stride=2, padding=1, bias=False), BatchNorm())
    conv_bn(graph, "2", Conv(widened(32, width), 3, stride=2, padding=1, bias=False), BatchNorm())
    stages_there = 1 + len(strides_for(*input_shape[:2]))
    for stage, channels in enumerate((32, 64, 128, 256)[:stages_there]):
        with graph.scope(f"layer{stage + 1}.0", kind="BasicBlock"):
            basic_block(graph, widened(channels, width), stride=2 if stage else 1)
    return graph


def detector_on(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    models: Mapping[str, "Model"],
    on: str = SMALL,
    width: float = 1.0,
    neck: float = 64,
) -> Graph:
    """`detector` on one of some models, ``width`` times as wide, with so many channels of its own."""
    backbone = backbone_of(input_shape, classes, models.get(on), on=on, width=width)
    return detector(backbone, classes, channels=round(neck))


def backbone_of(
    input_shape: tuple[int, int, int], classes: int, model: "Model | None", *, on: str, width: float
) -> Graph:
    """The network of a model, by its name, that others stand on; None: the small one.

    Raises
    ------
    OptionError
        Where it has one width only, and another is asked for.
    """
    if model is None:
        return small_backbone(input_shape, width=width)
    options: dict[str, bool | float | str] = {"width": width} if "width" in model.options else {}
    if width != 1 and not options:
        raise OptionError(
            f"--model: width is {width:g}, but {on} has one width; expected no width", "Leave width out."
        )
    return model.graph(input_shape, classes, options, seed=0)


def detector(backbone: Graph, classes: int, *, channels: int = 64) -> Graph:
    """Cut a network where its maps have the scales, and add a pyramid and a head for each.

    Parameters
    ----------
    backbone : Graph
        A network for classes, of which what comes after the maps is left out.
    classes : int
        Outputs of each point.
    channels : int
        Of the pyramid and the heads.

    Raises
    ------
    CnncliError
        Where it has no such maps.
    """
    graph, ends = _with_scales(backbone, channels)
    strides = tuple(ends)
    levels = _pyramid(graph, ends, channels)
    for stride, level in zip(strides, levels, strict=True):
        with graph.scope(f"head{stride}", kind="Head"):
            _head(graph, level, channels, classes)
        graph.set_output(f"head{stride}.classes", role=f"{CLASSES}{stride}")
        graph.set_output(f"head{stride}.boxes", role=f"{BOXES}{stride}")
    graph.set_output(f"head{strides[0]}.classes")
    return graph


def strides_for(height: int, width: int) -> tuple[int, ...]:
    """Pixels from point to point of the scales of a detector for images of some size, the finest first."""
    return STRIDES if min(height, width) >= _LARGE else STRIDES[:2]


def _with_scales(backbone: Graph, channels: int) -> tuple[Graph, dict[int, str]]:
    """The network up to its last maps, and by stride the last layer of each scale, which may be added."""
    height, width, _ = backbone.input_shape[:3]
    strides = strides_for(height, width)
    if height % strides[-1] or width % strides[-1]:
        raise CnncliError(
            f"a detector takes images whose sides are multiples of {strides[-1]}, "
            f"not {width}x{height} pixels",
            f"Use --size with multiples of {strides[-1]}.",
        )
    found = {
        height // shape.height: stage.output
        for stage in stages(backbone)
        if (shape := backbone.shape_of(stage.output))[:2] in [(height >> n, width >> n) for n in range(6)]
    }
    coarsest = max((stride for stride in found if stride <= strides[-1]), default=0)
    if any(stride < coarsest and stride not in found for stride in strides) or not coarsest:
        raise CnncliError(
            f"it has no maps of an eighth of {width}x{height} pixels; expected some",
            "Choose another network to detect with.",
        )
    graph = backbone.pruned(sorted({found[coarsest], *(found[each] for each in strides if each in found)}))
    stride, end = coarsest, found[coarsest]
    while stride < strides[-1]:
        stride *= 2
        with graph.scope(f"coarser{stride}", kind="Coarser"):
            end = _conv_bn_of(graph, end, "1", Conv(channels, 3, stride=2, padding=1, bias=False))
        found[stride] = end
    return graph, {each: found[each] for each in strides}


def _pyramid(graph: Graph, ends: Mapping[int, str], channels: int) -> list[str]:
    """Maps of the same number of channels at each scale, of which finer ones know what coarser ones see."""
    with graph.scope("neck", kind="Pyramid"):
        laterals = {
            stride: graph.add(Conv(channels, 1), name=f"lateral{stride}", inputs=end)
            for stride, end in ends.items()
        }
        coarsest, *others = sorted(laterals, reverse=True)
        levels = [laterals[coarsest]]
        for stride in others:
            finer = graph.add(Upsample(2), name=f"up{stride}", inputs=levels[0])
            levels.insert(0, graph.add(Add(), name=f"add{stride}", inputs=(laterals[stride], finer)))
    return levels


def _head(graph: Graph, level: str, channels: int, classes: int) -> None:
    """A convolution for both, one for each, and what they say of each point."""
    conv = Conv(channels, 3, padding=1, bias=False)
    shared = _conv_bn_of(graph, level, "1", conv)
    for name, outputs in (("classes", classes), ("boxes", 4)):
        after = _conv_bn_of(graph, shared, f"_{name}", conv)
        graph.add(Conv(outputs, 1), name=name, inputs=after)


def _conv_bn_of(graph: Graph, source: str, number: str, conv: Conv) -> str:
    """`conv_bn` of another layer than the current one."""
    graph.set_output(source)
    return conv_bn(graph, number, conv, BatchNorm())
