"""Parameter randomisation: rank correlations, which weights change, and what is known of two methods."""

from itertools import chain

import numpy as np
import pytest

from cnncli.attribution.methods import METHODS
from cnncli.attribution.model import How
from cnncli.attribution.sanity import cascade, similarity
from cnncli.models.choice import build
from cnncli.nn import BatchNorm, Conv, Flatten, Graph, Inference, Linear, Network, Relu
from cnncli.views.featuremaps.sanity import groups_of

SIDE = 12
GROUPS = (["linear1"], ["conv2"], ["conv1", "batchnorm1"])


@pytest.fixture(scope="module")
def network():
    graph = Graph((SIDE, SIDE, 1))
    graph.add(Conv(8, 3, padding=1), BatchNorm(), Relu(), Conv(8, 3, padding=1), Relu(), Flatten(), Linear(3))
    return Network(graph, seed=4)


@pytest.mark.parametrize("digits", [1, 6])
def test_correlations_are_those_of_scipy(digits, rng):
    """With one digit most values are equal to others."""
    stats = pytest.importorskip("scipy.stats")
    a, b = (np.round(rng.standard_normal((9, 7)), digits).astype(np.float32) for _ in range(2))
    b += a
    found = similarity(a, b)
    assert found.signed == pytest.approx(stats.spearmanr(a.ravel(), b.ravel()).statistic, abs=1e-12)
    wanted = stats.spearmanr(np.abs(a).ravel(), np.abs(b).ravel()).statistic
    assert found.absolute == pytest.approx(wanted, abs=1e-12)
    assert similarity(a, np.zeros_like(a)) == (None, None)


def test_layers_lose_their_weights_one_group_after_the_other(network):
    before = network.export()
    found = cascade(network, GROUPS, lambda plans: plans.network.export(), seed=1)
    assert len(found) == 4
    gone = set()
    for arrays, layers in zip(found, [[], *GROUPS], strict=True):
        gone |= {f"{layer}.weight" for layer in layers}
        changed = {name for name, array in arrays.items() if not np.array_equal(array, before[name])}
        assert changed == gone - {"batchnorm1.weight"}  # which is 1 before training too
    same = cascade(network, GROUPS, lambda plans: plans.network.export(), seed=1)
    other = cascade(network, GROUPS, lambda plans: plans.network.export(), seed=2)
    assert np.array_equal(same[3]["conv1.weight"], found[3]["conv1.weight"])
    assert not np.array_equal(other[3]["conv1.weight"], found[3]["conv1.weight"])
    assert all(np.array_equal(array, before[name]) for name, array in network.export().items())


def test_what_is_asked_is_computed_with_the_weights_of_the_time(network, rng):
    """Those of layers with norms too, which plans keep folded into convolutions."""
    x = rng.standard_normal((2, SIDE, SIDE, 1), np.float32)
    found = cascade(network, GROUPS, lambda plans: (plans.outputs(x), plans.network.export()), threads=1)
    for outputs, arrays in found:
        copy = Network(network.graph, scheme=None)
        copy.load(arrays)
        np.testing.assert_array_equal(outputs, Inference(copy, 2, threads=1).run(x))


@pytest.mark.parametrize("seed", [0, 4])
def test_weights_are_independent_of_those_that_training_began_with(network, seed):
    """A network trained from the same seed still has nearly its first weights where it learned little."""
    (_, found) = cascade(network, [["conv2"]], lambda plans: plans.network.array("conv2.weight"), seed=seed)
    assert abs(np.corrcoef(found.ravel(), network.array("conv2.weight").ravel())[0, 1]) < 0.15


def test_guided_hardly_depends_on_the_classifier_and_the_gradient_does():
    graph = Graph((SIDE, SIDE, 1))
    for _ in range(4):
        graph.add(Conv(16, 3, padding=1), Relu())
    graph.add(Flatten(), Linear(3))
    network = Network(graph, seed=4)
    x = np.zeros((SIDE, SIDE, 1), np.float32)
    x[3:9, 4:8] = 2
    signed = {}
    for name in ("guided", "saliency"):
        heatmaps = cascade(
            network,
            [["linear1"]],
            lambda plans, name=name: METHODS[name].attribute(plans, x, 1, How()).heatmap,
        )
        signed[name] = similarity(*heatmaps).signed
    assert signed["guided"] > 0.9
    assert abs(signed["saliency"]) < 0.4


def test_groups_are_layers_or_stages_from_the_output_on():
    assert groups_of(build("lenet5", (28, 28, 1), 10)) == {
        name: [name] for name in ("fc3", "fc2", "fc1", "conv2", "conv1")
    }
    graph = build("resnet20", (32, 32, 3), 10)
    deep = groups_of(graph)
    assert next(iter(deep)) == graph.head()
    assert 3 <= len(deep) <= 8
    every = groups_of(graph, every=True)
    assert len(every) == 20
    parameters = {name.rpartition(".")[0] for name in Network(graph).parameters}
    for groups in (deep, every):
        assert sorted(chain(*groups.values())) == sorted(parameters)
