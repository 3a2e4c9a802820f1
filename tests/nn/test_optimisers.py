"""Optimisers' steps in double precision, from the formulas in PyTorch's documentation."""

import numpy as np
import pytest

from cnncli.nn import (
    SGD,
    Adam,
    AdamW,
    BatchNorm,
    Conv,
    Flatten,
    Graph,
    Linear,
    Network,
    Relu,
    RMSprop,
    SoftmaxCrossEntropy,
    Term,
    TrainingStep,
)

RATE, STEPS = 0.01, 5
OPTIMISERS = {
    "sgd": SGD(momentum=0.0, weight_decay=0.1),
    "momentum": SGD(momentum=0.9, weight_decay=0.1),
    "nesterov": SGD(momentum=0.8, nesterov=True, weight_decay=0.1),
    "dampened": SGD(momentum=0.8, dampening=0.5),
    "adam": Adam(weight_decay=0.1),
    "adam, other betas": Adam(beta1=0.6, beta2=0.9, epsilon=1e-3),
    "adamw": AdamW(weight_decay=0.5),
    "rmsprop": RMSprop(weight_decay=0.1),
    "rmsprop, momentum": RMSprop(alpha=0.9, momentum=0.5),
}


def sgd(o, weight, gradient, kept, step, decay):
    gradient = gradient + decay * weight
    if o.momentum:
        share = 1 if step == 1 else 1 - o.dampening
        kept["b"] = o.momentum * kept.get("b", 0) + share * gradient
        gradient = gradient + o.momentum * kept["b"] if o.nesterov else kept["b"]
    return weight - RATE * gradient


def adam(o, weight, gradient, kept, step, decay):
    if isinstance(o, AdamW):
        weight = weight - RATE * decay * weight
    else:
        gradient = gradient + decay * weight
    kept["m"] = o.beta1 * kept.get("m", 0) + (1 - o.beta1) * gradient
    kept["v"] = o.beta2 * kept.get("v", 0) + (1 - o.beta2) * gradient**2
    mean, square = kept["m"] / (1 - o.beta1**step), kept["v"] / (1 - o.beta2**step)
    return weight - RATE * mean / (np.sqrt(square) + o.epsilon)


def rmsprop(o, weight, gradient, kept, step, decay):
    gradient = gradient + decay * weight
    kept["v"] = o.alpha * kept.get("v", 0) + (1 - o.alpha) * gradient**2
    kept["b"] = o.momentum * kept.get("b", 0) + gradient / (np.sqrt(kept["v"]) + o.epsilon)
    return weight - RATE * kept["b"]


RULES = {SGD: sgd, Adam: adam, AdamW: adam, RMSprop: rmsprop}
DECAYING = {"conv1.weight", "linear1.weight"}


@pytest.mark.parametrize("clip", [0.0, 0.2])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_steps_follow_the_formulas(name, clip):
    """Each step from our weights and our gradient; what is kept from step to step is kept here as well."""
    optimiser = OPTIMISERS[name]
    graph = Graph((5, 4, 2))
    graph.add(Conv(7, 3, padding=1), BatchNorm(), Relu(), Flatten(), Linear(3))
    network = Network(graph, seed=3)
    random = np.random.default_rng(1)
    start = {key: random.standard_normal(p.shape).astype(np.float32) for key, p in network.parameters.items()}
    network.load({**network.export(), **start})
    step = TrainingStep(
        network, 6, objective=[Term("main", SoftmaxCrossEntropy())], optimiser=optimiser, threads=1, clip=clip
    )
    kept = {key: {} for key in start}
    for number in range(1, STEPS + 1):
        before = network.export()
        images = random.standard_normal((6, 5, 4, 2), np.float32)
        step.run(images, random.integers(0, 3, 6), rate=RATE)
        after = network.export()
        gradients = {k: g.astype(np.float64) for k, g in network.unpack(network.gradient)}
        norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))
        assert step.gradient_norm == pytest.approx(norm, rel=1e-5)
        factor = min(1.0, clip / (norm + 1e-6)) if clip else 1.0
        for key in start:
            decay = optimiser.weight_decay if key in DECAYING else 0.0
            weight = before[key].astype(np.float64)
            wanted = RULES[type(optimiser)](
                optimiser, weight, factor * gradients[key], kept[key], number, decay
            )
            np.testing.assert_allclose(
                after[key] - weight, wanted - weight, rtol=2e-4, atol=3e-7, err_msg=f"{key}, step {number}"
            )
