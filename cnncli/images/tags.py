"""Tag directories: the structure that TIFF files and EXIF blocks share.

A directory is a list of entries (tag, type, count, value); values that do not fit into an entry are stored
elsewhere. Layout: classic TIFF has 12-byte entries and 32-bit offsets, BigTIFF 20-byte entries and 64-bit
offsets. Source: Adobe, TIFF Revision 6.0, section 2.
"""

import struct
from typing import Any, Protocol

from cnncli.records import record

ORIENTATION = 274
EXIF_DIRECTORY = 34665
GPS_DIRECTORY = 34853
INTEROPERABILITY_DIRECTORY = 40965
_POINTERS = (EXIF_DIRECTORY, GPS_DIRECTORY, INTEROPERABILITY_DIRECTORY)

#: Size in bytes and struct code of each field type; rationals are pairs of integers.
_TYPES: dict[int, tuple[int, str]] = {
    1: (1, "B"), 2: (1, "s"), 3: (2, "H"), 4: (4, "I"), 5: (8, "I"), 6: (1, "b"), 7: (1, "s"), 8: (2, "h"),
    9: (4, "i"), 10: (8, "i"), 11: (4, "f"), 12: (8, "d"), 13: (4, "I"), 16: (8, "Q"), 17: (8, "q"),
    18: (8, "Q"),
}  # fmt: skip

#: Struct formats of the number of entries, of an entry, and of an offset: classic and BigTIFF.
_LAYOUTS = {False: ("H", "HHI4s", "I"), True: ("Q", "HHQ8s", "Q")}

#: The most that a classic directory can state in 16 bits; BigTIFF could state more.
_MOST_ENTRIES = 65_535


@record
class Entry:
    """A field: its type, and its value as stored in the file.

    Attributes
    ----------
    type : int
        The TIFF field type (3 is a 16-bit number, 5 a rational...).
    raw : bytes
        The value in the byte order of the directory.
    at : int
        Offset of ``raw`` in the file.
    """

    type: int
    raw: bytes
    at: int = 0

    @property
    def count(self) -> int:
        """Number of values, as stated in an entry."""
        return len(self.raw) // _TYPES[self.type][0]


@record
class Place:
    """The offsets of an entry and of its value.

    Attributes
    ----------
    tag, type : int
        As in the entry.
    at : int
        Offset of the entry in the file.
    start, length : int
        Offset and length of the value in bytes.
    """

    tag: int
    type: int
    at: int
    start: int
    length: int

    @property
    def count(self) -> int:
        """Number of values, as stated in the entry."""
        return self.length // _TYPES[self.type][0]


Directory = dict[int, Entry]


@record
class Header:
    """Header of a TIFF file or EXIF block: byte order (``<`` or ``>``), BigTIFF or not, first directory."""

    order: str
    big: bool
    first: int

    def pointing_to(self, at: int) -> bytes:
        """The header of this file, pointing to another first directory."""
        start = b"II" if self.order == "<" else b"MM"
        if self.big:
            return start + struct.pack(self.order + "HHHQ", 43, 8, 0, at)
        return start + struct.pack(self.order + "HI", 42, at)


class BrokenTagsError(ValueError):
    """A directory that points outside its file, or bytes that are not a directory."""


class Slices(Protocol):
    """Bytes, or a file that is read piece by piece."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


def read_header(data: Slices) -> Header:
    """Read byte order, version and offset of the first directory.

    Raises
    ------
    BrokenTagsError
        Where the bytes are not a TIFF header.
    """
    start = data[:16]
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or len(start) < 8:
        raise BrokenTagsError("no TIFF header")
    magic = struct.unpack_from(order + "H", start, 2)[0]
    if magic == 43 and len(start) == 16:
        return Header(order, True, struct.unpack_from(order + "Q", start, 8)[0])
    if magic != 42:
        raise BrokenTagsError("no TIFF header")
    return Header(order, False, struct.unpack_from(order + "I", start, 4)[0])


def walk_directory(data: Slices, header: Header, at: int) -> tuple[list[Place], int | None]:
    """List the entries of one directory without reading their values.

    Parameters
    ----------
    data : bytes, or anything that is sliced like them
        The whole file.
    header : Header
        From ``read_header``.
    at : int
        Offset of the directory.

    Returns
    -------
    places, next : list of Place, int or None
        Entries of unknown type, entries whose value lies outside the file, and entries cut off by the end of
        the file are left out; the others are kept. ``next`` is the offset of the next directory, or 0; None
        where the file ends before it.

    Raises
    ------
    BrokenTagsError
        Where the directory begins outside the file.
    """
    counts, fields, offsets = (struct.Struct(header.order + f) for f in _LAYOUTS[header.big])
    try:
        (entries,) = counts.unpack(data[at : at + counts.size])
    except (struct.error, OverflowError) as error:
        raise BrokenTagsError("a directory lies outside the file") from error
    first = at + counts.size
    end = first + min(entries, _MOST_ENTRIES) * fields.size
    packed = data[first:end]
    there = memoryview(packed)[: len(packed) // fields.size * fields.size]
    places = []
    for number, (tag, kind, count, inline) in enumerate(fields.iter_unpack(there)):
        if kind not in _TYPES:
            continue
        here = first + number * fields.size
        start, length = here + fields.size - len(inline), count * _TYPES[kind][0]
        if length > len(inline):
            (start,) = offsets.unpack(inline)
        if start + length <= len(data):
            places.append(Place(tag, kind, here, start, length))
    following = data[end : end + offsets.size]
    whole = len(following) == offsets.size and len(packed) == end - first
    return places, int(offsets.unpack(following)[0]) if whole else None


def read_directory(data: Slices, header: Header, at: int, *, whole: bool = True) -> tuple[Directory, int]:
    """Read one directory with its values.

    Parameters
    ----------
    data, header, at
        As for ``walk_directory``, including what is left out.
    whole : bool
        Whether to refuse a truncated directory; else its first entries are read.

    Returns
    -------
    directory, next : dict of tag to Entry, int
        The first entry of each tag, as long as all values together do not exceed the size of the file, as
        they would where thousands of entries point to the same bytes.

    Raises
    ------
    BrokenTagsError
        Where the directory lies outside the file or is cut off.
    """
    places, following = walk_directory(data, header, at)
    if following is None and whole:
        raise BrokenTagsError("a directory lies outside the file")
    directory: Directory = {}
    budget = len(data)
    for place in places:
        if place.tag not in directory and place.length <= budget:
            budget -= place.length
            value = data[place.start : place.start + place.length]
            directory[place.tag] = Entry(place.type, value, place.start)
    return directory, following or 0


def numbers(entry: Entry, order: str) -> tuple[Any, ...]:
    """Unpack the values of a field: ints or floats; rationals as quotients (0 for a zero divisor)."""
    size, letter = _TYPES[entry.type]
    if letter == "s":
        return tuple(entry.raw)
    per_value = 2 if entry.type in (5, 10) else 1
    values = struct.unpack(f"{order}{entry.count * per_value}{letter}", entry.raw[: entry.count * size])
    if per_value == 1:
        return values
    return tuple(
        top / bottom if bottom else 0.0 for top, bottom in zip(values[::2], values[1::2], strict=True)
    )


def entry(kind: int, *values: float | bytes, order: str = "<") -> Entry:
    """Pack integers or bytes as a field of a type; a rational takes pairs of integers."""
    if isinstance(values[0], bytes):
        return Entry(kind, values[0])
    return Entry(kind, struct.pack(f"{order}{len(values)}{_TYPES[kind][1]}", *values))


def read_tree(data: Slices, header: Header, directory: Directory) -> dict[int, Directory]:
    """Read the EXIF, GPS and interoperability directories below a directory; broken ones are left out."""
    found: dict[int, Directory] = {}
    waiting = [directory]
    while waiting:
        here = waiting.pop()
        for tag in _POINTERS:
            if tag not in here or tag in found or here[tag].type not in (4, 13, 16, 18):
                continue
            try:
                at = numbers(here[tag], header.order)[0]
                below, _ = read_directory(data, header, at, whole=False)
            except BrokenTagsError:
                continue
            found[tag] = below
            waiting.append(below)
    return found


def pack_directory(
    directory: Directory, below: dict[int, Directory], *, order: str, at: int, big: bool = False
) -> bytes:
    """Lay out a directory, its long values and the directories below it.

    Parameters
    ----------
    directory : dict of tag to Entry
        Pointers to the directories below are added here.
    below : dict of pointer tag to directory
        EXIF, GPS, interoperability.
    order : str
        ``<`` or ``>``; every raw value is in this order already.
    at : int
        Offset of the result in its file, an even number.
    big : bool
        Whether the file is a BigTIFF.

    Returns
    -------
    bytes
        An even number of bytes. The offset of the next directory, behind the entries, is 0.
    """
    counts, (fields, inline), offsets = (("H", ("HHI", 4), "I"), ("Q", ("HHQ", 8), "Q"))[big]
    size = struct.calcsize(f"={fields}") + inline
    entries = {tag: field for tag, field in directory.items() if tag not in _POINTERS}
    inner = {INTEROPERABILITY_DIRECTORY} & below.keys() if EXIF_DIRECTORY in below else set()
    pointers = [tag for tag in _POINTERS if tag in below and tag not in inner]
    behind = at + struct.calcsize(f"={counts}{offsets}") + size * (len(entries) + len(pointers))
    tail = bytearray()
    for tag in pointers:
        entries[tag] = entry(4, behind + len(tail), order=order)
        under = {key: below[key] for key in inner} if tag == EXIF_DIRECTORY else {}
        tail += pack_directory(below[tag], under, order=order, at=behind + len(tail), big=big)
    head = bytearray(struct.pack(order + counts, len(entries)))
    for tag, field in sorted(entries.items()):
        head += struct.pack(order + fields, tag, field.type, field.count)
        if len(field.raw) <= inline:
            head += field.raw.ljust(inline, b"\0")
        else:
            head += struct.pack(order + offsets, behind + len(tail))
            tail += field.raw + b"\0" * (len(field.raw) % 2)
    return bytes(head + bytes(inline) + tail)
