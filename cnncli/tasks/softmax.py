"""The softmax: from a network's outputs to probabilities. Legend: N images, K classes."""

import numpy as np
from numpy.typing import NDArray


def log_softmax(outputs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logarithms of the probabilities, (N, K) float64; rows of any size, none overflows."""
    shifted = outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def probabilities(outputs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Softmax of the outputs, (N, K) float64; rows sum to 1."""
    return np.asarray(np.exp(log_softmax(outputs)))
