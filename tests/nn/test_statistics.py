"""Running statistics of batch norm, and what becomes of them at inference, in double precision."""

import numpy as np
import oracle
import pytest

from cnncli.nn import (
    SGD,
    BatchNorm,
    Conv,
    Flatten,
    Graph,
    Inference,
    Linear,
    Network,
    SoftmaxCrossEntropy,
    Term,
    TrainingStep,
)


@pytest.mark.parametrize("samples", [2, 3, 11])
@pytest.mark.parametrize("momentum", [0.1, 0.3])
def test_running_statistics(samples, momentum):
    """The variance that is kept is that of a sample: over one less than the number of values (Bessel)."""
    graph = Graph((1, 2, 3))
    graph.add(BatchNorm(momentum=momentum), Flatten(), Linear(2))
    network = Network(graph, seed=2)
    step = TrainingStep(
        network, 11, objective=[Term("main", SoftmaxCrossEntropy())], optimiser=SGD(), threads=2
    )
    random = np.random.default_rng(samples)
    mean, variance = np.zeros(3), np.ones(3)
    for _ in range(3):
        images = (3 + 2 * random.standard_normal((samples, 1, 2, 3))).astype(np.float32)
        step.run(images, random.integers(0, 2, samples), rate=0.01)
        values = images.reshape(-1, 3).astype(np.float64)
        squares = ((values - values.mean(0)) ** 2).sum(0) / (len(values) - 1)
        mean = (1 - momentum) * mean + momentum * values.mean(0)
        variance = (1 - momentum) * variance + momentum * squares
    arrays = network.export()
    np.testing.assert_allclose(arrays["batchnorm1.running_mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(arrays["batchnorm1.running_var"], variance, rtol=1e-5)


@pytest.mark.parametrize("momentum", [0.1, 0.3])
def test_young_statistics_are_means_of_the_batches(momentum):
    """As PyTorch's ``momentum=None``, until the share of a batch is down to the momentum."""
    graph = Graph((1, 2, 3))
    graph.add(BatchNorm(momentum=momentum), Flatten(), Linear(2))
    network = Network(graph, seed=2)
    step = TrainingStep(
        network,
        11,
        objective=[Term("main", SoftmaxCrossEntropy())],
        optimiser=SGD(),
        threads=2,
        cumulative_statistics=True,
    )
    random = np.random.default_rng(5)
    means: list[np.ndarray] = []
    for _ in range(int(1 / momentum)):
        images = (3 + 2 * random.standard_normal((11, 1, 2, 3))).astype(np.float32)
        step.run(images, random.integers(0, 2, 11), rate=0.01)
        means.append(images.reshape(-1, 3).astype(np.float64).mean(0))
        running = network.export()["batchnorm1.running_mean"]
        np.testing.assert_allclose(running, np.mean(means, axis=0), rtol=1e-5)
    images += 1
    step.run(images, random.integers(0, 2, 11), rate=0.01)
    last = (1 - momentum) * np.mean(means, axis=0) + momentum * (means[-1] + 1)
    np.testing.assert_allclose(network.export()["batchnorm1.running_mean"], last, rtol=1e-5)


@pytest.mark.parametrize("epsilon", [1e-5, 0.1])
@pytest.mark.parametrize("keep", [(), ("conv",)])
def test_inference_divides_by_the_deviation_with_its_epsilon(epsilon, keep):
    """Folded into the convolution, or by itself where its input is kept: with small variances it counts."""
    graph = Graph((3, 4, 2))
    graph.add(Conv(5, 1), name="conv")
    graph.add(BatchNorm(epsilon=epsilon), name="norm")
    network = Network(graph, seed=3)
    random = np.random.default_rng(4)
    arrays = {
        name: random.standard_normal(a.shape).astype(np.float32) for name, a in network.export().items()
    }
    arrays["norm.running_var"] = np.array([0, 1e-6, 1e-5, 0.01, 2], np.float32)
    network.load(arrays)
    images = random.standard_normal((2, 3, 4, 2), np.float32)
    exact = {name: value.astype(np.float64) for name, value in arrays.items()}
    y = oracle.conv(images.astype(np.float64), exact["conv.weight"], exact["conv.bias"])
    scale = exact["norm.weight"] / np.sqrt(exact["norm.running_var"] + epsilon)
    wanted = (y - exact["norm.running_mean"]) * scale + exact["norm.bias"]
    got = Inference(network, 2, threads=1, keep=keep).run(images)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())
