"""Scores against plain loops, in float64."""

import math

import numpy as np
import pytest

from cnncli.data.class_labels import ClassLabels
from cnncli.data.loader import Batch
from cnncli.tasks.class_evaluation import ClassEvaluation
from cnncli.tasks.class_weights import class_weights
from cnncli.tasks.classification import Classification, predictions
from cnncli.tasks.softmax import log_softmax, probabilities

CLASSES = ("ant", "bee", "cat")


@pytest.fixture
def evaluation(rng):
    labels = rng.integers(0, 3, 40)
    labels[labels == 2] = 0  # no cat is there
    outputs = rng.standard_normal((40, 3)).astype(np.float32)
    outputs[:, 1] = np.where(outputs[:, 1] > 0.5, outputs[:, 1], -5)
    return ClassEvaluation(np.arange(40), labels, outputs, CLASSES)


def test_softmax_against_a_loop(rng):
    outputs = rng.standard_normal((5, 4)).astype(np.float32) * 10
    for row, got in zip(outputs.astype(float), probabilities(outputs), strict=True):
        total = sum(math.exp(v) for v in row)
        assert got == pytest.approx([math.exp(v) / total for v in row], rel=1e-12)


def test_softmax_of_large_outputs():
    got = log_softmax(np.array([[3e38, -3e38, 0]], np.float32))
    assert got[0, 0] == 0
    assert np.isfinite(got).all()


def test_accuracy_confusion_and_loss(evaluation):
    counts = [[0] * 3 for _ in range(3)]
    right, loss = 0, 0.0
    for label, row in zip(evaluation.labels, evaluation.outputs.astype(float), strict=True):
        called = max(range(3), key=lambda k: row[k])
        counts[label][called] += 1
        right += called == label
        loss += math.log(sum(math.exp(v - row[label]) for v in row))
    assert evaluation.confusion.tolist() == counts
    assert evaluation.accuracy == right / 40
    assert evaluation.loss == pytest.approx(loss / 40)


def test_scores_of_classes(evaluation):
    table = evaluation.confusion
    ant, _, cat = evaluation.by_class()
    assert ant.precision == pytest.approx(table[0, 0] / table[:, 0].sum())
    assert ant.recall == pytest.approx(table[0, 0] / table[0].sum())
    assert ant.f1 == pytest.approx(2 / (1 / ant.precision + 1 / ant.recall))
    assert (cat.support, cat.recall, cat.f1) == (0, None, 0.0)


def test_mistakes_begin_with_the_surest(evaluation):
    found = evaluation.mistakes()
    shares = probabilities(evaluation.outputs).max(axis=1)
    assert set(found) == {i for i in range(40) if evaluation.predicted[i] != evaluation.labels[i]}
    assert list(shares[found]) == sorted(shares[found], reverse=True)


def test_answers_are_ordered():
    got = predictions(np.array([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4]]), CLASSES, top=2)
    assert got == [[("bee", 0.5), ("cat", 0.3)], [("ant", 0.4), ("cat", 0.4)]]


def test_the_task_counts_hits_and_losses(evaluation):
    task, labels = Classification(CLASSES, smoothing=0.1), ClassLabels(evaluation.labels, CLASSES)
    batch = Batch(np.empty((40, 1, 1, 1), np.float32), labels, np.arange(40))
    tally = task.tally({"main": evaluation.outputs}, batch)
    assert tally == {"hits": round(evaluation.accuracy * 40)}
    assert task.metrics(tally, 40) == {"accuracy": evaluation.accuracy}
    assert task.losses({"main": evaluation.outputs}, batch).mean() == pytest.approx(evaluation.loss)
    assert [term.loss.smoothing for term in task.objective(["main", "aux1"])] == [0.1, 0.1]


def test_class_weights():
    labels = np.array([0] * 8 + [1] * 2, np.int64)
    weights = class_weights(np.bincount(labels, minlength=3))
    np.testing.assert_allclose(weights, [0.625, 2.5, 0])
    assert weights[labels].mean() == pytest.approx(1)
