"""Tone curves: how the numbers of a picture become light, and light becomes numbers."""

from __future__ import annotations

import struct

from cnncli.errors import CnncliError
from cnncli.images.picture import Metadata
from cnncli.records import record


@record
class Curve:
    """A power with a straight line near black, on a scale from 0 to 1.

    Attributes
    ----------
    name : str
        What messages call it.
    cut, slope, offset, gamma : float
        Numbers up to ``cut`` are ``slope`` times the light; above, light is
        ((number + offset) / (1 + offset)) ** gamma.
    """

    name: str
    cut: float
    slope: float
    offset: float
    gamma: float


#: IEC 61966-2-1.
SRGB = Curve("sRGB", 0.04045, 12.92, 0.055, 2.4)
#: ITU-R BT.709-6, item 1.2, read backwards.
BT709 = Curve("BT.709", 0.081, 4.5, 0.099, 1 / 0.45)

#: PNG's cICP: the number of the transfer characteristics. Source: ITU-T H.273, table 3.
_BY_NUMBER = {1: BT709, 4: None, 5: None, 6: BT709, 8: None, 13: SRGB, 14: BT709, 15: BT709}
_POWERS = {4: 2.2, 5: 2.8, 8: 1.0}
_NUMBER_NAMES = {16: "PQ", 18: "HLG"}
_LEAST_GAMMA, _MOST_GAMMA = 0.1, 10.0


def power(gamma: float) -> Curve:
    """The curve number ** gamma; what is below black continues straight on."""
    return Curve(f"gamma {gamma:.4g}", 0.0, 1.0, 0.0, gamma)


def curve_of(metadata: Metadata) -> Curve:
    """Find the curve of a picture: that which the file states, else sRGB's.

    Of PNG's chunks cICP outranks the colour profile, which outranks sRGB, which outranks gAMA. Source: W3C,
    PNG, Third Edition, 4.3. Pictures with a colour profile are taken to have sRGB's curve.

    Raises
    ------
    CnncliError
        Where the file states a curve that is none of these, such as that of HDR video.
    """
    chunks = dict(metadata.color)
    if b"cICP" in chunks:
        number = chunks[b"cICP"][1] if len(chunks[b"cICP"]) == 4 else -1
        if number in _POWERS:
            return power(_POWERS[number])
        curve = _BY_NUMBER.get(number)
        if curve is None:
            name = _NUMBER_NAMES.get(number, f"number {number}")
            raise CnncliError(
                f"--linear: its cICP states the transfer function {name}; "
                "expected sRGB, BT.709, linear light, or a gamma of 2.2 or 2.8",
                "Leave --linear out, or convert the picture to sRGB first.",
            )
        return curve
    if metadata.icc or b"sRGB" in chunks or len(chunks.get(b"gAMA", b"")) != 4:
        return SRGB
    (stated,) = struct.unpack(">I", chunks[b"gAMA"])
    gamma = 100_000 / stated if stated else 0.0
    if not _LEAST_GAMMA <= gamma <= _MOST_GAMMA:
        raise CnncliError(
            f"--linear: its gAMA states {stated / 100_000:g}; "
            f"expected {1 / _MOST_GAMMA:g} to {1 / _LEAST_GAMMA:g}",
            "Leave --linear out, or write the picture again without gAMA.",
        )
    return power(gamma)
