"""Sixel: six rows of pixels in a letter, one colour at a time.

Source: Digital Equipment Corporation, VT330/VT340 Programmer Reference Manual, Volume 2, chapter 14.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cnncli.images.gif_write import quantized

_ROWS = 6  # of a band
_WEIGHTS = (1 << np.arange(_ROWS, dtype=np.uint8))[:, None]
_FIRST = 63  # the letter ?, which stands for no pixel
_WORTH = 4  # letters in a row from which on a count is shorter


def encode_sixel(pixels: NDArray[np.uint8]) -> bytes:
    """Encode a picture; up to 256 colours are kept to the percent that Sixel has, more are dithered.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, 3), uint8
        RGB.

    Returns
    -------
    bytes
        With the codes that begin and end it.
    """
    height, width = pixels.shape[:2]
    indices, colors = quantized(pixels, 256)
    percent = np.rint(colors * (100 / 255)).astype(int).tolist()
    head = f'\x1bP0;1;0q"1;1;{width};{height}'
    table = "".join(f"#{place};2;{r};{g};{b}" for place, (r, g, b) in enumerate(percent))
    bands = b"-".join(_band(indices[top : top + _ROWS]) for top in range(0, height, _ROWS))
    return f"{head}{table}".encode() + bands + b"\x1b\\"


def _band(indices: NDArray[np.uint8]) -> bytes:
    """Up to six rows: for each colour in them its number and its pixels, then back to the left edge."""
    colors = np.unique(indices)
    return b"$".join(b"#%d" % color + b"".join(_letters(indices, color)) for color in colors.tolist())


def _letters(indices: NDArray[np.uint8], color: int) -> Iterator[bytes]:
    """The pixels of a colour as letters, of which many of a kind are counted."""
    bits = ((indices == color) * _WEIGHTS[: len(indices)]).sum(axis=0, dtype=np.uint8)
    used = int(np.flatnonzero(bits)[-1]) + 1
    starts = np.concatenate([[0], np.flatnonzero(np.diff(bits[:used])) + 1, [used]])
    counts = np.diff(starts).tolist()
    for letter, count in zip((bits[starts[:-1]] + _FIRST).tolist(), counts, strict=True):
        one = bytes([letter])
        yield b"!%d" % count + one if count >= _WORTH else one * count
