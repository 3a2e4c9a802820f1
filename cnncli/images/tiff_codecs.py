"""Decode strips and tiles of TIFF that are compressed as pictures, by imagecodecs (extra ``tiff``).

Microscopes and pictures from above use them: JPEG 2000 (slides of Aperio and others), JPEG of 12 bits, and
in GDAL's files LERC, WebP and JPEG XL. JPEG XR is left out, as its decoder takes cut pieces for whole ones.
Source: libtiff, tif_lerc.c and tif_webp.c; Aperio, Digital Slides and Third-Party Data Interchange.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.images.picture import Pixels
from cnncli.images.tags import BrokenTagsError
from cnncli.images.tiff import (
    EXTRA,
    FLOAT,
    JPEG,
    JPEG_TABLES,
    LERC_PARAMETERS,
    PHOTOMETRIC,
    SIGNED,
    UNASSOCIATED,
    UNSIGNED,
    YCBCR,
    YCBCR_2000,
    Page,
)
from cnncli.records import record

_WEBP, _LERC = 50001, 34887
_START_OF_JPEG2000 = b"\xff\x4f\xff\x51"
_ADDED_DEFLATE, _ADDED_ZSTD = 1, 2


@record
class Codec:
    """A compression: its name, and how imagecodecs' functions for it begin."""

    name: str
    word: str


_JPEG_2000 = Codec("JPEG 2000", "jpeg2k")
_JPEG_XL = Codec("JPEG XL", "jpegxl")
_DEEP_JPEG = Codec("JPEG of more than 8 bits", "jpeg")
_CODECS = {
    33003: _JPEG_2000,
    33004: _JPEG_2000,
    33005: _JPEG_2000,
    34712: _JPEG_2000,
    _LERC: Codec("LERC", "lerc"),
    34933: Codec("PNG", "png"),
    _WEBP: Codec("WebP", "webp"),
    50002: _JPEG_XL,
    52546: _JPEG_XL,
}  # fmt: skip


def codec_of(page: Page) -> Codec | None:
    """The compression of a page whose pieces are decoded here; None for others."""
    return _DEEP_JPEG if page.codec == JPEG and page.deep else _CODECS.get(page.codec)


def check_codec(page: Page, codec: Codec) -> None:
    """Refuse a page that is not decoded for want of the package, or because of what it says of its colours.

    Raises
    ------
    CnncliError
        Naming the extra, or another way to save it.
    """
    label = f"page {page.index + 1} is compressed as {codec.name} ({page.codec})"
    otherwise = "Save it with LZW or Deflate: gdal_translate -co COMPRESS=DEFLATE, or tiffcp -c zip."
    if not _can_decode(codec):
        raise CnncliError(
            f"{label}, which the package imagecodecs decodes, and it is not installed; expected it, or "
            "none, LZW, Deflate, JPEG, PackBits, LZMA or Zstandard",
            "Install it with pip install 'cnncli[tiff]', or save the file with LZW or Deflate.",
        )
    if page.header.order == ">" and page.bits > 8 and codec not in (_CODECS[_LERC], _JPEG_2000, _DEEP_JPEG):
        raise CnncliError(
            f"{label} with {page.bits}-bit samples in a file of big-endian byte order, where their order is "
            "not certain; expected a little-endian file",
            otherwise,
        )
    if page.photometric == YCBCR or not page.colors:
        raise CnncliError(
            f"{label} in colour model {page.photometric}; expected gray, RGB or CMYK in that compression",
            otherwise,
        )


def _can_decode(codec: Codec) -> bool:
    try:
        import imagecodecs
    except ImportError:
        return False
    # What a build of it leaves out is there as a substitute that says so.
    return bool(getattr(getattr(imagecodecs, codec.word.upper(), None), "available", False))


@record
class Grid:
    """How strips or tiles of one plane lie: rows and columns of pixels in each, and how many across.

    Attributes
    ----------
    rows, columns, samples : int
        Of a piece.
    across : int
        Pieces in a row.
    height : int
        Rows of pixels that are stored: all of tiles, those of the picture in strips.
    """

    rows: int
    columns: int
    samples: int
    across: int
    height: int


def foreign_samples(page: Page, codec: Codec, pieces: list[bytes], grid: Grid) -> NDArray[Any]:
    """Decode the pieces of one plane.

    Returns
    -------
    ndarray (height, across * columns, samples)
        Samples as stored, of the page's type: uint8, uint16, float32 and the like.

    Raises
    ------
    BrokenTagsError
        Where a piece has another size than the page says.
    """
    values = np.empty((grid.height, grid.across * grid.columns, grid.samples), _dtype(page))
    known: dict[int, NDArray[Any]] = {}
    for number, piece in enumerate(pieces):
        top, left = number // grid.across * grid.rows, number % grid.across * grid.columns
        shape = (min(grid.rows, grid.height - top), grid.columns, grid.samples)
        if id(piece) not in known:  # those that are stored once are decoded once, and others not kept
            known = {id(piece): _decoded(page, codec, piece, shape)}
        values[top : top + shape[0], left : left + shape[1]] = known[id(piece)][: shape[0]]
    return values


def _dtype(page: Page) -> np.dtype[Any]:
    letter = {UNSIGNED: "u", SIGNED: "i", FLOAT: "f"}[page.kind]
    size = next(bits for bits in (8, 16, 32, 64) if page.bits <= bits) // 8
    return np.dtype(f"{letter}{size}")


def _decoded(page: Page, codec: Codec, piece: bytes, shape: tuple[int, int, int]) -> NDArray[Any]:
    """One piece (rows, columns, samples); its own header has to agree, before memory is taken for it."""
    import imagecodecs

    if page.codec == _LERC:
        return _of_lerc(page, piece, shape)
    if codec is _JPEG_2000:
        _check_jpeg2000(piece, shape)
    out = np.empty(shape if shape[2] > 1 else shape[:2], _dtype(page))
    decode = getattr(imagecodecs, f"{codec.word}_decode")
    decode(piece, out=out, **_options(page, codec, shape))
    values: NDArray[Any] = out.reshape(shape)
    return _rgb(values) if page.codec == YCBCR_2000 and shape[2] == 3 else values


def _options(page: Page, codec: Codec, shape: tuple[int, int, int]) -> dict[str, Any]:
    """What a decoder has to know besides the bytes."""
    if page.codec == _WEBP:
        return {"hasalpha": shape[2] == 4}
    if codec is not _DEEP_JPEG:
        return {}
    tables = page.tags.get(JPEG_TABLES)
    colors: dict[str, Any] = {"bitspersample": page.bits, "tables": bytes(tables) if tables else None}
    if shape[2] == 3:
        stored = "YCBCR" if page.first(PHOTOMETRIC, 0) == YCBCR else "RGB"
        colors |= {"colorspace": stored, "outcolorspace": "RGB"}
    return colors


def _check_jpeg2000(piece: bytes, shape: tuple[int, int, int]) -> None:
    """Compare the size that a code stream states with the one that it should have."""
    at = piece.find(_START_OF_JPEG2000)
    if at < 0 or len(piece) < at + 42:
        raise BrokenTagsError("a strip or tile is no JPEG 2000 code stream")
    right, bottom, left, top = struct.unpack_from(">4I", piece, at + 8)
    (samples,) = struct.unpack_from(">H", piece, at + 40)
    if (bottom - top, right - left, samples) != shape:
        raise BrokenTagsError(
            f"a strip or tile holds {right - left}x{bottom - top} pixels of {samples} samples; expected "
            f"{shape[1]}x{shape[0]} of {shape[2]}"
        )


def _of_lerc(page: Page, piece: bytes, shape: tuple[int, int, int]) -> NDArray[Any]:
    """LERC, compressed once more where the page says so; what its mask leaves out is NaN, or transparent."""
    import imagecodecs

    dtype, size = _dtype(page), shape[0] * shape[1] * shape[2]
    most = 2 * size * dtype.itemsize + (1 << 16)
    added = (*page.tags.get(LERC_PARAMETERS, ()), 0, 0)[1]
    if added == _ADDED_DEFLATE:
        piece = bytes(imagecodecs.zlib_decode(piece, out=most))
    elif added == _ADDED_ZSTD:
        piece = bytes(imagecodecs.zstd_decode(piece, out=most))
    elif added:
        raise BrokenTagsError(f"LERC with a further compression {added}")
    masked = _stores_opacity_as_mask(page, piece, shape[2])
    samples = shape[2] - masked
    out = np.empty((*shape[:2], samples) if samples > 1 else shape[:2], dtype)
    _, mask = imagecodecs.lerc_decode(piece, masks=True, out=out)
    # In files of the other byte order libtiff swaps samples before they are compressed, and after.
    values: NDArray[Any] = _native(out, page).reshape(*shape[:2], samples)
    seen = None if mask is None else np.broadcast_to(np.atleast_3d(np.asarray(mask) != 0), values.shape)
    if masked:
        opacity = np.full((*shape[:2], 1), 255, dtype) if seen is None else seen[..., :1] * dtype.type(255)
        return np.concatenate([values, opacity], axis=2)
    if seen is not None and not seen.all():
        if page.kind != FLOAT:
            raise BrokenTagsError("LERC leaves out pixels of whole numbers")
        values[~seen] = np.nan
    return values


def _native(values: NDArray[Any], page: Page) -> NDArray[Any]:
    return values.byteswap() if page.header.order == ">" else values


def _stores_opacity_as_mask(page: Page, piece: bytes, samples: int) -> bool:
    """Whether opacity, all or nothing, is stored as which pixels there are, as libtiff writes it."""
    straight = page.tags.get(EXTRA, ())[-1:] == (UNASSOCIATED,)
    if not (straight and page.bits == 8 and page.kind == UNSIGNED and samples > 1):
        return False
    return _lerc_samples(piece) == samples - 1


def _lerc_samples(piece: bytes) -> int:
    """Samples of a pixel in LERC's second form (version 4 of its header and later; 1 before)."""
    if piece[:6] != b"Lerc2 ":
        return 1
    version, _, _, _, samples = struct.unpack_from("<iIiii", piece.ljust(26, b"\0"), 6)
    return int(samples) if version >= 4 else 1


def _rgb(values: NDArray[Any]) -> Pixels:
    """JFIF's YCbCr of full range to RGB."""
    full = np.iinfo(values.dtype).max
    luma, blue, red = (values[..., each].astype(np.float32) for each in range(3))
    blue, red = blue - (full + 1) // 2, red - (full + 1) // 2
    green = luma - 0.344136 * blue - 0.714136 * red
    shades = np.stack([luma + 1.402 * red, green, luma + 1.772 * blue], axis=2)
    rgb: Pixels = np.clip(np.rint(shades), 0, full).astype(values.dtype)
    return rgb
