"""VGG.

Source: Simonyan and Zisserman, Very deep convolutional networks for large-scale image recognition, 2014,
table 1: columns A, B, D and E.

What this form changed, as torchvision does: with ``norm`` a batch norm follows each convolution, which keeps
its bias; an adaptive average pooling to 7x7 before the fully connected layers lets images have other sizes.
"""

from cnncli.models.blocks import numbered, widened
from cnncli.nn import AdaptiveAvgPool, BatchNorm, Conv, Dropout, Flatten, Graph, Layer, Linear, MaxPool, Relu

#: Convolutions of each stage, by the number of layers with weights.
STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
MAPS = (64, 128, 256, 512, 512)
_HIDDEN = 4096
_POOLED = 7  # rows and columns before the fully connected layers


def vgg(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    depth: int,
    norm: bool = False,
    seed: int = 0,
    width: float = 1.0,
) -> Graph:
    """Five stages of 3x3 convolutions, each ended by a pooling, and three fully connected layers."""
    graph = Graph(input_shape)
    features: list[Layer] = []
    for convolutions, maps in zip(STAGES[depth], MAPS, strict=True):
        for _ in range(convolutions):
            features += [Conv(widened(maps, width), 3, padding=1), *([BatchNorm()] if norm else []), Relu()]
        features.append(MaxPool(2))
    numbered(graph, "features", features)
    graph.add(AdaptiveAvgPool(_POOLED), Flatten(), names=("avgpool", "flatten"))
    hidden, drop = widened(_HIDDEN, width), Dropout(0.5, seed)
    classifier = [Linear(hidden), Relu(), drop, Linear(hidden), Relu(), drop, Linear(classes)]
    numbered(graph, "classifier", classifier)
    return graph
