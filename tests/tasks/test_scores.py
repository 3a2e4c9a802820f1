"""Scores against plain loops over pictures, and against scikit-learn where it is installed."""

import math
from importlib.util import find_spec

import numpy as np
import pytest

from cnncli.tasks.class_evaluation import ClassEvaluation
from cnncli.tasks.scores import BINS, Means, calibration, means
from cnncli.tasks.softmax import probabilities

HAS_SKLEARN = find_spec("sklearn") is not None


def names(count):
    return tuple(map(str, range(count)))


def answers(rng, classes, *, samples=200, scale=3.0, missing=None):
    """Random answers; one class may have no picture, and is never answered."""
    labels = rng.integers(0, classes, samples)
    outputs = (scale * rng.standard_normal((samples, classes))).astype(np.float32)
    outputs[np.arange(samples), labels] += np.float32(2)
    if missing is not None:
        labels[labels == missing] = 0
        outputs[:, missing] = -100
    return ClassEvaluation(np.arange(samples), labels, outputs, names(classes))


@pytest.mark.parametrize("classes", [6, 10, 70])
def test_top_five(rng, classes):
    evaluation = answers(rng, classes)
    hits = 0
    for label, row in zip(evaluation.labels, evaluation.outputs, strict=True):
        hits += label in sorted(range(classes), key=lambda k: (-row[k], k))[:5]
    assert 0.1 < hits / 200 < 1
    assert evaluation.top5_accuracy == hits / 200
    if HAS_SKLEARN:
        from sklearn.metrics import top_k_accuracy_score

        known = list(range(classes))
        theirs = top_k_accuracy_score(evaluation.labels, evaluation.outputs, k=5, labels=known)
        assert evaluation.top5_accuracy == pytest.approx(theirs)


def test_top_five_of_equal_outputs_are_the_first():
    outputs = np.zeros((8, 8), np.float32)
    assert ClassEvaluation(np.arange(8), np.arange(8), outputs, names(8)).top5_accuracy == 5 / 8


@pytest.mark.parametrize("classes", [2, 5])
def test_five_classes_have_no_top_five(rng, classes):
    assert answers(rng, classes).top5_accuracy is None


@pytest.mark.parametrize("scale", [1, 300])
def test_log_loss(rng, scale):
    """A sure mistake costs 36, not infinity."""
    evaluation = answers(rng, 4, scale=scale)
    total = 0.0
    for label, row in zip(evaluation.labels, probabilities(evaluation.outputs), strict=True):
        total -= math.log(max(row[label], 2**-52))
    assert evaluation.log_loss == pytest.approx(total / 200, rel=1e-12)
    if HAS_SKLEARN:
        from sklearn.metrics import log_loss

        theirs = log_loss(evaluation.labels, probabilities(evaluation.outputs), labels=range(4))
        assert evaluation.log_loss == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("rounded", [False, True])
def test_area_under_the_curve(rng, rounded):
    """The share of pairs, one picture of each class, that are in order; equal ones count half."""
    evaluation = answers(rng, 2, samples=120)
    if rounded:
        np.rint(evaluation.outputs, out=evaluation.outputs)
    values = evaluation.outputs[:, 1] - evaluation.outputs[:, 0]
    ones, zeros = values[evaluation.labels == 1], values[evaluation.labels == 0]
    pairs = [(a > b) + 0.5 * (a == b) for a in ones for b in zeros]
    assert evaluation.auc == pytest.approx(np.mean(pairs), rel=1e-12)
    if HAS_SKLEARN:
        from sklearn.metrics import roc_auc_score

        assert evaluation.auc == pytest.approx(roc_auc_score(evaluation.labels, values), rel=1e-12)


def test_an_area_needs_two_classes_that_are_there(rng):
    assert answers(rng, 3).auc is None
    assert answers(rng, 2, missing=1).auc is None


@pytest.mark.parametrize("missing", [None, 3])
def test_means_over_classes(rng, missing):
    evaluation = answers(rng, 5, missing=missing)
    labels, predicted = evaluation.labels, evaluation.predicted
    rows = []
    for k in sorted({*labels.tolist(), *predicted.tolist()}):
        right = sum(1 for a, b in zip(labels, predicted, strict=True) if a == b == k)
        said, there = int((predicted == k).sum()), int((labels == k).sum())
        rows.append((right / said if said else 0, right / there if there else 0, 2 * right / (said + there)))
        rows[-1] = (*rows[-1], there)
    macro, weighted = means(evaluation.by_class())
    assert macro == pytest.approx(tuple(np.mean([row[i] for row in rows]) for i in range(3)))
    wanted = tuple(sum(row[i] * row[3] for row in rows) / 200 for i in range(3))
    assert weighted == pytest.approx(wanted)
    if HAS_SKLEARN:
        from sklearn.metrics import precision_recall_fscore_support

        for name, ours in (("macro", macro), ("weighted", weighted)):
            theirs = precision_recall_fscore_support(labels, predicted, average=name, zero_division=0)
            assert ours == pytest.approx(theirs[:3])


def test_what_is_undefined_counts_as_nothing_in_both_means():
    outputs = np.zeros((4, 3), np.float32)
    outputs[:, 0] = 1  # all are called 0
    evaluation = ClassEvaluation(np.arange(4), np.array([0, 0, 0, 1]), outputs, names(outputs.shape[1]))
    macro, weighted = means(evaluation.by_class())
    assert macro == pytest.approx(Means(0.75 / 2, 1 / 2, (6 / 7) / 2))
    assert weighted == pytest.approx(Means(0.75 * 0.75, 0.75, 6 / 7 * 0.75))


def plain_calibration(shares, labels):
    """Expected calibration error as Guo et al. write it: bins ((m - 1) / M, m / M]."""
    bins = [[] for _ in range(BINS)]
    for row, label in zip(shares, labels, strict=True):
        sure = max(row)
        m = next(m for m in range(1, BINS + 1) if sure <= m / BINS + 1e-15)
        bins[m - 1].append((sure, row[label] == sure))
    error = 0.0
    for each in filter(None, bins):
        confidence, accuracy = (sum(pair[i] for pair in each) / len(each) for i in (0, 1))
        error += len(each) / len(labels) * abs(accuracy - confidence)
    return error, [len(each) for each in bins]


def test_calibration(rng):
    evaluation = answers(rng, 6, samples=500)
    shares = probabilities(evaluation.outputs)
    error, counts = plain_calibration(shares, evaluation.labels)
    found = evaluation.calibration
    assert found.counts.tolist() == counts
    assert 0.01 < found.error < 0.5
    assert found.error == pytest.approx(error, rel=1e-9)


def test_calibration_at_the_edges():
    """A probability of 1, and ones that lie on an edge, are in the bin below it."""
    shares = np.array([[1.0, 0.0], [0.6, 0.4], [0.8, 0.2], [0.5, 0.5]])
    found = calibration(shares, np.zeros(4, np.int64))
    assert np.flatnonzero(found.counts).tolist() == [7, 8, 11, 14]
    assert found.error == pytest.approx((0 + 0.4 + 0.2 + 0.5) / 4)


def test_calibration_agrees_with_the_curve_of_scikit_learn(rng):
    calibration_curve = pytest.importorskip("sklearn.calibration").calibration_curve
    evaluation = answers(rng, 4, samples=400)
    shares = probabilities(evaluation.outputs)
    right = shares.argmax(axis=1) == evaluation.labels
    accuracy, confidence = calibration_curve(right, shares.max(axis=1), n_bins=BINS)
    found = evaluation.calibration
    there = found.counts > 0
    np.testing.assert_allclose(found.accuracy[there], accuracy)
    np.testing.assert_allclose(found.confidence[there], confidence)
