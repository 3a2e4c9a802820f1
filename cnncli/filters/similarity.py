"""How alike two pictures are: errors, and the structural similarity index (SSIM)."""

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cnncli.core.choices import COMPARED_BYTES
from cnncli.core.threads import spread
from cnncli.records import record

Numbers = NDArray[np.float64]
Read = Callable[[int, int], NDArray[Any]]
"""Rows ``start`` to ``stop`` of a picture, (stop - start, W, C)."""
Window = Literal["uniform", "gaussian"]

#: Half a side of the windows of SSIM. Those of the Gaussian reach 3.5 sigmas.
REACH: dict[Window, int] = {"uniform": 3, "gaussian": 5}
_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03
_READ_BYTES = 32 << 20  # of rows in float64 that are read at once …


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
    row = 8 * width * channels
    part = max(2 * reach + 2, COMPARED_BYTES // row)
    step = max(1, _READ_BYTES // row // part) * part
    found: list[_Sums] = []
    for start in range(0, height, step):
        stop = min(height, start + step)
        low, high = max(0, start - reach), min(height, stop + reach)
        band = _Band(low, height, first(low, high), second(low, high))
        found += _of_parts(band, (start, stop), part, scale, window=window, threads=threads)
    squares, sizes, differing, similar = (math.fsum(each[at] for each in found) for at in (0, 1, 3, 4))
    samples = height * width * channels
    inside = (height - 2 * reach) * (width - 2 * reach) * channels
    mse = squares / samples
    return Similarity(
        mse=mse,
        mae=sizes / samples,
        largest=float(np.max([each[2] for each in found])),
        differing=differing / (height * width),
        ssim=similar / inside if min(height, width) > 2 * reach else None,
        psnr=psnr_of(mse, scale.white),
    )


def psnr_of(mse: float, white: float) -> float:
    """Decibels of a mean squared error: infinite without one, minus infinity of an infinite one, else NaN."""
    if mse == 0:
        return math.inf
    return -math.inf if mse == math.inf else 10 * math.log10(white**2 / mse)


_Sums = tuple[float, float, float, float, float]


@record(eq=False)
class _Band:
    """Rows of both pictures, from ``top`` on, of ``height``."""

    top: int
    height: int
    first: NDArray[Any]
    second: NDArray[Any]


def _of_parts(
    band: _Band, rows: tuple[int, int], step: int, scale: Scale, *, window: Window, threads: int
) -> list[_Sums]:
    """The sums of every ``step`` rows."""
    reach = REACH[window]
    tops = range(*rows, step)
    parts: list[_Sums] = [(0.0, 0.0, 0.0, 0.0, 0.0)] * len(tops)

    def work(worker: int, lo: int, hi: int) -> None:
        for number in range(lo, hi):
            top, bottom = tops[number], min(tops[number] + step, rows[1])
            above, below = min(reach, top), min(reach, band.height - bottom)
            seen = slice(top - above - band.top, bottom + below - band.top)
            x, y = (_numbers(each[seen], scale) for each in (band.first, band.second))
            with np.errstate(invalid="ignore"):  # of infinities, which give NaN
                parts[number] = _part(x, y, (above, below), scale.white, window)

    spread(work, len(tops), max(1, min(threads, len(tops))))
    return parts


def _numbers(rows: NDArray[Any], scale: Scale) -> Numbers:
    """Rows as (C, H, W) in float64, colours weighted by opacity."""
    values = np.ascontiguousarray(np.moveaxis(rows, 2, 0), np.float64)
    if scale.alpha:
        values[:-1] *= values[-1:] / scale.white
    return values


def _part(x: Numbers, y: Numbers, around: tuple[int, int], white: float, window: Window) -> _Sums:
    """Sums of squared and absolute differences, the largest, differing pixels, sum of SSIM.

    Of rows with so many more above and below, which only windows reach into.
    """
    height = x.shape[1]
    own = slice(around[0], height - around[1])
    apart = np.abs(x[:, own] - y[:, own])
    sums = float(np.square(apart).sum()), float(apart.sum()), float(apart.max())
    differs = float(np.count_nonzero((apart != 0).any(axis=0)))
    if min(x.shape[1:]) <= 2 * REACH[window]:
        return *sums, differs, 0.0
    return *sums, differs, float(_structure(x, y, white, window).sum())


def _structure(x: Numbers, y: Numbers, white: float, window: Window) -> Numbers:
    """SSIM of all windows inside."""
    mean = _means if window == "uniform" else _bells
    side = 2 * REACH[window] + 1
    unbiased = side**2 / (side**2 - 1) if window == "uniform" else 1.0
    ux, uy = mean(x), mean(y)
    vx, vy, vxy = (
        unbiased * (mean(a * b) - ua * ub)
        for a, b, ua, ub in ((x, x, ux, ux), (y, y, uy, uy), (x, y, ux, uy))
    )
    c1, c2 = (_K1 * white) ** 2, (_K2 * white) ** 2
    above = (2 * ux * uy + c1) * (2 * vxy + c2)
    below = (ux**2 + uy**2 + c1) * (vx + vy + c2)
    return np.asarray(above / below)


def _means(planes: Numbers) -> Numbers:
    """Means over 7 x 7: 7 are 4, 2 and 1."""
    for axis in (1, 2):
        length = planes.shape[axis] - 6
        two = _cut(planes, axis, 0, -1) + _cut(planes, axis, 1, None)
        total = _cut(two, axis, 0, length) + _cut(two, axis, 2, 2 + length)
        total += _cut(two, axis, 4, 4 + length)
        total += _cut(planes, axis, 6, 6 + length)
        planes = total
    return planes / 49


def _bells(planes: Numbers) -> Numbers:
    """Means weighted by a Gaussian."""
    reach = REACH["gaussian"]
    taps = np.exp(-np.square(np.arange(-reach, reach + 1)) / (2 * _SIGMA**2))
    taps /= taps.sum()
    for axis in (1, 2):
        length = planes.shape[axis] - 2 * reach
        planes = sum(weight * _cut(planes, axis, at, at + length) for at, weight in enumerate(taps.tolist()))
    return planes


def _cut(planes: Numbers, axis: int, start: int, stop: int | None) -> Numbers:
    return planes[:, start:stop] if axis == 1 else planes[:, :, start:stop]
