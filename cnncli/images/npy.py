"""NumPy's ``.npy`` files as images."""

import io

import numpy as np

from cnncli.errors import CnncliError
from cnncli.images.npy_header import read_array, read_header
from cnncli.images.picture import Picture, Pixels


def read_npy_size(stream: io.BufferedIOBase) -> tuple[int, int, int]:
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
    dtype = read_header(stream).dtype
    if dtype.kind not in "buf" or (dtype.kind == "u" and dtype.itemsize > 2):
        raise CnncliError(
            f"its array has dtype {dtype}; expected uint8, uint16, bool or float",
            "Convert it before saving, for example with array.astype('float32') / array.max().",
        )
    stream.seek(start)
    array = read_array(stream)
    stream.seek(start)
    pixels = _known_depth(array if array.ndim == 3 else array[..., None])
    channels = pixels.shape[2]
    notes = (
        (f"its last axis is taken for {channels} channels, each filtered by itself",) if channels > 4 else ()
    )
    return Picture((np.ascontiguousarray(pixels),), channels in (2, 4), "NPY", notes=notes)


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


def encode_npy(pixels: Pixels) -> bytes:
    """Encode pixels (H, W, C) unchanged; gray is saved as (H, W)."""
    out = io.BytesIO()
    np.lib.format.write_array(out, pixels[..., 0] if pixels.shape[2] == 1 else pixels, allow_pickle=False)
    return out.getvalue()
