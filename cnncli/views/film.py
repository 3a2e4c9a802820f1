"""Clips as pictures: their frames side by side, in order."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

_GROUND = 255
_SHARE = 16  # of a frame's side, that lies between frames


def as_sheets(strips: NDArray[np.uint8], frame: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Clips whose frames lie one below the other, as sheets of frames that are read line by line.

    Parameters
    ----------
    strips : ndarray, shape (N, T * H, W, C)
        As a network takes clips.
    frame : (H, W, C)
        Of a frame.

    Returns
    -------
    ndarray, shape (N, h, w, C)
        About as high as wide, white between the frames.
    """
    height, width, channels = frame
    count, frames = len(strips), strips.shape[1] // height
    gap = max(1, min(height, width) // _SHARE)
    high, wide = height + gap, width + gap
    columns = min(frames, ceil((frames * high / wide) ** 0.5))
    rows = -(-frames // columns)
    out = np.full((count, rows * high - gap, columns * wide - gap, channels), _GROUND, np.uint8)
    for number in range(frames):
        row, column = divmod(number, columns)
        place = np.s_[row * high : row * high + height, column * wide : column * wide + width]
        out[:, *place] = strips[:, number * height : (number + 1) * height]
    return out
