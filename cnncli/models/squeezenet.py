"""SqueezeNet: the accuracy of AlexNet with a fiftieth of its parameters.

Source: Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size,
2016, table 1 and figure 1; version 1.1 is from the authors' repository.

What this form changed, as torchvision does: poolings include windows that extend beyond the image (ceil
mode). Version 1.1 has a first convolution of 3x3 instead of 7x7 and pools earlier, for less than half of the
multiply-adds. Images with a side below 64 pixels get a first convolution of 3x3 without stride, and no
pooling after it.
"""

from cnncli.models.blocks import is_small, numbered, widened
from cnncli.nn import Concat, Conv, Dropout, GlobalAvgPool, Graph, MaxPool, Relu

#: Maps of the fire modules, squeezed and expanded, and poolings (0) between them, after the first pooling.
LAYERS: dict[str, tuple[tuple[int, int] | int, ...]] = {
    "1.0": ((16, 64), (16, 64), (32, 128), 0, (32, 128), (48, 192), (48, 192), (64, 256), 0, (64, 256)),
    "1.1": ((16, 64), (16, 64), 0, (32, 128), (32, 128), 0, (48, 192), (48, 192), (64, 256), (64, 256)),
}
STEMS = {"1.0": (96, 7), "1.1": (64, 3)}  # maps and kernel of the first convolution


def squeezenet(
    input_shape: tuple[int, int, int], classes: int, *, version: str, seed: int = 0, width: float = 1.0
) -> Graph:
    """A first convolution, eight fire modules with poolings between them, and a map for each class."""
    graph = Graph(input_shape)
    maps, kernel = STEMS[version]
    with graph.scope("features"):
        if is_small(input_shape):
            graph.add(Conv(widened(maps, width), 3, padding=1), Relu(), names=("0", "1"))
        else:
            stem = Conv(widened(maps, width), kernel, stride=2)
            graph.add(stem, Relu(), MaxPool(3, stride=2, ceil=True), names=("0", "1", "2"))
        for number, layer in enumerate(LAYERS[version], 3):
            if isinstance(layer, int):
                graph.add(MaxPool(3, stride=2, ceil=True), name=str(number))
            else:
                with graph.scope(str(number), kind="Fire"):
                    _fire(graph, *(widened(each, width) for each in layer))
    numbered(graph, "classifier", [Dropout(0.5, seed), Conv(classes, 1), Relu(), GlobalAvgPool()])
    return graph


def _fire(graph: Graph, squeezed: int, expanded: int) -> None:
    """A 1x1 convolution to few maps, and from those 1x1 and 3x3 convolutions side by side: figure 1."""
    source = graph.add(Conv(squeezed, 1), Relu(), names=("squeeze", "squeeze_activation"))
    branches = [
        graph.add(
            Conv(expanded, size, padding=size // 2),
            Relu(),
            names=(f"expand{size}x{size}", f"expand{size}x{size}_activation"),
            inputs=source,
        )
        for size in (1, 3)
    ]
    graph.add(Concat(), inputs=branches, name="concat")
