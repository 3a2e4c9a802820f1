"""Write TIFF files of 8-bit, 16-bit and float pages, BigTIFF where 4 GiB do not suffice."""

import contextlib
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from cnncli.errors import CnncliError
from cnncli.images.geo import missing_value
from cnncli.images.mask import fits, without_mask
from cnncli.images.metadata_fitting import TIFF_TEXTS
from cnncli.images.picture import Metadata, Picture, Pixels
from cnncli.images.row_source import blank
from cnncli.images.tags import Directory, Entry, entry, pack_directory
from cnncli.images.tiff import DESCRIPTION
from cnncli.images.tiff_metadata import exif_for_tiff
from cnncli.records import record, replace
from cnncli.threaded import in_threads

#: Bytes of a strip before compression.
_STRIP = 1 << 18
_DEFLATE, _UNCOMPRESSED = 8, 1
_USUAL, _SMALLEST = 6, 9  # levels of Deflate
_UNSPECIFIED, _UNASSOCIATED_ALPHA = 0, 2  # meaning of an extra sample
_LONG, _LONG_8 = 4, 16  # types of offsets: 32 and 64 bits
_OF_DIRECTORIES = 1 << 26  # bytes of a classic file that are left for all but the strips
_TOGETHER = 32  # strips that are compressed at a time, by all threads
_IN_MEMORY = 1 << 24  # bytes of compressed strips that wait there, and not in a file without a name
_PIECE = 1 << 20


def encode_tiff(picture: Picture, *, compress: bool = False, threads: int = 1) -> bytes:
    """Encode an image as TIFF, one page for each frame.

    Parameters
    ----------
    picture : Picture
        uint8, uint16 or float32; pages may differ in size.
    compress : bool
        Use Deflate with a predictor at the highest level. Images from a compressed TIFF are compressed
        anyway, at a faster level; others are not.
    threads : int
        Number of threads that compress; the bytes are the same for any number.

    Returns
    -------
    bytes
        In the byte order of its EXIF block; classic TIFF, or BigTIFF above 4 GiB.
    """
    bands = [[frame] for frame in picture.frames]
    return b"".join(tiff_pieces(picture, bands, compress=compress, threads=threads))


def tiff_pieces(
    picture: Picture, bands: Sequence[Iterable[Pixels]], *, compress: bool = False, threads: int = 1
) -> Iterator[bytes | memoryview]:
    """As `encode_tiff`, of frames whose pixels come in bands of rows.

    Raises
    ------
    CnncliError
        Where metadata take what is left of 4 GiB.
    """
    missing = missing_value(picture.metadata.geo)
    if picture.alpha and missing is not None and fits(missing, picture.dtype):
        bands = [(without_mask(rows, missing) for rows in each) for each in bands]
        frames = tuple(blank((*frame.shape[:2], frame.shape[2] - 1), frame.dtype) for frame in picture.frames)
        picture = replace(picture, frames=frames, alpha=False)
    level = _SMALLEST if compress else _USUAL if picture.metadata.compressed else None
    of_pages = (picture.metadata, *picture.metadata.later)
    exif_parts = [exif_for_tiff(metadata.exif) for metadata in of_pages]
    order = next((each[0] for each in exif_parts if each[1]), "<")
    with contextlib.ExitStack() as waiting:
        stored = [
            _stored(rows, frame, (order, level), waiting, threads=threads)
            for frame, rows in zip(picture.frames, bands, strict=True)
        ]
        yield from _file(picture, stored, exif_parts, order, compress=level is not None)


def _file(
    picture: Picture,
    stored: "list[_Strips]",
    exif_parts: list[tuple[str, Directory, dict[int, Directory]]],
    order: str,
    *,
    compress: bool,
) -> Iterator[bytes | memoryview]:
    """The pieces of a file whose strips are known."""
    of_pages = (picture.metadata, *picture.metadata.later)
    big = sum(sum(each.lengths) for each in stored) >= 2**32 - _OF_DIRECTORIES
    yield _header(order, big=big)
    at = 16 if big else 8
    for number, (frame, strips) in enumerate(zip(picture.frames, stored, strict=True), 1):
        whole = number <= len(of_pages)
        metadata = of_pages[number - 1 if whole else 0]
        layout = _layout(frame, picture, order=order, compress=compress)
        layout |= _metadata_fields(metadata, order, whole=whole)
        inside: dict[int, Directory] = {}
        if whole:
            own, described, inside = exif_parts[number - 1]
            if own != order:
                described, inside = {}, {}
            layout = {**_texts(metadata), **described, **layout}
            if metadata.axes is not None:
                from cnncli.images.stacks import described_for_imagej

                layout[DESCRIPTION] = entry(2, described_for_imagej(metadata.axes))
        directory, end = _directory(layout, inside, strips.lengths, (order, big), at)
        at = end + end % 2
        if number < len(picture.frames):
            _point_to_next(directory, at, order=order, big=big)
        yield bytes(directory)
        yield from strips.pieces
        yield b"\0" * (end % 2)


def _header(order: str, *, big: bool) -> bytes:
    start = b"II" if order == "<" else b"MM"
    return start + (struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8))


def _directory(
    layout: Directory, inside: dict[int, Directory], lengths: list[int], form: tuple[str, bool], at: int
) -> tuple[bytearray, int]:
    """The directory of a page at an offset, with its strips behind it, and where they end."""
    order, big = form
    kind = _LONG_8 if big else _LONG
    layout[279] = entry(_LONG, *lengths, order=order)
    layout[273] = entry(kind, *([0] * len(lengths)), order=order)
    head = len(pack_directory(layout, inside, order=order, at=at, big=big))
    ends = np.cumsum([at + head, *lengths]).tolist()
    if ends[-1] >= 2**32 and not big:
        raise CnncliError(
            f"the TIFF file would be {ends[-1] / 2**30:.1f} GiB with its metadata; expected less than 4 GiB",
            "Use --strip or --compress.",
        )
    layout[273] = entry(kind, *ends[:-1], order=order)
    return bytearray(pack_directory(layout, inside, order=order, at=at, big=big)), ends[-1]


def _point_to_next(directory: bytearray, at: int, *, order: str, big: bool) -> None:
    """Set the offset of the next directory, which is even."""
    if big:
        count = struct.unpack_from(order + "Q", directory)[0]
        struct.pack_into(order + "Q", directory, 8 + 20 * count, at)
    else:
        count = struct.unpack_from(order + "H", directory)[0]
        struct.pack_into(order + "I", directory, 2 + 12 * count, at)


def _layout(frame: Pixels, picture: Picture, *, order: str, compress: bool) -> Directory:
    height, width, channels = frame.shape
    depth, floating = frame.dtype.itemsize * 8, frame.dtype.kind == "f"

    def short(*values: int) -> Entry:
        return entry(3, *values, order=order)

    fields: Directory = {
        256: entry(4, width, order=order),
        257: entry(4, height, order=order),
        258: short(*[depth] * channels),
        259: short(_DEFLATE if compress else _UNCOMPRESSED),
        262: short(2 if channels - picture.alpha == 3 else 1),
        277: short(channels),
        278: entry(4, _strip_rows(frame), order=order),
        284: short(1),
        339: short(*[3 if floating else 1] * channels),
    }
    if picture.alpha:
        fields[338] = short(_UNASSOCIATED_ALPHA)
    elif channels not in (1, 3):
        fields[338] = short(*[_UNSPECIFIED] * (channels - 1))
    if compress:
        fields[317] = short(3 if floating else 2)
    return fields


def _metadata_fields(metadata: Metadata, order: str, *, whole: bool) -> Directory:
    """Fields for resolution and profile; with ``whole`` also those of a single page."""
    fields: Directory = {}
    if metadata.dpi:
        for tag, dpi in zip((282, 283), metadata.dpi, strict=True):
            scale = 1 if dpi == int(dpi) else 10_000 if dpi < 400_000 else 100
            fields[tag] = entry(5, round(dpi * scale), scale, order=order)
        fields[296] = entry(3, 2, order=order)
    if metadata.icc:
        fields[34675] = entry(7, metadata.icc)
    if not whole:
        return fields
    if metadata.xmp:
        fields[700] = entry(1, metadata.xmp)
    if metadata.iptc:
        fields[33723] = entry(7, metadata.iptc)
    for field in metadata.geo:
        values = (field.values,) if isinstance(field.values, bytes) else field.values
        fields[field.tag] = entry(field.type, *values, order=order)
    return fields


def _texts(metadata: Metadata) -> Directory:
    """Fields for texts; the first of each is used."""
    fields: Directory = {}
    for text in metadata.texts:
        fields.setdefault(TIFF_TEXTS[text.keyword], entry(2, text.text.encode() + b"\0"))
    return fields


def _strip_rows(frame: Pixels) -> int:
    row = frame.shape[1] * frame.shape[2] * frame.dtype.itemsize
    return int(max(1, min(frame.shape[0], _STRIP // row)))


@record(eq=False)
class _Strips:
    """The strips of a page: their lengths, and all of their bytes, in pieces."""

    lengths: list[int]
    pieces: Iterator[bytes | memoryview]


def _stored(
    bands: Iterable[Pixels],
    frame: Pixels,
    form: tuple[str, int | None],
    waiting: contextlib.ExitStack,
    *,
    threads: int,
) -> _Strips:
    """The strips of a page with the shape and type of a frame, whose rows come in bands.

    ``form`` is the byte order, and the level of Deflate if any; compressed strips wait in a file.
    """
    order, level = form
    step, height = _strip_rows(frame), len(frame)
    ordered = frame.dtype.newbyteorder("<" if order == "<" else ">")
    if level is None:
        row = frame[:1].nbytes
        lengths = [row * min(step, height - at) for at in range(0, height, step)]
        return _Strips(lengths, (_bytes_of(rows.astype(ordered, copy=False)) for rows in bands))
    from tempfile import SpooledTemporaryFile

    lengths = []
    file = waiting.enter_context(SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115
    for strips in _several(_of_height(bands, step), _TOGETHER):
        work = _Packing(strips, ordered, level)
        for packed in in_threads(work.packed, len(strips), threads=threads):
            lengths.append(len(packed))
            file.write(packed)
    file.seek(0)
    return _Strips(lengths, iter(lambda: file.read(_PIECE), b""))


def _bytes_of(rows: Pixels) -> memoryview:
    return np.ascontiguousarray(rows).view(np.uint8).data.cast("B")


@record(eq=False)
class _Packing:
    """Strips that are compressed, in the byte order of a type."""

    strips: list[Pixels]
    ordered: np.dtype[Any]
    level: int

    def packed(self, number: int) -> bytes:
        """One of them, differences of neighbours compressed."""
        rows = self.strips[number]
        if rows.dtype.kind == "f":
            return zlib.compress(_float_predicted(rows), _USUAL)
        differences = rows.copy()
        differences[:, 1:] -= rows[:, :-1]
        return zlib.compress(differences.astype(self.ordered, copy=False).tobytes(), self.level)


def _of_height(bands: Iterable[Pixels], step: int) -> Iterator[Pixels]:
    """The rows of bands in strips of ``step`` rows, the last one of what is left."""
    rest: Pixels | None = None
    for band in bands:
        rows = band if rest is None or not len(rest) else np.concatenate([rest, band])
        whole = len(rows) // step * step
        for at in range(0, whole, step):
            yield rows[at : at + step]
        rest = rows[whole:].copy()
    if rest is not None and len(rest):
        yield rest


def _several(strips: Iterable[Pixels], count: int) -> Iterator[list[Pixels]]:
    """Lists of ``count`` strips, the last one of what is left."""
    some: list[Pixels] = []
    for strip in strips:
        some.append(strip)
        if len(some) == count:
            yield some
            some = []
    if some:
        yield some


def _float_predicted(rows: Pixels) -> bytes:
    """Apply the floating-point predictor: bytes grouped by significance, then differences."""
    height, width, channels = rows.shape
    planes = rows.astype(">f4").reshape(height, width * channels).view(np.uint8)
    planes = planes.reshape(height, width * channels, 4).swapaxes(1, 2).reshape(height, -1)
    differences = planes.copy()
    differences[:, channels:] -= planes[:, :-channels]
    return differences.tobytes()
