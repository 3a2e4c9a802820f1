"""Labels to splits: by class, seeded, the same on every machine."""

import numpy as np
from numpy.typing import NDArray

from cnncli.data.draws import hashed

TEST_SHARE = 0.2  # of data that come without a test split
TEST_SEED = 0  # which images are the test's never depends on what the user chooses
_PURPOSE = 7_919  # a counter of its own, apart from orders and augmentation


def stratified(
    labels: NDArray[np.int64], share: float, *, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split positions so that each class gives the same share.

    Parameters
    ----------
    labels : ndarray, shape (N,), int64
        The class of each image, 0 or more.
    share : float
        Of each class that goes to the second part, rounded; of two or more images at least one goes
        and one stays. 0: nothing goes.
    seed : int
        Which images.

    Returns
    -------
    rest, part : ndarray of intp
        Positions, ascending.
    """
    taken = np.zeros(len(labels), bool)
    if share > 0:
        keys = hashed(seed, _PURPOSE, np.arange(len(labels)))
        order = np.lexsort((keys, labels))
        counts = np.bincount(labels)
        wanted = np.rint(counts * share).astype(np.int64)
        wanted = np.clip(wanted, np.minimum(1, counts // 2), np.maximum(counts - 1, 0))
        starts = np.cumsum(counts) - counts
        place = np.arange(len(labels)) - np.repeat(starts, counts)
        taken[order] = place < np.repeat(wanted, counts)
    return np.flatnonzero(~taken), np.flatnonzero(taken)
