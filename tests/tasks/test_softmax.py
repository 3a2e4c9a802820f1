"""Probabilities of outputs of any size, against SciPy's."""

import numpy as np
import pytest
from scipy.special import log_softmax as scipys

from cnncli.tasks.softmax import _ROWS, cross_entropies, log_softmax, probabilities


@pytest.mark.parametrize("classes", [1, 2, 11, 40])
@pytest.mark.parametrize("rows", [1, 7, _ROWS, _ROWS + 3])
def test_rows_agree_with_scipys(rows, classes):
    random = np.random.default_rng(rows + classes)
    outputs = (100 * random.standard_normal((rows, classes))).astype(np.float32)
    labels = random.integers(0, classes, rows)
    wanted = scipys(outputs.astype(np.float64), axis=1)
    np.testing.assert_allclose(log_softmax(outputs), wanted, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(probabilities(outputs), np.exp(wanted), rtol=1e-12, atol=1e-300)
    found = cross_entropies(outputs, labels)
    np.testing.assert_allclose(found, -wanted[np.arange(rows), labels], rtol=1e-12, atol=1e-12)


def test_outputs_of_any_size_do_not_overflow():
    outputs = np.array([[3e38, -3e38, 0.0]], np.float32)
    np.testing.assert_allclose(cross_entropies(outputs, np.array([0])), 0.0)
    np.testing.assert_allclose(cross_entropies(outputs, np.array([1])), 6e38, rtol=1e-6)


def test_a_missing_number_is_not_hidden():
    assert np.isnan(cross_entropies(np.array([[np.nan, 1.0]], np.float32), np.array([1]))).all()
