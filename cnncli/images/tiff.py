"""TIFF pages: what they hold, and decoding those that Pillow would narrow to 8 bits or cannot read.

libtiff takes the compression off and everything after that is done here, so that 16-bit and
float samples come whole from any layout: strips or tiles, interleaved or planar, either byte
order, either predictor. Source: Adobe, TIFF Revision 6.0; Adobe Photoshop TIFF Technical Note 3
(the floating point predictor).
"""

import contextlib
import functools
from pathlib import Path
from typing import Any

import numpy as np

from cnncli.errors import CnncliError
from cnncli.images.geo import TAGS as GEO_TAGS
from cnncli.images.metadata import exif_of_tiff, fitting_profile, resolution, turned
from cnncli.images.picture import GeoField, Metadata, Pixels
from cnncli.images.tags import (
    ORIENTATION,
    BrokenTagsError,
    Directory,
    Entry,
    Header,
    Slices,
    entry,
    numbers,
    pack_directory,
    read_directory,
    read_header,
)
from cnncli.records import record, replace

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 254, 256, 257, 258, 259, 262, 266
_STRIP_OFFSETS, _SAMPLES, _STRIP_ROWS, _STRIP_BYTES, _X_DPI, _Y_DPI, _PLANAR, _DPI_UNIT = (
    273, 277, 278, 279, 282, 283, 284, 296,
)  # fmt: skip
_PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES, _EXTRA, _FORMAT = (
    317, 322, 323, 324, 325, 338, 339,
)  # fmt: skip
_XMP, _IPTC, _ICC = 700, 33723, 34675
#: Fields that say how the pixels lie; values of others stay bytes.
_READ = frozenset(
    (_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _STRIP_OFFSETS, _SAMPLES,
     _STRIP_ROWS, _STRIP_BYTES, _X_DPI, _Y_DPI, _PLANAR, _DPI_UNIT, _PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT,
     _TILE_OFFSETS, _TILE_BYTES, _EXTRA, _FORMAT, ORIENTATION)
)  # fmt: skip

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CMYK = 0, 1, 2, 5
_COLORS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _CMYK: 4}
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3

#: Compressions that pack bytes, whatever the bytes mean.
_BYTE_CODECS = {1, 5, 8, 32773, 32946, 34925, 50000}
_MOST_PAGES = 100_000


@record
class Page:
    """One page of a TIFF file.

    Attributes
    ----------
    index : int
        Its place in the chain of directories, as Pillow counts.
    width, height : int
        As stored, before the orientation is applied.
    tags : dict of tag to tuple of numbers
        The fields about pixels.
    header, directory
        For what is read from the directory later.
    """

    index: int
    width: int
    height: int
    tags: dict[int, tuple[Any, ...]]
    header: Header
    directory: Directory

    def first(self, tag: int, default: int) -> int:
        """Look up the first value of a field."""
        values = self.tags.get(tag)
        return int(values[0]) if values else default

    @property
    def bits(self) -> int:
        """Bits of each sample."""
        return self.first(_BITS, 1)

    @property
    def kind(self) -> int:
        """1 unsigned, 2 signed, 3 float."""
        return self.first(_FORMAT, _UNSIGNED)

    @property
    def deep(self) -> bool:
        """True where a sample has more than 8 bits."""
        return bool(max(self.tags.get(_BITS, (1,))) > 8)

    @property
    def orientation(self) -> int:
        """1 to 8."""
        value = self.first(ORIENTATION, 1)
        return value if 1 <= value <= 8 else 1

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, upright."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def read_pages(data: Slices) -> list[Page]:
    """List the pages of a TIFF file; thumbnails and masks that belong to a page are left out.

    Raises
    ------
    BrokenTagsError
        Where a directory lies outside the file or does not say how large its page is.
    """
    header = read_header(data)
    pages: list[Page] = []
    seen: set[int] = set()
    at, index = header.first, 0
    while at and at not in seen and index < _MOST_PAGES:
        seen.add(at)
        directory, at = read_directory(data, header, at)
        tags = {
            tag: numbers(field, header.order)
            for tag, field in directory.items()
            if tag in _READ and field.type != 2
        }
        width, height = (int(tags[tag][0]) if tags.get(tag) else 0 for tag in (_WIDTH, _HEIGHT))
        if width < 1 or height < 1:
            raise BrokenTagsError(f"page {index + 1} is {width}x{height} pixels")
        page = Page(index, width, height, tags, header, directory)
        if not pages or not page.first(_SUBFILE, 0) & 0b101:
            pages.append(page)
        index += 1
    if not pages:
        raise BrokenTagsError("no page in it")
    return pages


def pages_metadata(data: Slices, pages: list[Page], channels: int, *, alpha: bool) -> Metadata:
    """Collect what the pages say besides their pixels, which were decoded to C channels."""
    own = [page_metadata(data, page, channels, alpha=alpha) for page in pages]
    alike = all(each == own[0] for each in own)
    return own[0] if alike else replace(own[0], later=tuple(own[1:]))


def page_metadata(data: Slices, page: Page, channels: int, *, alpha: bool) -> Metadata:
    """Collect EXIF, colour profile, resolution, XMP, IPTC and place on the earth of one page."""
    fields, order = page.directory, page.header.order
    icc = fields[_ICC].raw if _ICC in fields else None
    x, y, unit = page.tags.get(_X_DPI), page.tags.get(_Y_DPI), page.first(_DPI_UNIT, 2)
    dpi = None
    if x and y and unit in (2, 3):
        inch = 2.54 if unit == 3 else 1.0
        dpi = resolution({"dpi": (x[0] * inch, y[0] * inch)})
    if dpi and page.orientation >= 5:
        dpi = dpi[::-1]
    exif, lost = exif_of_tiff(data, page.header, fields)
    iptc = fields[_IPTC].raw if _IPTC in fields else None
    if (
        iptc and fields[_IPTC].type == 4 and iptc[:1] != b"\x1c"
    ):  # Adobe's words of 32 bits, in the wrong order
        iptc = np.frombuffer(iptc, ">u4").astype("<u4").tobytes()
    return Metadata(
        exif=exif,
        icc=fitting_profile(icc, channels, alpha=alpha),
        dpi=dpi,
        xmp=fields[_XMP].raw if _XMP in fields else None,
        iptc=iptc,
        geo=tuple(_geo_field(tag, fields[tag], order) for tag in GEO_TAGS if tag in fields),
        lost=tuple(lost),
        turned=page.orientation != 1,
    )


def _geo_field(tag: int, field: Entry, order: str) -> GeoField:
    return GeoField(tag, field.type, field.raw if field.type in (1, 2, 7) else numbers(field, order))


@functools.cache
def silence_libtiff() -> None:
    """Keep libtiff from printing to stderr; what goes wrong there comes back as an error all the same."""
    import ctypes

    from PIL import _imaging  # loads libtiff

    loaded = {str(path) for path in Path(_imaging.__file__).parent.glob(".dylibs/libtiff*")}  # of macOS
    with contextlib.suppress(OSError):
        maps = Path("/proc/self/maps").read_text(errors="surrogateescape")
        loaded |= {line.split(maxsplit=5)[5] for line in maps.splitlines() if "/libtiff" in line}
    for path in loaded:
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(path)
            library.TIFFSetErrorHandler(None)
            library.TIFFSetWarningHandler(None)


def check_page(page: Page) -> None:
    """Refuse what neither Pillow nor this module reads right."""
    convert = "Convert it to 16-bit unsigned or 32-bit float samples first, for example with tifffile."
    label = f"page {page.index + 1} has {page.bits}-bit"
    if page.kind == _SIGNED or (page.kind == _UNSIGNED and page.bits > 16):
        signs = "signed integer" if page.kind == _SIGNED else "unsigned integer"
        raise CnncliError(
            f"{label} {signs} samples; expected 1 to 16 bits unsigned, or float",
            convert,
        )
    if len(set(page.tags.get(_BITS, (1,)))) > 1 or len(set(page.tags.get(_FORMAT, (1,)))) > 1:
        raise CnncliError(f"page {page.index + 1} mixes samples of several kinds; expected one", convert)
    if page.kind not in (_UNSIGNED, _FLOAT) or (page.kind == _FLOAT and page.bits not in (16, 32, 64)):
        raise CnncliError(f"{label} samples of kind {page.kind}; expected unsigned or float", convert)
    if not page.deep:
        return
    photometric, codec = page.first(_PHOTOMETRIC, _BLACK_IS_ZERO), page.first(_COMPRESSION, 1)
    if photometric not in _COLORS:
        raise CnncliError(
            f"{label} samples of colour model {photometric}; expected gray, RGB or CMYK at that depth",
            "Convert it to RGB first, for example with ImageMagick: magick in.tif -colorspace sRGB out.tif",
        )
    if codec not in _BYTE_CODECS:
        raise CnncliError(
            f"{label} samples in compression {codec}; "
            "expected none, LZW, Deflate, PackBits, LZMA or Zstandard",
            "Save it with LZW or Deflate compression, or uncompressed.",
        )


def decode_page(data: Slices, page: Page) -> tuple[Pixels, bool]:
    """Decode a page of more than 8 bits.

    Returns
    -------
    pixels, alpha : ndarray (H, W, C), bool
        uint16 or float32, upright, colour not premultiplied.
    """
    planes = page.first(_SAMPLES, 1) if page.first(_PLANAR, 1) == 2 else 1
    samples = page.first(_SAMPLES, 1) // planes
    color = _COLORS[page.first(_PHOTOMETRIC, _BLACK_IS_ZERO)]
    if samples * planes < color or samples * planes > 64:
        raise BrokenTagsError(f"{samples * planes} samples for each pixel")
    tile = (page.first(_TILE_WIDTH, 0), page.first(_TILE_HEIGHT, 0)) if _TILE_OFFSETS in page.tags else None
    across = -(-page.width // tile[0]) if tile else 1
    columns = tile[0] if tile else page.width
    parts = []
    for plane in range(planes):
        packed = _unpacked(data, page, samples, tile, (plane, planes))
        values = _samples(packed, page, (across, columns, samples))
        parts.append(values.reshape(len(packed), across * columns, samples)[: page.height, : page.width])
    pixels = parts[0] if planes == 1 else np.concatenate(parts, axis=2)
    pixels, alpha = _colors(pixels, page)
    return turned(pixels, page.orientation), alpha


def _unpacked(
    data: Slices, page: Page, samples: int, tile: tuple[int, int] | None, part: tuple[int, int]
) -> Pixels:
    """Take the compression off one plane: uint8, (rows, bytes), rows and bytes padded to whole tiles."""
    places, lengths = (_TILE_OFFSETS, _TILE_BYTES) if tile else (_STRIP_OFFSETS, _STRIP_BYTES)
    plane, planes = part
    share = len(page.tags.get(places, ())) // planes
    wanted = slice(plane * share, (plane + 1) * share)
    offsets, counts = page.tags.get(places, ())[wanted], page.tags.get(lengths, ())[wanted]
    pieces = [data[at : at + count] for at, count in zip(offsets, counts, strict=True)]
    if [len(piece) for piece in pieces] != list(counts):
        raise BrokenTagsError("the file is truncated")
    width, height = page.width, page.height
    if tile:
        width, height = (-(-width // tile[0]) * tile[0], -(-height // tile[1]) * tile[1])
    row = (width * samples * page.bits + 7) // 8
    if page.first(_COMPRESSION, 1) == 1:
        return _uncompressed(page, pieces, (height, row), tile)
    if tile:
        shape = {_TILE_WIDTH: tile[0] * samples * page.bits // 8, _TILE_HEIGHT: tile[1]}
    else:
        shape = {_STRIP_ROWS: min(page.first(_STRIP_ROWS, height), height)}
    for tag, default in ((_COMPRESSION, 1), (_FILL_ORDER, 1)):
        shape[tag] = page.first(tag, default)
    return _by_libtiff(_gray_file({_WIDTH: row, _HEIGHT: height, **shape}, pieces, (places, lengths)))


def _uncompressed(
    page: Page, pieces: list[bytes], shape: tuple[int, int], tile: tuple[int, int] | None
) -> Pixels:
    height, row = shape
    joined = np.frombuffer(b"".join(pieces), np.uint8)
    if len(joined) < height * row:
        raise BrokenTagsError("it has too few bytes of pixels")
    if page.first(_FILL_ORDER, 1) == 2:
        joined = np.packbits(np.unpackbits(joined, bitorder="little"))
    joined = joined[: height * row]
    if tile is None:
        return joined.reshape(height, row)
    across = -(-page.width // tile[0])
    blocks = joined.reshape(height // tile[1], across, tile[1], row // across)
    return np.ascontiguousarray(blocks.swapaxes(1, 2)).reshape(height, row)


def _by_libtiff(file: bytes) -> Pixels:
    """Decode a file of 8-bit gray pixels, one for each byte that we want; exempt from the limit on pixels."""
    import io

    from PIL import Image, TiffImagePlugin

    header = TiffImagePlugin.TiffImageFile(io.BytesIO(file))
    image = Image.frombytes("L", header.size, file, "libtiff", header.tile[0].args)
    return np.asarray(image)


def _gray_file(numbers_of: dict[int, int], pieces: list[bytes], places: tuple[int, int]) -> bytes:
    """Wrap compressed pieces as a file of their own: 8-bit gray, no predictor."""
    directory = {tag: entry(4, value) for tag, value in numbers_of.items()}
    for tag, value in ((_BITS, 8), (_PHOTOMETRIC, _BLACK_IS_ZERO), (_SAMPLES, 1)):
        directory[tag] = entry(3, value)
    lengths = [len(piece) for piece in pieces]
    directory[places[1]] = entry(4, *lengths)
    directory[places[0]] = entry(4, *lengths)
    start = 8 + len(pack_directory(directory, {}, order="<", at=8))
    ends = np.cumsum([start, *lengths])
    if ends[-1] >= 2**32:
        raise CnncliError(
            "the page is larger than 4 GiB; expected less", "Split it into smaller pages first."
        )
    directory[places[0]] = entry(4, *ends[:-1].tolist())
    return b"".join([b"II*\0\x08\0\0\0", pack_directory(directory, {}, order="<", at=8), *pieces])


def _samples(packed: Pixels, page: Page, shape: tuple[int, int, int]) -> Pixels:
    """Bytes to samples (rows, across, columns, samples): byte order and predictor undone."""
    across, columns, samples = shape
    rows, depth = len(packed), page.bits // 8
    predictor = page.first(_PREDICTOR, 1)
    if page.bits % 8:
        if predictor != 1:
            raise BrokenTagsError(f"predictor {predictor} with {page.bits} bits")
        bits = np.unpackbits(packed.reshape(rows, across, -1), axis=2, count=columns * samples * page.bits)
        weights = 1 << np.arange(page.bits - 1, -1, -1, dtype=np.uint16)
        values = bits.reshape(rows, across, columns, samples, page.bits) @ weights
        return (values * np.float64(65535 / (2**page.bits - 1)) + 0.5).astype(np.uint16)
    letter = "f" if page.kind == _FLOAT else "u"
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
    if letter == "u":
        values = packed.reshape(rows, -1).view(f"{order}u{depth}").astype(np.uint16, copy=False)
    else:
        with np.errstate(over="ignore"):
            values = packed.reshape(rows, -1).view(f"{order}f{depth}").astype(np.float32, copy=False)
    return values.reshape(rows, across, columns, samples)


def _colors(pixels: Pixels, page: Page) -> tuple[Pixels, bool]:
    """Turn samples into gray or RGB with or without opacity."""
    photometric = page.first(_PHOTOMETRIC, _BLACK_IS_ZERO)
    color = _COLORS[photometric]
    extra = pixels.shape[2] - color
    meaning = page.tags.get(_EXTRA, ())
    kind = int(meaning[0]) if meaning else (2 if extra == 1 else 0)
    alpha = extra > 0 and kind in (1, 2)
    full = pixels.dtype.type(65535 if pixels.dtype == np.uint16 else 1)
    shades = pixels[..., :color]
    if alpha and kind == 1:
        shades = _unmultiplied(shades, pixels[..., color : color + 1], full)
    if photometric == _WHITE_IS_ZERO:
        shades = full - shades
    elif photometric == _CMYK:
        ink = 1.0 - shades.astype(np.float64) / full
        shades = (ink[..., :3] * ink[..., 3:] * full + (0.5 if full > 1 else 0)).astype(pixels.dtype)
    if not alpha:
        return np.ascontiguousarray(shades), False
    opacity = pixels[..., color : color + 1]
    return np.concatenate([shades, opacity], axis=2), True


def _unmultiplied(shades: Pixels, opacity: Pixels, full: Any) -> Pixels:
    """Undo premultiplication; where nothing is opaque the colour is black."""
    share = opacity.astype(np.float64) / full
    straight = np.divide(shades, share, out=np.zeros(shades.shape), where=share > 0)
    if shades.dtype == np.uint16:
        straight = np.minimum(np.rint(straight), full)
    result: Pixels = straight.astype(shades.dtype)
    return result
