"""Pixels at other places: copies of moved pixels, and weighted sums for another size."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.choices import (
    ENLARGED_ROWS,
    RESIZED_FLOATS,
    SETS_BYTES,
    STREAMED_BYTES,
    TILE_SAMPLES,
    TURNED_AHEAD,
    TURNED_BYTES,
    TURNED_COLUMNS,
    TURNED_ROWS,
)
from cnncli.core.heap import LINE, address_of
from cnncli.core.native import processor
from cnncli.core.threads import movers
from cnncli.core.tiling import HEADER_BYTES, Surface, TileJob, lay_out
from cnncli.filters.execute import clipped_in, run_direct, unmapped
from cnncli.filters.rgbx import run_on_rgb
from cnncli.records import record, replace

Pixels = NDArray[Any]
Floats = NDArray[np.float64]

#: How far from its middle, in pixels of the smaller picture, a way to interpolate reaches.
SUPPORTS = {"area": 0.5, "bilinear": 1.0, "bicubic": 2.0, "lanczos": 3.0}


def run_moved(surface: Surface, moved: Callable[[Pixels], Pixels], *, threads: int) -> int:
    """Write what ``moved`` makes of the source's pixels, (H, W, C) to (h, w, C), to the output.

    Returns
    -------
    int
        Values that the output's type clipped.
    """
    return run_on_rgb(lambda rgb: _store_moved(moved(rgb.src), rgb, threads), surface, threads=threads)


def _store_moved(moved: Pixels, surface: Surface, threads: int) -> int:
    height, width, _ = moved.shape
    plain = not surface.absolute and (surface.scale, surface.bias) == (1.0, 0.0) and surface.luma is None
    if plain and moved.dtype == surface.out.dtype and moved.shape == surface.out.shape:
        _copy(moved, surface.out, threads)
        return 0
    gathered = np.empty(moved.shape, moved.dtype)
    _copy(moved, gathered, threads)
    copied = replace(surface, src=gathered, xmap=np.arange(width), ymap=np.arange(height))
    return run_direct(np.ones((1, 1)), copied, dilation=1, threads=threads)


def _copy(moved: Pixels, out: Pixels, threads: int) -> None:
    """Copy pixels between arrays of one shape and type."""
    threads = movers(2 * out.nbytes, threads)
    size = moved.itemsize * moved.shape[2]
    if moved.strides[2] != moved.itemsize or out.strides[2] != out.itemsize:
        for channel in range(moved.shape[2]):
            _move(moved[..., channel], out[..., channel], moved.itemsize, threads)
    else:
        _move(moved[..., 0], out[..., 0], size, threads)


def _move(moved: Pixels, out: Pixels, size: int, threads: int) -> None:
    """Move pixels of so many bytes, of which the arrays (H, W) hold the first samples."""
    if moved.strides[0] < 0 and abs(moved.strides[0]) < abs(moved.strides[1]):
        moved, out = moved[::-1], out[::-1]  # columns are read as they lie in memory
    height, width = moved.shape
    row_bytes = width * size
    streams = row_bytes >= LINE and row_bytes * height >= STREAMED_BYTES
    job = jobs.filled(
        jobs.MOVES,
        src=moved.ctypes.data,
        src_row=moved.strides[0],
        src_column=moved.strides[1],
        out=address_of(out),
        out_row=out.strides[0],
        out_column=out.strides[1],
        height=height,
        width=width,
        size=size,
        streams=streams,
    )
    count = -(-height // jobs.MOVED_ROWS)
    native.run("move_pixels", job, count, threads=threads)


@record(eq=False)
class Taps:
    """Which pixels of an axis, and how much of each, make each pixel of a result.

    Attributes
    ----------
    first : ndarray of intp, shape (N,)
        The first pixel of each.
    ends : ndarray of intp, shape (N + 1,)
        Where the weights of each begin, and the end of all.
    weights : ndarray of float64
        One after another.
    """

    first: NDArray[np.intp]
    ends: NDArray[np.intp]
    weights: Floats

    @property
    def beyond(self) -> NDArray[np.intp]:
        """One behind the last pixel of each."""
        return self.first + np.diff(self.ends)


def taps_for(before: int, after: int, interpolation: str, window: tuple[int, int]) -> Taps:
    """The taps of some pixels of an axis whose length changes.

    The way to interpolate is widened where pixels become fewer, so that all of them count (antialiasing).
    Taps beyond the edges do not count, and the others add up to 1.

    Parameters
    ----------
    before, after : int
        Pixels of the axis.
    interpolation : str
        A key of `SUPPORTS`.
    window : (first, count)
        The pixels of the result.

    Source
    ------
    Pillow, ``src/libImaging/Resample.c``; bicubic is Keys' with a = -0.5, lanczos has three lobes.
    """
    scale = before / after
    wide = max(scale, 1.0)
    support = SUPPORTS[interpolation] * wide
    middles = (np.arange(window[0], window[0] + window[1]) + 0.5) * scale
    first = np.maximum((middles - support + 0.5).astype(np.intp), 0)
    end = np.minimum((middles + support + 0.5).astype(np.intp), before)
    end = np.maximum(end, first + 1)
    numbers = np.arange(int((end - first).max()))[:, None]  # few: NumPy works along the pixels
    places = first + numbers
    weights = _WEIGHTS[interpolation]((places + 0.5 - middles) / wide)
    weights[places >= end] = 0
    weights[np.abs(weights) < 1e-12] = 0
    used = weights != 0
    nothing = ~used.any(axis=0)
    weights[0, nothing], used[0, nothing] = 1, True
    weights /= weights.sum(axis=0)
    begin = used.argmax(axis=0)
    stop = len(used) - used[::-1].argmax(axis=0)
    kept = (numbers >= begin) & (numbers < stop)
    return Taps(first + begin, np.concatenate([[0], np.cumsum(stop - begin)]), weights.T[kept.T])


def _triangle(x: Floats) -> Floats:
    return np.asarray(np.maximum(1 - np.abs(x), 0))


def _cubic(x: Floats) -> Floats:
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _lanczos(x: Floats) -> Floats:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


def _box(x: Floats) -> Floats:
    return ((x > -0.5) & (x <= 0.5)).astype(np.float64)


_WEIGHTS = {"area": _box, "bilinear": _triangle, "bicubic": _cubic, "lanczos": _lanczos}


def nearest(before: int, after: int, window: tuple[int, int]) -> NDArray[np.intp]:
    """The pixel of an axis under the middle of each of some pixels of the result."""
    middles = np.arange(window[0], window[0] + window[1]) * 2 + 1
    return np.minimum(middles * before // (2 * after), before - 1)


def run_resize(surface: Surface, taps: Sequence[Taps], *, threads: int) -> int:
    """Make each pixel of the output of the rows and columns of the source that tables name.

    Parameters
    ----------
    surface : Surface
        Source and output.
    taps : (rows, columns)
        Of pixels that lie in memory.
    threads : int
        Threads to use; the result does not depend on it.

    Returns
    -------
    int
        Values that the output's type clipped.
    """
    most = max(int(np.diff(axis.ends).max()) for axis in taps)
    if most <= jobs.ENLARGED_BYTES_TAPS and surface.src.dtype == np.uint8:
        from cnncli.filters.enlarge_bytes import run_enlarge_bytes

        if run_enlarge_bytes(surface, *taps, threads=threads):
            return 0
    order = _in_order(taps[1], surface.channels) if most <= jobs.ENLARGED_TAPS[-1] else None
    if order is not None:
        return _run_enlarge(surface, taps, order, threads)
    return _run_shrink(surface, taps, threads)


def _run_shrink(surface: Surface, taps: Sequence[Taps], threads: int) -> int:
    """`run_resize` with any number of taps."""
    job = lay_out(jobs.RESIZE, surface, extent=(1, 1))
    lanes = processor()[3].lanes
    height, width, channels = surface.out.shape
    columns = taps[1]
    tile_width = _tile_width(columns, channels, lanes)
    starts = np.arange(0, width, tile_width)
    left, beyond = np.minimum.reduceat(columns.first, starts), np.maximum.reduceat(columns.beyond, starts)
    samples = int((beyond - left).max()) * channels
    room = [_padded(samples), _padded(tile_width * channels)]
    for axis, table in zip(("row", "column"), taps, strict=True):
        job.point(f"{axis}_first", table.first.astype(np.intp))
        job.point(f"{axis}_ends", table.ends.astype(np.intp))
        job.point(f"{axis}_weights", table.weights.astype(np.float32))
    pitch, line = room
    at = HEADER_BYTES + 4 * pitch
    for name, size in (("sums_at", pitch), ("turned_at", pitch), ("found_at", line), ("rows_at", line)):
        job.record[name] = at
        at += 4 * lanes * size
    job.record["pitch"], job.record["out_row"] = pitch, 4 * line
    job.record["tiles_x"], job.record["tile_width"] = len(starts), tile_width
    count = len(starts) * -(-height // lanes)
    return clipped_in(native.run("resize", job.record, count, threads=threads, scratch_bytes=at))


@record(eq=False)
class Order:
    """The columns of a result in vectors of samples, each from as many neighbours in the source at most.

    Attributes
    ----------
    first : ndarray of intp, shape (W,)
        The first pixel of each column's taps; it never decreases.
    starts : ndarray of intp, shape (vectors,)
        The first sample of the source that a vector is made of.
    places : ndarray of int32, shape (vectors, lanes)
        How far behind it the first tap of each lane lies. Vectors suffice for a chunk from any on.
    weights : ndarray of float32, shape (taps, vectors * lanes)
        0 where there is no tap.
    """

    first: NDArray[np.intp]
    starts: NDArray[np.intp]
    places: NDArray[np.int32]
    weights: NDArray[np.float32]


def _in_order(columns: Taps, channels: int) -> Order | None:
    """The vectors of an axis that becomes longer; None where one is made of more samples than it has."""
    lanes = processor()[3].lanes
    first = _rising(columns.first)
    counts = np.diff(columns.ends)
    ahead = columns.first - first
    taps = next((each for each in jobs.ENLARGED_TAPS if each >= int((ahead + counts).max())), 0)
    if not taps:
        return None
    weights = np.zeros((taps, len(first)), np.float32)
    for tap in range(int(counts.max())):
        some = np.flatnonzero(tap < counts)
        weights[ahead[some] + tap, some] = columns.weights[columns.ends[some] + tap]
    missing = -len(first) * channels % lanes + (jobs.ENLARGED_VECTORS - 1) * lanes  # of the last chunk
    samples = (first[:, None] * channels + np.arange(channels)).reshape(-1)
    by_vector = np.pad(samples, (0, missing), mode="edge").reshape(-1, lanes)
    starts = by_vector.min(axis=1)
    places = by_vector - starts[:, None]
    if places.max() >= lanes:
        return None
    spread_out = np.pad(weights.repeat(channels, axis=1), ((0, 0), (0, missing)))
    return Order(first, starts, places.astype(np.int32), np.ascontiguousarray(spread_out))


def _rising(first: NDArray[np.intp]) -> NDArray[np.intp]:
    """The least of each and all that follow: where taps without weight are left out, some start later."""
    return np.minimum.accumulate(first[::-1])[::-1]


def _run_enlarge(surface: Surface, taps: Sequence[Taps], order: Order, threads: int) -> int:
    """`run_resize` with few taps each."""
    job = lay_out(jobs.ENLARGE, surface, extent=(1, 1))
    lanes = processor()[3].lanes
    rows, columns = taps
    height, width, channels = surface.out.shape
    tile_width = max(1, TILE_SAMPLES // channels // lanes) * lanes
    edges = np.arange(0, width, tile_width)
    lefts, beyond = np.minimum.reduceat(order.first, edges), np.maximum.reduceat(columns.beyond, edges)
    vectors = tile_width * channels // lanes
    number = np.minimum(np.arange(len(order.starts)) // vectors, len(edges) - 1)
    kept_rows = _point_rows(job, rows)
    pitch = _padded(int((beyond - lefts).max() + len(order.weights)) * channels + lanes)
    tables = {
        "lefts": lefts,
        "spans": beyond - lefts,
        "starts": 4 * (order.starts - lefts[number] * channels),
    }
    for name, table in tables.items():
        job.point(name, np.ascontiguousarray(table, np.intp))
    job.point("places", order.places)
    job.point("weights", order.weights)
    numbers = {
        "taps": len(order.weights),
        "plane": order.weights.strides[0],
        "tile_vectors": vectors,
        "kept_rows": kept_rows,
        "pitch": pitch,
        "lead": tile_width,
        "tile_width": tile_width,
        "tile_height": ENLARGED_ROWS,
        "tiles_x": len(edges),
    }
    for name, value in numbers.items():
        job.record[name] = value
    line = _padded(tile_width * channels + jobs.ENLARGED_VECTORS * lanes)
    scratch = HEADER_BYTES + 4 * ((kept_rows + 1) * pitch + line)
    count = len(edges) * -(-height // ENLARGED_ROWS)
    return clipped_in(native.run("enlarge", job.record, count, threads=threads, scratch_bytes=scratch))


def _point_rows(job: TileJob, rows: Taps) -> int:
    """Set the rows that each row of a larger picture is made of; returns how many have to be kept at once."""
    kept = _rising(rows.first)
    for name, table in (("row_kept", kept), ("row_first", rows.first), ("row_ends", rows.ends)):
        job.point(name, np.ascontiguousarray(table, np.intp))
    job.point("row_weights", rows.weights.astype(np.float32))
    return int((np.maximum.accumulate(rows.beyond) - kept).max())


def _padded(samples: int) -> int:
    """Floats of a row in scratch: whole groups of vectors, and no multiple of 4 KB."""
    room = -(-samples // 64) * 64 + 64
    return room + 16 if room % 1024 == 0 else room


def _tile_width(columns: Taps, channels: int, lanes: int) -> int:
    """Pixels of the result of which the sums lie in a part of the L2 cache."""
    per_pixel = 1 + (int(columns.beyond.max()) - int(columns.first.min())) / len(columns.first)
    return max(1, min(len(columns.first), int(RESIZED_FLOATS * 8 / lanes / channels / per_pixel)))


def run_affine(
    surface: Surface,
    at: tuple[float, float],
    steps: Sequence[tuple[float, float]],
    taps: int,
    *,
    threads: int,
) -> int:
    """Fill the output from places of the source.

    Parameters
    ----------
    surface : Surface
        Source, with what lies beyond its edges as ``fill``, and output.
    at : (x, y)
        The place of the first pixel's middle; 0 is the middle of the source's first.
    steps : ((x, y), (x, y))
        To the next column and to the next row.
    taps : int
        Pixels along each axis: 1 takes the nearest, 2 is bilinear, 4 bicubic.
    threads : int
        Threads to use; the result does not depend on it.

    Returns
    -------
    int
        Values that the output's type clipped.
    """
    if surface.luma is not None:
        plain = unmapped(
            replace(surface, out=np.empty((*surface.src.shape[:2], surface.channels), np.float32))
        )
        run_direct(np.ones((1, 1)), plain, dilation=1, threads=threads)
        surface = replace(surface, src=plain.out, luma=None)
    job = lay_out(jobs.AFFINE, surface, extent=(1, 1))
    height, width, channels = surface.out.shape
    columns, rows = TURNED_COLUMNS, TURNED_ROWS
    tiles = -(-width // columns), -(-height // rows)
    pitch, pixel = surface.src.strides[:2]
    (job.record["x_column"], job.record["y_column"]), (job.record["x_row"], job.record["y_row"]) = steps
    # Weights; an address, two shares and two pairs of floats for each column; a row of the result.
    room = HEADER_BYTES + 64 + 32 * columns + 4 * _padded(columns * channels)
    gathered_pitch, gathered_bytes = _gathered(steps, pitch, pixel)
    numbers = {
        "x0": at[0],
        "y0": at[1],
        "src_width": surface.src.shape[1],
        "src_column": pixel,
        "ahead": round(TURNED_AHEAD * steps[1][1]) * pitch + round(TURNED_AHEAD * steps[1][0]) * pixel,
        "gathered_at": room,
        "gathered_pitch": gathered_pitch,
        "taps": taps,
        "lead": columns,
        "tile_width": columns,
        "tile_height": rows,
        "tiles_x": tiles[0],
    }
    for name, value in numbers.items():
        job.record[name] = value
    scratch = room + gathered_bytes
    count = tiles[0] * tiles[1]
    return clipped_in(native.run("affine", job.record, count, threads=threads, scratch_bytes=scratch))


def _gathered(steps: Sequence[tuple[float, float]], pitch: int, pixel: int) -> tuple[int, int]:
    """Bytes of a row and of all rows of pixels under a tile that are copied: 0 if they are read in place."""
    across, down = (
        math.ceil(abs(steps[0][axis]) * TURNED_COLUMNS + abs(steps[1][axis]) * TURNED_ROWS) + 7
        for axis in (0, 1)
    )
    row = LINE * (-(-across * pixel // LINE) | 1)  # an odd number of lines: they lie in all sets
    size = row * down + LINE
    pays = pitch % (SETS_BYTES // 2) == 0 and size <= TURNED_BYTES
    return (row, size) if pays else (0, 0)
