"""TIFF pages: the chain of directories, walked once, and what each page says about its pixels.

Source: Adobe, TIFF Revision 6.0, and the BigTIFF design of the libtiff project.
"""

import contextlib
import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
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
FORMAT = 339
_X_DPI, _Y_DPI, _DPI_UNIT, _BELOW, _DNG_VERSION = 282, 283, 296, 330, 50706
_XMP, _IPTC, _ICC = 700, 33723, 34675
_FIRST_PRIVATE = 32768
#: Fields from there on that are read, or that say how the pixels lie or were made smaller.
_KNOWN_PRIVATE = frozenset((*DESCRIPTIVE_TAGS, *GEO_TAGS, _IPTC, _ICC, 32995, 32996, 32997, 32998))

_LAYOUT = frozenset({
    SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES, STRIP_ROWS, PLANAR,
    COLOR_MAP, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, EXTRA, FORMAT, ORIENTATION, _X_DPI, _Y_DPI, _DPI_UNIT,
    _BELOW, _DNG_VERSION,
})  # fmt: skip
_PLACES = frozenset({STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES})
_NUMBERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}  # field types of whole numbers

_WHITE_IS_ZERO, _BLACK_IS_ZERO, RGB, CMYK, PALETTE = 0, 1, 2, 5, 3
COLORS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, RGB: 3, CMYK: 4, PALETTE: 1}
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
UNKNOWN, ASSOCIATED, UNASSOCIATED = 0, 1, 2  # what an extra sample is: premultiplied opacity, or opacity

#: Compressions that pack bytes, whatever the bytes mean.
BYTE_CODECS = {1, 5, 8, 32773, 32946, 34925, 50000}
_UNCOMPRESSED = 1
MOST_PAGES = 100_000
_LEAST_BUDGET = 1 << 26  # bytes that metadata may take in a small file whose pages share them
_MOST_VALUES = 4096  # of a field that is no list of places, and no palette

Places = NDArray[np.uint64]


@record(eq=False)
class Page:
    """One page of a TIFF file.

    Attributes
    ----------
    index : int
        Its place in the chain of directories, from 0.
    at : int
        Where its directory begins in the file.
    width, height : int
        As stored, before the orientation is applied.
    tags : dict of tag to tuple of numbers
        The fields that say how pixels are stored, and the resolution.
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
        """Look up the first value of a field."""
        values = self.tags.get(tag)
        return int(values[0]) if values else default

    @property
    def bits(self) -> int:
        """Bits of each sample."""
        return self.first(BITS, 1)

    @property
    def kind(self) -> int:
        """1 unsigned, 2 signed, 3 float."""
        return self.first(FORMAT, UNSIGNED)

    @property
    def samples(self) -> int:
        """Samples of a pixel."""
        return self.first(SAMPLES, 1)

    @property
    def photometric(self) -> int:
        """The colour model; where the file does not say, gray from black, or RGB by the number of samples."""
        known = self.samples - len(self.tags.get(EXTRA, ()))
        return self.first(PHOTOMETRIC, RGB if known in (3, 4) else _BLACK_IS_ZERO)

    @property
    def colors(self) -> int:
        """Samples of a pixel that are colour; 0 for models that are not known here."""
        return COLORS.get(self.photometric, 0)

    @property
    def opacity(self) -> int:
        """What the only extra sample is, ``ASSOCIATED`` or ``UNASSOCIATED`` opacity; ``UNKNOWN`` for none.

        A single one about which the file says nothing is opacity, as most programs have it.
        """
        if self.samples != self.colors + 1:
            return UNKNOWN
        said = self.first(EXTRA, UNASSOCIATED)
        return said if said in (ASSOCIATED, UNASSOCIATED) else UNKNOWN

    @property
    def bands(self) -> bool:
        """True where samples have no meaning that a picture has: not gray or RGB with one opacity at most."""
        return bool(self.colors) and self.samples > self.colors and not self.opacity

    @property
    def deep(self) -> bool:
        """True where a sample has more than 8 bits."""
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
        How many pages are wanted, None for all.

    Returns
    -------
    pages, notes
        Each page is visited once. Notes say what is odd about their chain.

    Raises
    ------
    BrokenTagsError
        Where a directory lies outside the file or does not say how large its page is.
    CnncliError
        For more than 100,000 pages, and for a camera's raw data.
    """
    header = read_header(data)
    pages: list[Page] = []
    seen: set[int] = set()
    budget = len(data)
    at, index = header.first, 0
    while at and at not in seen and (most is None or len(pages) < most):
        if index >= MOST_PAGES:
            raise CnncliError(
                f"it has more than {MOST_PAGES:,} pages; at most so many are read",
                "Split it into smaller files.",
            )
        seen.add(at)
        page, following, budget = _read_page(data, header, (index, at), budget)
        _refuse_raw(page)
        if not pages or not page.first(SUBFILE, 0) & 0b101:
            pages.append(page)
        at, index = following, index + 1
    if not pages:
        raise BrokenTagsError("no page in it")
    if at in seen:
        return pages, (f"its chain of pages runs in a circle; {len(pages)} were read",)
    return pages, ()


def _read_page(data: Slices, header: Header, place: tuple[int, int], budget: int) -> tuple[Page, int, int]:
    """One page, where the next directory begins, and the bytes that are left for values.

    The values of all pages are no longer than the file; they would be where many pages name the same bytes.
    """
    index, at = place
    entries, following = walk_directory(data, header, at)
    if following is None:
        raise BrokenTagsError("a directory lies outside the file")
    tags: dict[int, tuple[Any, ...]] = {}
    places: dict[int, Places] = {}
    for each in entries:
        wanted = each.tag in _LAYOUT and each.tag not in tags
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
    """The first page of a camera's raw file is a small preview, which nobody would want filtered."""
    if _DNG_VERSION in page.tags or (page.index == 0 and page.first(SUBFILE, 0) & 1 and _BELOW in page.tags):
        raise CnncliError(
            "it holds a camera's raw data (DNG, NEF, ARW or the like), which are not read",
            "Develop it first, for example with darktable-cli or dcraw_emu -T, which write TIFF.",
        )


def pages_metadata(data: Slices, pages: list[Page], channels: int, *, alpha: bool) -> Metadata:
    """Collect what the pages say besides their pixels, which were decoded to C channels."""
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
    """Collect EXIF, colour profile, resolution, XMP, IPTC and place on the earth of one page."""
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
        compressed=page.first(COMPRESSION, _UNCOMPRESSED) != _UNCOMPRESSED,
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
