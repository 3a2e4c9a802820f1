"""The softmax: from a network's outputs to probabilities. Legend: N images, K classes."""

import numpy as np
from numpy.typing import NDArray

_ROWS = 1 << 13  # whose values of all classes stay in the cache


def log_softmax(outputs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logarithms of the probabilities, (N, K) float64; rows of any size, none overflows."""
    shifted = outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def cross_entropies(outputs: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Minus the logarithms of the probabilities of given classes, of many rows of few outputs.

    Parameters
    ----------
    outputs : ndarray, shape (N, K)
        Any numbers.
    labels : ndarray, shape (N,)
        Classes, 0 to K - 1.

    Returns
    -------
    ndarray, shape (N,), float64
        As `log_softmax` has them; for all rows of a block at once, class by class, ten times as fast.
    """
    found = np.empty(len(outputs), np.float64)
    for first in range(0, len(outputs), _ROWS):
        block = slice(first, first + _ROWS)
        columns = outputs[block].T.astype(np.float64, order="C")
        columns -= columns.max(axis=0)
        np.negative(np.take_along_axis(columns, labels[None, block], axis=0)[0], out=found[block])
        found[block] += np.log(np.exp(columns, out=columns).sum(axis=0))
    return found


def probabilities(outputs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Softmax of the outputs, (N, K) float64; rows sum to 1."""
    return np.asarray(np.exp(log_softmax(outputs)))
