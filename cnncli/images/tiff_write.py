"""Write TIFF files of 8-bit, 16-bit and float pages."""

import struct
import zlib

import numpy as np

from cnncli.errors import CnncliError
from cnncli.images.metadata_fitting import TIFF_TEXTS
from cnncli.images.picture import Metadata, Picture, Pixels
from cnncli.images.tags import Directory, Entry, entry, pack_directory
from cnncli.images.tiff_metadata import exif_for_tiff

#: Bytes of a strip before compression.
_STRIP = 1 << 18
_DEFLATE, _UNCOMPRESSED = 8, 1
_USUAL, _SMALLEST = 6, 9  # levels of Deflate
_UNSPECIFIED, _UNASSOCIATED_ALPHA = 0, 2  # meaning of an extra sample


def encode_tiff(picture: Picture, *, compress: bool = False) -> bytes:
    """Encode an image as TIFF, one page for each frame.

    Parameters
    ----------
    picture : Picture
        uint8, uint16 or float32; pages may differ in size.
    compress : bool
        Use Deflate with a predictor at the highest level. Images from a compressed TIFF are compressed
        anyway, at a faster level; others are not.

    Returns
    -------
    bytes
        A classic TIFF file, in the byte order of its EXIF block.

    Raises
    ------
    CnncliError
        Where the file would be larger than 4 GiB.
    """
    level = _SMALLEST if compress else _USUAL
    compress = compress or picture.metadata.compressed
    of_pages = (picture.metadata, *picture.metadata.later)
    exif_parts = [exif_for_tiff(metadata.exif) for metadata in of_pages]
    order = next((each[0] for each in exif_parts if each[1]), "<")
    out = [b"II*\0" if order == "<" else b"MM\0*", struct.pack(order + "I", 8)]
    at = 8
    for number, frame in enumerate(picture.frames, 1):
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
        strips = _strips(frame, order=order, level=level if compress else None)
        lengths = [len(strip) for strip in strips]
        layout[279] = layout[273] = entry(4, *lengths, order=order)
        head = len(pack_directory(layout, inside, order=order, at=at))
        ends = np.cumsum([at + head, *lengths])
        pad = int(ends[-1]) % 2
        if ends[-1] + pad >= 2**32:
            raise CnncliError(
                f"the TIFF file would be {ends[-1] / 2**30:.1f} GiB; expected less than 4 GiB",
                "Use --compress, --bits 8, or write single frames.",
            )
        layout[273] = entry(4, *ends[:-1].tolist(), order=order)
        directory = bytearray(pack_directory(layout, inside, order=order, at=at))
        at = int(ends[-1]) + pad
        if number < len(picture.frames):
            count = struct.unpack_from(order + "H", directory)[0]
            struct.pack_into(order + "I", directory, 2 + 12 * count, at)
        out += [bytes(directory), *strips, b"\0" * pad]
    return b"".join(out)


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


def _strips(frame: Pixels, *, order: str, level: int | None) -> list[bytes]:
    step = _strip_rows(frame)
    ordered = frame.dtype.newbyteorder("<" if order == "<" else ">")
    strips = []
    for start in range(0, len(frame), step):
        rows = frame[start : start + step]
        if level is None:
            strips.append(rows.astype(ordered, copy=False).tobytes())
        elif frame.dtype.kind == "f":
            strips.append(zlib.compress(_float_predicted(rows), _USUAL))
        else:
            differences = rows.copy()
            differences[:, 1:] -= rows[:, :-1]
            strips.append(zlib.compress(differences.astype(ordered, copy=False).tobytes(), level))
    return strips


def _float_predicted(rows: Pixels) -> bytes:
    """Apply the floating-point predictor: bytes grouped by significance, then differences."""
    height, width, channels = rows.shape
    planes = rows.astype(">f4").reshape(height, width * channels).view(np.uint8)
    planes = planes.reshape(height, width * channels, 4).swapaxes(1, 2).reshape(height, -1)
    differences = planes.copy()
    differences[:, channels:] -= planes[:, :-channels]
    return differences.tobytes()
