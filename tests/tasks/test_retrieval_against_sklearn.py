"""Mean average precision against scikit-learn."""

import numpy as np
import pytest

from cnncli.tasks.retrieval.metrics import leave_one_out

metrics = pytest.importorskip("sklearn.metrics")


def test_mean_average_precision(rng):
    vectors = rng.standard_normal((60, 24)).astype(np.float32)
    labels = rng.integers(0, 5, 60)
    expected = []
    for q in range(60):
        others = np.arange(60) != q
        expected.append(
            metrics.average_precision_score(labels[others] == labels[q], vectors[others] @ vectors[q])
        )
    assert leave_one_out(vectors, labels).mean_average_precision == pytest.approx(np.mean(expected), abs=1e-9)
