"""Pixels by their class and the one that they are taken for."""

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native
from cnncli.core.object_jobs import CONFUSIONS


def confusions(
    values: NDArray[np.float32], labels: NDArray[np.int64], *, threads: int = 1
) -> NDArray[np.int64]:
    """Count pixels.

    Parameters
    ----------
    values : ndarray, shape (N, …, K), float32
        Of the classes of each pixel; the highest counts, of equal ones the first.
    labels : ndarray, shape (N, …), int64
        True classes; pixels of others than 0 to K - 1 are left out.
    threads : int
        Samples are spread over them.

    Returns
    -------
    ndarray, shape (N, K, K), int64
        Of each sample, pixels by true class and by the one that is seen.

    Raises
    ------
    ValueError
        Where the shapes do not belong together.
    """
    if values.shape[:-1] != labels.shape or labels.ndim < 1:
        raise ValueError(
            f"values have shape {values.shape}, labels {labels.shape}; expected one for each pixel"
        )
    samples, classes = len(values), values.shape[-1]
    values = np.ascontiguousarray(values, np.float32)
    labels = np.ascontiguousarray(labels, np.int64)
    counts = np.zeros((samples, classes, classes), np.int64)
    job = np.zeros(1, CONFUSIONS)
    job["values"], job["labels"], job["counts"] = (each.ctypes.data for each in (values, labels, counts))
    job["pixels"], job["classes"] = labels[:1].size, classes
    if samples:
        native.run("confusions", job, samples, threads=threads)
    return counts
