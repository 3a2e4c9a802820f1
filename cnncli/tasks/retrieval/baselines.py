"""What a search needs no network for: pictures as raw pixels, and as histograms of their colours.

A network's vectors are worth their while by as much as they are better than these.
"""

import numpy as np
from numpy.typing import NDArray

from cnncli.images.resize import resized
from cnncli.tasks.retrieval.embedding import unit_rows

SIDE = 32  # pixels of a reduced picture
BINS = 8  # of each of three channels
GRAY_BINS = 64

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


def pixel_vector(pixels: Bytes) -> Floats:
    """A picture reduced to `SIDE` pixels a side, its mean taken off: (H, W, C) becomes (D,), of length 1.

    The dot product of two is their correlation, which changes of brightness and contrast leave as it is.
    """
    height, width = (min(SIDE, side) for side in pixels.shape[:2])
    small = resized(np.ascontiguousarray(pixels), width, height).astype(np.float64).reshape(1, -1)
    vector: Floats = unit_rows(small - small.mean())[0]
    return vector


def histogram_vector(pixels: Bytes) -> Floats:
    """Roots of the shares of colours, in `BINS` ** 3 bins: (H, W, C) becomes (D,), of length 1.

    The dot product of two is the Bhattacharyya coefficient of the histograms. Gray has `GRAY_BINS` bins.
    """
    channels = pixels.shape[2]
    bins = GRAY_BINS if channels == 1 else BINS
    levels = pixels.reshape(-1, channels).astype(np.intp) * bins // 256
    places = levels @ bins ** np.arange(channels)[::-1]
    shares = np.sqrt(np.bincount(places, minlength=bins**channels))
    vector: Floats = unit_rows(shares[None])[0]
    return vector


BASELINES = {"pixels": pixel_vector, "histogram": histogram_vector}
