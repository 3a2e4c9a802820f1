"""Encode large JPEGs in strips with several threads, and join them.

JPEG allows this: after each restart interval, a fixed number of blocks, the entropy coder is reset, so strips
of block rows can be encoded separately and joined with restart markers. The pixels are those of a JPEG
encoded in one piece; the strips depend only on the image, so the bytes are the same for any number of
threads. Source: ITU-T T.81, B.1.1.3 and B.2.
"""

import struct
from collections.abc import Callable

from cnncli.threaded import in_threads

STRIP_ROWS = 256
_BLOCK = 8
_LONGEST_INTERVAL = 65_535
_SOF0, _SOS, _DRI, _RST0, _EOI = 0xC0, 0xDA, 0xDD, 0xD0, b"\xff\xd9"
_RESTARTS = 8  # restart markers are numbered cyclically


def encode_strips(
    encode: Callable[[int, int], bytes], size: tuple[int, int], *, halved: bool, threads: int
) -> bytes:
    """Encode an image in strips.

    Parameters
    ----------
    encode : callable
        ``encode(top, bottom)`` returns those rows as a baseline JPEG with the standard tables. The header of
        the first strip is used for the file.
    size : (height, width)
        Of the image.
    halved : bool
        Whether colour is stored at half the resolution, in blocks of 16 x 16 pixels.
    threads : int
        Number of threads that encode strips.

    Returns
    -------
    bytes
        A baseline JPEG.
    """
    height, width = size
    block = 2 * _BLOCK if halved else _BLOCK
    across = -(-width // block)
    rows = min(STRIP_ROWS // block, _LONGEST_INTERVAL // across)
    tops = range(0, height, rows * block)
    strips = in_threads(
        lambda index: encode(tops[index], min(tops[index] + rows * block, height)), len(tops), threads=threads
    )
    if len(strips) == 1:
        return strips[0]
    first, _ = _parts(strips[0])
    at = first[_SOF0] + 5  # after marker, length and precision
    whole = [
        strips[0][:at],
        struct.pack(">H", height),
        strips[0][at + 2 : first[_SOS]],
        struct.pack(">BBHH", 0xFF, _DRI, 4, rows * across),
    ]
    for number, strip in enumerate(strips):
        segments, scan = _parts(strip)
        if number:
            whole += [struct.pack("BB", 0xFF, _RST0 + (number - 1) % _RESTARTS)]
        whole.append(strip[scan if number else segments[_SOS] : -len(_EOI)])
    return b"".join([*whole, _EOI])


def _parts(jpeg: bytes) -> tuple[dict[int, int], int]:
    """Offsets of a JPEG's segments by marker, and of the entropy-coded data."""
    segments, at = {}, 2
    while True:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        segments[marker] = at
        at += 2 + length
        if marker == _SOS:
            return segments, at
