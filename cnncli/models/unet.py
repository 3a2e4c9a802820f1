"""U-Net: down through coarser and coarser maps, and up again with what was seen on the way.

Source: Ronneberger, Fischer and Brox, U-Net: convolutional networks for biomedical image segmentation, 2015,
figure 1.

What this form changed, as nearly all do today: convolutions are padded, so that the answer is as large as
the image; batch norm follows each; and images whose sides are no multiples of 16 are halved fewer times.
Names are those of the widespread PyTorch form by Milesi.
"""

from cnncli.errors import CnncliError
from cnncli.models.blocks import widened
from cnncli.nn import BatchNorm, Concat, Conv, ConvTranspose, Graph, MaxPool, Relu

MAPS = (64, 128, 256, 512, 1024)  # of each level, from the finest down


def unet(input_shape: tuple[int, int, int], classes: int, *, width: float = 1.0) -> Graph:
    """Halve up to four times, double as often, and give each pixel a value for each class."""
    levels = _levels(input_shape)
    maps = [widened(each, width) for each in MAPS[: levels + 1]]
    graph = Graph(input_shape)
    with graph.scope("inc", kind="DoubleConv"):
        skips = [_double(graph, maps[0])]
    for number, each in enumerate(maps[1:], 1):
        with graph.scope(f"down{number}", kind="Down"):
            graph.add(MaxPool(2), name="maxpool_conv.0")
            with graph.scope("maxpool_conv.1"):
                skips.append(_double(graph, each))
    for number, each in enumerate(reversed(maps[:-1]), 1):
        with graph.scope(f"up{number}", kind="Up"):
            finer = graph.add(ConvTranspose(each, 2, 2), name="up")
            graph.add(Concat(), inputs=(skips[-1 - number], finer), name="concat")
            with graph.scope("conv"):
                _double(graph, each)
    graph.add(Conv(classes, 1), name="outc.conv")
    return graph


def _double(graph: Graph, maps: int) -> str:
    """Two 3x3 convolutions, each with batch norm and ReLU."""
    with graph.scope("double_conv"):
        conv = Conv(maps, 3, padding=1, bias=False)
        layers = [conv, BatchNorm(), Relu(), conv, BatchNorm(), Relu()]
        return graph.add(*layers, names=[str(number) for number in range(len(layers))])


def _levels(input_shape: tuple[int, int, int]) -> int:
    """How many times both sides can be halved, four at most."""
    levels = 0
    while levels < len(MAPS) - 1 and all(side % 2 ** (levels + 1) == 0 for side in input_shape[:2]):
        levels += 1
    if not levels:
        height, width, _ = input_shape
        raise CnncliError(
            f"a U-Net halves its images, and {width}x{height} pixels have an odd side; expected even ones",
            "Use --size with multiples of 16.",
        )
    return levels
