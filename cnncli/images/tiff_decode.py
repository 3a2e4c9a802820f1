"""Decode TIFF pages that Pillow would reduce to 8 bits, read without some samples, or not read at all.

libtiff decompresses and everything else is done here, so that any number of 16-bit and float samples is read
at full depth from any layout: strips or tiles, interleaved or planar, either byte order, either predictor.
Source: Adobe, TIFF Revision 6.0; Adobe Photoshop TIFF Technical Note 3 (the floating point predictor).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.images.mask import with_mask
from cnncli.images.metadata import apply_orientation
from cnncli.images.picture import Pixels
from cnncli.images.tags import BrokenTagsError, Slices
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
    JPEG,
    PALETTE,
    PHOTOMETRIC,
    PREDICTOR,
    RGB,
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
from cnncli.images.tiff_codecs import Grid, check_codec, codec_of, foreign_samples
from cnncli.images.tiff_wrapped import by_libtiff, jpeg_by_libtiff

_MOST_SAMPLES, _MOST_PIECES = 4096, 2_000_000
_WHITE_IS_ZERO, _BLACK_IS_ZERO = 0, 1
_MOST_WHOLE = 1 << 24  # up to which a float holds each whole number
_LIST = "none, LZW, Deflate, JPEG, PackBits, LZMA or Zstandard"


def is_odd(page: Page, *, alone: bool) -> bool:
    """Whether a page is decoded here because Pillow cannot read it, not completely, or not as fast.

    Parameters
    ----------
    page : Page
        Any page.
    alone : bool
        Whether it is the only page that is read. Many simple pages are read faster here.
    """
    packed = page.codec in BYTE_CODECS or is_plain_jpeg(page)
    if (
        codec_of(page)
        or page.deep
        or page.wide
        or page.bands
        or (page.header.big and page.header.order == ">")
    ):
        return True
    if packed and page.missing is not None:
        return True
    if page.codec in BYTE_CODECS and (PHOTOMETRIC not in page.tags or len(page.tags.get(EXTRA, ())) > 1):
        return True
    plain = page.photometric in (_BLACK_IS_ZERO, RGB) and page.samples == page.colors
    return not alone and page.codec == 1 and plain and set(page.tags.get(BITS, ())) == {8}


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
    codec = codec_of(page)
    if codec is not None:
        check_codec(page, codec)
    if not odd:
        return
    if not page.colors or (page.photometric == PALETTE and page.deep):
        raise CnncliError(
            f"{label} samples of colour model {page.photometric}; expected gray, RGB or CMYK at that depth",
            "Convert it to RGB first, for example with ImageMagick: magick in.tif -colorspace sRGB out.tif",
        )
    if codec is None and page.codec not in BYTE_CODECS and not is_plain_jpeg(page):
        raise CnncliError(
            f"{label} samples in compression {page.codec}; expected {_LIST}",
            "Save it with LZW or Deflate compression, or uncompressed.",
        )


def is_plain_jpeg(page: Page) -> bool:
    """Whether a page is gray or RGB of 8 bits in JPEG, of which libtiff decodes any strips or tiles."""
    plain = page.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, RGB) and page.samples == page.colors
    return page.codec == JPEG and plain and page.planes == 1 and set(page.tags.get(BITS, ())) == {8}


def decode_page(data: Slices, page: Page) -> tuple[Pixels, bool]:
    """Decode a page: up to 8 bits to uint8, deeper ones to uint16 or float32.

    Returns
    -------
    pixels, alpha : ndarray (H, W, C), bool
        Upright, colour not premultiplied. Where there are samples of unknown meaning, all are kept unchanged.
    """
    planes = page.planes
    samples = page.samples // planes if planes else 0
    if not page.colors <= samples * planes <= _MOST_SAMPLES:
        raise BrokenTagsError(f"{page.samples} samples for each pixel")
    tile = (page.first(TILE_WIDTH, 0), page.first(TILE_HEIGHT, 0)) if TILE_OFFSETS in page.places else None
    if tile and not (tile[0] > 0 and tile[1] > 0 and tile[0] * samples * page.bits % 8 == 0):
        raise BrokenTagsError(f"tiles of {tile[0]}x{tile[1]} pixels")
    grid = _grid(page, samples, tile)
    parts = [_plane(data, page, grid, plane)[: page.height, : page.width] for plane in range(planes)]
    pixels = parts[0] if planes == 1 else np.concatenate(parts, axis=2)
    pixels, alpha = (np.ascontiguousarray(pixels), False) if page.bands else _colors(pixels, page)
    if page.missing is not None:
        pixels, alpha = with_mask(pixels, page.missing), True
    return apply_orientation(pixels, page.orientation), alpha


def _grid(page: Page, samples: int, tile: tuple[int, int] | None) -> Grid:
    """How the strips or tiles of a plane lie; tiles pad the page to whole ones."""
    if tile is None:
        rows = max(1, min(page.first(STRIP_ROWS, page.height), page.height))
        return Grid(rows, page.width, samples, across=1, height=page.height)
    down, across = -(-page.height // tile[1]), -(-page.width // tile[0])
    return Grid(tile[1], tile[0], samples, across, height=down * tile[1])


def _plane(data: Slices, page: Page, grid: Grid, plane: int) -> Pixels:
    """Decode one plane: samples (height, across * columns, samples), with the padding of tiles."""
    row = (grid.columns * grid.samples * page.bits + 7) // 8
    down = -(-grid.height // grid.rows)
    _check_places(page, down * grid.across * page.planes)
    sizes = np.full((down, grid.across), row * grid.rows, np.uint64)
    sizes[-1] = row * (grid.height - (down - 1) * grid.rows)
    pieces = _pieces(data, page, sizes.ravel(), (plane, page.planes))
    codec = codec_of(page)
    if codec is None:
        packed = _unpacked(page, pieces, grid, row)
        values = _samples(packed, page, (grid.across, grid.columns, grid.samples))
    else:
        values = _in_range(foreign_samples(page, codec, pieces, grid), page)
    return values.reshape(grid.height, grid.across * grid.columns, grid.samples)


def _unpacked(page: Page, pieces: list[bytes], grid: Grid, row: int) -> Pixels:
    """Decompress pieces whose rows have ``row`` bytes: uint8 (height, across * row)."""
    tiled = TILE_OFFSETS in page.places
    if page.codec == 1:
        return _uncompressed(page, pieces, grid, row)
    places = (TILE_OFFSETS, TILE_BYTES) if tiled else (STRIP_OFFSETS, STRIP_BYTES)
    columns = grid.columns if page.codec == JPEG else row
    layout = {WIDTH: columns * grid.across, HEIGHT: grid.height, COMPRESSION: page.codec}
    layout |= {TILE_WIDTH: columns, TILE_HEIGHT: grid.rows} if tiled else {STRIP_ROWS: grid.rows}
    layout[FILL_ORDER] = page.first(FILL_ORDER, 1)
    if page.codec == JPEG:
        return jpeg_by_libtiff(page, layout, pieces, places)
    return by_libtiff(layout, pieces, places)


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


def _uncompressed(page: Page, pieces: list[bytes], grid: Grid, row: int) -> Pixels:
    joined = np.frombuffer(b"".join(pieces), np.uint8)
    across, height = grid.across, grid.height
    if len(joined) < height * across * row:
        raise BrokenTagsError("it has too few bytes of pixels")
    if page.first(FILL_ORDER, 1) == 2:
        joined = np.packbits(np.unpackbits(joined, bitorder="little"))
    joined = joined[: height * across * row]
    if TILE_OFFSETS not in page.places:
        return joined.reshape(height, row)
    blocks = joined.reshape(height // grid.rows, across, grid.rows, row)
    return np.ascontiguousarray(blocks.swapaxes(1, 2)).reshape(height, across * row)


def _samples(packed: Pixels, page: Page, shape: tuple[int, int, int]) -> Pixels:
    """Convert bytes to samples (rows, across, columns, samples), undoing byte order and predictor."""
    across, columns, samples = shape
    rows, depth = len(packed), page.bits // 8
    predictor = 1 if page.codec == JPEG else page.first(PREDICTOR, 1)
    if page.bits % 8:
        if predictor != 1:
            raise CnncliError(
                f"page {page.index + 1} has predictor {predictor} with {page.bits}-bit samples; "
                "expected 8 or 16 bits, or no predictor",
                "Save it without a predictor, or with 16-bit samples.",
            )
        bits = np.unpackbits(packed.reshape(rows, across, -1), axis=2, count=columns * samples * page.bits)
        weights = 1 << np.arange(page.bits - 1, -1, -1, dtype=np.uint16)
        return _in_range(bits.reshape(rows, across, columns, samples, page.bits) @ weights, page)
    letter = {SIGNED: "i", FLOAT: "f"}.get(page.kind, "u")
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
    values = packed.reshape(rows, -1).view(f"{order}{letter}{depth}")
    return _in_range(values, page).reshape(rows, across, columns, samples)


def _in_range(values: NDArray[Any], page: Page) -> Pixels:
    """Samples as stored, of one of the types of pixels: uint8, uint16, or float32."""
    if page.bits % 8:
        return values if page.photometric == PALETTE else _stretched(values, page.bits)
    if page.wide:
        return _exact(values, page)
    if page.kind == FLOAT:
        with np.errstate(over="ignore"):
            return values.astype(np.float32, copy=False)
    return values.astype(np.uint16 if page.bits > 8 else np.uint8, copy=False)


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
