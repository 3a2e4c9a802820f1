"""What the pages of a TIFF file are to a microscope: channels, slices and times, series, levels of a slide.

Source: the OME data model (2016-06), TiffData and DimensionOrder; ImageJ, TiffDecoder and FileInfo; tifffile,
``shaped`` series; Aperio, Digital Slides and Third-Party Data Interchange.
"""

import itertools
import math
from collections.abc import Iterable, Iterator

import numpy as np

from cnncli.files.safe_xml import Element, XmlError, parse_xml
from cnncli.images.picture import Picture
from cnncli.images.tags import BrokenTagsError, Slices, read_directory
from cnncli.images.tiff import (
    DESCRIPTION,
    MOST_PAGES,
    STRIP_BYTES,
    STRIP_OFFSETS,
    STRIP_ROWS,
    Page,
    read_pages,
)
from cnncli.records import record, replace

_MOST_BYTES = 4 << 20  # of OME's metadata
Plane = tuple[int, int, int]
"""Channel, slice and time, each from 0."""


@record
class Stack:
    """The pages of a file in the order in which they are read.

    Attributes
    ----------
    pages : list of Page
        Channels change first, then slices, then times, where the file says what is what.
    axes : Plane or None
        How many channels, slices and times there are, where that is all that there is.
    notes : tuple of str
        For the user.
    shared : bool
        Whether the pages have one directory, so that only offsets tell them apart.
    """

    pages: list[Page]
    axes: Plane | None = None
    notes: tuple[str, ...] = ()
    shared: bool = False


def read_stack(data: Slices, *, most: int | None = None) -> Stack:
    """List the pages of a TIFF file as `read_pages`, in the order that its metadata give them.

    Raises
    ------
    BrokenTagsError, CnncliError
        As `read_pages`; where ImageJ's or tifffile's metadata count more images than the file has bytes for.
    """
    pages, notes = read_pages(data, most=most)
    stack = _arranged(data, pages) if most != 1 else Stack(pages)
    return replace(stack, notes=notes + stack.notes)


def _arranged(data: Slices, pages: list[Page]) -> Stack:
    fields, _ = read_directory(data, pages[0].header, pages[0].at)
    said = fields[DESCRIPTION].raw.rstrip(b"\0 \r\n\t") if DESCRIPTION in fields else b""
    if said.startswith(b"Aperio") and len(pages) > 1:
        left = len(pages) - 1
        return Stack(
            pages[:1], notes=(f"the largest level of the slide is read; {left} other images are left out",)
        )
    if b"<OME " in said[:1000] and said.endswith(b"OME>"):
        return _of_ome(pages, said)
    if said.startswith(b"ImageJ="):
        return _of_imagej(data, pages, said)
    if said.startswith(b'{"shape":'):
        return _of_tifffile(data, pages, said)
    return Stack(pages)


def _of_ome(pages: list[Page], said: bytes) -> Stack:
    if len(said) > _MOST_BYTES:
        most = f"larger than {_MOST_BYTES >> 20} MiB"
        return Stack(
            pages, notes=(f"OME's metadata are {most}; its pages are taken as they lie",) * (len(pages) > 1)
        )
    try:
        root = parse_xml(said)
        series = [_Series(pixels, root) for image in _all(root, "Image") for pixels in _all(image, "Pixels")]
        places = [each.places(len(pages)) for each in series]
    except (XmlError, ValueError, KeyError, IndexError) as error:
        return Stack(
            pages, notes=(f"OME's metadata are not understood ({error}); its pages are taken as they lie",)
        )
    known = {page.index: page for page in pages}
    order = [
        known.get(at) for each in places for _, at in sorted(each.items(), key=lambda item: item[0][::-1])
    ]
    ordered = [page for page in order if page is not None]
    if (
        len(ordered) != len(order)
        or len({page.index for page in ordered}) != len(pages)
        or len(order) != len(pages)
    ):
        why = f"OME's metadata name {len(order)} planes in this file, which has {len(pages)} pages"
        return Stack(pages, notes=(f"{why}; they are taken as they lie",))
    if len(ordered) == 1 and len(series) == 1 and math.prod(series[0].axes) == 1:
        return Stack(ordered)
    missing = sum(math.prod(each.axes) for each in series) - len(ordered)
    axes = series[0].axes if len(series) == 1 and not missing else None
    words = "; then ".join(_words(each.axes) for each in series)
    notes = [f"its {len(ordered)} pages are {words}" if len(ordered) > 1 else f"it belongs to {words}"]
    if missing:
        notes.append(f"planes of them that are not in this file: {missing}")
    return Stack(ordered, axes, tuple(notes))


class _Series:
    """One image of OME's metadata, with its planes."""

    def __init__(self, pixels: Element, root: Element) -> None:
        said = pixels.attributes
        samples = {int(each.attributes.get("SamplesPerPixel", 1)) for each in _all(pixels, "Channel")} or {1}
        if len(samples) > 1:
            raise ValueError("channels of different numbers of samples")
        (self.samples,) = samples
        self.axes = (int(said["SizeC"]) // self.samples, int(said["SizeZ"]), int(said["SizeT"]))
        if min(self.axes) < 1 or math.prod(self.axes) > MOST_PAGES:
            raise ValueError(f"{self.axes} planes")
        self.fastest = ["CZT".index(letter) for letter in said["DimensionOrder"].removeprefix("XY")]
        if sorted(self.fastest) != [0, 1, 2]:
            raise ValueError(f"the order {said['DimensionOrder']}")
        self.own = root.attributes.get("UUID")
        self.parts = _all(pixels, "TiffData")

    def places(self, pages: int) -> dict[Plane, int]:
        """The index of the page of each plane that is in this file."""
        found: dict[Plane, int] = {}
        for part in self.parts:
            elsewhere = self.own and any(each.text.strip() != self.own for each in _all(part, "UUID"))
            if elsewhere:
                continue
            said = part.attributes
            count = int(said.get("PlaneCount", 1 if "IFD" in said else pages))
            start = tuple(int(said.get(name, 0)) for name in ("FirstC", "FirstZ", "FirstT"))
            first = (start[0] // self.samples, start[1], start[2])
            for number, plane in enumerate(itertools.islice(self._from(first), max(0, min(count, pages)))):
                found[plane] = int(said.get("IFD", 0)) + number
        return found

    def _from(self, first: Plane) -> Iterator[Plane]:
        """Planes from one on, in the order in which the file counts them."""
        sizes = [self.axes[axis] for axis in self.fastest]
        places = [first[axis] for axis in self.fastest]
        at = places[0] + sizes[0] * (places[1] + sizes[1] * places[2])
        for number in range(at, math.prod(sizes)):
            inner = (number % sizes[0], number // sizes[0] % sizes[1], number // (sizes[0] * sizes[1]))
            plane = dict(zip(self.fastest, inner, strict=True))
            yield plane[0], plane[1], plane[2]


def _all(element: Element, name: str) -> list[Element]:
    """Elements within one that have a name, with whatever prefix."""
    return [each for each in element.inner if each.name.rpartition(":")[2] == name]


def _words(axes: Plane) -> str:
    names = (("channel", "channels"), ("slice", "slices"), ("time", "times"))
    return " x ".join(f"{count} {names[axis][count > 1]}" for axis, count in enumerate(axes))


def _of_imagej(data: Slices, pages: list[Page], said: bytes) -> Stack:
    lines = (line.partition(b"=") for line in said.splitlines())
    counts = {name.decode("latin-1"): int(value) for name, _, value in lines if value.isdigit()}
    images = counts.get("images", 1)
    axes = (counts.get("channels", 1), counts.get("slices", 1), counts.get("frames", 1))
    stack = _apart(data, pages, images, "ImageJ")
    if images > 1 and math.prod(axes) == 1:
        axes = (1, images, 1)
    if len(stack.pages) == 1 or math.prod(axes) != len(stack.pages):
        return stack
    return replace(stack, axes=axes, notes=(f"its {len(stack.pages)} pages are {_words(axes)}",))


def _of_tifffile(data: Slices, pages: list[Page], said: bytes) -> Stack:
    import json

    try:
        words = json.loads(said)
        whole = math.prod(map(int, words["shape"])) if words.get("truncated") else 0
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Stack(pages)
    own = pages[0].width * pages[0].height * pages[0].samples
    return _apart(data, pages, whole // own if whole % own == 0 else 1, "tifffile")


def _apart(data: Slices, pages: list[Page], images: int, by: str) -> Stack:
    """Images that lie one behind another after the only directory, as ImageJ writes more than 4 GiB."""
    if len(pages) > 1 or images <= 1:
        return Stack(pages)
    (page,) = pages
    offsets = page.places.get(STRIP_OFFSETS)
    row = (page.width * page.samples // page.planes * page.bits + 7) // 8
    size = row * page.height * page.planes
    plain = offsets is not None and len(offsets) and page.codec == 1
    start = int(offsets[0]) if plain and offsets is not None else len(data)
    there = max(1, (len(data) - start) // size)
    if there == 1:  # one of them, saved by a program that kept its description
        return Stack(pages, notes=(f"{by}'s metadata count {images} images; one is in the file",))
    if images > min(there, MOST_PAGES):
        raise BrokenTagsError(f"{by}'s metadata count {images} images, and it holds {there}")
    found = []
    for number in range(images):
        begins = (
            start + number * size + np.arange(page.planes, dtype=np.uint64) * np.uint64(row * page.height)
        )
        lengths = np.full(page.planes, row * page.height, np.uint64)
        places = {**page.places, STRIP_OFFSETS: begins.astype(np.uint64), STRIP_BYTES: lengths}
        tags = {**page.tags, STRIP_ROWS: (page.height,)}
        found.append(replace(page, index=number, places=places, tags=tags))
    return Stack(found, shared=True)


def holds_axes(picture: Picture) -> bool:
    """Whether pages are those of a stack that ImageJ's metadata describe: alike, gray, or RGB of 8 bits."""
    frames, axes = picture.frames, picture.metadata.axes
    plain = picture.channels == 1 or (picture.channels == 3 and picture.dtype == np.uint8)
    return (
        bool(axes)
        and math.prod(axes or ()) == len(frames)
        and plain
        and _alike(frame.shape for frame in frames)
    )


def _alike(shapes: Iterable[tuple[int, ...]]) -> bool:
    return len(set(shapes)) == 1


def described_for_imagej(axes: Plane) -> bytes:
    """The description of a stack's first page, by which ImageJ, tifffile and Bio-Formats know the axes."""
    channels, slices, times = axes
    lines = ["ImageJ=1.54f", f"images={math.prod(axes)}"]
    lines += [
        f"{name}={count}"
        for name, count in (("channels", channels), ("slices", slices), ("frames", times))
        if count > 1
    ]
    lines += ["hyperstack=true", "loop=false"]
    return "\n".join([*lines, ""]).encode() + b"\0"
