"""GoogLeNet, the first network of inception modules.

Source: Szegedy et al., Going deeper with convolutions, 2014, table 1 and figures 2b and 3.

What this form changed, as torchvision does: a batch norm with epsilon 0.001 after each convolution, which
has no bias; no local response norm; dropout of 0.2 before the classifier and 0.7 in the auxiliary heads (0.4
and 0.7 in the paper); in the branch that the paper calls 5x5 the kernel is 3x3, as in the weights that are
published; poolings between stages include windows that extend beyond the image (ceil mode).
"""

from cnncli.models.blocks import is_small, widened
from cnncli.nn import (
    AdaptiveAvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Graph,
    Linear,
    MaxPool,
    Relu,
)

#: Maps of each module: of 1x1; before and of 3x3; before and of "5x5"; after the pooling.
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
HEADS = {"4a": "aux1", "4d": "aux2"}  # auxiliary heads, by the module that they read


def googlenet(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    seed: int = 0,
    aux: bool = False,
    width: float = 1.0,
) -> Graph:
    """A stem, nine inception modules in three stages, and a classifier on the mean of each map.

    With ``aux``, the graph has the outputs ``aux1`` and ``aux2`` of two auxiliary heads, which serve training
    alone. Images with a side below 64 pixels get a first convolution of 3x3 without stride, and no pooling
    after it.
    """
    graph = Graph(input_shape)
    if is_small(input_shape):
        _convolution(graph, "conv1", Conv(widened(64, width), 3, padding=1, bias=False))
    else:
        _convolution(graph, "conv1", Conv(widened(64, width), 7, stride=2, padding=3, bias=False))
        graph.add(MaxPool(3, stride=2, ceil=True), name="maxpool1")
    _convolution(graph, "conv2", Conv(widened(64, width), 1, bias=False))
    _convolution(graph, "conv3", Conv(widened(192, width), 3, padding=1, bias=False))
    graph.add(MaxPool(3, stride=2, ceil=True), name="maxpool2")
    last = {"3b": ("maxpool3", 3), "4e": ("maxpool4", 2)}
    for module, maps in MODULES.items():
        _inception(graph, f"inception{module}", [widened(c, width) for c in maps])
        if aux and module in HEADS:
            _auxiliary_head(graph, HEADS[module], classes, seed=seed, width=width)
        if module in last:
            name, size = last[module]
            graph.add(MaxPool(size, stride=2, ceil=True), name=name)
    graph.add(GlobalAvgPool(), Dropout(0.2, seed), names=("avgpool", "dropout"))
    graph.add(Linear(classes), name="fc")
    return graph


def _convolution(graph: Graph, name: str, conv: Conv, *, source: str | None = None) -> str:
    """A convolution with its batch norm and ReLU, as a scope."""
    with graph.scope(name, kind="BasicConv2d"):
        return graph.add(conv, BatchNorm(epsilon=1e-3), Relu(), names=("conv", "bn", "relu"), inputs=source)


def _inception(graph: Graph, name: str, maps: list[int]) -> None:
    """Four branches, whose maps are put together: figure 2b."""
    source = graph.output
    one, before_three, three, before_five, five, pooled = maps
    with graph.scope(name, kind="Inception"):
        branches = [_convolution(graph, "branch1", Conv(one, 1, bias=False), source=source)]
        for number, first, second in ((2, before_three, three), (3, before_five, five)):
            _convolution(graph, f"branch{number}.0", Conv(first, 1, bias=False), source=source)
            branches.append(_convolution(graph, f"branch{number}.1", Conv(second, 3, padding=1, bias=False)))
        graph.add(MaxPool(3, stride=1, padding=1, ceil=True), name="branch4.0", inputs=source)
        branches.append(_convolution(graph, "branch4.1", Conv(pooled, 1, bias=False)))
        graph.add(Concat(), inputs=branches, name="concat")


def _auxiliary_head(graph: Graph, name: str, classes: int, *, seed: int, width: float) -> None:
    """A classifier in the middle of the network, so that gradients reach its first layers: section 5."""
    trunk = graph.output
    with graph.scope(name, kind="InceptionAux"):
        graph.add(AdaptiveAvgPool(4), name="avgpool")
        _convolution(graph, "conv", Conv(widened(128, width), 1, bias=False))
        graph.add(Flatten(), Linear(widened(1024, width)), Relu(), names=("flatten", "fc1", "relu"))
        graph.set_output(graph.add(Dropout(0.7, seed), Linear(classes), names=("dropout", "fc2")), name)
    graph.set_output(trunk)
