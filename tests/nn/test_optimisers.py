"""Optimisers' steps in double precision, from the formulas in PyTorch's documentation."""

import numpy as np
import pytest

from cnncli.nn import (
    SGD,
    Adam,
    AdamW,
    BatchNorm,
    Conv,
    ConvTranspose,
    Flatten,
    Graph,
    Linear,
    Muon,
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


def newton_schulz(matrix):
    """The iteration as its author gives it, in double precision."""
    a, b, c = 3.4445, -4.775, 2.0315
    x = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = x / max(np.linalg.norm(x), 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


def muon(o, weight, gradient, kept, decay):
    kept["m"] = o.momentum * kept.get("m", 0) + (1 - o.momentum) * gradient
    ahead = (1 - o.momentum) * gradient + o.momentum * kept["m"]
    matrix = newton_schulz(ahead.reshape(len(ahead), -1))
    step = 0.2 * np.sqrt(max(matrix.shape)) * matrix.reshape(weight.shape)
    return weight * (1 - RATE * decay) - RATE * step


def by_group(groups):
    """`muon` for each group of outputs."""

    def rule(o, weight, gradient, kept, step, decay):
        parts = zip(np.split(weight, groups), np.split(gradient, groups), range(groups), strict=True)
        return np.concatenate([muon(o, w, g, kept.setdefault(n, {}), decay) for w, g, n in parts])

    return rule


# Taller and wider than square, within one block of outputs and over several, whatever the vectors' width.
MATRICES = {
    "tall": (Conv(5, 3, padding=1), 1),
    "wide": (Conv(70, 1), 1),
    "several blocks": (Conv(70, 3, padding=1), 1),
    "one input": (Conv(9, (1, 2)), 1),
    "square": (Conv(24, 1), 1),
    "in groups": (Conv(72, 3, padding=1, groups=4), 4),
    "in wide groups": (Conv(24 * 5, 1, groups=4), 4),
    "back to more pixels": (ConvTranspose(19, 2, 2), 1),
}


@pytest.mark.parametrize("clip", [0.0, 0.01])
@pytest.mark.parametrize("name", MATRICES)
def test_muon_makes_updates_of_convolutions_orthogonal(name, clip):
    layer, groups = MATRICES[name]
    graph = Graph((5, 4, 3))
    graph.add(Conv(24, 3, padding=1, groups=3), BatchNorm(), Relu(), names=("first", "norm", "relu"))
    graph.add(layer, name="tested")
    graph.add(Flatten(), Linear(3))
    network = Network(graph, seed=3)
    optimiser = Muon(weight_decay=0.5)
    step = TrainingStep(
        network, 4, objective=[Term("main", SoftmaxCrossEntropy())], optimiser=optimiser, threads=2, clip=clip
    )
    random = np.random.default_rng(1)
    rules = dict.fromkeys(network.parameters, adam) | {"tested.weight": by_group(groups)}
    rules["first.weight"] = by_group(3)
    kept = {key: {} for key in rules}
    for number in range(1, STEPS + 1):
        before = network.export()
        step.run(random.standard_normal((4, 5, 4, 3), np.float32), random.integers(0, 3, 4), rate=RATE)
        after = network.export()
        gradients = {k: g.astype(np.float64) for k, g in network.unpack(network.gradient)}
        norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))
        factor = min(1.0, clip / (norm + 1e-6)) if clip else 1.0
        for key, rule in rules.items():
            weight = before[key].astype(np.float64)
            decay = 0.5 * network.parameters[key].decay
            wanted = rule(optimiser, weight, factor * gradients[key], kept[key], number, decay)
            apart = np.linalg.norm(after[key] - wanted) / np.linalg.norm(wanted - weight)
            assert apart < 1e-3, f"{key}, step {number}"


def test_muon_leaves_what_is_no_matrix_to_adamw():
    """Depthwise convolutions have a vector for each output: steps are AdamW's, to the bit."""
    graph = Graph((5, 4, 8))
    graph.add(Conv(8, 3, padding=1, groups=8), BatchNorm(), Relu(), Flatten(), Linear(3))
    steps = [
        TrainingStep(
            Network(graph, seed=3),
            4,
            objective=[Term("main", SoftmaxCrossEntropy())],
            optimiser=each,
            threads=1,
        )
        for each in (Muon(weight_decay=0.1), AdamW(weight_decay=0.1))
    ]
    random = np.random.default_rng(1)
    for _ in range(3):
        images, labels = random.standard_normal((4, 5, 4, 8), np.float32), random.integers(0, 3, 4)
        for step in steps:
            step.run(images, labels, rate=RATE)
    np.testing.assert_array_equal(steps[0].network.weights, steps[1].network.weights)


def test_muon_of_a_gradient_of_zeros_changes_nothing():
    graph = Graph((4, 4, 2))
    graph.add(Conv(6, 3), Relu(), Flatten(), Linear(3))
    network = Network(graph, seed=1)
    network.load({**network.export(), "linear1.weight": np.zeros((3, 24), np.float32)})
    before = network.export()["conv1.weight"]
    optimiser = Muon(weight_decay=0.0)
    step = TrainingStep(network, 2, objective=[Term("main", SoftmaxCrossEntropy())], optimiser=optimiser)
    step.run(np.ones((2, 4, 4, 2), np.float32), np.array([0, 1]), rate=RATE)
    np.testing.assert_array_equal(network.export()["conv1.weight"], before)
