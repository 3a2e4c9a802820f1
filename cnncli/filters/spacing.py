"""Colour pixels close together, as filters read them, or four bytes apart, as Pillow keeps them."""

import numpy as np

from cnncli.core import jobs, native
from cnncli.images.picture import Pixels

_CLOSE, _APART = 3, 4


def close_together(pixels: Pixels, *, threads: int) -> Pixels:
    """Pixels with nothing between the samples of a row; the same array where it is so already.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, C)
        Of any strides.
    threads : int
        Threads to use.
    """
    sample = pixels.itemsize
    channels = pixels.shape[2]
    if pixels.strides[1:] == (sample * channels, sample):
        return pixels
    if pixels.dtype != np.uint8 or channels != _CLOSE or pixels.strides[1:] != (_APART, 1):
        return np.ascontiguousarray(pixels)
    out = np.empty(pixels.shape, np.uint8)
    _move(pixels, out, apart=False, threads=threads)
    return out


def four_bytes_apart(pixels: Pixels, *, threads: int) -> Pixels:
    """Pixels of 8-bit colour as a view of an array of four bytes each; others as they are.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, C)
        Contiguous.
    threads : int
        Threads to use.
    """
    if pixels.dtype != np.uint8 or pixels.shape[2] != _CLOSE:
        return pixels
    out = np.empty((*pixels.shape[:2], _APART), np.uint8)
    _move(pixels, out, apart=True, threads=threads)
    return out[..., :_CLOSE]


def _move(src: Pixels, dst: Pixels, *, apart: bool, threads: int) -> None:
    job = np.zeros(1, jobs.SPACING)
    job["src"], job["src_pitch"] = src.ctypes.data, src.strides[0]
    job["dst"], job["dst_pitch"] = dst.ctypes.data, dst.strides[0]
    job["width"], job["apart"] = src.shape[1], apart
    native.run("spacing", job, src.shape[0], threads=threads)
