"""U-Net: down through coarser and coarser maps, and up again with what was seen on the way.

Source: Ronneberger, Fischer and Brox, U-Net: convolutional networks for biomedical image segmentation, 2015,
figure 1.

What this form changed, as nearly all do today: convolutions are padded, so that the answer is as large as
the image; batch norm follows each; and images whose sides are no multiples of 16 are halved fewer times.
Names are those of the widespread PyTorch form by Milesi.
"""

from cnncli.errors import CnncliError
from cnncli.models.blocks import widened
from cnncli.nn import Add, BatchNorm, Concat, Conv, ConvTranspose, Graph, MaxPool, Relu, Upsample

MAPS = (64, 128, 256, 512, 1024)  # of each level, from the finest down


def unet(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    width: float = 1.0,
    stride: float = 1,
    scales: bool = False,
) -> Graph:
    """Halve up to four times, double as often, and give each pixel a value for each class.

    With a stride of 2 the first convolution halves as well, and a transposed one at the end doubles: all maps
    have a quarter of the pixels. With ``scales`` each level on the way up has values for the classes, and the
    sum over the levels counts: what a digit is can be learned where a few values see all of it. Source:
    Kayalibay, Jensen and van der Smagt, CNN-based segmentation of medical imaging data, 2017, figure 5.
    """
    stride = int(stride)
    levels = _levels(input_shape, stride)
    maps = [widened(each, width) for each in MAPS[: levels + 1]]
    graph = Graph(input_shape)
    with graph.scope("inc", kind="DoubleConv"):
        skips = [_double(graph, maps[0], stride)]
    for number, each in enumerate(maps[1:], 1):
        with graph.scope(f"down{number}", kind="Down"):
            graph.add(MaxPool(2), name="maxpool_conv.0")
            with graph.scope("maxpool_conv.1"):
                skips.append(_double(graph, each))
    coarser = graph.add(Conv(classes, 1), name="score0") if scales else ""
    found = skips[-1]
    for number, each in enumerate(reversed(maps[:-1]), 1):
        with graph.scope(f"up{number}", kind="Up"):
            finer = graph.add(ConvTranspose(each, 2, 2), inputs=found, name="up")
            graph.add(Concat(), inputs=(skips[-1 - number], finer), name="concat")
            with graph.scope("conv"):
                found = _double(graph, each)
        if scales and (number < levels or stride > 1):
            coarser = _summed(graph, coarser, graph.add(Conv(classes, 1), name=f"score{number}"), number)
    last = Conv(classes, 1) if stride == 1 else ConvTranspose(classes, stride, stride)
    finest = graph.add(last, inputs=found, name="outc.conv")
    if scales:
        _summed(graph, coarser, finest, levels + (stride > 1))
    return graph


def _summed(graph: Graph, coarser: str, finer: str, number: int) -> str:
    """Values of the classes of a level, added to those of the coarser ones, enlarged."""
    enlarged = graph.add(Upsample(2, "bilinear"), inputs=coarser, name=f"enlarged{number}")
    return graph.add(Add(), inputs=(finer, enlarged), name=f"sum{number}")


def _double(graph: Graph, maps: int, stride: int = 1) -> str:
    """Two 3x3 convolutions, each with batch norm and ReLU."""
    with graph.scope("double_conv"):
        first, second = (Conv(maps, 3, each, padding=1, bias=False) for each in (stride, 1))
        layers = [first, BatchNorm(), Relu(), second, BatchNorm(), Relu()]
        return graph.add(*layers, names=[str(number) for number in range(len(layers))])


def _levels(input_shape: tuple[int, int, int], stride: int) -> int:
    """How many times both sides can be halved after the first convolution, four at most."""
    levels = 0
    while levels < len(MAPS) - 1 and all(
        side % (stride * 2 ** (levels + 1)) == 0 for side in input_shape[:2]
    ):
        levels += 1
    if not levels:
        height, width, _ = input_shape
        raise CnncliError(
            f"a U-Net halves its images, and {width}x{height} pixels have an odd side; expected even ones",
            "Use --size with multiples of 16.",
        )
    return levels
