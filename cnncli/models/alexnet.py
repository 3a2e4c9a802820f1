"""AlexNet.

Source: Krizhevsky, Sutskever and Hinton, ImageNet classification with deep convolutional neural networks,
2012, figure 2.

What this form changed: it is the single tower of Krizhevsky, One weird trick for parallelizing convolutional
neural networks, 2014, as torchvision has it: 64, 192, 384, 256 and 256 maps, no local response norm, and an
adaptive average pooling before the fully connected layers, so that images may have other sizes. With ``lrn``
it has the maps of 2012 (96, 256, 384, 384, 256), local response norms, and groups of channels where the two
graphics cards of the paper did not read from each other.
"""

from cnncli.models.blocks import is_small, numbered, widened
from cnncli.nn import (
    AdaptiveAvgPool,
    Conv,
    Dropout,
    Flatten,
    Graph,
    Layer,
    Linear,
    LocalResponseNorm,
    MaxPool,
    Relu,
)

ONE_TOWER, TWO_TOWERS = (64, 192, 384, 256, 256), (96, 256, 384, 384, 256)
_HIDDEN = 4096
_POOLED = 6  # rows and columns before the fully connected layers
# The paper sums squares where this layer takes their mean: alpha is 5 times the paper's 1e-4.
_RESPONSE_NORM = LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, bias=2.0)


def alexnet(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    seed: int = 0,
    lrn: bool = False,
    width: float = 1.0,
) -> Graph:
    """Five convolutions, three of them with overlapping poolings, and three fully connected layers.

    Images with a side below 64 pixels get a first convolution of 5x5 without stride.
    """
    graph = Graph(input_shape)
    c1, c2, c3, c4, c5 = (widened(c, width) for c in (TWO_TOWERS if lrn else ONE_TOWER))
    norm: list[Layer] = [_RESPONSE_NORM] if lrn else []
    groups = 2 if lrn else 1
    small = is_small(input_shape)
    stem = Conv(c1, 5, padding=2) if small else Conv(c1, 11, stride=4, padding=2)
    features: list[Layer] = [
        *(stem, Relu(), *norm, MaxPool(3, stride=2)),
        *(Conv(c2, 5, padding=2, groups=groups), Relu(), *norm, MaxPool(3, stride=2)),
        *(Conv(c3, 3, padding=1), Relu()),
        *(Conv(c4, 3, padding=1, groups=groups), Relu()),
        *(Conv(c5, 3, padding=1, groups=groups), Relu(), MaxPool(3, stride=2)),
    ]
    numbered(graph, "features", features)
    most = graph.output_shape if small else (_POOLED, _POOLED)
    pooled = min(_POOLED, most[0]), min(_POOLED, most[1])
    graph.add(AdaptiveAvgPool(pooled), Flatten(), names=("avgpool", "flatten"))
    hidden = widened(_HIDDEN, width)
    drop = Dropout(0.5, seed)
    classifier = [drop, Linear(hidden), Relu(), drop, Linear(hidden), Relu(), Linear(classes)]
    numbered(graph, "classifier", classifier)
    return graph
