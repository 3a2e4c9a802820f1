"""Tone curves: between the samples of an image and linear light."""

from __future__ import annotations

import struct

import numpy as np

from cnncli.errors import CnncliError
from cnncli.filters.color import SRGB, Curve
from cnncli.images.picture import Metadata

#: ITU-R BT.709-6, item 1.2, inverted.
BT709 = Curve("BT.709", 0.081, 4.5, 0.099, 1 / 0.45)

#: By the number of the transfer characteristics in PNG's cICP. Source: ITU-T H.273, table 3.
_BY_NUMBER = {1: BT709, 4: None, 5: None, 6: BT709, 8: None, 13: SRGB, 14: BT709, 15: BT709}
_POWERS = {4: 2.2, 5: 2.8, 8: 1.0}
_NUMBER_NAMES = {16: "PQ", 18: "HLG"}
_TABLE_ERROR = 0.004  # of full scale: about one level of 255
_PARAMETERS = {0: 1, 3: 5}  # of ICC's parametric curves: a power, with or without a linear segment
_MIN_GAMMA, _MAX_GAMMA = 0.1, 10.0


def power(gamma: float) -> Curve:
    """The curve sample ** gamma; below black it continues linearly."""
    return Curve(f"gamma {gamma:.4g}", 0.0, 1.0, 0.0, gamma)


def curve_of(metadata: Metadata) -> Curve:
    """Find the tone curve of an image: the one that the file states, else sRGB's.

    In a PNG, cICP takes precedence over the colour profile, then sRGB, then gAMA. Source: W3C,
    PNG, Third Edition, 4.3.

    Raises
    ------
    CnncliError
        If the file states another curve, such as that of HDR video.
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
                "Leave --linear out, or convert the image to sRGB first.",
            )
        return curve
    if metadata.icc:
        return _of_profile(metadata.icc)
    if b"sRGB" in chunks or len(chunks.get(b"gAMA", b"")) != 4:
        return SRGB
    (stated,) = struct.unpack(">I", chunks[b"gAMA"])
    gamma = 100_000 / stated if stated else 0.0
    if not _MIN_GAMMA <= gamma <= _MAX_GAMMA:
        raise CnncliError(
            f"--linear: its gAMA states {stated / 100_000:g}; "
            f"expected {1 / _MAX_GAMMA:g} to {1 / _MIN_GAMMA:g}",
            "Leave --linear out, or write the image again without gAMA.",
        )
    return power(gamma)


def _of_profile(icc: bytes) -> Curve:
    """The curve of a colour profile. Source: ICC.1:2022, 10.6 (curveType), 10.18 (parametricCurveType)."""
    from cnncli.images.profile import tone_curve

    tag = tone_curve(icc) or b""
    curve = None
    if tag[:4] == b"para" and len(tag) >= 12:
        curve = _parametric(tag)
    elif tag[:4] == b"curv" and len(tag) >= 12:
        curve = _tabulated(tag)
    if curve is None:
        raise CnncliError(
            "--linear: the tone curve of its colour profile is not supported; "
            "expected one curve for all colours, a power or like sRGB's",
            "Leave --linear out, or convert the image to sRGB first.",
        )
    return curve


def _parametric(tag: bytes) -> Curve | None:
    kind = int.from_bytes(tag[8:10], "big")
    count = _PARAMETERS.get(kind, 0)
    if not count or len(tag) < 12 + 4 * count:
        return None
    gamma, *rest = (value / 65536 for value in struct.unpack_from(f">{count}i", tag, 12))
    if kind == 0:
        return power(gamma) if _MIN_GAMMA <= gamma <= _MAX_GAMMA else None
    a, b, c, cut = rest
    if a <= 0 or c <= 0 or abs(a + b - 1) > _TABLE_ERROR or not _MIN_GAMMA <= gamma <= _MAX_GAMMA:
        return None
    return Curve("the profile's samples", cut, 1 / c, b / a, gamma)


def _tabulated(tag: bytes) -> Curve | None:
    """A power, or a table that matches one of the supported curves."""
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return power(1.0)
    if len(tag) < 12 + 2 * count:
        return None
    values = np.frombuffer(tag, ">u2", count, 12)
    if count == 1:
        gamma = float(values[0]) / 256
        return power(gamma) if _MIN_GAMMA <= gamma <= _MAX_GAMMA else None
    table, x = values / 65535, np.linspace(0, 1, count)
    inside = (table > 0) & (table < 1) & (x > 0) & (x < 1)
    slopes = np.log(table[inside]) / np.log(x[inside]) if inside.any() else np.ones(1)
    for curve in (SRGB, BT709, power(float(np.median(slopes)))):
        above = ((x + curve.offset) / (1 + curve.offset)) ** curve.gamma
        if np.abs(np.where(x <= curve.cut, x / curve.slope, above) - table).max() <= _TABLE_ERROR:
            return curve
    return None
