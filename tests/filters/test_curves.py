"""Tone curves by what a PNG states of them."""

import struct

import numpy as np
import pytest

from cnncli.errors import CnncliError
from cnncli.filters.color import from_linear, to_linear
from cnncli.filters.curves import BT709, SRGB, curve_of, power
from cnncli.images.picture import Metadata


def about(icc=None, **chunks):
    return Metadata(icc=icc, color=tuple((name.encode(), body) for name, body in chunks.items()))


def icc(curve, *, others=None, before=0):
    """A profile of nothing but curves, which is all that is looked at, behind so many other tags."""
    tags = [(b"x%03d" % number, bytes(12)) for number in range(before)]
    tags += [(b"rTRC", curve), (b"gTRC", curve), (b"bTRC", others or curve)]
    at = 128 + 4 + 12 * len(tags)
    table, bodies = struct.pack(">I", len(tags)), b""
    for name, body in tags:
        table += struct.pack(">4sII", name, at + len(bodies), len(body))
        bodies += body
    return bytes(16) + b"RGB XYZ " + bytes(104) + table + bodies


def gamma(value):
    return struct.pack(">I", value)


def test_what_outranks_what():
    assert curve_of(Metadata()) == SRGB
    assert curve_of(about(gAMA=gamma(50_000))) == power(2.0)
    assert curve_of(about(gAMA=gamma(50_000), sRGB=b"\0")) == SRGB
    profile = icc(struct.pack(">4sxxxxIH", b"curv", 1, 461))  # 1.8 in 256ths
    assert curve_of(about(profile, gAMA=gamma(50_000))) == power(461 / 256)
    chunks = {"gAMA": gamma(50_000), "sRGB": b"\0", "cICP": bytes([1, 8, 0, 1])}
    assert curve_of(about(profile, **chunks)) == power(1.0)
    assert curve_of(about(cICP=bytes([1, 13, 0, 1]))) == SRGB
    assert curve_of(about(cICP=bytes([1, 1, 0, 1]))) == BT709


@pytest.mark.parametrize(("chunks", "message"), [
    ({"cICP": bytes([9, 16, 0, 1])}, "transfer function PQ"),
    ({"cICP": bytes([9, 18, 0, 1])}, "transfer function HLG"),
    ({"cICP": bytes([9, 99, 0, 1])}, "number 99"),
    ({"cICP": b"\1"}, "number -1"),
    ({"gAMA": gamma(1)}, "gAMA states 1e-05"),
    ({"gAMA": gamma(0)}, "gAMA states 0"),
    ({"gAMA": gamma(2**32 - 1)}, "gAMA states 42949"),
])  # fmt: skip
def test_curves_that_are_not_known_are_refused(chunks, message):
    with pytest.raises(CnncliError, match=message):
        curve_of(about(**chunks))


@pytest.mark.parametrize("white", [255, 65535, 1])
def test_curves_are_those_of_their_formulas(white):
    x = np.linspace(0, 1, 300)
    formulas = {
        power(2.2): x**2.2,
        power(1.0): x,
        BT709: np.where(x < 4.5 * 0.018, x / 4.5, ((x + 0.099) / 1.099) ** (1 / 0.45)),
        SRGB: np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4),
    }
    for curve, light in formulas.items():
        floats = (x * white).astype(np.float32)
        np.testing.assert_allclose(
            to_linear(floats, white, curve) / white, light, atol=2e-4 if curve == BT709 else 1e-6
        )
        np.testing.assert_allclose(
            from_linear(to_linear(floats, white, curve), white, curve), floats, atol=3e-5 * white
        )


def fixed(*values):
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def table(values):
    return (
        struct.pack(">4sxxxxI", b"curv", len(values))
        + (np.asarray(values) * 65535).round().astype(">u2").tobytes()
    )


STEPS = np.linspace(0, 1, 1024)
SRGB_PARAMETERS = b"para" + bytes(4) + b"\0\3\0\0" + fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


@pytest.mark.parametrize(("curve", "light"), [
    (struct.pack(">4sxxxxI", b"curv", 0), STEPS),
    (b"para" + bytes(4) + b"\0\0\0\0" + fixed(1.8), STEPS**1.8),
    (SRGB_PARAMETERS, np.where(STEPS <= 0.04045, STEPS / 12.92, ((STEPS + 0.055) / 1.055) ** 2.4)),
    (table(STEPS[::3] ** 2.2), STEPS**2.2),
    (table(np.where(STEPS <= 0.04045, STEPS / 12.92, ((STEPS + 0.055) / 1.055) ** 2.4)),
     np.where(STEPS <= 0.04045, STEPS / 12.92, ((STEPS + 0.055) / 1.055) ** 2.4)),
])  # fmt: skip
def test_curves_of_profiles(curve, light):
    found = curve_of(about(icc(curve)))
    np.testing.assert_allclose(to_linear(STEPS.astype(np.float32), 1.0, found), light, atol=1e-3)


def test_bytes_that_fill_up_a_tag_do_not_count():
    curve = table(STEPS[::3] ** 2.2)
    found = curve_of(about(icc(curve + bytes(-len(curve) % 4 + 4))))
    np.testing.assert_allclose(to_linear(STEPS.astype(np.float32), 1.0, found), STEPS**2.2, atol=1e-3)


@pytest.mark.parametrize("before", [1, 10, 60])
def test_curves_behind_other_tags_of_a_profile(before):
    profile = icc(struct.pack(">4sxxxxIH", b"curv", 1, 461), before=before)
    assert curve_of(about(profile)) == power(461 / 256)


def test_the_profiles_of_littlecms_are_srgb():
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = to_linear(STEPS.astype(np.float32), 1.0, curve_of(about(srgb)))
    np.testing.assert_allclose(found, to_linear(STEPS.astype(np.float32), 1.0), atol=1e-4)


@pytest.mark.parametrize("profile", [
    b"no profile",
    icc(b""),
    icc(SRGB_PARAMETERS, others=struct.pack(">4sxxxxI", b"curv", 0)),
    icc(table(np.sin(STEPS * 20) / 2 + 0.5)),
    icc(b"para" + bytes(4) + b"\0\0\0\0" + fixed(0.0)),
    icc(b"para" + bytes(4) + b"\0\3\0\0" + fixed(2.4, 1, 1, 0.1, 0.1)),
    icc(struct.pack(">4sxxxxI", b"curv", 2**31)),
])  # fmt: skip
def test_profiles_without_a_curve_that_is_known_are_refused(profile):
    with pytest.raises(CnncliError, match="tone curve of its colour profile is not supported"):
        curve_of(about(profile))
