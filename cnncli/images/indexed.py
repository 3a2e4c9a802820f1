"""Encode images of numbers with a palette: what the numbers mean is kept, and a viewer shows colours."""

import io

import numpy as np
from numpy.typing import NDArray


def encode_indexed(numbers: NDArray[np.uint8], colors: NDArray[np.uint8]) -> bytes:
    """Encode a PNG of 8 bits with a palette.

    Parameters
    ----------
    numbers : ndarray, shape (H, W), uint8
        Places in the palette.
    colors : ndarray, shape (256, 3), uint8
        Red, green and blue of each.
    """
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(numbers))
    image.putpalette(np.ascontiguousarray(colors).tobytes())  # gray becomes a palette
    out = io.BytesIO()
    image.save(out, "PNG", bits=8)
    return out.getvalue()
