"""MobileNetV2: inverted residuals with linear bottlenecks, for phones.

Source: Sandler et al., MobileNetV2: inverted residuals and linear bottlenecks, 2018, table 2 and figure 3.

What this form changed, as torchvision does: channels of narrow and wide forms are multiples of 8, but not
less than nine tenths of what the paper has; dropout of 0.2 before the classifier. Images with a side below 64
pixels get a first convolution without stride.
"""

from cnncli.models.blocks import is_small, kept_in_eights, numbered
from cnncli.nn import Add, BatchNorm, Conv, Dropout, GlobalAvgPool, Graph, Linear, Relu6

STEM, HEAD = 32, 1280
#: Expansion, channels, blocks, stride of the first of them: a line of table 2.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(
    input_shape: tuple[int, int, int], classes: int, *, seed: int = 0, width: float = 1.0
) -> Graph:
    """A first convolution, seven stages of inverted residuals, and a head of 1280 channels."""
    graph = Graph(input_shape)
    stride = 1 if is_small(input_shape) else 2
    stem = Conv(kept_in_eights(STEM * width), 3, stride=stride, padding=1, bias=False)
    number = 0
    with graph.scope("features"):
        _activated(graph, str(number), stem)
        for expansion, channels, blocks, first in STAGES:
            for block in range(blocks):
                number += 1
                with graph.scope(f"{number}", kind="InvertedResidual"):
                    stride = first if block == 0 else 1
                    _block(graph, kept_in_eights(channels * width), expansion=expansion, stride=stride)
        _activated(graph, str(number + 1), Conv(kept_in_eights(HEAD * max(1.0, width)), 1, bias=False))
    graph.add(GlobalAvgPool(), name="pool")
    numbered(graph, "classifier", [Dropout(0.2, seed), Linear(classes)])
    return graph


def _block(graph: Graph, channels: int, *, expansion: int, stride: int) -> None:
    """Widen, filter each channel, narrow without an activation; add the input where the shape is the same."""
    start, before = graph.output, graph.output_shape.channels
    wide = before * expansion
    steps = [Conv(wide, 3, stride=stride, padding=1, groups=wide, bias=False)]
    if expansion > 1:
        steps.insert(0, Conv(wide, 1, bias=False))
    with graph.scope("conv"):
        for number, step in enumerate(steps):
            _activated(graph, str(number), step)
        narrow = Conv(channels, 1, bias=False), BatchNorm()
        end = graph.add(*narrow, names=[str(len(steps)), str(len(steps) + 1)])
    if stride == 1 and before == channels:
        graph.add(Add(), name="add", inputs=(end, start))


def _activated(graph: Graph, scope: str, conv: Conv) -> None:
    """A convolution with its batch norm and ReLU6."""
    numbered(graph, scope, [conv, BatchNorm(), Relu6()])
