"""Pictures of any size and kind as what a network takes in."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.images.faults import reading_fault
from cnncli.images.picture import Picture, with_depth
from cnncli.images.resize import read_reduced, resized

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def as_input(picture: Picture, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Bring a picture's first frame to a network's input shape.

    Opacity is laid on white, other depths become 8 bits, colour becomes gray or gray colour as the
    channels ask. The picture is scaled until it covers the shape, and what sticks out is cut off evenly.

    Parameters
    ----------
    picture : Picture
        As ``read_picture`` gives it.
    shape : (H, W, C)
        C is 1 or 3.

    Returns
    -------
    ndarray, shape (H, W, C), uint8
    """
    height, width, channels = shape
    pixels = with_depth(picture.frames[0], 8)
    if picture.alpha:
        opacity = pixels[..., -1:].astype(np.float32) / 255
        shades = pixels[..., :-1].astype(np.float32)
        pixels = np.rint(shades * opacity + 255 * (1 - opacity)).astype(np.uint8)
    if pixels.shape[2] == 3 and channels == 1:
        pixels = as_gray(pixels)
    there_h, there_w = pixels.shape[:2]
    scale = max(height / there_h, width / there_w)
    fit_h, fit_w = max(height, round(there_h * scale)), max(width, round(there_w * scale))
    pixels = resized(pixels, fit_w, fit_h)
    top, left = (fit_h - height) // 2, (fit_w - width) // 2
    return np.broadcast_to(pixels[top : top + height, left : left + width], shape)


def as_gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brightness of colours: (…, 3) becomes (…, 1)."""
    return np.asarray(np.rint(pixels @ _LUMA).astype(np.uint8)[..., None])


def read_input(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Read an image file as a network's input, (H, W, C) uint8.

    Raises
    ------
    CnncliError
        Where the file cannot be read or is no whole image.
    """
    return decoded_input(read_file(path), shape, name=str(path))


def read_file(path: Path) -> bytes:
    """The bytes of a file.

    Raises
    ------
    CnncliError
        Where it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise reading_fault(error, path) from error


def decoded_input(data: bytes, shape: tuple[int, int, int], *, name: str) -> NDArray[np.uint8]:
    """The content of an image file as a network's input; ``name`` is what errors call the file."""
    return as_input(read_reduced(data, max(shape[:2]), name=name), shape)
