"""Larger pictures of bytes by weights that are parts of a power of two, as those of twice the size."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.choices import ENLARGED_BYTES_TILE, ENLARGED_ROWS, STREAMED_BYTES
from cnncli.core.heap import LINE
from cnncli.core.tiling import HEADER_BYTES, Surface, is_rgbx

if TYPE_CHECKING:
    from cnncli.filters.moves import Taps

PIECE, FRACTION = jobs.ENLARGED_PIECE, jobs.ENLARGED_FRACTION
_OPAQUE = -(1 << 24)  # the highest byte of four


def run_enlarge_bytes(surface: Surface, rows: "Taps", columns: "Taps", *, threads: int) -> bool:
    """`run_resize` of bytes to bytes in 16-bit integers; False where they would not be exact.

    Parameters
    ----------
    surface : Surface
        Source and output, which nothing but their sizes tells apart.
    rows, columns : Taps
        Two at most.
    threads : int
        Threads to use.
    """
    channels = _bytes_of_a_pixel(surface)
    weights = _in_integers(rows, columns)
    if not channels or weights is None or (np.diff(rows.first) < 0).any():
        return False
    samples = surface.out.shape[1] * channels
    tables = _tables(columns, weights[1], surface.src.shape[1], channels)
    if tables is None:
        return False
    height, pitch = len(rows.first), surface.out.strides[0]
    even = surface.out.ctypes.data % LINE == 0 == pitch % LINE
    numbers = {
        "src": surface.src.ctypes.data,
        "src_pitch": surface.src.strides[0],
        "out": surface.out.ctypes.data,
        "out_pitch": pitch,
        "samples": samples,
        "height": height,
        "tiles_x": -(-samples // ENLARGED_BYTES_TILE),
        "tile_samples": ENLARGED_BYTES_TILE,
        "opaque": _OPAQUE if is_rgbx(surface.out) else 0,
        "streams": even and samples * height >= STREAMED_BYTES,
    }
    tables |= {
        "upper": np.ascontiguousarray(rows.first, np.intp),
        "lower": np.ascontiguousarray(rows.beyond - 1, np.intp),
        "row_weights": weights[0],
    }
    job = np.zeros(1, jobs.ENLARGE_BYTES)
    for name, value in numbers.items():
        job[name] = value
    for name, table in tables.items():
        job[name] = table.ctypes.data
    count = int(job["tiles_x"][0]) * -(-height // ENLARGED_ROWS)
    scratch = HEADER_BYTES + LINE + 4 * ENLARGED_BYTES_TILE
    native.run("enlarge_bytes", job, count, threads=threads, scratch_bytes=scratch)
    return True


def _bytes_of_a_pixel(surface: Surface) -> int:
    """Of source and output; 0 where samples change besides, or do not lie side by side."""
    plain = not surface.absolute and (surface.scale, surface.bias) == (1.0, 0.0) and surface.luma is None
    pixels = surface.src, surface.out
    if not plain or any(each.dtype != np.uint8 for each in pixels):
        return 0
    if all(map(is_rgbx, pixels)):
        return 4
    channels = surface.channels
    return channels if all(each.strides[1:] == (channels, 1) for each in pixels) else 0


def _in_integers(rows: "Taps", columns: "Taps") -> tuple[NDArray[np.uint16], NDArray[np.uint16]] | None:
    """Two weights of each row and column in units whose product is 2^-8; None if they are no integers."""
    pairs = [_paired(axis) for axis in (rows, columns)]
    for bits in range(FRACTION + 1):
        numbers = [pair * 2.0**each for pair, each in zip(pairs, (FRACTION - bits, bits), strict=True)]
        if all((each == np.rint(each)).all() and (each >= 0).all() for each in numbers):
            down, across = (np.ascontiguousarray(each, np.uint16) for each in numbers)
            return down, across
    return None


def _paired(axis: "Taps") -> NDArray[np.float64]:
    """The weights of an axis, (N, 2), of which the second is 0 where there is one tap; their sum is 1."""
    begin = axis.ends[:-1]
    one = np.diff(axis.ends) == 1
    second = np.where(one, 0.0, axis.weights[np.where(one, begin, begin + 1)])
    return np.stack([axis.weights[begin], second], axis=1)


def _tables(
    columns: "Taps", weights: NDArray[np.uint16], width: int, channels: int
) -> dict[str, NDArray[np.generic]] | None:
    """Where the bytes of each sample of a row lie, and their weights, for whole vectors."""
    last = width * channels - PIECE
    if last < 0:
        return None
    of_columns = np.arange(channels)
    pair = np.stack([columns.first, columns.beyond - 1], axis=1)[:, None, :] * channels + of_columns[:, None]
    samples = len(columns.first) * channels
    missing = -samples % LINE
    pair = np.pad(pair.reshape(samples, 2), ((0, missing), (0, 0)), mode="edge").reshape(-1, PIECE // 2, 2)
    starts = np.minimum(pair.min(axis=(1, 2)), last)
    places = pair - starts[:, None, None]
    if places.max() >= PIECE:
        return None
    shares = np.pad(weights.repeat(channels, axis=0), ((0, missing), (0, 0)))
    return {
        "starts": starts,
        "places": places.astype(np.uint8),
        "near": np.ascontiguousarray(shares[:, 0]),
        "far": np.ascontiguousarray(shares[:, 1]),
    }
