"""How alike two pictures are: errors, and the structural similarity index (SSIM)."""

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.choices import COMPARED_COLUMNS, COMPARED_ROWS, COMPARED_SAMPLES
from cnncli.core.native import processor
from cnncli.core.tiling import HEADER_BYTES, is_rgbx
from cnncli.filters.histogram import dense_rows
from cnncli.records import record

Numbers = NDArray[np.float64]
Read = Callable[[int, int], NDArray[Any]]
"""Rows ``start`` to ``stop`` of a picture, (stop - start, W, C)."""
Window = Literal["uniform", "gaussian"]

#: Half a side of the windows of SSIM. Those of the Gaussian reach 3.5 sigmas.
REACH: dict[Window, int] = {"uniform": 3, "gaussian": 5}
_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03
_READ_BYTES = 32 << 20  # of rows, as if in float64, that are read at once


@record
class Similarity:
    """What a comparison found.

    Attributes
    ----------
    mse, mae : float
        Means of squared and of absolute differences, in units of the image.
    largest : float
        The largest absolute difference.
    differing : float
        Share of the pixels that differ in any channel.
    ssim : float or None
        Structural similarity, 1 at most; None if a side is shorter than a window.
    psnr : float
        Peak signal-to-noise ratio in dB; infinite for pictures that are the same.
    """

    mse: float
    mae: float
    largest: float
    differing: float
    ssim: float | None
    psnr: float


@record
class Scale:
    """What the samples of both pictures mean.

    Attributes
    ----------
    white : float
        Full scale.
    alpha : bool
        Whether the last channel is opacity: colours are weighted by it, so that what cannot be seen is the
        same.
    """

    white: float
    alpha: bool = False


def compare(
    first: Read,
    second: Read,
    shape: tuple[int, int, int],
    scale: Scale,
    *,
    window: Window = "uniform",
    threads: int,
) -> Similarity:
    """Compare two pictures of one size, read a few rows at a time.

    Parameters
    ----------
    first, second : callable
        Give rows; overlapping ones from the top.
    shape : (H, W, C)
        Of both.
    scale : Scale
        What their samples mean.
    window : str
        Of SSIM: ``uniform``, means over 7 x 7 pixels with unbiased covariances, as scikit-image has it;
        ``gaussian``, of sigma 1.5, as published.
    threads : int
        Threads to use; the result does not depend on it.

    Returns
    -------
    Similarity

    Source
    ------
    Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli: Image Quality Assessment: From Error Visibility to
    Structural Similarity, 2004.
    """
    height, width, channels = shape
    reach = REACH[window]
    step = max(1, _READ_BYTES // (8 * width * channels) // COMPARED_ROWS) * COMPARED_ROWS
    found: list[Numbers] = []
    for start in range(0, height, step):
        stop = min(height, start + step)
        low, high = max(0, start - reach), min(height, stop + reach)
        pictures = _comparable(first(low, high), second(low, high))
        job = _job(pictures, (low, start, stop), shape, scale)
        found.append(_sums(job, window, threads=threads))
    squares, sizes, largest, differing, similar = np.concatenate(found).T.tolist()
    mse = math.fsum(squares) / (height * width * channels)
    mae = math.fsum(sizes) / (height * width * channels)
    inside = (height - 2 * reach) * (width - 2 * reach) * channels
    return Similarity(
        mse=mse,
        mae=mae,
        largest=math.nan if math.isnan(mae) else max(largest),
        differing=math.fsum(differing) / (height * width),
        ssim=math.fsum(similar) / inside if min(height, width) > 2 * reach else None,
        psnr=psnr_of(mse, scale.white),
    )


def psnr_of(mse: float, white: float) -> float:
    """Decibels of a mean squared error: infinite without one, minus infinity of an infinite one, else NaN."""
    if mse == 0:
        return math.inf
    return -math.inf if mse == math.inf else 10 * math.log10(white**2 / mse)


def _comparable(first: NDArray[Any], second: NDArray[Any]) -> list[NDArray[Any]]:
    """Rows of both pictures as native loops read them: RGBX, or dense samples of one type or float64."""
    if is_rgbx(first) and is_rgbx(second):
        return [first, second]
    same = first.dtype == second.dtype and first.dtype in jobs.ELEMENT_TYPES
    kind = first.dtype if same else np.float64
    return [dense_rows(each.astype(kind, copy=False)) for each in (first, second)]


def _job(
    pictures: list[NDArray[Any]], rows: tuple[int, int, int], shape: tuple[int, int, int], scale: Scale
) -> NDArray[np.void]:
    """A job about rows of pictures: the first that is given, the first that is compared, and their end."""
    job = np.zeros(1, jobs.SIMILARITY)
    for name, picture in zip(("x", "y"), pictures, strict=True):
        job[name], job[name + "_pitch"] = picture.ctypes.data, picture.strides[0]
    job["first_row"], job["top"], job["bottom"] = rows
    job["height"], job["width"], job["channels"] = shape
    kind = jobs.RGBX if is_rgbx(pictures[0]) else jobs.ELEMENT_TYPES.get(pictures[0].dtype, jobs.DOUBLES)
    job["type"] = kind
    job["alpha"], job["white"] = scale.alpha, scale.white
    job["c1"], job["c2"] = (_K1 * scale.white) ** 2, (_K2 * scale.white) ** 2
    return job


def _sums(job: NDArray[np.void], window: Window, *, threads: int) -> Numbers:
    """Of each tile: squared and absolute differences, the largest, pixels that differ, SSIM; (N, 5)."""
    width, channels = int(job["width"][0]), int(job["channels"][0])
    reach, taps = REACH[window], np.ones(7) if window == "uniform" else _bell()
    area = taps.sum() ** 2
    job["reach"], job["taps"], job["share"] = reach, taps.ctypes.data, 1 / area
    job["unbiased"] = area / (area - 1) if window == "uniform" else 1
    columns = max(COMPARED_COLUMNS, COMPARED_SAMPLES // channels)
    across, down = -(-width // columns), -(-int(job["bottom"][0] - job["top"][0]) // COMPARED_ROWS)
    job["tiles_x"], job["tile_rows"], job["tile_columns"] = across, COMPARED_ROWS, columns
    lanes = processor()[3].lanes
    # Whole chunks, and one that windows reach over; rows apart from one another by no power of two.
    samples = (-(-(min(columns, width) + 2 * reach) * channels // lanes) + 2) * lanes
    samples += lanes if samples % 512 == 0 else 0
    job["pitch"] = 8 * samples
    found = np.zeros((across * down, 5))
    job["out"] = found.ctypes.data
    rows = 5 + 2 * (COMPARED_ROWS + 2 * reach)
    scratch = HEADER_BYTES + 4 * 8 * lanes + samples + rows * 8 * samples
    native.run("similarity", job, across * down, threads=threads, scratch_bytes=scratch)
    return found


def _bell() -> Numbers:
    """A Gaussian's weights along a side of the window."""
    reach = REACH["gaussian"]
    taps: Numbers = np.exp(-np.square(np.arange(-reach, reach + 1)) / (2 * _SIGMA**2))
    taps /= taps.sum()
    return taps
