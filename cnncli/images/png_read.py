"""Read plain PNGs in a fifth of the time, without the overhead of a file object and a Pillow plugin.

A 28x28 PNG takes 45 us, but 200 us with `read_picture`, which handles all other files: palettes, opacity,
16 bits, interlacing, orientation, animation, and damaged files.
Source: W3C, Portable Network Graphics (PNG) Specification, Third Edition.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MODES = {0: ("L", 1), 2: ("RGB", 3)}
_MOST = 1 << 20  # pixels; in larger ones, decoding dominates
# Chunks that do not affect decoding; colour profiles are ignored as elsewhere.
_HARMLESS = frozenset(
    (b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"pHYs", b"tEXt", b"zTXt", b"iTXt", b"tIME", b"bKGD", b"sBIT")
)
# Texts that may contain an orientation.
_MAY_TURN = (b"Raw profile type ", b"XML:com.adobe.xmp")


def read_plain_png(data: bytes, max_pixels: int = _MOST) -> NDArray[np.uint8] | None:
    """Decode a small gray or RGB PNG of 8 bits.

    Parameters
    ----------
    data : bytes
        The content of a file.
    max_pixels : int
        Larger ones are left to `read_picture`.

    Returns
    -------
    ndarray, shape (H, W, C), uint8, or None
        C is 1 or 3. None for other files and for damaged ones.
    """
    if data[:8] != _SIGNATURE or data[12:16] != b"IHDR" or len(data) < 45:
        return None
    width, height, depth, kind, *rest = struct.unpack(">IIBBBBB", data[16:29])
    if depth != 8 or kind not in _MODES or any(rest) or not 0 < width * height <= min(_MOST, max_pixels):
        return None
    packed = _packed(data)
    if packed is None:
        return None
    from PIL import Image

    mode, channels = _MODES[kind]
    try:
        image = Image.frombytes(mode, (width, height), packed, "zip", mode, False)
    except (ValueError, OSError):
        return None
    return np.frombuffer(image.tobytes(), np.uint8).reshape(height, width, channels)


def _packed(data: bytes) -> bytes | None:
    """The compressed pixels, if all chunks are intact and harmless; else None."""
    parts, at = [], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        kind, end = data[at + 4 : at + 8], at + 8 + length
        if zlib.crc32(data[at + 4 : end]).to_bytes(4, "big") != data[end : end + 4]:
            return None
        if kind == b"IDAT":
            parts.append(data[at + 8 : end])
        elif kind == b"IEND":
            return b"".join(parts)
        elif data.startswith(_MAY_TURN, at + 8) or (kind not in _HARMLESS and (kind != b"IHDR" or at != 8)):
            return None
        at = end + 4
    return None
