"""ICC profiles for gray images that were made from colour images.

Source: ICC.1:2022, Profile version 4.4, 7.2 (header), 7.3 (tag table), 8.3 (what a profile must hold).
"""

import struct

_HEADER, _ENTRY = 128, 12
_GRAY_TAGS = (b"desc", b"cprt", b"wtpt", b"chad")
_CURVES = (b"rTRC", b"gTRC", b"bTRC")
_GRAY_CURVE = b"kTRC"
_MOST_TAGS = 100


def gray_profile(icc: bytes) -> bytes | None:
    """Make a gray profile with the tone curve of an RGB profile.

    Parameters
    ----------
    icc : bytes
        An RGB profile.

    Returns
    -------
    bytes or None
        None where the three colours have no curve or different ones, as in profiles with lookup tables.
    """
    tags = _tags(icc)
    curves = [tags.get(name) for name in _CURVES]
    if icc[16:20] != b"RGB " or curves[0] is None or len(set(curves)) != 1:
        return None
    if not all(name in tags for name in (b"desc", b"cprt", b"wtpt")):
        return None
    kept = {name: tags[name] for name in _GRAY_TAGS if name in tags} | {b"kTRC": curves[0]}
    at = _HEADER + 4 + _ENTRY * len(kept)
    table, bodies = struct.pack(">I", len(kept)), b""
    for name, body in kept.items():
        table += struct.pack(">4sII", name, at + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    head = bytearray(icc[:_HEADER])
    head[0:4] = struct.pack(">I", at + len(bodies))
    head[16:20] = b"GRAY"
    head[84:100] = bytes(16)  # the digest of the original profile
    return bytes(head) + table + bodies


def tone_curve(icc: bytes) -> bytes | None:
    """The tone curve that all colours of a profile share, as stored in its tag; None where they differ."""
    tags = _tags(icc)
    names = (_GRAY_CURVE,) if icc[16:20] == b"GRAY" else _CURVES
    curves = {tags.get(name) for name in names}
    return curves.pop() if len(curves) == 1 else None


def _tags(icc: bytes) -> dict[bytes, bytes]:
    """The contents of each tag that lies inside the profile."""
    count = int.from_bytes(icc[_HEADER : _HEADER + 4], "big")
    found = {}
    for number in range(min(count, _MOST_TAGS)):
        entry = icc[_HEADER + 4 + _ENTRY * number :][:_ENTRY]
        if len(entry) < _ENTRY:
            break
        name, start, length = struct.unpack(">4sII", entry)
        if start + length <= len(icc):
            found[name] = icc[start : start + length]
    return found
