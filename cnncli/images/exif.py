"""EXIF blocks: read entry by entry, and written without data about another image.

A block is edited in place: entries that are kept stay at their offsets, and everything else becomes zeros. So
a block never grows, however many entries point at the same bytes. Maker notes are left out: they are
undocumented or even encrypted, and most contain a preview or a coarse brightness map of the image. Source:
JEITA CP-3451, EXIF 2.3.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterable

from cnncli.images.tags import (
    EXIF_DIRECTORY,
    GPS_DIRECTORY,
    INTEROPERABILITY_DIRECTORY,
    ORIENTATION,
    BrokenTagsError,
    Entry,
    Header,
    Place,
    numbers,
    read_header,
    walk_directory,
)
from cnncli.records import record, replace

_PREFIX = b"Exif\0\0"
_WHOLE_NUMBERS = frozenset((1, 3, 4, 6, 8, 9, 13, 16, 17))
_MAIN = 0  # stands for a pointer's tag, for the directory that the header points to
_POINTERS = frozenset((EXIF_DIRECTORY, GPS_DIRECTORY, INTEROPERABILITY_DIRECTORY))
_BELOW = {_MAIN: (EXIF_DIRECTORY, GPS_DIRECTORY), EXIF_DIRECTORY: (INTEROPERABILITY_DIRECTORY,)}
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
_PIXEL_WIDTH, _PIXEL_HEIGHT = 40962, 40963
_FOCAL_X, _FOCAL_Y, _FOCAL_UNIT = 41486, 41487, 41488
_MAKER_NOTE, _USER_COMMENT = 37500, 37510

#: Tags of the first directory that describe the pixel layout of a TIFF file, contain images or layers, or
#: contain metadata that is stored separately (XMP, IPTC, Photoshop's resources, the colour profile).
_NO_DESCRIPTION = frozenset(
    (*range(254, 267), 273, *range(277, 282), 284, *range(288, 294), 317, *range(320, 333), *range(338, 348),
     *range(512, 522), 559, 700, *range(20498, 20528), 32932, 33723, 34377, 34675, 37724, 59932, 59933,
     *range(50706, 51200))
)  # fmt: skip
#: Tags with positions in the image: the subject's, and the points on earth of GeoTIFF.
_PLACES = (37396, 41492, 33550, 33922, 34264, 34735, 34736, 34737, 50844)
#: Types and tags whose values may be long: text, and tags for arbitrary content.
_TEXT, _MOST_UNKNOWN = 2, 1024
_MAY_BE_LONG = frozenset((_USER_COMMENT, 301, 40091, 40092, 40093, 40094, 40095))
#: Shorter values cannot contain an image.
_LEAST_PICTURE = 128


@record
class Exif:
    """The contents of an EXIF block, and the block as it can be written.

    Attributes
    ----------
    block : bytes or None
        From its TIFF header on, with upright orientation and without thumbnails; None where it is missing or
        empty.
    orientation : int
        The original orientation, 1 to 8; 1 where none is stated.
    oriented : bool
        Whether an orientation is stated.
    dpi : (x, y) or None
        Pixels per inch of the image as it is stored; not checked for plausibility.
    lost : tuple of str
        Names of what was left out because it may contain an image.
    """

    block: bytes | None = None
    orientation: int = 1
    dpi: tuple[float, float] | None = None
    lost: tuple[str, ...] = ()
    oriented: bool = False


@record(eq=False)
class _Part:
    """A directory: the tag that points to it, its offset, and its entries."""

    pointer: int
    at: int
    places: tuple[Place, ...]

    def first(self, tag: int) -> Place | None:
        return next((place for place in self.places if place.tag == tag), None)


def read_exif(exif: bytes | None) -> Exif:
    r"""Read an EXIF block, and change it to that of an upright image without a thumbnail.

    Parameters
    ----------
    exif : bytes or None
        With or without the ``Exif\0\0`` that precedes it in JPEG.

    Returns
    -------
    Exif
        Broken entries are left out, the others are kept.
    """
    if not exif:
        return Exif()
    block = exif.removeprefix(_PREFIX).removeprefix(_PREFIX)  # some programs write it twice
    try:
        header, parts = _parts(block)
    except BrokenTagsError:
        return Exif()
    orientation = _orientation(block, header, parts[0])
    kept, lost = _without_pictures(block, parts)
    edits = [
        (place.at, struct.pack(header.order + "HHIHH", ORIENTATION, 3, 1, 1, 0))
        for place in _all(kept, ORIENTATION)
    ]
    if orientation >= 5:
        for part in kept:
            edits += _swapped(block, part, (_X_RESOLUTION, _Y_RESOLUTION), (_FOCAL_X, _FOCAL_Y))
    if orientation != 1:
        kept = _without(kept, _PLACES)
    dpi = _dpi(block, header, parts[0])
    oriented = parts[0].first(ORIENTATION) is not None
    return Exif(_packed(block, header, kept, edits), orientation, dpi, lost, oriented)


def fitted_exif(block: bytes, size: tuple[int, int], *, oriented: bool = True) -> bytes | None:
    """Correct a block for the image that is written.

    Parameters
    ----------
    block : bytes
        From ``read_exif``, or any bytes.
    size : (width, height)
        Of the image.
    oriented : bool
        Whether to state the orientation, which is 1. AVIF has its own.

    Returns
    -------
    bytes or None
        None where no entries are left, or the block is broken.
    """
    try:
        header, parts = _parts(block)
    except BrokenTagsError:
        return None
    parts, _ = _without_pictures(block, parts)
    if not oriented:
        parts = _without(parts, (ORIENTATION,))
    edits = []
    for tag, pixels in ((_PIXEL_WIDTH, size[0]), (_PIXEL_HEIGHT, size[1])):
        for place in _all(parts, tag):
            edits.append((place.at, struct.pack(header.order + "HHII", tag, 4, 1, pixels)))
    return _packed(block, header, parts, edits)


def moved_exif(block: bytes, *, strided: bool, swapped: bool = False) -> bytes | None:
    """Remove positions in the image from an upright block, after the pixels have moved.

    Parameters
    ----------
    block : bytes
        From ``read_exif``.
    strided : bool
        Whether pixels were also left out between others.
    swapped : bool
        Whether rows have become columns.
    """
    try:
        header, parts = _parts(block)
    except BrokenTagsError:
        return None
    gone = (*_PLACES, *((_FOCAL_X, _FOCAL_Y, _FOCAL_UNIT) if strided else ()))
    kept = _without(parts, gone)
    edits = []
    if swapped:
        for part in kept:
            edits += _swapped(block, part, (_X_RESOLUTION, _Y_RESOLUTION), (_FOCAL_X, _FOCAL_Y))
    return _packed(block, header, kept, edits)


def tags_of(block: bytes) -> set[int]:
    """The tags of the first directory."""
    try:
        return {place.tag for place in _parts(block)[1][0].places}
    except BrokenTagsError:
        return set()


def _parts(block: bytes) -> tuple[Header, list[_Part]]:
    """All directories but those of thumbnails, each once; broken ones below the first are left out."""
    header = read_header(block)
    if header.big:
        raise BrokenTagsError("EXIF is never BigTIFF")
    places, _ = walk_directory(block, header, header.first)
    parts = [_Part(_MAIN, header.first, tuple(places))]
    for part in parts:  # the list grows during the loop
        for pointer in _BELOW.get(part.pointer, ()):
            place = part.first(pointer)
            if place is None or place.type not in (4, 13) or place.count != 1:
                continue
            (at,) = struct.unpack_from(header.order + "I", block, place.start)
            try:
                below, _ = walk_directory(block, header, at)
            except BrokenTagsError:
                continue
            if below and at not in {other.at for other in parts}:
                parts.append(_Part(pointer, at, tuple(below)))
    return header, parts


def _all(parts: Iterable[_Part], tag: int) -> list[Place]:
    return [place for part in parts for place in part.places if place.tag == tag]


def _without(parts: list[_Part], tags: Iterable[int]) -> list[_Part]:
    return [
        replace(part, places=tuple(place for place in part.places if place.tag not in tags)) for part in parts
    ]


def _orientation(block: bytes, header: Header, main: _Part) -> int:
    """The orientation, 1 to 8, from a number of any type, as in Pillow."""
    place = main.first(ORIENTATION)
    if place is None or place.count != 1 or place.type in (2, 7):
        return 1
    value = numbers(Entry(place.type, block[place.start : place.start + place.length]), header.order)[0]
    return int(value) if value in range(2, 9) else 1


def _swapped(block: bytes, part: _Part, *pairs: tuple[int, int]) -> list[tuple[int, bytes]]:
    """Edits that swap the values of two tags of equal type and length."""
    edits = []
    for one, other in pairs:
        a, b = part.first(one), part.first(other)
        if a and b and (a.type, a.length) == (b.type, b.length):
            edits += [
                (a.start, block[b.start : b.start + b.length]),
                (b.start, block[a.start : a.start + a.length]),
            ]
    return edits


def _dpi(block: bytes, header: Header, main: _Part) -> tuple[float, float] | None:
    values = []
    for tag in (_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT):
        place = main.first(tag)
        if place is None or place.count != 1 or place.type in (2, 7):
            return None
        value = Entry(place.type, block[place.start : place.start + place.length])
        values.append(numbers(value, header.order)[0])
    across, down, unit = values
    scale = {2: 1.0, 3: 2.54}.get(unit)
    return None if scale is None else (across * scale, down * scale)


def _without_pictures(block: bytes, parts: list[_Part]) -> tuple[list[_Part], tuple[str, ...]]:
    """Leave out entries that do not describe the image, and those that may contain an image."""
    found: list[int] | None = None
    lost = set()
    kept = []
    for part in parts:
        places = []
        for place in part.places:
            if part.pointer == _MAIN and place.tag in _NO_DESCRIPTION:
                continue
            if place.tag == _MAKER_NOTE:
                lost.add("maker notes")
                continue
            if place.length >= _LEAST_PICTURE and place.tag not in _POINTERS:
                if found is None:
                    from cnncli.images.previews import find_pictures

                    found = find_pictures(block)
                unknown = place.type != _TEXT and place.tag not in _MAY_BE_LONG
                first = bisect_left(found, place.start)
                inside = first < len(found) and found[first] < place.start + place.length
                if inside or (unknown and place.length > _MOST_UNKNOWN):
                    lost.add("long values of EXIF")
                    continue
            places.append(place)
        kept.append(replace(part, places=tuple(places)))
    return kept, tuple(sorted(lost))


def _packed(block: bytes, header: Header, parts: list[_Part], edits: list[tuple[int, bytes]]) -> bytes | None:
    """The edited block with these directories and values at their offsets, and zeros elsewhere."""
    below = {part.pointer for part in parts[1:] if part.places}
    parts = [
        replace(part, places=tuple(p for p in part.places if p.tag not in _POINTERS or p.tag in below))
        for part in parts
        if part.pointer == _MAIN or part.pointer in below
    ]
    if not parts[0].places:
        return None
    old, new = bytearray(block), bytearray(len(block))
    for start, raw in edits:
        old[start : start + len(raw)] = raw
    new[:8] = old[:8]
    done = 0
    for start, stop in sorted((p.start, p.start + p.length) for part in parts for p in part.places):
        if stop > done:
            first = max(start, done)
            new[first:stop] = old[first:stop]
            done = stop
    for part in parts:
        entries = [bytes(old[place.at : place.at + 12]) for place in part.places]
        whole = struct.pack(header.order + "H", len(entries)) + b"".join(entries) + bytes(4)
        new[part.at : part.at + len(whole)] = whole
        done = max(done, part.at + len(whole))
    return bytes(new[:done])
