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


def gamma(value):
    return struct.pack(">I", value)


def test_what_outranks_what():
    assert curve_of(Metadata()) == SRGB
    assert curve_of(about(gAMA=gamma(50_000))) == power(2.0)
    assert curve_of(about(gAMA=gamma(50_000), sRGB=b"\0")) == SRGB
    assert curve_of(about(b"icc", gAMA=gamma(50_000))) == SRGB
    assert curve_of(about(b"icc", gAMA=gamma(50_000), sRGB=b"\0", cICP=bytes([1, 8, 0, 1]))) == power(1.0)
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
