"""Receptive fields hold all pixels that a value depends on, where branches are padded unevenly."""

import numpy as np
import pytest

from cnncli.models.fields import receptive_fields
from cnncli.nn import Add, AvgPool, Concat, Conv, GlobalAvgPool, Graph, Network, ScaleChannels, Upsample
from cnncli.nn.gradient import Gradient, of_unit

SIDE = 24


def strided(rng):
    padding = tuple((int(rng.integers(4)), int(rng.integers(4))) for _ in range(2))
    size, stride, dilation = (int(rng.integers(1, end)) for end in (6, 3, 3))
    return Conv(1, size, stride=stride, padding=padding, dilation=dilation)


def of_the_same_size(rng):
    size = int(rng.integers(1, 8))
    before = [int(rng.integers(size)) for _ in range(2)]
    return Conv(1, size, padding=tuple((each, size - 1 - each) for each in before))


ENDS = (
    lambda rng: Upsample(2, "bilinear"),
    lambda rng: Upsample((3, 2)),
    lambda rng: AvgPool(2),
    of_the_same_size,
)


def branched(rng, number):
    graph = Graph((SIDE, SIDE, 1))
    stem = graph.add(strided(rng))
    branches = [graph.add(of_the_same_size(rng), inputs=stem) for _ in range(2)]
    joined = graph.add((Add, Concat)[number % 2](), inputs=branches)
    if number % 3 == 0:
        factors = graph.add(GlobalAvgPool(), inputs=joined)
        joined = graph.add(ScaleChannels(), inputs=(joined, factors))
    graph.add(ENDS[number % 4](rng), inputs=joined, name="end")
    return graph


@pytest.mark.parametrize("number", range(24))
def test_a_field_holds_every_pixel_that_a_value_depends_on(number):
    rng = np.random.default_rng(number)
    graph = branched(rng, number)
    network = Network(graph, scheme=None)
    network.load({name: np.ones(each.shape, np.float32) for name, each in network.export().items()})
    gradient = Gradient(network, 1, threads=1)
    image = np.ones((1, SIDE, SIDE, 1), np.float32)
    height, width, channels = graph.shape_of("end")[:3]
    fields = receptive_fields(graph)["end"]
    for row, column in {(0, 0), (height // 2, width // 2), (height - 1, width - 1), (height // 3, 0)}:
        starts = [of_unit(unit, (row, column)) for unit in range(channels)]
        flows = [gradient.run(image, start).gradients["input"][0, ..., 0] for start in starts]
        depends = np.any(flows, axis=0)
        for axis, place in ((1, row), (0, column)):
            pixels = np.flatnonzero(depends.any(axis))
            low, high = fields[1 - axis].span(place, SIDE)
            assert not len(pixels) or (
                low * SIDE <= pixels[0] + 1e-9 and pixels[-1] + 1 <= high * SIDE + 1e-9
            )
