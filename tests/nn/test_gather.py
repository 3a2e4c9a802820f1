"""Sums over segments: as many parts as the cache for the weights makes necessary, and the same sums."""

import numpy as np
import oracle
import pytest

from cnncli.core.nn_jobs import LISTED_PIXELS
from cnncli.nn import (
    SGD,
    Conv,
    Flatten,
    Graph,
    Inference,
    Linear,
    Network,
    Relu,
    SoftmaxCrossEntropy,
    Term,
    TrainingStep,
)
from cnncli.nn.layer import BLOCK
from cnncli.nn.window import pair


@pytest.mark.parametrize(
    ("longest", "parts"), [(63, 1), (62, 2), (42, 2), (41, 3), (21, 3), (11, 6), (10, 9)]
)
def test_a_sum_is_cut_where_its_weights_leave_the_cache(monkeypatch, longest, parts):
    """Three lines of 3 taps and 7 channels; one of 21 in pieces of 10 ends with a piece of 1."""
    monkeypatch.setattr("cnncli.nn.algorithms.gather.PANEL_BYTES", 4 * BLOCK * longest)
    graph = Graph((9, 8, 7))
    graph.add(Conv(BLOCK, 3), name="layer")
    network = Network(graph, seed=1)
    x = np.random.default_rng(0).standard_normal((2, 9, 8, 7), np.float32)
    inference = Inference(network, 2, threads=1)
    jobs = [op.job for phase in inference._schedule.phases for op in phase if op.loop == "conv_forward"]
    assert [int(job["sum_blocks"][0]) for job in jobs] == [parts]
    arrays = network.export()
    expected = oracle.conv(x.astype(np.float64), arrays["layer.weight"].astype(np.float64), 0)
    np.testing.assert_allclose(inference.run(x), expected + arrays["layer.bias"], atol=1e-5)


@pytest.mark.parametrize("outputs", [3, BLOCK + 3])
@pytest.mark.parametrize("extra", [-1, 0, 1, BLOCK])
def test_pixels_are_listed_across_lines_and_images(outputs, extra):
    """Lists that end within a line, at its end, and one pixel after it; two images in a chunk."""
    graph = Graph((3, LISTED_PIXELS // 3 + extra + 1, 2))
    graph.add(Conv(outputs, (1, 2)), name="layer")
    network = Network(graph, seed=1)
    x = np.random.default_rng(0).standard_normal((16, *graph.input_shape[:3]), np.float32)
    arrays = network.export()
    expected = oracle.conv(x.astype(np.float64), arrays["layer.weight"].astype(np.float64), 0)
    found = Inference(network, 16, threads=2).run(x)
    np.testing.assert_allclose(found, expected + arrays["layer.bias"], atol=1e-5)


@pytest.mark.parametrize("threads", [1, 3])
def test_weights_are_read_once_for_a_batch(threads):
    """What has more weights than values is computed for all samples at once, with the bits of one alone."""
    graph = Graph((8, 8, 2 * BLOCK))
    graph.add(Conv(3 * BLOCK, 3, padding=1), Relu(), Conv(3 * BLOCK, 3, stride=2), names=("wide", "r", "far"))
    graph.add(Conv(BLOCK + 2, 1), Flatten(), Linear(5 * BLOCK + 1), names=("odd", "flat", "fc"))
    network = Network(graph, seed=1)
    x = np.random.default_rng(0).standard_normal((5, 8, 8, 2 * BLOCK), np.float32)
    alone, batch = Inference(network, 1, threads=threads), Inference(network, 5, threads=threads)
    joined = {op.loop for phase in batch._schedule.phases for op in phase if op.joined}
    assert joined == {"conv_winograd", "conv_forward"}
    expected = np.concatenate([alone.run(each[None]) for each in x])
    np.testing.assert_array_equal(batch.run(x), expected)
    np.testing.assert_array_equal(batch.run(x[:2]), expected[:2])


@pytest.mark.parametrize("layer", [Conv(5 * BLOCK + 3, 1), Conv(4 * BLOCK, 3, stride=2, padding=1)])
def test_pixels_that_share_a_set_of_the_cache_are_copied_first(monkeypatch, layer):
    """Their inputs are 4096 bytes apart; bits and gradients are those without copies."""

    def computed():
        graph = Graph((5, 9, 1024 if layer.kernel == 1 else 512))
        graph.add(layer, names=("layer",))
        graph.add(Flatten(), Linear(3), names=("flat", "fc"))
        network = Network(graph, seed=1)
        x = np.random.default_rng(0).standard_normal((3, *graph.input_shape[:3]), np.float32)
        inference = Inference(network, 3, threads=2, keep=["layer"])
        jobs = [op.job for phase in inference._schedule.phases for op in phase if op.loop == "conv_forward"]
        term = Term("main", SoftmaxCrossEntropy())
        step = TrainingStep(network, 3, objective=[term], optimiser=SGD(), threads=2)
        maps, outputs = inference.activations(x)["layer"], inference.run(x)
        step.run(x, np.array([0, 1, 2]), rate=0.0)
        return [int(job["copy_pitch"][0]) > 0 for job in jobs], x, network, [maps, outputs, network.gradient]

    copied, x, network, results = computed()
    assert any(copied)
    weights = network.export()
    sums = oracle.conv(
        np.pad(x, [(0, 0), *[(layer.padding,) * 2] * 2, (0, 0)]).astype(np.float64),
        weights["layer.weight"].astype(np.float64),
        0,
    )
    stride = pair(layer.stride)[0]
    np.testing.assert_allclose(results[0], sums[:, ::stride, ::stride] + weights["layer.bias"], atol=1e-3)
    monkeypatch.setattr("cnncli.nn.algorithms.gather.MIN_INPUTS", 1 << 30)
    without, _, _, expected = computed()
    assert not any(without)
    for found, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_fully_connected_layers_are_computed_for_all_samples_at_once_in_training():
    """Forward and backward, with the bits of one thread; a step of fewer samples as well."""
    found = []
    for threads in (1, 3):
        graph = Graph((2, 2, 3 * BLOCK))
        graph.add(Flatten(), Linear(7 * BLOCK + 1), Relu(), Linear(5), names=("flat", "fc", "relu", "out"))
        network = Network(graph, seed=1)
        term = Term("main", SoftmaxCrossEntropy())
        step = TrainingStep(network, 5, objective=[term], optimiser=SGD(), threads=threads)
        joined = [op for phase in step._schedule.phases for op in phase if op.joined]
        assert len(joined) >= 3
        x = np.random.default_rng(0).standard_normal((5, 2, 2, 3 * BLOCK), np.float32)
        losses = [step.run(x[:count], np.arange(count), rate=0.1) for count in (5, 3, 5)]
        found.append((losses, network.gradient.copy(), network.weights.copy()))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
