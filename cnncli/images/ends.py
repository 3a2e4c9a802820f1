"""Where a file's image ends: bytes behind it may be another image, which would be lost without a word."""

from __future__ import annotations

import os
import re
from typing import IO

from cnncli.images.formats import sniffed

_MARKER = rb"\xff[\x01-\xcf\xd8-\xfe]"  # of a JPEG; not 0 after data that are 255, nor restarts
_LOOK = 1 << 16  # bytes behind an image that are looked at
_SCAN, _END = 0xDA, b"\xff\xd9"
_BARE = frozenset(range(0xD0, 0xD9)) | {0x01}  # markers without a length
_MULTI_PICTURE, _PICTURE_COUNT = b"MPF\0", 0xB001


def after_the_end(count: int, rest: bytes = b"") -> tuple[str, ...]:
    """Say that bytes were left out, if there are any, and what they begin like."""
    if count <= 0 or (count <= len(rest) and not rest.strip(b"\0")):  # some systems fill files up
        return ()
    known = sniffed(rest)
    like = f", which begin like another {known[0]} image," if known else ""
    like = ", which begin like a video," if not known and rest[4:8] == b"ftyp" else like
    return (f"{count:,} byte{'s' if count > 1 else ''} after the end of the image{like} left out",)


def remarks_at_end(stream: IO[bytes], format: str) -> tuple[str, ...]:
    """Say what lies behind the image of a file, where its format tells where it ends.

    Parameters
    ----------
    stream : binary file
        Read from wherever it is needed, and left anywhere.
    format : str
        PNG, JPEG, WEBP, AVIF, JPEG2000 or NPY; others have no end of their own.
    """
    find = {"PNG": _png, "JPEG": _jpeg, "WEBP": _webp, "AVIF": _boxes, "JPEG2000": _jpeg2000,
            "NPY": _npy}.get(format)  # fmt: skip
    if find is None:
        return ()
    length = stream.seek(0, os.SEEK_END)
    end = find(stream, length)
    if end is None or end >= length:
        return ()
    stream.seek(end)
    rest = stream.read(_LOOK)
    further = _further(_at(stream, 0, end)) if format == "JPEG" else 0
    if further:
        return (
            f"{further} further picture{'s' * (further > 1)} of the file (previews, depth maps) left out",
        )
    return after_the_end(length - end, rest)


def _at(stream: IO[bytes], at: int, count: int) -> bytes:
    stream.seek(at)
    return stream.read(count)


def _npy(stream: IO[bytes], length: int) -> int:
    from cnncli.images.npy_header import read_header as read_npy_header

    stream.seek(0)
    return read_npy_header(stream).nbytes + stream.tell()


def _png(stream: IO[bytes], length: int) -> int | None:
    at = 8
    while at + 12 <= length:
        head = _at(stream, at, 8)
        at += 12 + int.from_bytes(head[:4], "big")
        if head[4:] == b"IEND":
            return at
    return None


def _webp(stream: IO[bytes], length: int) -> int:
    size = int.from_bytes(_at(stream, 4, 4), "little")
    return 8 + size + size % 2


def _boxes(stream: IO[bytes], length: int) -> int | None:
    """The end of the last box of an ISO base media file; what follows it is none."""
    at, first = 0, b""
    while at + 8 <= length:
        head = _at(stream, at, 16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size == 0:  # to the end of the file
            return length
        first = first or head[4:8]
        if size < 8 or at + size > length or (at and head[4:8] == first):
            return at
        at += size
    return at


def _jpeg2000(stream: IO[bytes], length: int) -> int | None:
    if _at(stream, 0, 4) != b"\xff\x4f\xff\x51":
        return _boxes(stream, length)
    stream.seek(0)
    end = stream.read().find(_END)  # a code stream has no such bytes inside
    return end + 2 if end >= 0 else None


def _jpeg(stream: IO[bytes], length: int) -> int | None:
    """Behind the first end mark that stands among markers, not in the contents of one."""
    marker = re.compile(_MARKER)
    data = _at(stream, 0, length)
    at = 2
    while True:
        found = marker.search(data, at)
        if found is None:
            return None
        kind, at = data[found.start() + 1], found.end()
        if kind == _END[1]:
            return at
        if kind in _BARE:
            continue
        at += int.from_bytes(data[at : at + 2], "big")
        if kind == _SCAN:
            end = data.find(_END, at)
            if end == length - 2:
                return length
            if end < 0:
                return None


def _further(jpeg: bytes) -> int:
    """How many more pictures the index of a multi-picture file counts, 0 where it has none."""
    at = jpeg.find(_MULTI_PICTURE)
    if at < 0:
        return 0
    from cnncli.images.tags import BrokenTagsError, numbers, read_directory, read_header

    block = jpeg[at + len(_MULTI_PICTURE) :]
    try:
        header = read_header(block)
        directory, _ = read_directory(block, header, header.first)
        return max(0, int(numbers(directory[_PICTURE_COUNT], header.order)[0]) - 1)
    except (BrokenTagsError, KeyError, IndexError):
        return 0
