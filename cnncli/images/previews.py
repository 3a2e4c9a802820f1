"""Pictures inside metadata: a thumbnail shows what a filter was to hide, so nothing that may be one is kept.

Cameras and programs put small copies of a picture into EXIF, maker notes, XMP, Photoshop's resources and
text. They are found by what they are and not by where they are meant to lie: by the first bytes of formats,
and as text by long runs of base64 or hexadecimal digits, which no words have.
"""

import re

#: First bytes of JPEG (whose very first Minolta replaces), PNG, GIF, WebP, JPEG 2000, and HEIF with AVIF.
_STARTS = (
    re.compile(rb"\xd8\xff[\xc0-\xc4\xdb\xdd\xe0-\xef\xfe]"),
    re.compile(rb"\x89PNG\r\n"),
    re.compile(rb"GIF8[79]a"),
    re.compile(rb"RIFF[\s\S]{4}WEBP"),
    re.compile(rb"\xff\x4f\xff\x51"),
    re.compile(rb"ftyp(?:avi|hei|hev|mif|msf)"),
)
#: The least of a picture as text; lines may break it.
_LEAST_TEXT = 256
_DIGITS = rb"A-Za-z0-9+/=_\-"
_TEXTS = (
    re.compile(rb"[%b\r\n]{%d,}" % (_DIGITS, _LEAST_TEXT)),
    re.compile(rb"(?:[%b\r\n]\0){%d,}" % (_DIGITS, _LEAST_TEXT)),
    re.compile(rb"(?:\0[%b\r\n]){%d,}" % (_DIGITS, _LEAST_TEXT)),
)


def find_pictures(data: bytes) -> list[int]:
    """Places in bytes where a picture begins, or goes on as text, in ascending order.

    Parameters
    ----------
    data : bytes
        Metadata of any kind.

    Returns
    -------
    list of int
        Offsets; in a run of digits one every 128 bytes, so that any part of it that could be a picture
        has one.
    """
    found = [match.start() for start in _STARTS for match in start.finditer(data)]
    for text in _TEXTS:
        for match in text.finditer(data):
            found += range(match.start(), match.end(), _LEAST_TEXT // 2)
    return sorted(found)


def holds_picture(data: bytes) -> bool:
    """Whether something in these bytes may be a picture."""
    return any(pattern.search(data) for pattern in (*_STARTS, *_TEXTS))
