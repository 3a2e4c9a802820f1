"""IPTC data sets, and the Photoshop resources that contain them.

Source: IPTC, Information Interchange Model 4.2; Adobe, Photoshop File Formats, "Image Resources Section".
"""

import struct

_PHOTOSHOP = b"Photoshop 3.0\0"
_IPTC_RESOURCE = 0x0404
_MARK = 0x1C
#: Rasterised captions and previews: record and number of the data set.
_DRAWN = frozenset((2, number) for number in (125, 200, 201, 202))
_DESCRIBING = (1, 2, 3, 6)  # records with metadata; 7 to 9 hold the object itself


def fitted_iptc(iptc: bytes) -> bytes | None:
    """Keep the data sets that describe an image and contain none; None where none is left."""
    from cnncli.images.previews import holds_picture

    kept, at = [], 0
    while at + 5 <= len(iptc) and iptc[at] == _MARK:
        record, number, length = iptc[at + 1], iptc[at + 2], int.from_bytes(iptc[at + 3 : at + 5], "big")
        start = at + 5
        if length & 0x8000:  # extended: the number of bytes of the length
            size = length & 0x7FFF
            start, length = start + size, int.from_bytes(iptc[start : start + min(size, 8)], "big")
        end = start + length
        if end > len(iptc):
            break
        whole = iptc[at:end]
        if record in _DESCRIBING and (record, number) not in _DRAWN and not holds_picture(whole):
            kept.append(whole)
        at = end
    return b"".join(kept) or None


def in_photoshop(iptc: bytes) -> bytes:
    """The contents of a JPEG's APP13 segment with these data sets."""
    return _PHOTOSHOP + resource_of(iptc)


def resource_of(iptc: bytes) -> bytes:
    """A Photoshop resource with these data sets."""
    return b"8BIM" + struct.pack(">HHI", _IPTC_RESOURCE, 0, len(iptc)) + iptc + bytes(len(iptc) % 2)


def read_resources(data: bytes) -> dict[int, bytes]:
    """The complete Photoshop resources by their number."""
    found: dict[int, bytes] = {}
    at = len(_PHOTOSHOP) if data.startswith(_PHOTOSHOP) else 0
    while data[at : at + 4] == b"8BIM" and at + 12 <= len(data):
        (code,) = struct.unpack_from(">H", data, at + 4)
        named = at + 6 + (data[at + 6] // 2 + 1) * 2  # a length byte and a name, padded to an even size
        (length,) = struct.unpack(">I", data[named : named + 4].rjust(4, b"\0"))
        start = named + 4
        if start + length > len(data):
            break
        found.setdefault(code, data[start : start + length])
        at = start + length + length % 2
    return found


def resource_names(found: dict[int, bytes]) -> list[str]:
    """Names of resources that are lost and matter to users."""
    return ["clipping paths"] if any(2000 <= code <= 2997 for code in found) else []
