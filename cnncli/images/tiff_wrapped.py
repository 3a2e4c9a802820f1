"""Decompress strips and tiles by libtiff, in files of pixels that Pillow decodes unchanged."""

import io

import numpy as np

from cnncli.errors import CnncliError
from cnncli.images.picture import Pixels
from cnncli.images.tags import Directory, entry, pack_directory
from cnncli.images.tiff import (
    BITS,
    COMPRESSION,
    HEIGHT,
    JPEG,
    JPEG_TABLES,
    PHOTOMETRIC,
    RGB,
    SAMPLES,
    SUBSAMPLING,
    WIDTH,
    YCBCR,
    Page,
)

_BLACK_IS_ZERO = 1


def by_libtiff(layout: dict[int, int], pieces: list[bytes], places: tuple[int, int]) -> Pixels:
    """Decompress arbitrary bytes: uint8 (rows, bytes); ``places``: tags of offsets and lengths."""
    fields = {tag: entry(4, value) for tag, value in layout.items()}
    fields |= {BITS: entry(3, 8), PHOTOMETRIC: entry(3, _BLACK_IS_ZERO), SAMPLES: entry(3, 1)}
    return _decoded(_file(fields, pieces, places), "L")


def jpeg_by_libtiff(
    page: Page, layout: dict[int, int], pieces: list[bytes], places: tuple[int, int]
) -> Pixels:
    """Decode JPEG of 8 bits: gray as stored, or RGB; uint8 (rows, columns * samples)."""
    samples = page.samples // page.planes
    stored = page.first(PHOTOMETRIC, RGB) if samples == 3 else _BLACK_IS_ZERO
    fields = {tag: entry(4, value) for tag, value in layout.items()}
    fields |= {
        BITS: entry(3, *[8] * samples),
        COMPRESSION: entry(3, JPEG),
        PHOTOMETRIC: entry(3, YCBCR if stored == YCBCR else RGB if samples == 3 else _BLACK_IS_ZERO),
        SAMPLES: entry(3, samples),
    }
    if JPEG_TABLES in page.tags:
        fields[JPEG_TABLES] = entry(7, bytes(page.tags[JPEG_TABLES]))
    if stored == YCBCR:
        fields[SUBSAMPLING] = entry(3, *page.tags.get(SUBSAMPLING, (2, 2)))
    rows = _decoded(_file(fields, pieces, places), "RGB" if samples == 3 else "L")
    return rows.reshape(layout[HEIGHT], layout[WIDTH] * samples)


def _decoded(file: bytes, mode: str) -> Pixels:
    """Decode a file, exempt from the pixel limit."""
    from PIL import Image, TiffImagePlugin

    header = TiffImagePlugin.TiffImageFile(io.BytesIO(file))
    image = Image.frombytes(mode, header.size, file, "libtiff", header.tile[0].args)
    return np.asarray(image)


def _file(directory: Directory, pieces: list[bytes], places: tuple[int, int]) -> bytes:
    """Wrap compressed pieces in a TIFF file, each of those that are one object once."""
    lengths = [len(piece) for piece in pieces]
    directory[places[1]] = entry(4, *lengths)
    directory[places[0]] = entry(4, *lengths)
    at = 8 + len(pack_directory(directory, {}, order="<", at=8))
    starts: dict[int, int] = {}
    different = []
    for piece in pieces:
        if id(piece) not in starts:
            starts[id(piece)] = at
            different.append(piece)
            at += len(piece)
    if at >= 2**32:
        raise CnncliError(
            "the page is larger than 4 GiB; expected less", "Split it into smaller pages first."
        )
    directory[places[0]] = entry(4, *(starts[id(piece)] for piece in pieces))
    return b"".join([b"II*\0\x08\0\0\0", pack_directory(directory, {}, order="<", at=8), *different])
