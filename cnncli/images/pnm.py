"""PPM, PGM, PBM and PFM: all of them written here, and the deep ones read here.

Pillow narrows PPM of more than 8 bits and knows no PFM in colour.
Source: the netpbm manual pages ppm(5), pgm(5), pbm(5), and Paul Debevec's description of PFM.
"""

import re

import numpy as np

from cnncli.errors import CnncliError
from cnncli.images.picture import Picture, Pixels

_GAP = rb"(?:\s|#[^\n\r]*[\n\r])+"
_HEADER = re.compile(
    rb"P([2356fF])" + _GAP + rb"(\d{1,10})" + _GAP + rb"(\d{1,10})" + _GAP + rb"([-+.\deE]{1,20})\s"
)
_HEADER_BYTES = 4096


def _header(prefix: bytes) -> tuple[bytes, int, int, float, int] | None:
    """Kind, width, height, largest value (PFM: scale), and where the samples begin."""
    match = _HEADER.match(prefix[:_HEADER_BYTES])
    if match is None:
        return None
    return match[1], int(match[2]), int(match[3]), float(match[4]), match.end()


def deep_size(prefix: bytes) -> tuple[int, int] | None:
    """Width and height of a PGM or PPM of more than 8 bits, or of a PFM; None for any other file."""
    header = _header(prefix)
    if header is None or (header[0] not in b"fF" and header[3] < 256):
        return None
    return header[1], header[2]


def decode_deep(data: bytes) -> Picture:
    """Decode a PGM or PPM of more than 8 bits, whose largest value becomes 65535, or a PFM, as it is.

    Raises
    ------
    CnncliError
        For a largest value beyond 65535, a truncated file, and samples beyond the largest value.
    """
    header = _header(data)
    if header is None:
        raise ValueError("no PNM header")
    kind, width, height, largest, start = header
    channels = 3 if kind in b"36F" else 1
    count = width * height * channels
    if kind in b"fF":
        samples = _samples(data, "<f4" if largest < 0 else ">f4", count, start)
        pixels = samples.astype(np.float32).reshape(height, width, channels)[::-1]
        return Picture((np.ascontiguousarray(pixels),), False, "PFM")
    if largest > 65535 or largest != int(largest):
        raise CnncliError(
            f"its largest value is {largest:g}; expected a whole number, at most 65535",
            "Save it with a maxval of 65535 or less.",
        )
    if kind in b"56":
        values = _samples(data, ">u2", count, start)
    else:
        words = re.sub(rb"#[^\n\r]*", b"", data[start:]).split()
        values = np.array([int(word) for word in words[:count]], dtype=np.int64)
        _check_count(len(values), count)
    if values.min() < 0 or values.max() > largest:
        raise CnncliError(
            f"it holds the sample {values.max()}; expected 0 to {largest:g}, as its header says",
            "Save it again with the right maxval.",
        )
    pixels = values.astype(np.uint16)
    if largest != 65535:
        top = int(largest)
        pixels = ((values.astype(np.uint64) * 65535 + top // 2) // top).astype(np.uint16)
    return Picture((pixels.reshape(height, width, channels),), False, "PPM" if channels == 3 else "PGM")


def _samples(data: bytes, dtype: str, count: int, start: int) -> Pixels:
    there = (len(data) - start) // np.dtype(dtype).itemsize
    _check_count(there, count)
    return np.frombuffer(data, dtype, count, start)


def _check_count(there: int, needed: int) -> None:
    if there < needed:
        raise CnncliError(
            f"it is truncated: {there} samples where its header needs {needed}",
            "Copy or save it again.",
        )


def encode_pnm(pixels: Pixels, format: str) -> bytes:
    """Encode pixels (H, W, 1 or 3), without opacity, as PPM, PGM, PBM or PFM.

    Raises
    ------
    CnncliError
        Where PBM is to hold anything but black and white.
    """
    height, width, channels = pixels.shape
    if format == "PFM":
        head = f"{'PF' if channels == 3 else 'Pf'}\n{width} {height}\n-1.0\n"
        return head.encode() + pixels[::-1].astype("<f4").tobytes()
    if format == "PBM":
        if not np.isin(pixels, (0, 255)).all():
            raise CnncliError(
                "a .pbm holds black and white only, and this picture has other grays",
                "Write a .pgm or .png.",
            )
        return f"P4\n{width} {height}\n".encode() + np.packbits(pixels[..., 0] == 0, axis=1).tobytes()
    largest = np.iinfo(pixels.dtype).max
    head = f"{'P6' if channels == 3 else 'P5'}\n{width} {height}\n{largest}\n"
    return head.encode() + pixels.astype(pixels.dtype.newbyteorder(">"), copy=False).tobytes()
