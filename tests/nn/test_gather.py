"""Sums over segments: as many parts as the cache for the weights makes necessary, and the same sums."""

import numpy as np
import oracle
import pytest

from cnncli.core.nn_jobs import LISTED_PIXELS
from cnncli.nn import Conv, Flatten, Graph, Inference, Linear, Network, Relu
from cnncli.nn.layer import BLOCK


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
