"""EfficientNet-Lite: inverted residuals for photographs on small processors.

Sources: Tan and Le, EfficientNet: rethinking model scaling for convolutional neural networks, 2019, table 1
and equation 3; Sandler et al., MobileNetV2: inverted residuals and linear bottlenecks, 2018, figure 3.

What the Lite form (Google, 2020) changed, to run without floating point: no squeeze-and-excitation, ReLU6 in
place of swish, and the stem, the head and the first and last stage stay as they are when the network is
scaled. Names are those of timm's ``tf_efficientnet_lite0``.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from cnncli.models.blocks import kept_in_eights
from cnncli.nn import Add, BatchNorm, Conv, Dropout, GlobalAvgPool, Graph, Linear, Relu6


class Stage(NamedTuple):
    """A row of the paper's table: the first of its blocks has the stride."""

    kernel: int
    stride: int
    expansion: int
    channels: int
    blocks: int


class Scale(NamedTuple):
    """What a number of the family scales, and the size of its images."""

    width: float
    depth: float
    size: int
    dropout: float


STEM, HEAD = 32, 1280
STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)
SCALES = (
    Scale(1.0, 1.0, 224, 0.2),
    Scale(1.0, 1.1, 240, 0.2),
    Scale(1.1, 1.2, 260, 0.3),
    Scale(1.2, 1.4, 280, 0.3),
    Scale(1.4, 1.8, 300, 0.3),
)

_Norm = partial(BatchNorm, epsilon=1e-3)
#: Of a stride, half the windows begin with zeros, as TensorFlow places them.
_Conv: Callable[..., Conv] = partial(Conv, padding="same", bias=False)


def efficientnet_lite(
    input_shape: tuple[int, int, int], classes: int, *, number: int, seed: int = 0
) -> Graph:
    """A stem, seven stages of inverted residuals, and a head of 1280 channels; ``number`` from 0 to 4."""
    scale, last = SCALES[number], len(STAGES) - 1
    graph = Graph(input_shape)
    graph.add(_Conv(STEM, 3, stride=2), _Norm(), Relu6(), names=("conv_stem", "bn1", "act1"))
    for place, stage in enumerate(STAGES):
        blocks = stage.blocks if place in (0, last) else math.ceil(stage.blocks * scale.depth)
        for block in range(blocks):
            here = stage._replace(
                stride=stage.stride if block == 0 else 1,
                channels=kept_in_eights(stage.channels * scale.width),
            )
            with graph.scope(f"blocks.{place}.{block}", kind="InvertedResidual"):
                _block(graph, here)
    graph.add(_Conv(HEAD, 1), _Norm(), Relu6(), names=("conv_head", "bn2", "act2"))
    dropout = Dropout(scale.dropout, seed=seed)
    graph.add(GlobalAvgPool(), dropout, Linear(classes), names=("global_pool", "drop", "classifier"))
    return graph


def _block(graph: Graph, stage: Stage) -> None:
    """Widen, filter each channel, narrow without an activation; add the input where the shape is the same."""
    start, before = graph.output, graph.output_shape.channels
    wide = before * stage.expansion
    depthwise = _Conv(wide, stage.kernel, stride=stage.stride, groups=wide)
    narrow = _Conv(stage.channels, 1)
    if stage.expansion == 1:
        graph.add(depthwise, _Norm(), Relu6(), names=("conv_dw", "bn1", "act1"))
        end = graph.add(narrow, _Norm(), names=("conv_pw", "bn2"))
    else:
        graph.add(_Conv(wide, 1), _Norm(), Relu6(), names=("conv_pw", "bn1", "act1"))
        graph.add(depthwise, _Norm(), Relu6(), names=("conv_dw", "bn2", "act2"))
        end = graph.add(narrow, _Norm(), names=("conv_pwl", "bn3"))
    if stage.stride == 1 and before == stage.channels:
        graph.add(Add(), name="add", inputs=(end, start))
