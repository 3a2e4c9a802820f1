"""Weights that give rare classes as much influence as frequent ones."""

import numpy as np
from numpy.typing import NDArray


def class_weights(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Weights that give every class the same influence: N / (K' n_k), 0 for a class that never occurs.

    Parameters
    ----------
    counts : ndarray, shape (K,), int64
        n_k: how many images, or pixels, are of each class. N is their sum, K' the number of classes that
        occur.

    Returns
    -------
    ndarray, shape (K,), float32
        The mean over all images or pixels is 1.
    """
    present = counts > 0
    weights = np.zeros(len(counts))
    weights[present] = counts.sum() / (present.sum() * counts[present].astype(np.float64))
    return weights.astype(np.float32)
