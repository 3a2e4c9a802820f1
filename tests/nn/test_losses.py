"""The loss's mean: over labels, over shares of classes, with weights of classes."""

import numpy as np
import pytest

from cnncli.nn import SGD, Flatten, Graph, Linear, Network, SoftmaxCrossEntropy, Term, TrainingStep

WEIGHTS = (0.5, 2.0, 1.0)
SAMPLES = 5


def batch(*, mixed):
    random = np.random.default_rng(3)
    x = random.standard_normal((SAMPLES, 1, 2, 3), np.float32)
    labels = random.integers(0, 3, SAMPLES)
    if not mixed:
        return x, labels
    share = random.uniform(0.5, 1, (SAMPLES, 1)).astype(np.float32)
    rows = np.eye(3, dtype=np.float32)[labels]
    return x, share * rows + (1 - share) * np.roll(rows, 1, axis=0)


def ours(x, targets, **settings):
    graph = Graph((1, 2, 3))
    graph.add(Flatten(), Linear(3), name="head")
    network = Network(graph, seed=1)
    step = TrainingStep(
        network,
        SAMPLES,
        objective=[Term("main", SoftmaxCrossEntropy(**settings))],
        optimiser=SGD(momentum=0),
        threads=1,
    )
    loss = step.run(x, targets, rate=0.0)
    return loss, dict(network.unpack(network.gradient))["head.bias"], step.outputs.astype(np.float64)


def plain(outputs, targets, weights, smoothing):
    """Mean loss and its gradient by the outputs' sums, from the formulas in PyTorch's documentation."""
    weights = np.ones(3) if weights is None else np.array(weights)
    labels = targets.ndim == 1
    rows = np.eye(3)[targets] if labels else targets.astype(np.float64)
    log = outputs - np.log(np.exp(outputs).sum(1, keepdims=True))
    goal = ((1 - smoothing) * rows + smoothing / 3) * weights
    divisor = sum(weights[label] for label in targets) if labels else len(targets)
    slope = np.exp(log) * goal.sum(1, keepdims=True) - goal
    return -(goal * log).sum() / divisor, slope.sum(0) / divisor


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_mean_of_a_batch(mixed, weights, smoothing):
    x, targets = batch(mixed=mixed)
    loss, slope, outputs = ours(x, targets, class_weights=weights, smoothing=smoothing)
    wanted, wanted_slope = plain(outputs, targets, weights, smoothing)
    assert loss == pytest.approx(wanted, rel=1e-5)
    np.testing.assert_allclose(slope, wanted_slope, rtol=1e-4, atol=1e-6)
    torch = pytest.importorskip("torch")
    theirs = torch.nn.functional.cross_entropy(
        torch.tensor(outputs),
        torch.tensor(targets if targets.ndim == 1 else targets.astype(np.float64)),
        None if weights is None else torch.tensor(np.array(weights)),
        label_smoothing=smoothing,
    )
    assert wanted == pytest.approx(theirs.item(), rel=1e-9)
