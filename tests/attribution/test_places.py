"""Attributions of a place in maps, a box or the pixels of a class, against plain sums and differences."""

import numpy as np
import pytest

from cnncli.attribution.gradcam import chosen_layer
from cnncli.attribution.methods import METHODS
from cnncli.attribution.model import Aim, How, Plans
from cnncli.models.choice import build
from cnncli.nn import Conv, ConvTranspose, Graph, Inference, Network, Relu, Sigmoid

ROW, COLUMN, CLASS = 4, 6, 1


@pytest.fixture
def maps():
    """A network with three values for each pixel, a picture, and the value of one of them at one place."""
    graph = Graph((9, 11, 2))
    graph.add(Conv(5, 3, padding=1), Relu(), Conv(3, 3, padding=1), names=("first", "relu", "out"))
    x = np.random.default_rng(3).standard_normal((9, 11, 2)).astype(np.float32)
    weights = np.zeros((9, 11, 3), np.float32)
    weights[ROW, COLUMN, CLASS] = 1
    return Network(graph, seed=4), x, Aim("out", weights)


def test_each_position_of_the_maps_counts_by_its_own_gradient(maps):
    """Of the value at a place the kernel's nine taps, times the maps below them."""
    network, x, aim = maps
    found = METHODS["gradcam"].attribute(Plans(network, threads=1), x, aim, How())
    assert found.about == {"layer": "relu", "shape": [9, 11, 5], "by_position": True}
    below = Inference(network, 1, keep=("relu",)).activations(x[None])["relu"][0].astype(np.float64)
    kernel = network.array("out.weight")[CLASS].astype(np.float64)
    expected = np.zeros((9, 11))
    for tap_row in range(3):
        for tap_column in range(3):
            at = ROW + tap_row - 1, COLUMN + tap_column - 1
            expected[at] = below[at] @ kernel[:, tap_row, tap_column]
    np.testing.assert_allclose(found.values[..., 0], expected, atol=1e-5)
    bias = network.array("out.bias")[CLASS]
    value = Plans(network, threads=1).values(np.stack([x, x]), aim)
    np.testing.assert_allclose(value, expected.sum() + bias, atol=1e-5)


@pytest.mark.parametrize("method", ["saliency", "integrated", "occlusion"])
def test_only_what_the_place_sees_counts(maps, method):
    """Five pixels around it, two for each convolution."""
    network, x, aim = maps
    heatmap = METHODS[method].attribute(Plans(network, threads=1), x, aim, How()).heatmap
    seen = np.zeros((9, 11), bool)
    seen[ROW - 2 : ROW + 3, COLUMN - 2 : COLUMN + 3] = True
    if method == "occlusion":  # windows are two pixels wide
        seen[ROW - 3 : ROW + 4, COLUMN - 3 : COLUMN + 4] = True
    assert heatmap[seen].any()
    assert not heatmap[~seen].any()


def test_gradients_through_maps_that_are_enlarged():
    """Against differences; nothing is trained, and the kernels of the enlarging layer get no gradient."""
    graph = Graph((8, 8, 1))
    graph.add(Conv(4, 3, padding=1, stride=2), Sigmoid(), ConvTranspose(3, 2, stride=2), name="up")
    network = Network(graph, seed=1)
    random = np.random.default_rng(5)
    x = random.standard_normal((8, 8, 1)).astype(np.float32)
    aim = Aim(graph.output, random.standard_normal((8, 8, 3)).astype(np.float32))
    plans = Plans(network, threads=1)
    found = METHODS["saliency"].attribute(plans, x, aim, How()).values
    step = 1e-2
    for row, column in ((0, 0), (3, 5), (7, 7)):
        moved = np.repeat(x[None], 2, axis=0)
        moved[0, row, column, 0] += step
        moved[1, row, column, 0] -= step
        high, low = plans.values(moved, aim)
        assert found[row, column, 0] == pytest.approx((high - low) / (2 * step), abs=2e-3)


@pytest.mark.parametrize(
    ("model", "side", "layer"),
    [
        ("detector:neck=8", 64, "neck.lateral8"),  # maps of 8x8, as many points as the finest scale has
        ("unet:width=0.125", 64, "down3"),  # 8x8, before maps are enlarged again
        ("unet:width=0.125", 128, "down4"),
        ("segmenter", 128, "level8.deeper"),  # 8x8, what deeper maps give to the next level
    ],
)
def test_the_layer_that_is_chosen(model, side, layer):
    graph = build(model, (side, side, 3), 5)
    assert chosen_layer(graph).startswith(layer)
