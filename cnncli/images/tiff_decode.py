"""Decode TIFF pages that Pillow would reduce to 8 bits, read without some samples, or not read at all.

libtiff decompresses and everything else is done here, so that any number of 16-bit and float samples is read
at full depth from any layout: strips or tiles, interleaved or planar, either byte order, either predictor.
Source: Adobe, TIFF Revision 6.0; Adobe Photoshop TIFF Technical Note 3 (the floating point predictor).
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.images.mask import with_mask
from cnncli.images.metadata import apply_orientation
from cnncli.images.picture import Pixels
from cnncli.images.tags import BrokenTagsError, Slices, entry, pack_directory
from cnncli.images.tiff import (
    ASSOCIATED,
    BITS,
    BYTE_CODECS,
    CMYK,
    COLOR_MAP,
    COMPRESSION,
    EXTRA,
    FILL_ORDER,
    FLOAT,
    FORMAT,
    HEIGHT,
    PALETTE,
    PHOTOMETRIC,
    PLANAR,
    PREDICTOR,
    RGB,
    SAMPLES,
    SIGNED,
    STRIP_BYTES,
    STRIP_OFFSETS,
    STRIP_ROWS,
    TILE_BYTES,
    TILE_HEIGHT,
    TILE_OFFSETS,
    TILE_WIDTH,
    UNSIGNED,
    WIDTH,
    Page,
    Places,
)

_MOST_SAMPLES, _MOST_PIECES = 4096, 2_000_000
_WHITE_IS_ZERO, _BLACK_IS_ZERO = 0, 1
_MOST_WHOLE = 1 << 24  # up to which a float holds each whole number
#: Compressions of microscopes and of pictures from above that neither Pillow nor this module decodes.
_FOREIGN_CODECS = {
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34887: "LERC",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}


def is_odd(page: Page, *, alone: bool) -> bool:
    """Whether a page is decoded here because Pillow cannot read it, not completely, or not as fast.

    Parameters
    ----------
    page : Page
        Any page.
    alone : bool
        Whether it is the only page that is read. Many simple pages are read faster here.
    """
    packed = page.first(COMPRESSION, 1) in BYTE_CODECS
    if page.deep or page.wide or page.bands or (page.header.big and page.header.order == ">"):
        return True
    if packed and page.missing is not None:
        return True
    if packed and (PHOTOMETRIC not in page.tags or len(page.tags.get(EXTRA, ())) > 1):
        return True
    plain = page.photometric in (_BLACK_IS_ZERO, RGB) and page.samples == page.colors
    return not alone and page.first(COMPRESSION, 1) == 1 and plain and set(page.tags.get(BITS, ())) == {8}


def check_page(page: Page, *, odd: bool) -> None:
    """Refuse pages that neither Pillow nor this module reads correctly."""
    convert = "Convert it to 16-bit unsigned or 32-bit float samples first, for example with tifffile."
    label = f"page {page.index + 1} has {page.bits}-bit"
    if page.wide and (page.bits not in (8, 16, 32) or page.photometric not in (_BLACK_IS_ZERO, RGB)):
        signs = "signed integer" if page.kind == SIGNED else "unsigned integer"
        expected = "1 to 16 bits unsigned, 8 to 32 bits of gray or RGB, or float"
        raise CnncliError(f"{label} {signs} samples; expected {expected}", convert)
    if any(len(set(page.tags.get(tag, (1,))[: page.samples])) > 1 for tag in (BITS, FORMAT)):
        raise CnncliError(f"page {page.index + 1} mixes samples of several kinds; expected one", convert)
    if page.kind not in (UNSIGNED, SIGNED, FLOAT) or (page.kind == FLOAT and page.bits not in (16, 32, 64)):
        raise CnncliError(f"{label} samples of kind {page.kind}; expected unsigned or float", convert)
    codec = page.first(COMPRESSION, 1)
    if codec in _FOREIGN_CODECS:
        raise CnncliError(
            f"page {page.index + 1} is compressed as {_FOREIGN_CODECS[codec]} ({codec}), which is not read; "
            "expected none, LZW, Deflate, JPEG, PackBits, LZMA or Zstandard",
            "Save it with LZW or Deflate: gdal_translate -co COMPRESS=DEFLATE, or tiffcp -c zip.",
        )
    if not odd:
        return
    if not page.colors or (page.photometric == PALETTE and page.deep):
        raise CnncliError(
            f"{label} samples of colour model {page.photometric}; expected gray, RGB or CMYK at that depth",
            "Convert it to RGB first, for example with ImageMagick: magick in.tif -colorspace sRGB out.tif",
        )
    if codec not in BYTE_CODECS:
        raise CnncliError(
            f"{label} samples in compression {codec}; "
            "expected none, LZW, Deflate, PackBits, LZMA or Zstandard",
            "Save it with LZW or Deflate compression, or uncompressed.",
        )


def decode_page(data: Slices, page: Page) -> tuple[Pixels, bool]:
    """Decode a page: up to 8 bits to uint8, deeper ones to uint16 or float32.

    Returns
    -------
    pixels, alpha : ndarray (H, W, C), bool
        Upright, colour not premultiplied. Where there are samples of unknown meaning, all are kept unchanged.
    """
    planes = page.samples if page.first(PLANAR, 1) == 2 else 1
    samples = page.samples // planes if planes else 0
    if not page.colors <= samples * planes <= _MOST_SAMPLES:
        raise BrokenTagsError(f"{page.samples} samples for each pixel")
    tile = (page.first(TILE_WIDTH, 0), page.first(TILE_HEIGHT, 0)) if TILE_OFFSETS in page.places else None
    if tile and not (tile[0] > 0 and tile[1] > 0 and tile[0] * samples * page.bits % 8 == 0):
        raise BrokenTagsError(f"tiles of {tile[0]}x{tile[1]} pixels")
    across = -(-page.width // tile[0]) if tile else 1
    columns = tile[0] if tile else page.width
    parts = []
    for plane in range(planes):
        packed = _unpacked(data, page, samples, tile, (plane, planes))
        values = _samples(packed, page, (across, columns, samples))
        parts.append(values.reshape(len(packed), across * columns, samples)[: page.height, : page.width])
    pixels = parts[0] if planes == 1 else np.concatenate(parts, axis=2)
    pixels, alpha = (np.ascontiguousarray(pixels), False) if page.bands else _colors(pixels, page)
    if page.missing is not None:
        pixels, alpha = with_mask(pixels, page.missing), True
    return apply_orientation(pixels, page.orientation), alpha


def _unpacked(
    data: Slices, page: Page, samples: int, tile: tuple[int, int] | None, part: tuple[int, int]
) -> Pixels:
    """Decompress one plane: uint8 (rows, bytes), padded to whole tiles."""
    width, height = page.width, page.height
    if tile:
        width, height = (-(-width // tile[0]) * tile[0], -(-height // tile[1]) * tile[1])
    row = (width * samples * page.bits + 7) // 8
    rows = tile[1] if tile else max(1, min(page.first(STRIP_ROWS, height), height))
    across = width // tile[0] if tile else 1
    down = -(-height // rows)
    _check_places(page, down * across * part[1])
    sizes = np.full((down, across), row // across * rows, np.uint64)
    sizes[-1] = row // across * (height - (down - 1) * rows)
    pieces = _pieces(data, page, sizes.ravel(), part)
    if page.first(COMPRESSION, 1) == 1:
        return _uncompressed(page, pieces, (height, row), tile)
    places = (TILE_OFFSETS, TILE_BYTES) if tile else (STRIP_OFFSETS, STRIP_BYTES)
    shape = {TILE_WIDTH: row // across, TILE_HEIGHT: rows} if tile else {STRIP_ROWS: rows}
    for tag, default in ((COMPRESSION, 1), (FILL_ORDER, 1)):
        shape[tag] = page.first(tag, default)
    return _by_libtiff(_gray_file({WIDTH: row, HEIGHT: height, **shape}, pieces, places))


def _check_places(page: Page, needed: int) -> None:
    offsets = page.places.get(TILE_OFFSETS, page.places.get(STRIP_OFFSETS))
    there = 0 if offsets is None else len(offsets)
    if needed > _MOST_PIECES:
        raise CnncliError(
            f"page {page.index + 1} has {needed:,} strips or tiles; at most {_MOST_PIECES:,} are read",
            "Save it with larger ones.",
        )
    if there < needed:
        raise BrokenTagsError(f"it has {there} strips or tiles of pixels where {needed} are needed")


def _pieces(data: Slices, page: Page, sizes: Places, part: tuple[int, int]) -> list[bytes]:
    """The strips or tiles of one plane as stored; those that share their bytes are one object."""
    share = slice(part[0] * len(sizes), (part[0] + 1) * len(sizes))
    offsets, counts = places_in(data, page, np.tile(sizes, part[1]), share)
    known: dict[tuple[int, int], bytes] = {}
    budget = 2 * len(data)
    for start, count in zip(offsets.tolist(), counts.tolist(), strict=True):
        if (start, count) not in known:
            budget -= count
            if budget < 0:
                raise BrokenTagsError("its strips lie over each other")
            known[start, count] = data[start : start + count]
    return [known[place] for place in zip(offsets.tolist(), counts.tolist(), strict=True)]


def places_in(data: Slices, page: Page, sizes: Places, share: slice = slice(None)) -> tuple[Places, Places]:
    """Offsets and lengths of a share of all pieces, of which ``sizes`` are the bytes of samples.

    Those of pieces that are not compressed are at most their sizes: extra bytes do not belong to the image.

    Raises
    ------
    BrokenTagsError
        Where they do not lie inside the file.
    """
    tiled = TILE_OFFSETS in page.places
    offsets = page.places[TILE_OFFSETS if tiled else STRIP_OFFSETS]
    packed = page.first(COMPRESSION, 1) != 1
    counts = page.places.get(TILE_BYTES if tiled else STRIP_BYTES)
    if counts is None or len(counts) < len(sizes) or not counts.any():
        counts = _up_to_the_next(offsets, len(data)) if packed else sizes
    offsets, counts = offsets[: len(sizes)][share], counts[: len(sizes)][share]
    if np.any(counts > len(data)) or np.any(offsets + counts > len(data)):
        raise BrokenTagsError("the file is truncated")
    return offsets, counts if packed else np.minimum(counts, sizes[share])


def _up_to_the_next(offsets: Places, length: int) -> Places:
    """Unstated sizes of strips: each extends to the start of the next one, or to the end of the file."""
    order = np.argsort(offsets, kind="stable")
    ends = np.append(offsets[order][1:], np.uint64(length))
    sizes = np.empty_like(offsets)
    sizes[order] = np.maximum(ends, offsets[order]) - offsets[order]
    return sizes


def _uncompressed(
    page: Page, pieces: list[bytes], shape: tuple[int, int], tile: tuple[int, int] | None
) -> Pixels:
    height, row = shape
    joined = np.frombuffer(b"".join(pieces), np.uint8)
    if len(joined) < height * row:
        raise BrokenTagsError("it has too few bytes of pixels")
    if page.first(FILL_ORDER, 1) == 2:
        joined = np.packbits(np.unpackbits(joined, bitorder="little"))
    joined = joined[: height * row]
    if tile is None:
        return joined.reshape(height, row)
    across = -(-page.width // tile[0])
    blocks = joined.reshape(height // tile[1], across, tile[1], row // across)
    return np.ascontiguousarray(blocks.swapaxes(1, 2)).reshape(height, row)


def _by_libtiff(file: bytes) -> Pixels:
    """Decompress a file of 8-bit gray pixels, one for each byte needed; exempt from the pixel limit."""
    from PIL import Image, TiffImagePlugin

    header = TiffImagePlugin.TiffImageFile(io.BytesIO(file))
    image = Image.frombytes("L", header.size, file, "libtiff", header.tile[0].args)
    return np.asarray(image)


def _gray_file(numbers_of: dict[int, int], pieces: list[bytes], places: tuple[int, int]) -> bytes:
    """Wrap compressed pieces in a TIFF file: 8-bit gray, no predictor."""
    directory = {tag: entry(4, value) for tag, value in numbers_of.items()}
    for tag, value in ((BITS, 8), (PHOTOMETRIC, _BLACK_IS_ZERO), (SAMPLES, 1)):
        directory[tag] = entry(3, value)
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


def _samples(packed: Pixels, page: Page, shape: tuple[int, int, int]) -> Pixels:
    """Convert bytes to samples (rows, across, columns, samples), undoing byte order and predictor."""
    across, columns, samples = shape
    rows, depth = len(packed), page.bits // 8
    predictor = page.first(PREDICTOR, 1)
    if page.bits % 8:
        if predictor != 1:
            raise CnncliError(
                f"page {page.index + 1} has predictor {predictor} with {page.bits}-bit samples; "
                "expected 8 or 16 bits, or no predictor",
                "Save it without a predictor, or with 16-bit samples.",
            )
        bits = np.unpackbits(packed.reshape(rows, across, -1), axis=2, count=columns * samples * page.bits)
        weights = 1 << np.arange(page.bits - 1, -1, -1, dtype=np.uint16)
        values = bits.reshape(rows, across, columns, samples, page.bits) @ weights
        return values if page.photometric == PALETTE else _stretched(values, page.bits)
    letter = "f" if page.kind == FLOAT else "u"
    order = page.header.order
    if predictor == 3:
        runs = packed.reshape(rows, across, columns * depth, samples)
        summed = np.cumsum(runs, axis=2, dtype=np.uint8).reshape(rows, across, depth, columns * samples)
        packed, order = np.ascontiguousarray(np.swapaxes(summed, 2, 3)), ">"
    elif predictor == 2:
        words = packed.view(f"{order}u{depth}").astype(f"u{depth}").reshape(rows, across, columns, samples)
        packed, order = np.cumsum(words, axis=2, dtype=words.dtype), "="
    elif predictor != 1:
        raise BrokenTagsError(f"predictor {predictor}")
    if page.wide:
        whole = packed.reshape(rows, -1).view(f"{order}{'i' if page.kind == SIGNED else 'u'}{depth}")
        values = _exact(whole, page)
    elif letter == "u":
        stored = np.uint16 if depth > 1 else np.uint8
        values = packed.reshape(rows, -1).view(f"{order}u{depth}").astype(stored, copy=False)
    else:
        with np.errstate(over="ignore"):
            values = packed.reshape(rows, -1).view(f"{order}f{depth}").astype(np.float32, copy=False)
    return values.reshape(rows, across, columns, samples)


def _exact(values: NDArray[np.integer], page: Page) -> Pixels:
    """Whole numbers as floats that hold each of them; missing data may be any."""
    floats = values.astype(np.float32)
    lost = (values > _MOST_WHOLE) | (values < -_MOST_WHOLE)
    if page.missing is not None:
        lost &= values != page.missing
    if lost.any():
        raise CnncliError(
            f"page {page.index + 1} has the {page.bits}-bit sample {values[lost][0]:,}; expected at most "
            f"{_MOST_WHOLE:,}, as larger ones are rounded",
            "Convert it to 16-bit unsigned samples or to floats in other units first.",
        )
    return floats


def remarks_on_kind(pages: Sequence[Page]) -> tuple[str, ...]:
    """What is done to samples of kinds that are not written."""
    kinds = sorted({(page.bits, page.kind == SIGNED) for page in pages if page.wide})
    return tuple(
        f"its samples of {bits} bits, {'signed' if signed else 'unsigned'}, are taken as 32-bit floats"
        for bits, signed in kinds
    )


def _stretched(values: Pixels, bits: int) -> Pixels:
    """Scale samples of unusual depths to 8 or 16 bits, rounded to the nearest."""
    full = 255 if bits < 8 else 65535
    scaled = values * np.float64(full / (2**bits - 1)) + 0.5
    return scaled.astype(np.uint8 if bits < 8 else np.uint16)


def _colors(pixels: Pixels, page: Page) -> tuple[Pixels, bool]:
    """Convert samples to gray or RGB with or without opacity."""
    color = page.colors
    alpha = bool(page.opacity)
    full = pixels.dtype.type({"uint8": 255, "uint16": 65535}.get(pixels.dtype.name, 1))
    shades = pixels[..., :color]
    if alpha and page.opacity == ASSOCIATED:
        shades = _unmultiplied(shades, pixels[..., color : color + 1], full)
    if page.photometric == _WHITE_IS_ZERO:
        shades = full - shades
    elif page.photometric == PALETTE:
        shades = _palette(page)[shades[..., 0]]
    elif page.photometric == CMYK:
        ink = 1.0 - shades.astype(np.float64) / full
        shades = (ink[..., :3] * ink[..., 3:] * full + (0.5 if full > 1 else 0)).astype(pixels.dtype)
    if not alpha:
        return np.ascontiguousarray(shades), False
    opacity = pixels[..., color : color + 1]
    return np.concatenate([shades, opacity], axis=2), True


def _palette(page: Page) -> Pixels:
    """The palette (n, 3), uint8: the upper 8 of 16 bits, as other programs display it."""
    colors = np.array(page.tags.get(COLOR_MAP, ()), np.uint16)
    if len(colors) != 3 << page.bits or page.bits > 8:
        raise BrokenTagsError(f"a palette of {len(colors)} numbers for {page.bits} bits")
    return (colors.reshape(3, -1).T >> 8).astype(np.uint8)


def _unmultiplied(shades: Pixels, opacity: Pixels, full: Any) -> Pixels:
    """Undo premultiplication; fully transparent pixels become black."""
    share = opacity.astype(np.float64) / full
    straight = np.divide(shades, share, out=np.zeros(shades.shape), where=share > 0)
    if shades.dtype != np.float32:
        straight = np.minimum(np.rint(straight), full)
    result: Pixels = straight.astype(shades.dtype)
    return result
