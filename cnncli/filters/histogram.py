"""The values of a picture: the smallest and the largest, and how often each occurs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.heap import LINE
from cnncli.core.native import processor
from cnncli.core.threads import movers
from cnncli.records import record

Numbers = NDArray[np.float64]

_BINS = 1 << 16  # of floats


@record(eq=False)
class Values:
    """The values of a picture and how often each occurs; white is ``white``.

    Attributes
    ----------
    levels, counts : ndarray, shape (N,)
        In rising order: each integer, or the middles of bins of floats.
    ends : (low, high)
        The smallest and the largest.
    bins_per_unit : float or None
        Of floats: value v counts in bin (v - low) * bins_per_unit, rounded down.
    """

    levels: Numbers
    counts: Numbers
    ends: tuple[float, float]
    white: float
    bins_per_unit: float | None = None


def values_of(pixels: NDArray[Any], white: float, *, threads: int = 1, counted: bool = True) -> Values:
    """The finite values of pixels of any shape, unsigned integers or float32; maybe their ends alone."""
    if pixels.dtype.kind == "u" and counted:
        counts = counts_of(pixels, threads=threads)[: int(white) + 1].astype(np.float64)
        seen = np.flatnonzero(counts)
        ends = (float(seen[0]), float(seen[-1])) if seen.size else (0.0, 0.0)
        return Values(np.arange(counts.size, dtype=np.float64), counts, ends, white)
    low, high = ends_of(pixels, threads=threads) or (0.0, 0.0)
    if not counted:
        return Values(np.zeros(1), np.zeros(1), (low, high), white)
    scale = _BINS / (high - low) if high > low else 0.0
    counts = counts_of(pixels, low=low, bins_per_unit=scale, threads=threads).astype(np.float64)
    if not scale:
        return Values(np.array([low]), counts[:1], (low, high), white)
    middles: Numbers = low + (np.arange(_BINS, dtype=np.float64) + 0.5) / scale
    return Values(middles, counts, (low, high), white, scale)


def counts_of(
    pixels: NDArray[Any], *, low: float = 0.0, bins_per_unit: float = 0.0, threads: int
) -> NDArray[np.int64]:
    """How often each level of 8 or 16 bits occurs, (256,) or (65536,); of floats each of as many bins."""
    bins = 256 if pixels.itemsize == 1 else _BINS
    if not pixels.size:
        return np.zeros(bins, np.int64)
    job, rows = _job_of(pixels)
    job["low"], job["gain"], job["entries"] = low, bins_per_unit, bins
    tables = 8 if bins == 256 else 1
    size = 8 * bins * tables
    scratches = native.run("level_counts", job, len(rows), threads=threads, scratch_bytes=size)
    counts = np.zeros(bins, np.int64)
    for each in scratches:
        counts += each.view(np.int64).reshape(tables, bins).sum(axis=0)
    return counts


def ends_of(pixels: NDArray[Any], *, threads: int) -> tuple[float, float] | None:
    """The smallest and the largest finite value of pixels of any shape; None where there is none."""
    if not pixels.size:
        return None
    job, rows = _job_of(pixels)
    found = np.zeros(1, np.int64)
    job["found"] = found.ctypes.data
    threads = movers(rows.nbytes, threads)
    scratches = native.run("level_ends", job, len(rows), threads=threads, scratch_bytes=3 * LINE)
    used = [each.view(pixels.dtype) for each in scratches if each[0]]
    line, lanes = LINE // pixels.itemsize, 4 * processor()[3].lanes // pixels.itemsize
    low = min(float(each[line : line + lanes].min()) for each in used)
    high = max(float(each[2 * line : 2 * line + lanes].max()) for each in used)
    return (low, high) if low <= high else None


def dense_rows(pixels: NDArray[Any]) -> NDArray[Any]:
    """Pixels whose rows are dense, copied if they are not; rows of a single axis are one."""
    if pixels.ndim < 3:
        pixels = pixels.reshape(1, -1, 1)
    return pixels if is_dense(pixels) else np.ascontiguousarray(pixels)


def is_dense(pixels: NDArray[Any]) -> bool:
    """Whether the samples of each row follow one another."""
    return pixels.strides[1:] == (pixels.shape[2] * pixels.itemsize, pixels.itemsize)


def _job_of(pixels: NDArray[Any]) -> tuple[NDArray[np.void], NDArray[Any]]:
    """A job without an output, and the rows that it reads."""
    rows = dense_rows(pixels)
    job = np.zeros(1, jobs.LEVELS)
    job["src"], job["src_pitch"], job["samples"] = rows.ctypes.data, rows.strides[0], rows[:1].size
    job["src_type"] = jobs.ELEMENT_TYPES[rows.dtype]
    return job, rows
