"""Moments of weights before training, against those that the papers ask for."""

import numpy as np
import pytest

from cnncli.nn import BatchNorm, Conv, Flatten, Graph, Linear, Network

# Shapes (K, C / groups, kh, kw) of enough weights that their variance is known to 2 %.
LAYERS = {
    "conv": ((4, 4, 16), Conv(128, 3), 16 * 9, 128 * 9),
    "groups": ((4, 4, 64), Conv(256, 3, groups=4), 16 * 9, 64 * 9),
    "fully connected": ((1, 1, 500), Linear(100), 500, 100),
    "flattened": ((2, 3, 80), Linear(100), 480, 100),
}


def weights(name, scheme):
    shape, layer, *_ = LAYERS[name]
    graph = Graph(shape)
    if isinstance(layer, Linear):
        graph.add(Flatten())
    graph.add(layer, name="layer")
    return Network(graph, seed=11, scheme=scheme).export()


@pytest.mark.parametrize("name", LAYERS)
def test_he_is_normal_with_variance_two_over_fan_in(name):
    *_, fan_in, _ = LAYERS[name]
    values = weights(name, "he")["layer.weight"].astype(np.float64).ravel()
    deviation = np.sqrt(2 / fan_in)
    assert abs(values.mean()) < 4 * deviation / np.sqrt(values.size)
    assert values.var() == pytest.approx(deviation**2, rel=4 * np.sqrt(2 / values.size))
    for reach, share in ((1, 0.6827), (2, 0.9545), (3, 0.9973)):  # as a normal distribution has them
        assert np.mean(np.abs(values) < reach * deviation) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("name", LAYERS)
def test_glorot_is_uniform_with_variance_two_over_both_fans(name):
    *_, fan_in, fan_out = LAYERS[name]
    values = weights(name, "glorot")["layer.weight"].astype(np.float64).ravel()
    limit = np.sqrt(6 / (fan_in + fan_out))
    assert np.abs(values).max() <= np.float32(limit)
    assert np.abs(values).max() > 0.999 * limit
    assert values.var() == pytest.approx(2 / (fan_in + fan_out), rel=0.03)
    assert abs(values.mean()) < 0.02 * limit


def test_biases_are_0_and_norms_1():
    graph = Graph((4, 4, 2))
    graph.add(Conv(5, 3), BatchNorm())
    arrays = Network(graph, seed=1).export()
    for name, value in (("conv1.bias", 0), ("batchnorm1.bias", 0), ("batchnorm1.weight", 1)):
        assert (arrays[name] == value).all()
    assert (arrays["batchnorm1.running_mean"] == 0).all()
    assert (arrays["batchnorm1.running_var"] == 1).all()
