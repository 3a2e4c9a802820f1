"""Sums over segments: as many parts as the cache for the weights makes necessary, and the same sums."""

import numpy as np
import oracle
import pytest

from cnncli.nn import Conv, Graph, Inference, Network
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
