"""Weights that give rare classes as much influence as frequent ones."""

import numpy as np
from numpy.typing import NDArray


def class_weights(counts: NDArray[np.int64], *, power: float = 1.0) -> NDArray[np.float32]:
    """Weights that give every class the same influence: N / (K' n_k), 0 for a class that never occurs.

    With a power below 1 frequent classes keep some of theirs: weights are in proportion to n_k ** -power.

    Parameters
    ----------
    counts : ndarray, shape (K,), int64
        n_k: how many images, or pixels, are of each class. N is their sum, K' the number of classes that
        occur.
    power : float, 0 to 1
        0: all weights are 1.

    Returns
    -------
    ndarray, shape (K,), float32
        The mean over all images or pixels is 1.
    """
    present = counts > 0
    weights = np.zeros(len(counts))
    found = counts[present].astype(np.float64)
    weights[present] = found**-power * (found.sum() / (found ** (1 - power)).sum())
    return weights.astype(np.float32)
