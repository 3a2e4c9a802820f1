"""What is not finite in a pixel reaches the outputs whose windows see it, and no others."""

import numpy as np
import pytest

from cnncli.nn import (
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Gelu,
    Graph,
    Inference,
    MaxPool,
    Network,
    Relu,
    Relu6,
    Silu,
)

H, W = 5, 6
#: Around the lanes of a vector and the block of a tile, and where sums of 3x3 windows have several parts.
CHANNELS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 20, 31, 33, 40)
#: Layers from the input to what is added to it, and how far windows reach.
ADDED = {
    "a convolution": (lambda c: [Conv(c, 1)], 0),
    "with a norm": (lambda c: [Conv(c, 1, bias=False), BatchNorm()], 0),
    "a norm": (lambda c: [BatchNorm()], 0),
    "an activation": (lambda c: [Conv(c, 1), Silu()], 0),
    "each channel by itself": (lambda c: [Conv(c, 3, padding="same", groups=c)], 1),
    "two groups": (lambda c: [Conv(c, 1, groups=2 - c % 2)], 0),
    "a window": (lambda c: [Conv(c, 3, padding="same")], 1),
    "a maximum": (lambda c: [MaxPool(3, stride=1, padding=1)], 1),
    "a mean": (lambda c: [AvgPool(3, stride=1, padding=1)], 1),
}


def check(graph, reach):
    """Outputs beyond the reach of a pixel are those of an input where it is 0."""
    network = Network(graph, seed=1)
    channels = graph.input_shape[2]
    images = np.random.default_rng(0).standard_normal((2, H, W, channels), np.float32)
    for count, threads in ((1, 1), (2, 2)):
        inference = Inference(network, count, threads=threads)
        for place in ((0, 0, 0), (0, 1, W - 1), (0, 2, 3), (count - 1, H - 1, W - 2)):
            seen = np.zeros((count, H, W), bool)
            image, y, x = place
            seen[image, max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1] = True
            for value in (np.nan, np.inf):
                given = images[:count].copy()
                given[place] = 0
                expected = inference.run(given).reshape(count, H, W, -1).copy()
                given[place] = value
                found = inference.run(given).reshape(expected.shape)
                np.testing.assert_array_equal(found[~seen], expected[~seen])
                assert np.isnan(found[place]).any() or not np.isnan(value)


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("kind", ADDED)
def test_a_layer_is_added_to_another(kind, channels):
    layers, reach = ADDED[kind]
    graph = Graph((H, W, channels))
    graph.add(*layers(channels))
    graph.add(Add(), inputs=("input", graph.output))
    check(graph, reach)


@pytest.mark.parametrize("channels", CHANNELS)
def test_convolutions_are_added_to_each_other(channels):
    graph = Graph((H, W, channels))
    graph.add(Conv(channels, 1), name="a")
    graph.add(Conv(channels, 1), name="b", inputs="input")
    graph.add(Add(), inputs=("a", "b"))
    graph.add(Relu6(), name="sum")
    graph.add(Conv(channels, 1), name="c")
    graph.add(Concat(), inputs=("sum", "c"))
    graph.add(Conv(channels, 3, padding="same"), Gelu())
    check(graph, 1)


@pytest.mark.parametrize("channels", CHANNELS)
def test_sums_of_several_parts(channels):
    graph = Graph((H, W, 40))
    graph.add(Conv(channels, 3, padding="same"), Relu())
    check(graph, 1)
