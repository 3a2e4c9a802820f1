"""Convert descriptive tags of TIFF pages to EXIF blocks, and back."""

import struct

from cnncli.images.tags import (
    EXIF_DIRECTORY,
    GPS_DIRECTORY,
    BrokenTagsError,
    Directory,
    Header,
    Slices,
    pack_directory,
    read_directory,
    read_header,
    read_tree,
)

#: TIFF tags that describe the image and not its layout; they are kept as EXIF.
DESCRIPTIVE_TAGS = (
    269, 270, 271, 272, 285, 297, 305, 306, 315, 316, 318, 319, 33432, 18246, 18249, 40091, 40092, 40093,
    40094, 40095,    EXIF_DIRECTORY, GPS_DIRECTORY,
)  # fmt: skip

_DESCRIPTION, _MAKER_NOTE = 270, 37500
#: Starts of descriptions that state the layout of pixels, and names of those with further metadata.
_LAYOUTS = {b'{"shape":': "", b"ImageJ=": "ImageJ's metadata", b"<OME ": "OME's metadata"}


def exif_of_tiff(data: Slices, header: Header, directory: Directory) -> tuple[bytes | None, list[str]]:
    """Make an EXIF block of a TIFF page's descriptive tags.

    Returns
    -------
    exif, lost : bytes or None, list of str
        None where the page has none of the tags. Lost are maker notes, and other programs' descriptions of
        the pixel layout, which would be wrong for our output.
    """
    kept = {tag: directory[tag] for tag in DESCRIPTIVE_TAGS if tag in directory}
    lost = []
    if _DESCRIPTION in kept:
        start = kept[_DESCRIPTION].raw[:200]
        for sign, name in _LAYOUTS.items():
            if sign in start:
                kept.pop(_DESCRIPTION, None)
                lost += [name] if name else []
    if not kept:
        return None, lost
    below = read_tree(data, header, kept)
    if below.get(EXIF_DIRECTORY, {}).pop(_MAKER_NOTE, None):
        lost.append("maker notes")
    start = (b"II*\0" if header.order == "<" else b"MM\0*") + struct.pack(header.order + "I", 8)
    return start + pack_directory(kept, below, order=header.order, at=8), lost


def exif_for_tiff(exif: bytes | None) -> tuple[str, Directory, dict[int, Directory]]:
    """Split an EXIF block into directories of a TIFF file.

    Returns
    -------
    order, directory, below : str, dict, dict
        The byte order in which the TIFF file must be written, its descriptive tags, and the directories below
        them.
    """
    if exif:
        try:
            header = read_header(exif)
            directory, _ = read_directory(exif, header, header.first)
        except BrokenTagsError:
            return "<", {}, {}
        if not header.big:
            kept = {tag: directory[tag] for tag in DESCRIPTIVE_TAGS if tag in directory}
            return header.order, kept, read_tree(exif, header, kept)
    return "<", {}, {}
