"""Identify images by a 64-bit hash of their content, independent of name and position.

A *key* is the hash of the content as it is stored: of a file without its metadata, or of a row of an array.
It depends on nothing but the image, so it decides which split an image belongs to. A *digest* is the hash of
the pixels as a network receives them: equal for copies in other formats, and the same in every run with
inputs of that size.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cnncli.data.model import Arrays, Split

try:
    from _blake2 import (
        blake2b,
    )  # the source of hashlib's blake2b; importing hashlib would also load OpenSSL: 3 ms
except ImportError:
    from hashlib import blake2b

Digests = NDArray[np.uint64]

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")
_COMMENT, _SCAN, _ADOBE = 0xFE, 0xDA, 0xEE  # Adobe's segment says how colours are encoded
_AT_ONCE = 1 << 22  # bytes of pixels that are read at a time


def file_key(data: bytes) -> int:
    """A 64-bit hash of an image file's content.

    EXIF, comments, ratings and profiles of JPEG and PNG files are ignored: editing them does not make another
    image.
    """
    if data.startswith(_JPEG):
        pieces = _jpeg_pieces(memoryview(data))
    elif data.startswith(_PNG):
        pieces = _png_pieces(memoryview(data))
    else:
        pieces = iter((memoryview(data),))
    digest = blake2b(digest_size=8)
    for piece in pieces:
        digest.update(piece)
    return int.from_bytes(digest.digest(), "little")


def _jpeg_pieces(data: memoryview) -> Iterator[memoryview]:
    """All segments but those of applications and comments; from the first scan on, everything."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _SCAN:
        code, end = data[at + 1], at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if code != _COMMENT and (not 0xE0 <= code <= 0xEF or code == _ADOBE):
            yield data[at:end]
        at = end
    yield data[at:]


def _png_pieces(data: memoryview) -> Iterator[memoryview]:
    """The chunks that determine the pixels."""
    at = len(_PNG)
    while at + 8 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] in _PIXEL_CHUNKS:
            yield data[at:end]
        at = end
    yield data[at:]


def row_digests(array: NDArray[np.generic]) -> Digests:
    """A 64-bit hash of each row's content.

    Parameters
    ----------
    array : ndarray, shape (N, …)
        Images of any type. Rows of different shapes or types differ even where their bytes are equal;
        (H, W) counts as (H, W, 1).

    Returns
    -------
    ndarray, shape (N,), uint64
        60,000 images of 28x28 bytes take 0.2 s.
    """
    rows = np.ascontiguousarray(array)
    shape = (*rows.shape[1:], 1) if rows.ndim == 3 else rows.shape[1:]
    kind = blake2b(f"{shape} {rows.dtype.str}".encode(), digest_size=16).digest()
    size = rows.nbytes // max(1, len(rows))
    content = rows.reshape(-1).view(np.uint8).data
    digest = blake2b
    found = b"".join(
        [
            digest(content[at : at + size], digest_size=8, person=kind).digest()
            for at in range(0, rows.nbytes, max(1, size))
        ]
    )
    return np.frombuffer(found, "<u8").astype(np.uint64)


def digests_of(split: Split, *, threads: int = 1) -> Digests:
    """A 64-bit hash of each image of a split, as it is read: (N,) uint64.

    Digests that were recorded when the images were decoded are reused.
    """
    known: Digests | None = getattr(split, "digests", None)
    if known is not None:
        return known
    if isinstance(split, Arrays):
        return row_digests(split.images)
    identifiers = np.empty(len(split), np.uint64)
    block = max(1, _AT_ONCE // int(np.prod(split.shape)))
    buffer = np.empty((min(block, len(split)), *split.shape), np.uint8)
    for at in range(0, len(split), block):
        part = np.arange(at, min(at + block, len(split)), dtype=np.intp)
        split.read(part, buffer[: len(part)], threads=threads)
        identifiers[part] = row_digests(buffer[: len(part)])
    return identifiers


def keys_of(split: Split, *, threads: int = 1) -> Digests:
    """A 64-bit hash of each image of a split as it is stored, or, where that is not known, as it is read."""
    known: Digests | None = getattr(split, "keys", None)
    return digests_of(split, threads=threads) if known is None else known


def merged_keys(keys: Digests, digests: Digests) -> Digests:
    """One key for all images that are copies of one another: the smallest of their keys.

    Parameters
    ----------
    keys, digests : ndarray, shape (N,), uint64
        Of the same images. Those with equal keys, or with equal digests, belong together.

    Returns
    -------
    ndarray, shape (N,), uint64
    """
    joined = keys
    while True:
        before = joined
        for identifiers in (digests, keys):
            _, places = np.unique(identifiers, return_inverse=True)
            least = np.full(places.max(initial=-1) + 1, np.iinfo(np.uint64).max, np.uint64)
            np.minimum.at(least, places, joined)
            joined = least[places]
        if np.array_equal(joined, before):
            return joined


def count_copies(digests: Digests) -> int:
    """How many images are copies of others: as many could be removed without losing any content."""
    return len(digests) - len(np.unique(digests))
