"""The pointing game: whether the most relevant pixel lies on an object of the class.

Source: Zhang et al., Top-down neural attention by excitation backprop, 2016, section 4.1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 0.03  # of the longer side: the 15 pixels of the authors, whose pictures have 500


def hits(ranks: NDArray[np.intp], boxes: NDArray[np.floating]) -> bool:
    """Whether a map points at one of some boxes, or no further beside it than is tolerated.

    Parameters
    ----------
    ranks : ndarray, shape (H, W), intp
        From `ranks_of`.
    boxes : ndarray, shape (M, 4)
        x, y, width and height in pixels, whose centres lie at 0.5, 1.5 and so on.
    """
    row, column = np.unravel_index(ranks.argmin(), ranks.shape)
    at = np.array([column + 0.5, row + 0.5])
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    beside = np.maximum(0, np.maximum(low - at, at - high))
    return bool((np.hypot(*beside.T) <= TOLERANCE * max(ranks.shape)).any())
