"""Losses with a target for each pixel: values and slopes against PyTorch, or against the formula in float64.

The network is a single 1x1 convolution: its weights' gradient is the sum over pixels of slope times input.
"""

import numpy as np
import pytest

from cnncli.errors import CnncliError
from cnncli.nn import (
    SGD,
    UNCOUNTED,
    BoxOverlap,
    Conv,
    Dice,
    Focal,
    Graph,
    Linear,
    Network,
    SigmoidCrossEntropy,
    SmoothL1,
    SoftmaxCrossEntropy,
    Term,
    TrainingStep,
)

SAMPLES, HEIGHT, WIDTH, INPUTS = 5, 3, 7, 4


def trained(losses, targets, *, outputs, x=None, threads=1):
    """Loss, gradient of the weights (K, C) and outputs (N, H, W, K) of a step."""
    graph = Graph((HEIGHT, WIDTH, INPUTS))
    graph.add(Conv(outputs, 1), name="head")
    network = Network(graph, seed=2)
    step = TrainingStep(
        network,
        SAMPLES,
        objective=[Term("main", loss, weight) for loss, weight in losses],
        optimiser=SGD(momentum=0),
        threads=threads,
    )
    loss = step.run(pixels() if x is None else x, targets, rate=0.0)
    gradient = dict(network.unpack(network.gradient))["head.weight"]
    return loss, gradient.reshape(outputs, INPUTS), step.outputs.copy()


def pixels():
    return np.random.default_rng(0).standard_normal((SAMPLES, HEIGHT, WIDTH, INPUTS), np.float32)


def agrees(ours, theirs):
    """``theirs`` maps outputs, a float64 tensor, to the loss."""
    torch = pytest.importorskip("torch")
    loss, gradient, outputs = ours
    z = torch.tensor(outputs.astype(np.float64), requires_grad=True)
    wanted = theirs(torch, z)
    wanted.backward()
    slope = z.grad.reshape(-1, outputs.shape[-1]).numpy()
    assert loss == pytest.approx(wanted.item(), rel=2e-6)
    np.testing.assert_allclose(
        gradient, slope.T @ pixels().reshape(-1, INPUTS), rtol=1e-4, atol=2e-6 * np.abs(slope).sum()
    )


def labels(classes, *, uncounted=True):
    random = np.random.default_rng(1)
    found = random.integers(0, classes, (SAMPLES, HEIGHT, WIDTH))
    if uncounted:
        found[random.uniform(size=found.shape) < 0.2] = UNCOUNTED
    return found


def shares(outputs):
    return np.random.default_rng(4).uniform(size=(SAMPLES, HEIGHT, WIDTH, outputs)).astype(np.float32)


def weights():
    random = np.random.default_rng(6)
    return (random.uniform(size=(SAMPLES, HEIGHT, WIDTH, 1)) * random.integers(0, 2, (7, 1))).astype(
        np.float32
    )


@pytest.mark.parametrize("classes", [2, 11, 16, 35])
@pytest.mark.parametrize(("smoothing", "weighted"), [(0.0, False), (0.1, False), (0.1, True)])
def test_cross_entropy_of_classes(classes, smoothing, weighted):
    weigh = tuple(np.linspace(0.5, 2, classes).tolist()) if weighted else None
    true = labels(classes)
    loss = SoftmaxCrossEntropy(smoothing=smoothing, class_weights=weigh)

    def theirs(torch, z):
        return torch.nn.functional.cross_entropy(
            z.permute(0, 3, 1, 2),
            torch.tensor(true),
            None if weigh is None else torch.tensor(weigh, dtype=torch.float64),
            ignore_index=UNCOUNTED,
            label_smoothing=smoothing,
        )

    agrees(trained([(loss, 1.0)], true, outputs=classes), theirs)


def dice_of(torch, z, true):
    """One minus Dice's coefficient, by the formula."""
    counted = (true >= 0)[..., None]
    p = torch.softmax(z, -1) * counted
    t = torch.nn.functional.one_hot(true.clamp(min=0), z.shape[-1]) * counted
    share = (2 * (p * t).sum((1, 2)) + 1) / (p.sum((1, 2)) + t.sum((1, 2)) + 1)
    there = t.sum((1, 2)) > 0
    return (((1 - share) * there).sum(1) / there.sum(1)).mean()


@pytest.mark.parametrize("classes", [2, 11, 16, 35])
def test_adjusted_losses(classes):
    """Logarithms of the weights are added for the cross-entropy, not for Dice; a weight of 0 adds none."""
    weigh = np.linspace(0.5, 20, classes)
    weigh[-1] = 0
    given = tuple(weigh.tolist())
    true = labels(classes - 1)  # what weighs nothing does not occur
    entropy = SoftmaxCrossEntropy(class_weights=given, adjusted=True)
    losses = [(entropy, 0.5), (Dice(entropy), 0.5)]

    def theirs(torch, z):
        moved = z + torch.tensor(np.log([*weigh[:-1], 1]))
        goal = torch.tensor(true)
        entropy = torch.nn.functional.cross_entropy(
            moved.permute(0, 3, 1, 2), goal, torch.tensor(weigh), ignore_index=UNCOUNTED
        )
        return entropy + 0.5 * dice_of(torch, z, goal)

    agrees(trained(losses, true, outputs=classes), theirs)


def test_adjusted_outputs_are_how_likely_classes_are():
    """At the least of the loss, whatever the weights: without adjustment rare classes would seem likelier."""
    likely, weigh = np.array([0.6, 0.3, 0.1]), np.array([0.4, 1.0, 5.0])
    true = np.repeat(np.arange(3), [60, 30, 10]).reshape(1, 10, 10)
    for adjusted, wanted in ((True, likely), (False, weigh * likely / (weigh @ likely))):
        graph = Graph((10, 10, 1))
        graph.add(Conv(3, 1), name="head")
        network = Network(graph)
        loss = SoftmaxCrossEntropy(class_weights=tuple(weigh.tolist()), adjusted=adjusted)
        step = TrainingStep(network, 1, objective=[Term("main", loss)], optimiser=SGD(momentum=0), threads=1)
        for _ in range(400):
            step.run(np.zeros((1, 10, 10, 1), np.float32), true, rate=2.0)
        bias = network.array("head.bias")
        np.testing.assert_allclose(np.exp(bias) / np.exp(bias).sum(), wanted, rtol=1e-3)


@pytest.mark.parametrize("classes", [2, 11, 35])
@pytest.mark.parametrize("also", [0.0, 0.5])
@pytest.mark.parametrize("together", [False, True])
def test_dice(classes, also, together):
    true = labels(classes)
    if together:
        losses = [(Dice(SoftmaxCrossEntropy()), also)] * bool(also) + [(Dice(), 2.0 - also)]
    else:
        losses = [(Dice(), 2.0)] + ([(SoftmaxCrossEntropy(), also)] if also else [])

    def theirs(torch, z):
        loss = 2 * dice_of(torch, z, torch.tensor(true))
        if also:
            loss = loss + also * torch.nn.functional.cross_entropy(
                z.permute(0, 3, 1, 2), torch.tensor(true), ignore_index=UNCOUNTED
            )
        return loss

    agrees(trained(losses, true, outputs=classes), theirs)


@pytest.mark.parametrize("classes", [2, 7, 8, 11, 16, 35])
@pytest.mark.parametrize("spread", [1.0, 60.0])
def test_dice_with_cross_entropy_of_weighted_and_smoothed_classes(classes, spread):
    """Also where outputs are far apart, and a class has no chance; a sample has no label at all."""
    weigh = np.linspace(0.5, 2, classes)
    true = labels(classes)
    true[2] = UNCOUNTED
    loss = Dice(SoftmaxCrossEntropy(smoothing=0.1, class_weights=tuple(weigh.tolist())))

    def theirs(torch, z):
        entropy = torch.nn.functional.cross_entropy(
            z.permute(0, 3, 1, 2),
            torch.tensor(true),
            torch.tensor(weigh),
            ignore_index=UNCOUNTED,
            label_smoothing=0.1,
        )
        goal, there = torch.tensor(true[[0, 1, 3, 4]]), z[[0, 1, 3, 4]]
        return entropy + 0.8 * dice_of(torch, there, goal)

    found, gradient, out = trained([(loss, 1.0)], true, outputs=classes, x=spread * pixels())
    agrees((found, gradient / spread, out), theirs)


@pytest.mark.parametrize("outputs", [1, 10, 20])
@pytest.mark.parametrize("kind", ["sigmoid", "smooth l1"])
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_by_output(outputs, kind, weighted):
    true, weigh = shares(outputs), weights()
    loss = SigmoidCrossEntropy(weighted) if kind == "sigmoid" else SmoothL1(0.3, weighted)

    def theirs(torch, z):
        of = torch.nn.functional
        t = torch.tensor(true.astype(np.float64))
        if kind == "sigmoid":
            each = of.binary_cross_entropy_with_logits(z, t, reduction="none")
        else:
            each = of.smooth_l1_loss(z, t, beta=0.3, reduction="none")
        if not weighted:
            return each.mean()
        w = torch.tensor(weigh.astype(np.float64))
        return (each * w).sum() / w.sum() / outputs

    rows = np.concatenate([true, weigh], -1) if weighted else true
    agrees(trained([(loss, 1.0)], rows, outputs=outputs), theirs)


@pytest.mark.parametrize("outputs", [1, 10, 20])
@pytest.mark.parametrize("spread", [1.0, 40.0])
def test_focal(outputs, spread):
    """Also where outputs are far from 0, and nothing is left of one side."""
    true = (shares(outputs) > 0.8).astype(np.float32)
    weigh = weights()

    def theirs(torch, z):
        t, w = torch.tensor(true.astype(np.float64)), torch.tensor(weigh.astype(np.float64))
        entropy = torch.nn.functional.binary_cross_entropy_with_logits(z, t, reduction="none")
        p = torch.sigmoid(z)
        missed = torch.where(t > 0, 1 - p, p)
        each = torch.where(t > 0, 0.3, 0.7) * missed**1.5 * entropy
        return (each * w).sum() / max(1.0, float((t * w).sum()))

    rows = np.concatenate([true, weigh], -1)
    loss, gradient, out = trained([(Focal(0.3, 1.5), 1.0)], rows, outputs=outputs, x=spread * pixels())
    agrees((loss, gradient / spread, out), theirs)


def test_boxes():
    """Boxes that overlap, lie apart, touch nowhere, and have no area."""
    true = 0.2 + 3 * shares(4)
    weigh = weights()

    def theirs(torch, z):
        t, w = torch.tensor(true.astype(np.float64)), torch.tensor(weigh.astype(np.float64))

        def box(sides):
            return torch.stack([-sides[..., 0], -sides[..., 1], sides[..., 2], sides[..., 3]], -1)

        ours, real = box(z), box(t)
        size = (ours[..., 2:] - ours[..., :2]).clamp(min=0)
        area = size.prod(-1) + (real[..., 2:] - real[..., :2]).prod(-1)
        low, high = torch.maximum(ours, real), torch.minimum(ours, real)
        both = (high[..., 2:] - low[..., :2]).clamp(min=0).prod(-1)
        around = (low[..., 2:] - high[..., :2]).prod(-1)
        union = area - both
        each = 2 - both / union - union / around
        return (each * w[..., 0]).sum() / w.sum()

    ours = trained([(BoxOverlap(), 1.0)], np.concatenate([true, weigh], -1), outputs=4)
    widths = ours[2][..., 0] + ours[2][..., 2]
    assert (widths < 0).any()
    assert (widths > 0).any()
    agrees(ours, theirs)


def test_perfect_boxes_have_no_loss():
    x = pixels()
    *_, out = trained([(BoxOverlap(), 1.0)], np.ones((*x.shape[:3], 5), np.float32), outputs=4)
    good = out.min(-1, keepdims=True) > 0.1
    rows = np.concatenate([out, good.astype(np.float32)], -1)
    loss, *_ = trained([(BoxOverlap(), 1.0)], rows, outputs=4)
    assert good.any()
    assert loss == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("loss", "rows"),
    [
        (SoftmaxCrossEntropy(), np.zeros((SAMPLES, HEIGHT, WIDTH), int)),
        (Dice(), np.zeros((SAMPLES, HEIGHT, WIDTH), int)),
        (Focal(), np.ones((SAMPLES, HEIGHT, WIDTH, 5), np.float32)),
        (BoxOverlap(), np.ones((SAMPLES, HEIGHT, WIDTH, 5), np.float32)),
    ],
)
def test_no_number_stays_none(loss, rows):
    """A loss of outputs that are no numbers is none, so that training sees that it diverged."""
    x = pixels()
    x[3, 1, 2, 0] = np.nan
    assert np.isnan(trained([(loss, 1.0)], rows, outputs=4, x=x)[0])


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), Dice()])
def test_nothing_that_counts(loss):
    none = np.full((SAMPLES, HEIGHT, WIDTH), UNCOUNTED)
    value, gradient, _ = trained([(loss, 1.0)], none, outputs=3)
    assert value == pytest.approx(0, abs=1e-6)
    assert not gradient.any()


def test_bits_do_not_depend_on_threads():
    true = labels(11)
    first, second = (trained([(Dice(), 1.0)], true, outputs=11, threads=threads) for threads in (1, 2))
    assert first[0] == second[0]
    np.testing.assert_array_equal(first[1], second[1])


@pytest.mark.parametrize(
    ("loss", "targets", "words"),
    [
        (SoftmaxCrossEntropy(), np.full((SAMPLES, HEIGHT, WIDTH), 9), "labels run from 0 to 9; expected -1"),
        (SoftmaxCrossEntropy(), np.full((SAMPLES, HEIGHT, WIDTH), -2), "labels run from -2"),
        (SoftmaxCrossEntropy(), np.zeros((SAMPLES, WIDTH, HEIGHT), int), r"labels have shape \(5, 7, 3\)"),
        (Dice(), np.zeros(SAMPLES, int), "labels have shape"),
        (
            Dice(),
            np.zeros((SAMPLES, HEIGHT, WIDTH, 4), np.float32),
            r"shape \(5, 3, 7, 4\); expected \(5, 3, 7\)",
        ),
        (Focal(), np.zeros((SAMPLES, HEIGHT, WIDTH, 4), np.float32), "expected (5, 3, 7, 5)"),
    ],
)
def test_wrong_targets(loss, targets, words):
    with pytest.raises(CnncliError, match=words.replace("(5, 3, 7, 5)", r"\(5, 3, 7, 5\)")):
        trained([(loss, 1.0)], targets, outputs=4)


def test_boxes_have_four_sides():
    with pytest.raises(CnncliError, match="boxes have 5 outputs"):
        trained([(BoxOverlap(), 1.0)], None, outputs=5)


def test_a_sample_has_a_class_from_0_on():
    graph = Graph((1, 1, 4))
    graph.add(Linear(3))
    step = TrainingStep(
        Network(graph), 2, objective=[Term("main", SoftmaxCrossEntropy())], optimiser=SGD(), threads=1
    )
    with pytest.raises(CnncliError, match="labels run from -1 to 2; expected 0 to 2"):
        step.run(np.zeros((2, 1, 1, 4), np.float32), np.array([-1, 2]), rate=0.1)
