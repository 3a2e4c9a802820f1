"""Residual networks, also with squeeze-and-excitation.

Sources: He, Zhang, Ren and Sun, Deep residual learning for image recognition, 2015, table 1, figure 5 and
section 4.2; Hu, Shen and Sun, Squeeze-and-excitation networks, 2017, figure 3.

What these forms changed, as torchvision and timm do: a bottleneck's stride is in its 3x3 convolution (in its
first 1x1 in the paper); a skip that changes shape is a 1x1 convolution with a batch norm (option B), but in
the networks for images of 32x32 it has no weights (option A), as in the paper; a squeeze has a sixteenth of
the channels, to a multiple of 8, and its two layers are 1x1 convolutions with biases.
"""

from cnncli.models.blocks import conv_bn, in_eights, is_small, widened
from cnncli.nn import (
    Add,
    BatchNorm,
    Conv,
    GlobalAvgPool,
    Graph,
    Linear,
    MaxPool,
    PadChannels,
    Relu,
    ScaleChannels,
    Sigmoid,
)

#: Blocks of each stage, by the number of layers with weights.
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
_BOTTLENECKED = 50  # networks of so many layers or more have bottlenecks
_EXPANSION = 4  # of the channels of a bottleneck at its end
_REDUCTION = 16  # of the channels of a squeeze


def resnet(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    depth: int,
    squeeze: bool = False,
    width: float = 1.0,
) -> Graph:
    """A stem and four stages of residual blocks, whose channels double as their resolution halves.

    Images with a side below 64 pixels get a first convolution of 3x3 without stride, and no pooling after it.
    """
    graph = Graph(input_shape)
    first = widened(64, width)
    if is_small(input_shape):
        conv_bn(graph, "1", Conv(first, 3, padding=1, bias=False), BatchNorm())
    else:
        conv_bn(graph, "1", Conv(first, 7, stride=2, padding=3, bias=False), BatchNorm())
        graph.add(MaxPool(3, stride=2, padding=1), name="maxpool")
    kind = "Bottleneck" if depth >= _BOTTLENECKED else "BasicBlock"
    for stage, blocks in enumerate(BLOCKS[depth]):
        channels = widened(64 << stage, width)
        for number in range(blocks):
            stride = 2 if stage and number == 0 else 1
            with graph.scope(f"layer{stage + 1}.{number}", kind=kind):
                basic_block(
                    graph, channels, stride=stride, bottleneck=depth >= _BOTTLENECKED, squeeze=squeeze
                )
    graph.add(GlobalAvgPool(), Linear(classes), names=("avgpool", "fc"))
    return graph


def small_resnet(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    depth: int,
    squeeze: bool = False,
    width: float = 1.0,
) -> Graph:
    """Three stages of (depth - 2) / 6 residual blocks with 16, 32 and 64 channels, for images of 32x32."""
    graph = Graph(input_shape)
    conv_bn(graph, "1", Conv(widened(16, width), 3, padding=1, bias=False), BatchNorm())
    blocks = (depth - 2) // 6
    for number in range(3 * blocks):
        stage, place = divmod(number, blocks)
        stride = 2 if stage and place == 0 else 1
        with graph.scope(f"l.{number}", kind="BasicBlock"):
            basic_block(graph, widened(16 << stage, width), stride=stride, squeeze=squeeze, option_a=True)
    graph.add(GlobalAvgPool(), Linear(classes), names=("avgpool", "linear"))
    return graph


def basic_block(
    graph: Graph,
    channels: int,
    *,
    stride: int,
    bottleneck: bool = False,
    squeeze: bool = False,
    option_a: bool = False,
) -> None:
    """Two 3x3 convolutions, or one between two of 1x1, and a skip that is added to them."""
    start = graph.output
    if bottleneck:
        conv_bn(graph, "1", Conv(channels, 1, bias=False), BatchNorm())
        conv_bn(graph, "2", Conv(channels, 3, stride=stride, padding=1, bias=False), BatchNorm())
        channels *= _EXPANSION
        main = conv_bn(graph, "3", Conv(channels, 1, bias=False), BatchNorm(), relu=False)
    else:
        conv_bn(graph, "1", Conv(channels, 3, stride=stride, padding=1, bias=False), BatchNorm())
        main = conv_bn(graph, "2", Conv(channels, 3, padding=1, bias=False), BatchNorm(), relu=False)
    if squeeze:
        main = _squeeze(graph, main)
    skip = _skip(graph, start, channels, stride=stride, option_a=option_a)
    graph.add(Add(), Relu(), inputs=(main, skip), names=("add", "relu"))


def _squeeze(graph: Graph, source: str) -> str:
    """Each channel times a factor from 0 to 1, which two layers compute from the means of all channels."""
    channels = graph.shape_of(source).channels
    fewer = in_eights(channels // _REDUCTION)
    with graph.scope("se", kind="SEModule"):
        graph.add(GlobalAvgPool(), Conv(fewer, 1), Relu(), names=("mean", "fc1", "relu"), inputs=source)
        factors = graph.add(Conv(channels, 1), Sigmoid(), names=("fc2", "gate"))
        return graph.add(ScaleChannels(), name="scale", inputs=(source, factors))


def _skip(graph: Graph, start: str, channels: int, *, stride: int, option_a: bool) -> str:
    """What is added to the convolutions: the block's input, brought to their shape."""
    before = graph.shape_of(start).channels
    if stride == 1 and before == channels:
        return start
    with graph.scope("downsample"):
        if option_a:
            more = channels - before
            zeros = PadChannels(more // 2, more - more // 2)
            return graph.add(MaxPool(1, stride=stride), zeros, names=("every", "zeros"), inputs=start)
        conv = Conv(channels, 1, stride=stride, bias=False)
        return graph.add(conv, BatchNorm(), names=("0", "1"), inputs=start)
