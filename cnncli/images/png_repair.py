"""Repair PNG files with invalid ancillary chunks, whose pixels are intact.

Pillow refuses a file because of a long text, a chunk of wrong length, or a wrong checksum in a chunk that
does not affect pixels. Source: W3C, Portable Network Graphics (PNG) Specification, Third Edition, 13.1, 13.3.
"""

import zlib
from collections.abc import Iterator

from cnncli.images.opening import MOST_TEXT, MOST_TEXTS

_START = 8
_LENGTHS = {b"pHYs": 9, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"tIME": 7, b"acTL": 8}
_TRANSPARENCY = {0: 2, 2: 6}  # bytes of tRNS, by colour type
_ANIMATION = frozenset((b"acTL", b"fcTL", b"fdAT"))
_TEXTS = frozenset((b"tEXt", b"zTXt", b"iTXt", b"iCCP"))


def repaired(data: bytes) -> tuple[bytes, tuple[str, ...]] | None:
    """Leave out ancillary chunks that cannot be read.

    Parameters
    ----------
    data : bytes
        A PNG file that Pillow refuses.

    Returns
    -------
    data, notes : bytes, tuple of str
        A file with the same pixels, and notes on what was left out. None where no chunk is invalid, or where
        a damaged chunk may affect pixels.
    """
    out, odd = [data[:_START]], []
    color, colors, unpacked = -1, 0, 0
    still = False
    for kind, body, raw, whole in _chunks(data):
        if kind == b"IHDR" and len(body) == 13:
            color = body[9]
        elif kind == b"PLTE":
            colors = len(body) // 3
        decisive = not kind[0] & 0x20 or kind == b"tRNS" or kind in _ANIMATION
        if not whole and decisive:
            return None
        fault = _fault(kind, body, (color, colors)) if whole else "has a wrong checksum"
        if kind in _TEXTS and not fault:
            unpacked += _unpacked_size(kind, body)
            fault = "is too long" if unpacked > MOST_TEXTS else ""
        still = still or (kind == b"acTL" and bool(fault))
        if fault:
            odd.append(f"its chunk {kind.decode('latin-1')} of {len(body):,} bytes {fault} and was left out")
        elif not (still and kind in _ANIMATION):
            out.append(raw)
    return (b"".join(out), tuple(odd)) if odd else None


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes, bool]]:
    """Type, contents, all bytes, and whether the checksum is right, of each chunk up to the last."""
    at = _START
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind, raw = data[at + 4 : at + 8], data[at:end]
        if end > len(data) or not kind.isalpha():
            yield b"IEND", b"", data[at:], True  # Pillow reports what is wrong with it
            return
        yield kind, raw[8:-4], raw, zlib.crc32(raw[4:-4]) == int.from_bytes(raw[-4:], "big")
        at = end
        if kind == b"IEND":
            return


def _fault(kind: bytes, body: bytes, palette: tuple[int, int]) -> str:
    """What is wrong with a chunk; empty for a valid one."""
    color, colors = palette
    if kind == b"tRNS":
        right = len(body) <= colors if color == 3 else len(body) == _TRANSPARENCY.get(color)
    else:
        right = len(body) == _LENGTHS.get(kind, len(body))
    if not right:
        return "has a wrong length"
    if kind in _TEXTS:
        size = _unpacked_size(kind, body)
        return "is damaged" if size < 0 else "is too long" if size > MOST_TEXT else ""
    return ""


def _unpacked_size(kind: bytes, body: bytes) -> int:
    """Decompressed bytes of a text or profile, up to just above the limit; -1 for a damaged one."""
    _, end, rest = body.partition(b"\0")
    if kind == b"tEXt":
        return len(body)
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:].partition(b"\0")[2].partition(b"\0")[2]
        if not packed:
            return len(body)
    else:
        rest = rest[1:]
    unpacker = zlib.decompressobj()
    try:
        size = len(unpacker.decompress(rest, MOST_TEXT + 1))
    except zlib.error:
        return -1
    return size if end and (unpacker.eof or size > MOST_TEXT) else -1
