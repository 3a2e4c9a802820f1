"""DenseNet: each layer reads the maps of all layers before it.

Source: Huang, Liu, van der Maaten and Weinberger, Densely connected convolutional networks, 2016, table 1 and
figures 1 and 2.

What these forms changed, as torchvision does: nothing of the form that the paper calls DenseNet-BC, with a
bottleneck in each layer and half of the maps after each block; only the dropout that it has without augmented
images is left out. Images with a side below 64 pixels get a first convolution of 3x3 without stride, and no
pooling after it.
"""

from cnncli.models.blocks import is_small, widened
from cnncli.nn import AvgPool, BatchNorm, Concat, Conv, GlobalAvgPool, Graph, Layer, Linear, MaxPool, Relu

#: Layers of each block, by the number of layers with weights.
BLOCKS = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}
GROWTH = 32  # maps that a layer adds
STEM = 64  # maps of the first convolution
_BOTTLENECK = 4  # times the growth: maps between the two convolutions of a layer


def densenet(input_shape: tuple[int, int, int], classes: int, *, depth: int, width: float = 1.0) -> Graph:
    """A first convolution, and four blocks of dense layers with a transition between each two."""
    graph = Graph(input_shape)
    with graph.scope("features"):
        small = is_small(input_shape)
        stem = {"kernel": 3, "padding": 1} if small else {"kernel": 7, "stride": 2, "padding": 3}
        first: list[Layer] = [Conv(widened(STEM, width), bias=False, **stem), BatchNorm(), Relu()]
        pool: list[Layer] = [] if small else [MaxPool(3, stride=2, padding=1)]
        graph.add(*first, *pool, names=["conv0", "norm0", "relu0", "pool0"][: len(first) + len(pool)])
        for block, layers in enumerate(BLOCKS[depth], 1):
            if block > 1:
                _transition(graph, f"transition{block - 1}")
            for layer in range(1, layers + 1):
                with graph.scope(f"denseblock{block}.denselayer{layer}", kind="DenseLayer"):
                    _dense_layer(graph, widened(GROWTH, width))
        graph.add(BatchNorm(), Relu(), names=("norm5", "relu5"))
    graph.add(GlobalAvgPool(), Linear(classes), names=("pool", "classifier"))
    return graph


def _dense_layer(graph: Graph, growth: int) -> None:
    """A 1x1 and a 3x3 convolution, each after its batch norm and ReLU, whose maps join those they read."""
    before = graph.output
    first = Conv(_BOTTLENECK * growth, 1, bias=False)
    graph.add(BatchNorm(), Relu(), first, names=("norm1", "relu1", "conv1"))
    second = Conv(growth, 3, padding=1, bias=False)
    new = graph.add(BatchNorm(), Relu(), second, names=("norm2", "relu2", "conv2"))
    graph.add(Concat(), inputs=(before, new), name="concat")


def _transition(graph: Graph, name: str) -> None:
    """Half of the maps at half of the resolution."""
    fewer = Conv(graph.output_shape.channels // 2, 1, bias=False)
    with graph.scope(name, kind="Transition"):
        graph.add(BatchNorm(), Relu(), fewer, AvgPool(2), names=("norm", "relu", "conv", "pool"))
