"""Large pictures: read in bands of rows, and written as the bands come."""

import contextlib
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from cnncli.files.faults import shown
from cnncli.images import decoding_limits
from cnncli.images.formats import sniffed
from cnncli.images.limits import check_size
from cnncli.images.opening import IN_BANDS
from cnncli.images.picture import Facts, Pixels
from cnncli.images.read import first_part, naming_errors
from cnncli.images.row_source import RowSource

#: Bytes of pixels from which on a picture is read in bands.
LEAST_BYTES = IN_BANDS


def _npy(stream: IO[bytes], max_pixels: int) -> RowSource | str:
    from cnncli.images.npy import npy_rows

    return npy_rows(stream, max_pixels)


def _pnm(stream: IO[bytes], max_pixels: int) -> RowSource | str:
    from cnncli.images.pnm import pnm_rows

    return pnm_rows(stream, max_pixels)


def _tiff(stream: IO[bytes], max_pixels: int) -> RowSource | str:
    from cnncli.images.pages import Slices
    from cnncli.images.stacks import read_stack
    from cnncli.images.tiff import silence_libtiff
    from cnncli.images.tiff_rows import tiff_rows

    data = Slices(stream)
    stack = read_stack(data, most=2)
    if len(stack.pages) > 1:
        return "it has several pages"
    (page,) = stack.pages
    check_size((page.width, page.height, -(-page.samples // 4)), max_pixels)
    silence_libtiff()
    return tiff_rows(data, page, stack.notes)


def _png(stream: IO[bytes], max_pixels: int) -> RowSource | str:
    from cnncli.images.png_rows import png_rows

    return png_rows(stream, max_pixels)


def _is_small_png(start: bytes, least: int) -> bool:
    """Whether a PNG is small by its first bytes, so that it need not be opened to see that."""
    width, height, depth, kind = struct.unpack(">IIBB", start[16:26].ljust(10, b"\0"))
    return bool(width * height * _MOST_CHANNELS.get(kind, 1) * (2 if depth == 16 else 1) < least)


_MOST_CHANNELS = {2: 3, 3: 4, 4: 2, 6: 4}  # by the colour type of a PNG
#: Bytes of pixels in a byte of a file, at most.
_LEAST_SHARE = {"NPY": 1, "PPM": 8, "TIFF": 2000, "PNG": 10_000}
_SOURCES: dict[str, Callable[[IO[bytes], int], RowSource | str]] = {
    "NPY": _npy,
    "PPM": _pnm,
    "TIFF": _tiff,
    "PNG": _png,
}


class LargePicture:
    """An open file of a picture that is read in bands.

    Attributes
    ----------
    picture : Picture
        What is known without pixels; those of its frame are missing (`blank`).
    """

    def __init__(self, stream: IO[bytes], label: str, source: RowSource) -> None:
        self._stream = stream
        self._label = label
        self._source = source
        self.picture = source.picture

    def rows(self, start: int, stop: int) -> Pixels:
        """As `RowSource.rows`.

        Raises
        ------
        CnncliError
            Where the file is damaged.
        """
        with naming_errors(self._label):
            return self._source.rows(start, stop)

    def bands(self) -> Iterator[Pixels]:
        """All rows, a few at a time."""
        height, width, channels = self.picture.frames[0].shape
        step = max(1, (1 << 23) // (width * channels * self.picture.dtype.itemsize))
        for start in range(0, height, step):
            yield self.rows(start, min(start + step, height))

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def open_large(
    path: Path, *, max_pixels: int | None = None, least: int | None = None
) -> LargePicture | str | None:
    """Open a picture to be read in bands.

    Parameters
    ----------
    path : Path
        A file.
    max_pixels : int or None
        As for ``read_picture``.
    least : int or None
        Fewest bytes of pixels; None: `LEAST_BYTES`.

    Returns
    -------
    LargePicture, str or None
        Close the first. Words: why a picture, which may be large, cannot be read in bands. None: it is none
        of those, too small, or not a picture that can be read; ``read_picture`` says so.

    Raises
    ------
    CnncliError
        Where it is damaged, or has too many pixels.
    """
    label = shown(path)
    least = LEAST_BYTES if least is None else least
    with naming_errors(label), contextlib.ExitStack() as opened:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return "it is not a file in which one can go back"
        stream = opened.enter_context(path.open("rb"))
        start = first_part(stream)
        known = sniffed(start)
        if known is not None and known[0] == "PNG" and _is_small_png(start, least):
            return None
        if known is None or status.st_size < least // _LEAST_SHARE.get(known[0], least):
            return None
        if known[0] not in _SOURCES:
            return f"{known[0]} is decoded in one piece"
        limit = decoding_limits.max_pixels() if max_pixels is None else max_pixels
        found = _SOURCES[known[0]](stream, limit)
        if isinstance(found, str):
            return found
        if found.picture.frames[0].nbytes < least:
            return None
        opened.pop_all()
        return LargePicture(stream, label, found)


def facts_of(large: LargePicture) -> Facts:
    """Read a picture once to its end, if anything that depends on all of it is to be known."""
    picture = large.picture
    if picture.dtype == np.uint8 and not picture.alpha:
        return Facts(picture.full_scale, opaque=True, top=0)
    if picture.dtype != np.float32:
        tops, clear = [0.0], False
        for rows in large.bands():
            shades = rows[..., :-1] if picture.alpha else rows
            tops.append(float(shades.max()))
            clear = clear or (picture.alpha and bool(rows[..., -1].min() < picture.full_scale))
        return Facts(picture.full_scale, opaque=not clear, top=max(tops))
    from cnncli.images.levels import white_of_bands

    white = white_of_bands(picture, large.bands())
    opaque = not picture.alpha or all(float(rows[..., -1].min()) >= white for rows in large.bands())
    return Facts(white, opaque, 0)
