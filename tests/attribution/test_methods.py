"""Attribution methods by their properties, and against their formulas in NumPy."""

import numpy as np
import pytest

from cnncli.attribution import gradcam, integrated, occlusion
from cnncli.attribution.methods import METHODS
from cnncli.attribution.model import How, Plans, blurred, enlarged
from cnncli.errors import CnncliError
from cnncli.models.choice import build
from cnncli.nn import (
    BatchNorm,
    Conv,
    Flatten,
    GlobalAvgPool,
    Graph,
    Inference,
    Linear,
    MaxPool,
    Network,
    Relu,
)
from cnncli.nn.gradient import Gradient, of_class

SIDE = 12


@pytest.fixture(scope="module")
def network():
    graph = Graph((SIDE, SIDE, 2))
    graph.add(Conv(8, 3, padding=1), BatchNorm(), Relu(), MaxPool(2), Conv(6, 3, padding=1), Relu())
    graph.add(Flatten(), Linear(3))
    return Network(graph, seed=4)


@pytest.fixture(scope="module")
def plans(network):
    return Plans(network, threads=1)


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).standard_normal((SIDE, SIDE, 2), np.float32)


@pytest.mark.parametrize("name", METHODS)
def test_a_heatmap_is_signed_and_as_large_as_the_image(name, plans, x):
    found = METHODS[name].attribute(plans, x, 1, How())
    assert found.heatmap.shape == (SIDE, SIDE)
    assert found.heatmap.min() < 0 < found.heatmap.max()
    again = METHODS[name].attribute(plans, x, 1, How())
    assert again.heatmap.tobytes() == found.heatmap.tobytes()
    other = METHODS[name].attribute(plans, x, 2, How())
    assert np.abs(other.heatmap - found.heatmap).max() > 1e-3


@pytest.fixture(scope="module")
def by_pixel():
    """Plans of a network whose output is a weighted sum of rectified pixels; the weights; an image."""
    random = np.random.default_rng(3)
    graph = Graph((SIDE, SIDE, 1))
    graph.add(Conv(1, 1), Relu(), Flatten(), Linear(2))
    network = Network(graph, seed=0)
    weight = random.standard_normal((2, SIDE * SIDE)).astype(np.float32)
    network.load(
        {
            "conv1.weight": np.ones_like(network.array("conv1.weight")),
            "conv1.bias": np.zeros(1, np.float32),
            "linear1.weight": weight,
            "linear1.bias": np.zeros(2, np.float32),
        }
    )
    x = random.standard_normal((SIDE, SIDE, 1)).astype(np.float32)
    return Plans(network, threads=1), weight[1].reshape(SIDE, SIDE), x


def test_gradients_of_a_weighted_sum_of_rectified_pixels_are_the_weights(by_pixel):
    """Where a pixel is above 0; guided backpropagation holds back those that are below 0 themselves."""
    plans, weight, x = by_pixel
    there = x[..., 0] > 0
    saliency, guided = (METHODS[name].attribute(plans, x, 1, How()) for name in ("saliency", "guided"))
    np.testing.assert_allclose(saliency.values[..., 0], weight * there, atol=1e-6)
    np.testing.assert_allclose(guided.values[..., 0], np.maximum(weight, 0) * there, atol=1e-6)


def test_integrated_gradients_of_rectified_pixels_are_their_parts(by_pixel):
    """At the baseline the gradient is 0, which counts as half of a step."""
    plans, weight, x = by_pixel
    found = METHODS["integrated"].attribute(plans, x, 1, How(steps=8))
    parts = weight * np.maximum(x[..., 0], 0)
    np.testing.assert_allclose(found.values[..., 0], parts * (1 - 0.5 / 8), atol=1e-5)


def test_smoothgrad_is_the_share_of_noise_that_leaves_a_pixel_above_0(by_pixel):
    """Pixels one deviation of the noise above 0 stay there for 84.1 % of it."""
    plans, weight, _ = by_pixel
    x = np.full((SIDE, SIDE, 1), 0.15, np.float32)
    x[0, :2, 0] = 0, 1  # the range, of which the noise is 0.15
    found = METHODS["smoothgrad"].attribute(plans, x, 1, How())
    shares = found.values[1:, :, 0] / weight[1:]
    assert shares.mean() == pytest.approx(0.841, abs=0.03)
    assert shares.std() == pytest.approx((0.841 * 0.159 / 32) ** 0.5, rel=0.2)


@pytest.mark.parametrize("baseline", ["mean", "blur"])
def test_integrated_gradients_sum_to_the_difference(network, plans, x, baseline):
    found = METHODS["integrated"].attribute(plans, x, 2, How(baseline=baseline))
    base = np.zeros_like(x) if baseline == "mean" else blurred(x)
    high, low = Inference(network, 2).run(np.stack([x, base]))[:, 2]
    gap = abs(found.values.sum() - (high - low)) / abs(high - low)
    assert gap <= 0.01
    assert found.about["gap"] == pytest.approx(gap, abs=1e-4)
    assert 64 <= found.about["steps"] <= 4096


def steep(side=6):
    """A network whose output falls on the first 2 % of the way from 0 to an image of ones, and then rises."""
    graph = Graph((side, side, 1))
    graph.add(Conv(3, 1), Relu(), Flatten(), Linear(2))
    network = Network(graph, seed=2)
    arrays = network.export()
    arrays["conv1.weight"] = np.array([-60.0, 1.0, 2.0], np.float32).reshape(3, 1, 1, 1)
    arrays["conv1.bias"] = np.array([1.0, -0.3, -1.1], np.float32)
    network.load(arrays)
    return network


def test_steps_are_halved_where_they_miss_most_and_the_rest_stay_long():
    plans = Plans(steep(), threads=1)
    x = np.random.default_rng(1).uniform(0.5, 1, (6, 6, 1)).astype(np.float32)
    found = METHODS["integrated"].attribute(plans, x, 1, How())
    equal = METHODS["integrated"].attribute(plans, x, 1, How(steps=found.about["steps"]))
    many = METHODS["integrated"].attribute(plans, x, 1, How(steps=16384)).values
    assert found.about["gap"] <= 0.01
    assert found.about["steps"] > 64
    off, off_of_equal = (np.linalg.norm(each.values - many) for each in (found, equal))
    assert off < 0.03 * np.linalg.norm(many)
    assert off < off_of_equal / 2


def test_unequal_steps_are_those_of_the_trapezoidal_rule(plans, network, x):
    path = integrated._Path(plans, x, np.zeros_like(x), 2)
    path.look(np.array([0.0, 0.25, 1.0]), How())
    path.look(np.array([0.625, 0.125]), How())
    gradient = Gradient(network, 1)
    places = [0.0, 0.125, 0.25, 0.625, 1.0]
    slopes = [gradient.run(np.float32(at) * x[None], of_class(2)).gradients["input"][0] for at in places]
    wanted = sum(
        (end - start) * (one.astype(float) + two) / 2
        for start, end, one, two in zip(places, places[1:], slopes, slopes[1:], strict=False)
    )
    np.testing.assert_allclose(path.values(How()), wanted * x, atol=1e-6)


def test_gradients_that_are_not_kept_are_computed_again_to_the_same_bits(plans, x, monkeypatch):
    kept = METHODS["integrated"].attribute(plans, x, 2, How())
    monkeypatch.setattr(integrated, "KEPT", 70 * x.nbytes)
    again = METHODS["integrated"].attribute(plans, x, 2, How())
    assert again.values.tobytes() == kept.values.tobytes()
    assert again.about == kept.about
    monkeypatch.setattr(integrated, "KEPT", 0)
    assert METHODS["integrated"].attribute(plans, x, 2, How()).values.tobytes() == kept.values.tobytes()


@pytest.mark.parametrize(("size", "baseline"), [((12, 12), "mean"), ((9, 13), "mean"), ((9, 13), "blur")])
def test_occlusion_equals_brute_force(size, baseline):
    graph = Graph((*size, 1))
    graph.add(Conv(4, 3), Relu(), Flatten(), Linear(2))
    network = Network(graph, seed=1)
    x = np.random.default_rng(0).standard_normal((*size, 1), np.float32)
    found = METHODS["occlusion"].attribute(Plans(network, threads=1), x, 1, How(baseline=baseline))
    base = np.zeros_like(x) if baseline == "mean" else blurred(x)
    side, stride = found.about["window"], found.about["stride"]
    inference = Inference(network, 1, threads=1)
    wanted = np.zeros(size)
    falls = {
        (row, column): inference.run(x[None])[0, 1]
        - inference.run(covered(x, base, row, column, side)[None])[0, 1]
        for row in occlusion.starts(size[0], side, stride)
        for column in occlusion.starts(size[1], side, stride)
    }
    for (row, column), _ in np.ndenumerate(wanted):
        over = [fall for (r, c), fall in falls.items() if 0 <= row - r < side and 0 <= column - c < side]
        assert over
        wanted[row, column] = np.mean(over)
    np.testing.assert_allclose(found.heatmap, wanted, atol=1e-5)


def covered(x, base, row, column, side):
    made = x.copy()
    window = slice(row, row + side), slice(column, column + side)
    made[window] = base[window]
    return made


def test_gradcam_equals_its_formula(network, plans, x):
    found = METHODS["gradcam"].attribute(plans, x, 0, How())
    flow = Gradient(network, 1, wrt=("relu2",), keep=("relu2",)).run(x[None], of_class(0))
    maps, slopes = flow.activations["relu2"][0], flow.gradients["relu2"][0]
    wanted = sum(slopes[..., k].mean() * maps[..., k] for k in range(6))
    assert found.about["layer"] == "relu2"
    np.testing.assert_allclose(found.values[..., 0], wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.heatmap, enlarged(found.values[..., 0], SIDE, SIDE))


def test_gradcam_before_a_global_pooling_is_the_class_activation_map():
    """With only a pooling and a linear layer behind, the weights are those of the class over the pixels."""
    graph = Graph((8, 8, 1))
    graph.add(Conv(5, 3, padding=1), BatchNorm(), Relu(), GlobalAvgPool(), Linear(3))
    network = Network(graph, seed=2)
    x = np.random.default_rng(0).standard_normal((8, 8, 1), np.float32)
    found = METHODS["gradcam"].attribute(Plans(network), x, 1, How())
    assert found.about["layer"] == "relu1"
    maps = Inference(network, 1, keep=("relu1",)).activations(x[None])["relu1"][0]
    np.testing.assert_allclose(
        found.values[..., 0], maps @ network.array("linear1.weight")[1] / 64, atol=1e-6
    )


LAYERS = {
    "lenet5": (28, 1, "relu2"),
    "alexnet": (96, 3, "features.11"),
    "resnet20": (32, 3, "l.8.relu"),
    "seresnet20": (32, 3, "l.8.relu"),
    "googlenet": (96, 3, "inception5b.concat"),
    "squeezenet1.1": (64, 3, "classifier.2"),
    "efficientnet-lite0": (64, 3, "act2"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_layer_of_gradcam(name):
    side, channels, wanted = LAYERS[name]
    graph = build(name, (side, side, channels), 5)
    assert gradcam.chosen_layer(graph) == wanted
    assert graph.shape_of(wanted).height > 1


def test_maps_are_enlarged_as_in_pytorch():
    """By hand: 2 to 4 along rows and columns, without aligned corners."""
    values = np.array([[0, 4], [8, 12]], np.float32)
    row = np.array([0, 1, 3, 4])
    np.testing.assert_allclose(enlarged(values, 4, 4), row[None] + 2 * row[:, None])
    np.testing.assert_allclose(enlarged(np.ones((1, 1), np.float32), 3, 2), 1)


def test_what_is_wrong_is_refused(plans, x):
    with pytest.raises(CnncliError, match=r"there is no layer 'relu9' .* conv1, batchnorm1, relu1"):
        METHODS["gradcam"].attribute(plans, x, 0, How(layer="relu9"))
    with pytest.raises(CnncliError, match="there is no layer 'linear1' with maps"):
        METHODS["gradcam"].attribute(plans, x, 0, How(layer="linear1"))
    graph = Graph((4, 4, 1))
    graph.add(Flatten(), Linear(3))
    with pytest.raises(CnncliError, match="no convolution with maps of more than one pixel"):
        METHODS["gradcam"].attribute(Plans(Network(graph)), x[:4, :4, :1].copy(), 0, How())
    with pytest.raises(CnncliError, match="class 3 of 3"):
        METHODS["saliency"].attribute(plans, x, 3, How())
