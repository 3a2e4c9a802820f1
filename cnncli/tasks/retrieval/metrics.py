"""How good a search is, on images of known classes: each is searched for among all others.

Legend: N images, D floats of a vector.
"""

import numpy as np
from numpy.typing import NDArray

from cnncli.records import record

CUTS = (1, 5, 10)
_AT_ONCE = 1 << 24  # similarities that are computed at a time

Floats = NDArray[np.float32]


@record
class Retrieval:
    """Scores of a search.

    Attributes
    ----------
    queries : int
        Images that others share the class of: those that can be searched for.
    mean_average_precision : float
        Over all queries, 0 to 1.
    recall : dict of int to float
        For each k of `CUTS` the share of queries with an image of their class among the k nearest.
    """

    queries: int
    mean_average_precision: float
    recall: dict[int, float]


def leave_one_out(vectors: Floats, labels: NDArray[np.int64]) -> Retrieval:
    """Search for each image among all others.

    Parameters
    ----------
    vectors : ndarray, shape (N, D), float32
        Of length 1.
    labels : ndarray, shape (N,), int64
        Their classes; at least one of them has two images.

    Returns
    -------
    Retrieval
        Of images at equal distance, the first counts as nearer.
    """
    count = len(vectors)
    step = max(1, _AT_ONCE // count)
    precisions, firsts = [], []
    for lo in range(0, count, step):
        similar = vectors[lo : lo + step] @ vectors.T
        for row, query in enumerate(range(lo, min(lo + step, count))):
            order = np.argsort(-similar[row], kind="stable")
            relevant = labels[order[order != query]] == labels[query]
            if relevant.any():
                precisions.append(average_precision(relevant))
                firsts.append(int(relevant.argmax()))
    recall = {k: float(np.mean(np.array(firsts) < k)) for k in CUTS}
    return Retrieval(len(precisions), float(np.mean(precisions)), recall)


def average_precision(relevant: NDArray[np.bool_]) -> float:
    """The mean, over all relevant results, of the precision of the results up to there.

    Parameters
    ----------
    relevant : ndarray, shape (n,), bool
        Whether each result is relevant, nearest first; at least one is.
    """
    ranks = np.flatnonzero(relevant) + 1
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))
