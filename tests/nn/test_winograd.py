"""Convolution by tiles: every output is right for what it sees itself, whatever else its tile holds."""

import numpy as np
import oracle
import pytest
from harness import passes

from cnncli.nn import Add, Conv, Graph, Inference, Network, Relu
from cnncli.nn.algorithms import winograd
from cnncli.nn.graph import Shape

BOUND = 1e-4  # of sum |weight| times the largest magnitude in an output's window …
LEAST = 1 / 16  # … which counts as this at least
CHANNELS = [(9, 32), (32, 48), (9, 20), (32, 40)]  # the latter end in a part of a vector


def image(channels, base, spike):
    """Two images: one with two spikes in a channel, the second at the edge, one with a line of them."""
    x = np.random.default_rng(7).standard_normal((2, 14, 13, channels), np.float32) * np.float32(base)
    x[0, [5, 9], [6, 12], 3] = spike
    x[1, :, 2] = -spike
    return x


def layer(channels, outputs, shape=(14, 13)):
    graph = Graph((*shape, channels))
    graph.add(Conv(outputs, 3, padding=1), name="layer")
    y = graph.output_shape
    assert winograd.is_faster(channels, outputs, Shape(*y[:3]), samples=1)
    network = Network(graph, seed=3)
    random = np.random.default_rng(1)
    network.load({**network.export(), "layer.bias": random.standard_normal(outputs).astype(np.float32)})
    return graph, network


def seen(x):
    """The largest magnitude in each output's window, (N, H, W)."""
    padded = np.pad(np.abs(x).max(-1), ((0, 0), (1, 1), (1, 1)))
    height, width = x.shape[1:3]
    shifted = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return np.max(shifted, axis=0)


def share_of_bound(out, x, weight, bias):
    """The largest error over what it may be."""
    exact = oracle.conv(x.astype(np.float64), weight.astype(np.float64), bias, padding=(1, 1))
    allowed = np.maximum(seen(x), LEAST)[..., None] * np.abs(weight).sum((1, 2, 3))
    return float((np.abs(out - exact) / (BOUND * allowed)).max())


@pytest.mark.parametrize(("channels", "outputs"), CHANNELS)
@pytest.mark.parametrize("base", [0, 1e-3, 1])
@pytest.mark.parametrize("spike", [15, 250, 1e6, 1e37])
def test_a_spike_leaves_nothing_where_it_is_not_seen(channels, outputs, base, spike):
    _, network = layer(channels, outputs)
    arrays = network.export()
    x = image(channels, base, spike)
    for batch in (1, 2):
        out = Inference(network, batch, threads=1).run(x)
        assert share_of_bound(out, x, arrays["layer.weight"], arrays["layer.bias"]) <= 1


@pytest.mark.parametrize("channels", [16, 20, 40])
def test_gradients_to_the_input_keep_the_same_bound(channels):
    graph, network = layer(channels, 16)
    weight = network.export()["layer.weight"]
    dout = image(16, 1, 1e6)
    _, dx, _, _ = passes(graph, np.zeros((2, 14, 13, channels)), dout, arrays=network.export())
    assert share_of_bound(dx, dout, weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1], 0) <= 1


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_is_no_number_stays_in_the_windows_that_see_it(value):
    _, network = layer(16, 16)
    x = image(16, 1, value)[:1]
    out = Inference(network, 1, threads=1).run(x)
    finite = np.isfinite(out).all(-1)
    assert (finite == np.isfinite(np.where(np.isnan(seen(x)), np.inf, seen(x)))).all()


@pytest.mark.parametrize("outputs", [16, 20, 40])
@pytest.mark.parametrize("spike", [2, 1e6])
def test_outputs_are_added_to_what_is_there(outputs, spike):
    """To a shortcut, and gradients to those of another reader; tiles with a spike are convolved directly."""
    graph = Graph((14, 13, 16))
    first = graph.add(Conv(outputs, 3, padding=1), name="first")
    second = graph.add(Conv(outputs, 3, padding=1), inputs=first, name="second")
    graph.add(Add(), inputs=(second, first), name="sum")
    network = Network(graph, seed=3)
    arrays = network.export()
    weight = {name: arrays[f"{name}.weight"].astype(np.float64) for name in ("first", "second")}
    x = image(16, 1, spike)
    exact = oracle.conv(x.astype(np.float64), weight["first"], arrays["first.bias"], padding=(1, 1))
    exact = exact + oracle.conv(exact, weight["second"], arrays["second.bias"], padding=(1, 1))
    out, dx, _, _ = passes(graph, x, x[..., :1].repeat(outputs, -1), arrays=arrays)
    np.testing.assert_allclose(out, exact, rtol=1e-4, atol=1e-5 * spike)
    slope = x[..., :1].repeat(outputs, -1).astype(np.float64)
    back = {name: each.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1] for name, each in weight.items()}
    slope = slope + oracle.conv(slope, back["second"], 0, padding=(1, 1))
    np.testing.assert_allclose(
        dx, oracle.conv(slope, back["first"], 0, padding=(1, 1)), rtol=1e-4, atol=1e-5 * spike
    )


def test_threads_that_share_a_picture_agree_on_its_tiles(monkeypatch):
    monkeypatch.setattr("cnncli.nn.inference.MIN_SHARED_WORK", 0)
    monkeypatch.setattr("cnncli.nn.calls.MIN_PART_WORK", 1)
    for shape in ((21, 20), (8, 8)):  # in bands of lines, and in blocks of channels
        graph = Graph((*shape, 16))
        graph.add(Conv(96, 3, padding=1), Relu())
        network = Network(graph, seed=3)
        x = np.random.default_rng(0).standard_normal((1, *shape, 16), np.float32)
        x[0, 3:, 5, 2] = 1e6
        one, *more = (Inference(network, 1, threads=threads).run(x) for threads in (1, 2, 3))
        assert all(each.tobytes() == one.tobytes() for each in more)


@pytest.mark.parametrize("samples", [1, 2, 8, 31, 64])
def test_tiles_are_used_where_they_save_multiply_adds(samples):
    """A tile of 4 x 4 takes 36 of them in place of 144, for as many samples as there are."""
    assert winograd.is_faster(64, 64, Shape(56, 56, 64), samples=samples)
    assert winograd.is_faster(512, 512, Shape(16, 16, 512), samples=samples)
    assert not winograd.is_faster(64, 64, Shape(5, 5, 64), samples=samples)  # 25 of the 64 outputs exist
    assert not winograd.is_faster(64, 8, Shape(56, 56, 8), samples=samples)
