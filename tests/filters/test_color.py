"""Linear light by the standard's formulas, and colour weighted by opacity."""

import numpy as np
import pytest

from cnncli.core.luma import LUMA, LUMINANCE
from cnncli.filters.color import from_linear, premultiplied, to_linear, unmultiplied


def standard(code):
    """IEC 61966-2-1 for one value from 0 to 1."""
    return code / 12.92 if code <= 0.04045 else ((code + 0.055) / 1.055) ** 2.4


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535)])
def test_decoding_is_the_standards(dtype, white):
    codes = np.unique(np.linspace(0, white, 300).astype(dtype))[:, None]
    expected = [[white * standard(code / white)] for code in codes.ravel().tolist()]
    found = to_linear(codes, float(white))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_floats_are_decoded_as_integers_are():
    codes = np.arange(256, dtype=np.uint8)
    floats = codes.astype(np.float32) / 255
    np.testing.assert_allclose(to_linear(floats, 1.0), to_linear(codes, 255.0) / 255, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535)])
def test_every_code_comes_back(dtype, white):
    codes = np.arange(white + 1).astype(dtype)
    again = from_linear(to_linear(codes, float(white)), float(white))
    np.testing.assert_array_equal(np.rint(again), codes)


def test_half_the_light_is_code_188():
    assert round(float(from_linear(np.float32([127.5]), 255.0)[0])) == 188


def test_below_black_it_goes_on_as_a_line():
    light = np.float32([-0.1, -0.001, 0, 0.001])
    np.testing.assert_allclose(from_linear(light, 1.0), 12.92 * light, rtol=1e-6)
    np.testing.assert_allclose(to_linear(from_linear(light, 1.0), 1.0), light, rtol=1e-5)


def test_luma_weights_sum_to_one():
    assert sum(LUMA) == pytest.approx(1, abs=1e-12)
    assert sum(LUMINANCE) == pytest.approx(1, abs=1e-12)


def test_weighing_by_opacity_and_back(rng):
    color = rng.integers(0, 256, (9, 8, 3)).astype(np.uint8)
    opacity = rng.random((9, 8, 1), dtype=np.float32)
    opacity[0] = 0
    opacity[1] = 1e-7
    weighted = premultiplied(color, opacity)
    assert weighted.dtype == np.float32
    back = unmultiplied(weighted, opacity)
    np.testing.assert_allclose(back[2:], color[2:], rtol=1e-6)
    assert not back[:2].any()  # nothing is left to tell the colour
    assert np.isfinite(back).all()
