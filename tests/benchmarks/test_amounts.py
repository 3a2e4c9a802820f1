"""That amounts of work are what PyTorch counts while it computes, and filters' what their kernels say."""

import numpy as np
import pytest

from cnncli.filters.second import Second
from cnncli.filters.spec import parse_spec
from cnncli.models.choice import build
from cnncli.nn import Conv, Flatten, Graph, Linear, Network, Relu
from cnncli.records import replace

from . import amounts, twins
from .filters import weights_of_any_kernel

torch = pytest.importorskip("torch")


def small():
    graph = Graph((9, 7, 3))
    graph.add(Conv(6, 3, padding=1), Relu(), Conv(4, (2, 3), stride=2), Relu(), Flatten(), Linear(5))
    return graph


def counted(graph, images, *, learns):
    """Multiply-adds as PyTorch counts them while it computes."""
    from torch.utils.flop_counter import FlopCounterMode

    twin = twins.torch_twin(Network(graph, seed=1))
    height, width, channels = graph.input_shape[:3]
    with FlopCounterMode(display=False) as counter:
        outputs = twin(torch.zeros(images, channels, height, width))
        if learns:
            outputs.sum().backward()
    return counter.get_total_flops() // 2, sum(each.numel() for each in twin.parameters())


@pytest.mark.parametrize("graph", [small(), build("lenet5", (28, 28, 1), 10)], ids=["small", "LeNet-5"])
def test_amounts_of_networks(graph, monkeypatch):
    monkeypatch.setattr(amounts, "WINOGRAD", 1)  # PyTorch counts taps
    images = 3
    work, held = counted(graph, images, learns=False)
    pixels = images * np.prod(graph.input_shape[:3])
    answers = images * graph.nodes[graph.output].shape.size
    amount = amounts.of_inference(graph, images)
    assert amount == amounts.Amount(4 * (held + pixels), 4 * answers, work)

    amount = amounts.of_training(graph, images)
    outputs = [node.shape.size for node in graph.nodes.values() if node.layer.parameters(node.input_shapes)]
    kept = images * sum(outputs)
    reads, writes = 4 * (pixels + 3 * held + kept), 4 * (2 * held + kept)
    assert amount == amounts.Amount(reads, writes, counted(graph, images, learns=True)[0])


def test_winograd_takes_a_quarter():
    tiled, strided = Graph((8, 8, 2)), Graph((8, 8, 2))
    tiled.add(Conv(4, 3, padding=1))
    strided.add(Conv(4, 3, padding=1, stride=2))
    assert amounts.of_inference(tiled, 1).multiply_adds == 8 * 8 * 4 * 2 * 36 // 16
    assert amounts.of_inference(strided, 1).multiply_adds == 4 * 4 * 4 * 2 * 9


@pytest.mark.parametrize(
    ("kernels", "taps"),
    [
        ((weights_of_any_kernel(5),), 25),
        ((weights_of_any_kernel(31),), amounts.TRANSFORM),
        (parse_spec("gaussian:sigma=1,size=7").kernels, 14),
        (parse_spec("laplacian").kernels, 5),
        (parse_spec("sobel").kernels, 5 + 5),
        (parse_spec("median:size=3").kernels, 0),
    ],
    ids=["5x5", "31x31", "Gaussian", "Laplacian", "Sobel", "median"],
)
def test_taps_are_the_fewest(kernels, taps):
    assert amounts.taps(kernels) == taps


def test_bytes_of_a_filter():
    source, out = np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5, 3), np.float32)
    assert amounts.of_filter(parse_spec("laplacian"), source, out) == amounts.Amount(60, 240, 300)
    part = np.zeros((2, 2, 3), np.uint8)
    assert amounts.of_filter(parse_spec("crop:2x2+1+1"), source, part) == amounts.Amount(12, 12)
    second = replace(parse_spec("add:other"), second=Second("other", source, None, None, 255.0))
    assert amounts.of_filter(second, source, source) == amounts.Amount(120, 60)
    assert amounts.of_filter(parse_spec("add:level=0.5"), source, source) == amounts.Amount(60, 60)
