"""NumPy's ``.npy`` files as images."""

import io
import os
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np

from cnncli.errors import CnncliError
from cnncli.images.limits import check_size
from cnncli.images.npy_header import read_array, read_header, truncated
from cnncli.images.picture import Picture, Pixels
from cnncli.images.row_source import RowSource, blank, read_numbers
from cnncli.images.trailing_bytes import notes_at_end
from cnncli.records import replace


def read_npy_size(stream: IO[bytes] | io.BufferedIOBase) -> tuple[int, int, int]:
    """Read width, height and 1 (a ``.npy`` is one frame) from the header.

    Raises
    ------
    CnncliError
        Where it is not an array of shape (H, W) or (H, W, C).
    """
    shape = read_header(stream).shape
    if len(shape) not in (2, 3) or 0 in shape:
        raise CnncliError(
            f"its array has shape {shape}; expected (H, W) or (H, W, C), none of them 0",
            "Save one image to a file, channels last.",
        )
    return shape[1], shape[0], 1


def npy_rows(stream: IO[bytes], max_pixels: int) -> RowSource | str:
    """The rows of a ``.npy`` file; a reason where they cannot be read without all others."""
    width, height, _ = read_npy_size(stream)
    check_size((width, height, 1), max_pixels)
    stream.seek(0)
    header = read_header(stream)
    if header.by_column:
        return "its array is stored by columns"
    start, shape = stream.tell(), (height, width, header.shape[2] if len(header.shape) == 3 else 1)
    dtype = _checked(header.dtype)
    row = header.nbytes // height
    length = stream.seek(0, os.SEEK_END)
    if length < start + header.nbytes:
        raise truncated(length - start, header)

    def fill(out: Pixels, first: int) -> None:
        stream.seek(start + first * row)
        out[:] = _known_depth(read_numbers(stream, out.shape, dtype))

    picture = _pictured(blank(shape, _known_depth(np.zeros(1, dtype)).dtype))
    return RowSource(replace(picture, notes=picture.notes + notes_at_end(stream, "NPY")), fill)


def decode_npy(stream: io.BufferedIOBase) -> Picture:
    """Decode a ``.npy`` file whose size was checked.

    uint8 and uint16 stay as they are, floats become float32 without scaling, bool becomes 0 and
    255. Two channels are gray and opacity, four are RGB and opacity; more are kept, with a note.

    Raises
    ------
    CnncliError
        For other dtypes, for float64 values beyond float32, and where data are missing.
    """
    start = stream.tell()
    _checked(read_header(stream).dtype)
    stream.seek(start)
    array = read_array(stream)
    stream.seek(start)
    pixels = _known_depth(array if array.ndim == 3 else array[..., None])
    return _pictured(np.ascontiguousarray(pixels))


def _checked(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    """A dtype that pixels may have."""
    if dtype.kind not in "buf" or (dtype.kind == "u" and dtype.itemsize > 2):
        raise CnncliError(
            f"its array has dtype {dtype}; expected uint8, uint16, bool or float",
            "Convert it before saving, for example with array.astype('float32') / array.max().",
        )
    return dtype


def _pictured(pixels: Pixels) -> Picture:
    channels = pixels.shape[2]
    notes = (
        (f"its last axis is taken for {channels} channels, each filtered by itself",) if channels > 4 else ()
    )
    return Picture((pixels,), channels in (2, 4), "NPY", notes=notes)


def _known_depth(array: Pixels) -> Pixels:
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "u":
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    with np.errstate(over="ignore"):
        pixels: Pixels = array.astype(np.float32, copy=False)
    if array.dtype.itemsize > 4 and np.any(np.isinf(pixels) & np.isfinite(array)):
        raise CnncliError(
            f"its largest value is {np.nanmax(np.abs(array)):g}; expected at most 3.4e38 (float32)",
            "Scale the values before saving, so that white is 1.",
        )
    return pixels


def npy_pieces(picture: Picture, bands: Iterable[Pixels]) -> Iterator[bytes | memoryview]:
    """Encode pixels unchanged, band by band; gray is saved as (H, W)."""
    shape, dtype = picture.frames[0].shape, picture.dtype
    head = io.BytesIO()
    described = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape[:2] if shape[2] == 1 else shape,
    }
    np.lib.format.write_array_header_1_0(head, described)
    yield head.getvalue()
    for band in bands:
        yield np.ascontiguousarray(band).data.cast("B")
