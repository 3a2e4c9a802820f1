"""Read the structure of TIFF files: the chain of directories, and each page's storage of pixels.

Source: Adobe, TIFF Revision 6.0, and the BigTIFF design of the libtiff project.
"""

import contextlib
import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.images.geo import NODATA, number_of
from cnncli.images.geo import TAGS as GEO_TAGS
from cnncli.images.metadata import fitting_profile, resolution
from cnncli.images.picture import GeoField, Metadata
from cnncli.images.tags import (
    ORIENTATION,
    BrokenTagsError,
    Directory,
    Entry,
    Header,
    Slices,
    numbers,
    read_directory,
    read_header,
    walk_directory,
)
from cnncli.images.tiff_metadata import DESCRIPTIVE_TAGS, exif_of_tiff
from cnncli.records import record, replace

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 254, 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, SAMPLES, STRIP_ROWS, STRIP_BYTES, PLANAR, COLOR_MAP = 273, 277, 278, 279, 284, 320
PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, EXTRA = 317, 322, 323, 324, 325, 338
FORMAT, JPEG_TABLES, SUBSAMPLING, LERC_PARAMETERS = 339, 347, 530, 50674
_X_DPI, _Y_DPI, _DPI_UNIT, _BELOW, _DNG_VERSION = 282, 283, 296, 330, 50706
_XMP, _IPTC, _ICC = 700, 33723, 34675
_SMALLER, _MASK = 1, 4  # bits of what a directory is for: a smaller copy, a mask of the page before it
_FIRST_PRIVATE = 32768
#: Private fields that are read, or that describe layout or compression.
_KNOWN_PRIVATE = frozenset((*DESCRIPTIVE_TAGS, *GEO_TAGS, _IPTC, _ICC, 32995, 32996, 32997, 32998))

_LAYOUT = frozenset({
    SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES, STRIP_ROWS, PLANAR,
    COLOR_MAP, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, EXTRA, FORMAT, ORIENTATION, _X_DPI, _Y_DPI, _DPI_UNIT,
    _BELOW, _DNG_VERSION, JPEG_TABLES, SUBSAMPLING, LERC_PARAMETERS,
})  # fmt: skip
DESCRIPTION = 270
_PLACES = frozenset({STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES})
_NUMBERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}  # field types of whole numbers

_WHITE_IS_ZERO, _BLACK_IS_ZERO, RGB, CMYK, YCBCR, PALETTE = 0, 1, 2, 5, 6, 3
COLORS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, RGB: 3, CMYK: 4, PALETTE: 1}
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
UNKNOWN, ASSOCIATED, UNASSOCIATED = (
    0,
    1,
    2,
)  # meaning of an extra sample: premultiplied opacity, or straight opacity

#: Compressions of arbitrary bytes.
BYTE_CODECS = {1, 5, 8, 32773, 32946, 34925, 50000}
_UNCOMPRESSED = 1
JPEG, YCBCR_2000 = 7, 33003  # the latter: JPEG 2000 of YCbCr, without saying so in its code stream
_GIVE_RGB = {JPEG, YCBCR_2000, 50001}  # compressions whose decoders make RGB of YCbCr; WebP
MOST_PAGES = 100_000
_LEAST_BUDGET = 1 << 26  # bytes that metadata of all pages may take in a small file
_MOST_VALUES = 4096  # of a field other than lists of offsets and palettes
_MOST_LETTERS = 64  # of a number in words

Places = NDArray[np.uint64]


@record(eq=False)
class Page:
    """One page of a TIFF file.

    Attributes
    ----------
    index : int
        Its index in the chain of directories, from 0.
    at : int
        Offset of its directory in the file.
    width, height : int
        As stored, before the orientation is applied.
    tags : dict of tag to tuple of numbers
        Fields that describe how pixels are stored, and the resolution.
    places : dict of tag to ndarray
        Offsets and lengths of strips or tiles.
    header : Header
        Of the file.
    """

    index: int
    at: int
    width: int
    height: int
    tags: dict[int, tuple[Any, ...]]
    places: dict[int, Places]
    header: Header

    def first(self, tag: int, default: int) -> int:
        """The first value of a field, or a default."""
        values = self.tags.get(tag)
        return int(values[0]) if values else default

    @property
    def bits(self) -> int:
        """Bits per sample."""
        return self.first(BITS, 1)

    @property
    def kind(self) -> int:
        """1 unsigned, 2 signed, 3 float."""
        return self.first(FORMAT, UNSIGNED)

    @property
    def samples(self) -> int:
        """Samples per pixel."""
        return self.first(SAMPLES, 1)

    @property
    def codec(self) -> int:
        """The compression."""
        return self.first(COMPRESSION, _UNCOMPRESSED)

    @property
    def planes(self) -> int:
        """How often strips or tiles lie one after another: once, or once for each sample of a pixel."""
        return self.samples if self.first(PLANAR, 1) == 2 else 1

    @property
    def photometric(self) -> int:
        """The colour model of decoded samples; by default RGB or gray, depending on their number."""
        known = self.samples - len(self.tags.get(EXTRA, ()))
        stored = self.first(PHOTOMETRIC, RGB if known in (3, 4) else _BLACK_IS_ZERO)
        return RGB if stored == YCBCR and self.codec in _GIVE_RGB and self.planes == 1 else stored

    @property
    def colors(self) -> int:
        """Colour samples per pixel; 0 for unknown colour models."""
        return COLORS.get(self.photometric, 0)

    @property
    def opacity(self) -> int:
        """What the only extra sample is, ``ASSOCIATED`` or ``UNASSOCIATED`` opacity; ``UNKNOWN`` for none.

        A single extra sample of unstated meaning is taken as opacity, as in most programs.
        """
        if self.samples != self.colors + 1:
            return UNKNOWN
        said = self.first(EXTRA, UNASSOCIATED)
        return said if said in (ASSOCIATED, UNASSOCIATED) else UNKNOWN

    @property
    def bands(self) -> bool:
        """Whether there are samples other than gray or RGB with or without opacity."""
        return bool(self.colors) and self.samples > self.colors and not self.opacity

    @property
    def wide(self) -> bool:
        """Whether samples are whole numbers that only floats hold here: signed, or of more than 16 bits."""
        return self.kind == SIGNED or (self.kind == UNSIGNED and self.bits > 16)

    @property
    def missing(self) -> float | None:
        """The value that stands for missing data in gray or RGB without opacity; None where there is none."""
        plain = self.photometric in (_BLACK_IS_ZERO, RGB) and self.samples == self.colors
        values = self.tags.get(NODATA)
        return float(values[0]) if plain and values else None

    @property
    def deep(self) -> bool:
        """Whether samples have more than 8 bits."""
        return bool(max(self.tags.get(BITS, (1,))) > 8)

    @property
    def orientation(self) -> int:
        """1 to 8."""
        value = self.first(ORIENTATION, 1)
        return value if 1 <= value <= 8 else 1

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, upright."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def read_pages(data: Slices, *, most: int | None = None) -> tuple[list[Page], tuple[str, ...]]:
    """List the pages of a TIFF file; thumbnails and masks that belong to a page are left out.

    Parameters
    ----------
    data : bytes, or anything that is sliced like them
        The whole file.
    most : int or None
        Most pages to list, None for all.

    Returns
    -------
    pages, notes
        Each page is visited once. Notes say what is left out, and describe problems of the chain.

    Raises
    ------
    BrokenTagsError
        Where a directory lies outside the file or does not state the size of its page.
    CnncliError
        For more than 100,000 pages, and for a camera's raw data.
    """
    header = read_header(data)
    pages: list[Page] = []
    beside: list[Page] = []
    seen: set[int] = set()
    budget = len(data)
    at, index = header.first, 0
    while at and at not in seen and (most is None or len(pages) < most):
        if index >= MOST_PAGES:
            raise CnncliError(
                f"it has more than {MOST_PAGES:,} pages; at most {MOST_PAGES:,} are read",
                "Split it into smaller files.",
            )
        seen.add(at)
        page, following, budget = _read_page(data, header, (index, at), budget)
        _refuse_raw(page)
        belongs = pages and page.first(SUBFILE, 0) & (_SMALLER | _MASK)
        (beside if belongs else pages).append(page)
        at, index = following, index + 1
    if not pages:
        raise BrokenTagsError("no page in it")
    notes = _left_out(pages, beside)
    if at in seen:
        notes += (f"its chain of pages runs in a circle; {len(pages)} were read",)
    return pages, notes


def _left_out(pages: list[Page], beside: list[Page]) -> tuple[str, ...]:
    """What is said of directories that are no pages of their own: levels of pyramids, thumbnails, masks."""
    masks = sum(bool(page.first(SUBFILE, 0) & _MASK) for page in beside)
    smaller = len(beside) - masks + sum(len(page.tags.get(_BELOW, ())) for page in pages)
    notes = []
    if smaller:
        many = "copies (levels of a pyramid, or thumbnails) are" if smaller > 1 else "copy is"
        notes.append(f"the largest level is read; {smaller} smaller {many} left out")
    if masks:
        notes.append(f"{_counted(masks, 'mask')} of missing data in it, which pixels take no notice of")
    if any(page.tags.get(NODATA) and page.missing is None for page in pages):
        value = next(page.tags[NODATA][0] for page in pages if page.tags.get(NODATA))
        notes.append(
            f"{value:g} stands for missing data in it, and counts as any other value: missing pixels are "
            "left out of gray and RGB alone, without opacity"
        )
    return tuple(notes)


def _counted(count: int, name: str) -> str:
    return f"there is a {name}" if count == 1 else f"there are {count} {name}s"


def _read_page(data: Slices, header: Header, place: tuple[int, int], budget: int) -> tuple[Page, int, int]:
    """A page, the offset of the next directory, and the remaining budget of bytes for values.

    The values of all pages must not exceed the file's size, as they would where pages share bytes.
    """
    index, at = place
    entries, following = walk_directory(data, header, at)
    if following is None:
        raise BrokenTagsError("a directory lies outside the file")
    tags: dict[int, tuple[Any, ...]] = {}
    places: dict[int, Places] = {}
    for each in entries:
        wanted = each.tag in _LAYOUT and each.tag not in tags
        if each.tag == NODATA and each.type == 2:
            value = number_of(bytes(data[each.start : each.start + min(each.length, _MOST_LETTERS)]))
            tags |= {} if value is None else {NODATA: (value,)}
        if each.type == 2 or not (wanted or (each.tag in _PLACES and each.tag not in places)):
            continue
        length = each.length if not wanted or each.tag == COLOR_MAP else min(each.length, 8 * _MOST_VALUES)
        budget -= length
        if budget < 0:
            raise BrokenTagsError("its pages name the same bytes over and over")
        raw = data[each.start : each.start + length]
        if wanted:
            tags[each.tag] = numbers(Entry(each.type, raw), header.order)
        elif each.type in _NUMBERS:
            stored = np.frombuffer(raw, header.order + _NUMBERS[each.type])
            places[each.tag] = stored.astype(np.uint64)
    width, height = (int(tags[tag][0]) if tags.get(tag) else 0 for tag in (WIDTH, HEIGHT))
    if width < 1 or height < 1:
        raise BrokenTagsError(f"page {index + 1} is {width}x{height} pixels")
    return Page(index, at, width, height, tags, places, header), following, budget


def _refuse_raw(page: Page) -> None:
    """Refuse a camera's raw file, whose first page is only a small preview."""
    if _DNG_VERSION in page.tags or (page.index == 0 and page.first(SUBFILE, 0) & 1 and _BELOW in page.tags):
        raise CnncliError(
            "it holds a camera's raw data (DNG, NEF, ARW or the like), which are not read",
            "Develop it first, for example with darktable-cli or dcraw_emu -T, which write TIFF.",
        )


def pages_metadata(data: Slices, pages: list[Page], channels: int, *, alpha: bool) -> Metadata:
    """Collect the metadata of pages whose pixels were decoded to ``channels`` channels."""
    own = []
    budget = max(2 * len(data), _LEAST_BUDGET)
    for page in pages:
        fields, _ = read_directory(data, page.header, page.at)
        budget -= sum(len(field.raw) for field in fields.values())
        if budget < 0:
            raise BrokenTagsError("its pages name the same bytes over and over")
        own.append(_page_metadata(data, page, fields, channels, alpha=alpha))
    alike = all(each == own[0] for each in own)
    return own[0] if alike else replace(own[0], later=tuple(own[1:]))


def _page_metadata(data: Slices, page: Page, fields: Directory, channels: int, *, alpha: bool) -> Metadata:
    """Collect EXIF, colour profile, resolution, XMP, IPTC and GeoTIFF fields of one page."""
    order = page.header.order
    icc = fields[_ICC].raw if _ICC in fields else None
    x, y, unit = page.tags.get(_X_DPI), page.tags.get(_Y_DPI), page.first(_DPI_UNIT, 2)
    dpi = None
    if x and y and unit in (2, 3):
        inch = 2.54 if unit == 3 else 1.0
        dpi = resolution({"dpi": (x[0] * inch, y[0] * inch)})
    if dpi and page.orientation >= 5:
        dpi = dpi[::-1]
    exif, lost = exif_of_tiff(data, page.header, fields)
    private = sorted(tag for tag in fields if tag >= _FIRST_PRIVATE and tag not in _KNOWN_PRIVATE)
    if private:
        some = ", ".join(map(str, private[:5])) + (", …" if len(private) > 5 else "")
        lost.append(f"private fields ({some})")
    iptc = fields[_IPTC].raw if _IPTC in fields else None
    if (
        iptc and fields[_IPTC].type == 4 and iptc[:1] != b"\x1c"
    ):  # 32-bit words written by Adobe in the wrong byte order
        iptc = np.frombuffer(iptc, ">u4").astype("<u4").tobytes()
    return Metadata(
        exif=exif,
        icc=fitting_profile(icc, channels, alpha=alpha),
        dpi=dpi,
        xmp=fields[_XMP].raw if _XMP in fields else None,
        iptc=iptc,
        geo=tuple(_geo_field(tag, fields[tag], order) for tag in GEO_TAGS if tag in fields),
        lost=tuple(lost),
        compressed=page.first(COMPRESSION, _UNCOMPRESSED) != _UNCOMPRESSED,
        turned=page.orientation != 1,
    )


def _geo_field(tag: int, field: Entry, order: str) -> GeoField:
    return GeoField(tag, field.type, field.raw if field.type in (1, 2, 7) else numbers(field, order))


@functools.cache
def silence_libtiff() -> None:
    """Keep libtiff from printing to stderr; its errors are still reported by Pillow."""
    import ctypes

    from PIL import _imaging  # loads libtiff

    loaded = {str(path) for path in Path(_imaging.__file__).parent.glob(".dylibs/libtiff*")}  # on macOS
    with contextlib.suppress(OSError):
        maps = Path("/proc/self/maps").read_text(errors="surrogateescape")
        loaded |= {line.split(maxsplit=5)[5] for line in maps.splitlines() if "/libtiff" in line}
    for path in loaded:
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(path)
            library.TIFFSetErrorHandler(None)
            library.TIFFSetWarningHandler(None)
