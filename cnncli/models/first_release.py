"""Residual networks as the first release built them, whose checkpoints do not hold their layers.

Their skips have 1x1 convolutions in both networks, and layers are named by kind and number.
"""

from cnncli import nn
from cnncli.nn import Add, Conv, GlobalAvgPool, Graph, Linear, MaxPool, Relu


def resnet20(input_shape: tuple[int, int, int], classes: int) -> Graph:
    """Three stages of three residual blocks with 16, 32 and 64 channels, for images of about 32x32.

    Where a stage halves the feature maps, a 1x1 convolution projects the skip to the new shape (option B
    of the paper, which used option A here).
    """
    graph = Graph(input_shape)
    graph.add(Conv(16, 3, padding=1, bias=False), nn.BatchNorm(), Relu())
    for channels in (16, 32, 64):
        for block in range(3):
            _block(graph, channels, stride=2 if channels > 16 and block == 0 else 1)
    graph.add(GlobalAvgPool(), Linear(classes), name="head")
    return graph


def resnet18(input_shape: tuple[int, int, int], classes: int) -> Graph:
    """Four stages of two residual blocks with 64 to 512 channels, after a stem with stride 4."""
    graph = Graph(input_shape)
    graph.add(
        Conv(64, 7, stride=2, padding=3, bias=False), nn.BatchNorm(), Relu(), MaxPool(3, stride=2, padding=1)
    )
    for channels in (64, 128, 256, 512):
        for block in range(2):
            _block(graph, channels, stride=2 if channels > 64 and block == 0 else 1)
    graph.add(GlobalAvgPool(), Linear(classes), name="head")
    return graph


def _block(graph: Graph, channels: int, *, stride: int) -> None:
    """Two 3x3 convolutions with a skip connection."""
    skip = start = graph.output
    changes = stride != 1 or graph.output_shape.channels != channels
    graph.add(Conv(channels, 3, stride=stride, padding=1, bias=False), nn.BatchNorm(), Relu())
    main = graph.add(Conv(channels, 3, padding=1, bias=False), nn.BatchNorm())
    if changes:
        skip = graph.add(Conv(channels, 1, stride=stride, bias=False), inputs=start)
        skip = graph.add(nn.BatchNorm())
    graph.add(Add(), inputs=(main, skip))
    graph.add(Relu())


#: By the name that a checkpoint holds.
BUILDERS = {"resnet18": resnet18, "resnet20": resnet20}
