"""Objectives of several terms against their sum in double precision, in NumPy and in PyTorch."""

import numpy as np
import oracle
import pytest

from cnncli.errors import CnncliError
from cnncli.nn import (
    SGD,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    GlobalAvgPool,
    Graph,
    Linear,
    MaxPool,
    Network,
    Relu,
    SigmoidCrossEntropy,
    SmoothL1,
    SoftmaxCrossEntropy,
    Term,
    TrainingStep,
)


def cross_entropy(outputs, labels):
    shifted = outputs - outputs.max(1, keepdims=True)
    return np.mean(np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels])


def sigmoid_cross_entropy(outputs, targets):
    return np.mean(np.logaddexp(0, outputs) - outputs * targets)


def squared(outputs, targets):
    """Smooth L1 where all differences are small against its beta."""
    return np.mean((outputs - targets) ** 2) / 200


def heads():
    """Three outputs: one within, which a ReLU and a pooling of one pixel read, and two heads."""
    graph = Graph((2, 2, 1))
    graph.add(Flatten(), Linear(5), Relu(), names=("flat", "fc1", "features"))
    graph.add(MaxPool(1), Linear(4), Relu(), Linear(3), names=("pool", "fc2", "relu", "head"))
    graph.set_output("features", "features")
    graph.set_output(graph.add(Linear(2), inputs="features", name="box"), "box")
    graph.add(Linear(7), inputs="relu", name="unread")
    graph.set_output("head")
    return graph


def forward(w, x):
    def linear(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    features = np.maximum(linear(x.reshape(len(x), 4), "fc1"), 0)
    main = linear(np.maximum(linear(features, "fc2"), 0), "head")
    return {"main": main, "box": linear(features, "box"), "features": features}


WEIGHTS = {"main": 1.0, "box": 0.3, "features": 2.5}
LOSSES = {
    "main": (SoftmaxCrossEntropy(), cross_entropy),
    "box": (SmoothL1(beta=100.0), squared),
    "features": (SigmoidCrossEntropy(), sigmoid_cross_entropy),
}
ORDERS = [("main",), ("box", "main"), ("main", "box", "features"), ("features", "main", "features")]


@pytest.mark.parametrize("order", ORDERS)
def test_gradients_of_all_terms_add_up(order):
    random = np.random.default_rng(1)
    x = random.standard_normal((6, 2, 2, 1), np.float32)
    targets = {
        "main": random.integers(0, 3, 6),
        "box": random.standard_normal((6, 2)).astype(np.float32),
        "features": random.random((6, 5), np.float32),
    }
    network = Network(heads(), seed=2)
    weights = {name: array.astype(np.float64) for name, array in network.export().items()}

    def total(w):
        outputs = forward(w, x.astype(np.float64))
        return sum(WEIGHTS[role] * LOSSES[role][1](outputs[role], targets[role]) for role in order)

    objective = [Term(role, LOSSES[role][0], WEIGHTS[role]) for role in order]
    step = TrainingStep(network, 6, objective=objective, optimiser=SGD(momentum=0), threads=2)
    assert step.run(x, targets, rate=0.0) == pytest.approx(total(weights), rel=1e-5)
    for term in step.terms:
        expected = forward(weights, x.astype(np.float64))[term.term.output]
        np.testing.assert_allclose(term.outputs, expected, rtol=1e-4, atol=1e-5)
    for name, gradient in network.unpack(network.gradient):
        for place in np.ndindex(gradient.shape):
            direction = np.zeros(gradient.shape)
            direction[place] = 1
            wanted = oracle.slope(total, weights, name, direction)
            assert gradient[place] == pytest.approx(wanted, rel=1e-4, abs=2e-6), (name, place)


def test_what_no_term_depends_on_stays_as_it_is():
    network = Network(heads(), seed=2)
    before = network.export()
    step = TrainingStep(
        network, 4, objective=[Term("main", SoftmaxCrossEntropy())], optimiser=SGD(weight_decay=0.1)
    )
    step.run(np.ones((4, 2, 2, 1), np.float32), np.arange(4) % 3, rate=0.1)
    changed = {name for name, array in network.export().items() if (array != before[name]).any()}
    assert {name.split(".")[0] for name in changed} == {"fc1", "fc2", "head"}


def inception():
    """A toy GoogLeNet: two auxiliary heads, which take the same labels."""
    graph = Graph((8, 8, 3))
    graph.add(Conv(6, 3, padding=1), Relu(), names=("conv1", "relu1"))
    for number in (1, 2):
        source = graph.output
        with graph.scope(f"inception{number}", kind="Inception"):
            left = graph.add(Conv(4, 1), Relu(), inputs=source, names=("branch1", "relu1"))
            right = graph.add(Conv(5, 3, padding=1), Relu(), inputs=source, names=("branch2", "relu2"))
            joined = graph.add(Concat(), inputs=(left, right), name="concat")
        with graph.scope(f"aux{number}"):
            head = graph.add(AvgPool(2), Flatten(), Linear(4), inputs=joined, names=("pool", "flat", "fc"))
        graph.set_output(head, f"aux{number}")
        graph.add(MaxPool(2), inputs=joined, name=f"pool{number}") if number == 1 else None
        if number == 2:
            graph.set_output(joined)
    graph.add(GlobalAvgPool(), Linear(4), name="fc")
    return graph


def test_auxiliary_heads_train_as_in_pytorch():
    torch = pytest.importorskip("torch")
    from torch.nn import functional as f

    network = Network(inception(), seed=4)
    random = np.random.default_rng(0)
    x = random.standard_normal((9, 8, 8, 3), np.float32)
    labels = random.integers(0, 4, 9)
    w = {
        name: torch.tensor(a, dtype=torch.float64, requires_grad=True) for name, a in network.export().items()
    }

    def conv(x, name, padding=0):
        return f.relu(f.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=padding))

    def linear(x, name):
        return f.linear(x.flatten(1), w[f"{name}.weight"], w[f"{name}.bias"])

    y = conv(torch.tensor(x, dtype=torch.float64).permute(0, 3, 1, 2), "conv1", 1)
    outputs = {}
    for number in (1, 2):
        name = f"inception{number}"
        y = torch.cat([conv(y, f"{name}.branch1"), conv(y, f"{name}.branch2", 1)], 1)
        outputs[f"aux{number}"] = linear(f.avg_pool2d(y, 2), f"aux{number}.fc")
        y = f.max_pool2d(y, 2) if number == 1 else y
    outputs["main"] = linear(y.mean((2, 3)), "fc")
    shares = {"main": 1.0, "aux1": 0.3, "aux2": 0.3}
    loss = sum(shares[role] * f.cross_entropy(out, torch.tensor(labels)) for role, out in outputs.items())
    loss.backward()

    objective = [Term(role, SoftmaxCrossEntropy(), share) for role, share in shares.items()]
    runs = []
    for threads in (1, 2):
        trained = Network(inception(), seed=4)
        step = TrainingStep(trained, 9, objective=objective, optimiser=SGD(), threads=threads)
        assert step.run(x, labels, rate=0.0) == pytest.approx(loss.item(), rel=1e-5)
        for name, gradient in trained.unpack(trained.gradient):
            wanted = w[name].grad.numpy()
            np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())
        runs.append(trained.gradient.tobytes())
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ([], "no terms"),
        ([Term("aux", SoftmaxCrossEntropy())], "there is no output 'aux'"),
        ([Term("main", SoftmaxCrossEntropy(), 0.0)], "weighs 0.0; expected a number above 0"),
        ([Term("main", SoftmaxCrossEntropy(), float("nan"))], "weighs nan"),
    ],
)
def test_wrong_objectives_are_refused(objective, message):
    graph = heads()
    graph.set_output("input", "maps")
    with pytest.raises(CnncliError, match=message):
        TrainingStep(Network(graph), 3, objective=objective, optimiser=SGD())


def test_missing_targets_are_refused():
    objective = [Term("main", SoftmaxCrossEntropy()), Term("box", SmoothL1())]
    step = TrainingStep(Network(heads()), 3, objective=objective, optimiser=SGD())
    with pytest.raises(CnncliError, match="there are targets for main; expected some for 'box'"):
        step.run(np.zeros((3, 2, 2, 1), np.float32), {"main": np.zeros(3, np.int64)}, rate=0.1)
