"""Conversion between RGB, three bytes per pixel, and RGBX, four bytes per pixel, as Pillow stores it."""

from collections.abc import Callable

import numpy as np

from cnncli.core import jobs, native
from cnncli.core.heap import aligned_empty
from cnncli.core.tiling import Surface, is_rgbx
from cnncli.images.picture import Pixels
from cnncli.records import replace

_RGB, _RGBX = 3, 4


def as_rgb(pixels: Pixels, *, threads: int) -> Pixels:
    """Pixels with contiguous samples in each row; the same array if they already are.

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
    if not is_rgbx(pixels):
        return np.ascontiguousarray(pixels)
    out = np.empty(pixels.shape, np.uint8)
    _move(pixels, out, rgbx=False, threads=threads)
    return out


def as_rgbx(pixels: Pixels, *, threads: int) -> Pixels:
    """8-bit colour as a view of an RGBX array; other pixels unchanged.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, C)
        Contiguous, or already RGBX.
    threads : int
        Threads to use.
    """
    if pixels.dtype != np.uint8 or pixels.shape[2] != _RGB or is_rgbx(pixels):
        return pixels
    out = empty_rgbx(*pixels.shape[:2])
    _move(pixels, out, rgbx=True, threads=threads)
    return out


def empty_rgbx(height: int, width: int) -> Pixels:
    """Uninitialised 8-bit colour, (H, W, 3), with four bytes per pixel."""
    return aligned_empty((height, width, _RGBX), np.dtype(np.uint8))[..., :_RGB]


def run_on_rgb(run: Callable[[Surface], int], surface: Surface, *, threads: int) -> int:
    """Run a loop that does not support RGBX over a surface that may be RGBX.

    Parameters
    ----------
    run : callable
        Runs over the surface with RGB pixels; returns the number of clipped samples.
    surface : Surface
        Source and output.
    threads : int
        Threads to use.

    Returns
    -------
    int
        Values that the output's type clipped.
    """
    out = aligned_empty(surface.out.shape, surface.out.dtype) if is_rgbx(surface.out) else surface.out
    src = as_rgb(surface.src, threads=threads)
    if src is surface.src and out is surface.out:
        return run(surface)
    clipped = run(replace(surface, src=src, out=out))
    if out is not surface.out:
        _move(out, surface.out, rgbx=True, threads=threads)
    return clipped


def _move(src: Pixels, dst: Pixels, *, rgbx: bool, threads: int) -> None:
    job = np.zeros(1, jobs.SPACING)
    job["src"], job["src_pitch"] = src.ctypes.data, src.strides[0]
    job["dst"], job["dst_pitch"] = dst.ctypes.data, dst.strides[0]
    job["width"], job["rgbx"] = src.shape[1], rgbx
    native.run("spacing", job, src.shape[0], threads=threads)
