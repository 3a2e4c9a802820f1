"""Find images inside metadata: a thumbnail would show what a filter was meant to hide, so none is kept.

Cameras and programs store small copies of an image in EXIF, maker notes, XMP, Photoshop's resources and text.
They are found by content rather than by their usual place: by the first bytes of formats, and in text by long
runs of base64 or hexadecimal digits, which words do not have.
"""

import re

#: First bytes of JPEG (without the very first, which Minolta replaces), PNG, GIF, WebP, JPEG 2000, and HEIF
#: with AVIF: a part for a fast search, its offset, and a pattern for all of them.
_STARTS = (
    (b"\xd8\xff", 0, re.compile(rb"\xd8\xff[\xc0-\xc4\xdb\xdd\xe0-\xef\xfe]")),
    (b"\x89PNG\r\n", 0, None),
    (b"GIF8", 0, re.compile(rb"GIF8[79]a")),
    (b"WEBP", 8, re.compile(rb"RIFF[\s\S]{4}WEBP")),
    (b"\xff\x4f\xff\x51", 0, None),
    (b"ftyp", 0, re.compile(rb"ftyp(?:avi|hei|hev|mif|msf)")),
)
#: Fewest characters of an image as text, including line breaks.
_LEAST_TEXT = 256
_DIGIT, _NOTHING, _OTHER = b"A", b"\0", b"."
_DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-\r\n"
_KINDS = bytes(_DIGIT[0] if code in _DIGITS else code and _OTHER[0] for code in range(256))
#: Runs of digits in bytes, and in UTF-16 of either order.
_RUNS = tuple(unit * _LEAST_TEXT for unit in (_DIGIT, _DIGIT + _NOTHING, _NOTHING + _DIGIT))


def find_pictures(data: bytes) -> list[int]:
    """Offsets at which an image begins, or continues as text, in ascending order.

    Parameters
    ----------
    data : bytes
        Metadata of any kind.

    Returns
    -------
    list of int
        In a run of digits, one every 128 bytes, so that every part that could be an image contains one.
    """
    found: list[int] = []
    for part, before, whole in _STARTS:
        at = data.find(part)
        while at >= 0:
            if whole is None or (at >= before and whole.match(data, at - before)):
                found.append(at - before)
            at = data.find(part, at + 1)
    kinds = data.translate(_KINDS)
    step = _LEAST_TEXT // 2
    for run in _RUNS:
        at = kinds.find(run)
        while at >= 0:
            found += (at, at + step)
            at = kinds.find(run, at + step)
    return sorted(found)


def holds_picture(data: bytes) -> bool:
    """Whether these bytes may contain an image."""
    return bool(find_pictures(data))
