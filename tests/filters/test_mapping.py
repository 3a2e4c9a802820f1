"""Every range for every type, against the definition in float64."""

import numpy as np
import pytest

from cnncli.filters.mapping import FULL_SCALE, MIDDLE, map_range, to_pixels
from cnncli.filters.options import Options

TYPES = [np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32)]
RANGES = ["clip", "abs", "offset", "stretch", "none", None]


def expected_values(responses, kind, *, signed, span, out, raw, white, scale, bias):
    """What the documentation says, in float64, before rounding."""
    if kind is None:
        kind = "none" if raw else "offset" if signed else "clip"
    r = responses * scale + bias
    if kind == "stretch":
        low, high = r.min(), r.max()
        return (r - low) / (high - low) * white if high > low else np.zeros_like(r)
    unit = 1.0 if raw and kind == "none" else white / span
    if kind == "abs":
        return np.abs(r) * unit
    if kind == "offset":
        middle = {"uint8": 128, "uint16": 32768, "float32": 0.5 * white}[out.name]
        return r * unit / 2 + middle
    return r * unit


@pytest.mark.parametrize("kind", RANGES)
@pytest.mark.parametrize("out", TYPES, ids=str)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("scale", "bias"), [(1, 0), (-0.5, 20)])
@pytest.mark.parametrize("span", [255.0, 1.0])
def test_every_range(rng, kind, out, signed, scale, bias, span):
    white = FULL_SCALE[out]
    responses = (rng.random((40, 50, 1)) * 3 - 1) * span
    how = {"signed": signed, "span": span, "out": out, "raw": False, "white": white}
    mapping = map_range(Options(range=kind, scale=scale, bias=bias), **how)
    pixels, clipped = to_pixels(responses.astype(np.float32), mapping, out)
    expected = expected_values(responses, kind, scale=scale, bias=bias, **how)
    limited = np.clip(expected, 0, white)
    assert pixels.dtype == out
    if out == np.float32:
        free = kind in (None, "none", "stretch")
        np.testing.assert_allclose(
            pixels, expected if free else limited, atol=3e-6 * max(1, np.abs(expected).max())
        )
        assert clipped == 0 if free else abs(clipped - (expected != limited).sum()) <= 2
    else:
        assert np.abs(pixels - limited).max() <= 0.5 + 1e-6 * np.abs(expected).max()
        assert abs(clipped - (np.abs(expected - limited) > 0.5).sum()) <= 2


@pytest.mark.parametrize("out", TYPES, ids=str)
@pytest.mark.parametrize("kind", ["clip", "abs", "offset", "none"])
@pytest.mark.parametrize(("scale", "bias"), [(1, 0), (-2, 0), (0.5, 30)])
def test_what_is_folded_into_the_store_is_the_same(rng, out, kind, scale, bias):
    how = {"signed": True, "span": 255.0, "out": out, "raw": False, "white": FULL_SCALE[out]}
    mapping = map_range(Options(range=kind, scale=scale, bias=bias), **how)
    if not mapping.direct:
        assert (kind == "abs" and bias) or out == np.float32
        return
    responses = (rng.random((9, 9, 1)) * 600 - 300).astype(np.float32)
    absolute, times, plus = mapping.folded()
    stored = (np.abs(responses) if absolute else responses).astype(float) * times + plus
    stored = stored if out == np.float32 else np.clip(stored, 0, FULL_SCALE[out])
    pixels, _ = to_pixels(responses.copy(), mapping, out)
    assert np.abs(pixels - stored).max() <= (1e-4 if out == np.float32 else 0.51)


@pytest.mark.parametrize("out", TYPES, ids=str)
@pytest.mark.parametrize("value", [0, 100, -7.5])
def test_stretching_a_constant_gives_black(out, value):
    mapping = map_range(
        Options(range="stretch"), signed=False, span=255, out=out, raw=False, white=FULL_SCALE[out]
    )
    pixels, clipped = to_pixels(np.full((3, 4, 1), value, np.float32), mapping, out)
    assert not pixels.any()
    assert clipped == 0


def test_stretching_looks_at_finite_responses_alone():
    mapping = map_range(
        Options(range="stretch"), signed=False, span=255, out=TYPES[0], raw=False, white=255.0
    )
    responses = np.array([np.nan, np.inf, -np.inf, 2, 4, 3], np.float32).reshape(1, -1, 1)
    pixels, clipped = to_pixels(responses, mapping, TYPES[0])
    assert pixels.ravel().tolist() == [0, 255, 0, 0, 255, 128]  # 127.5 to even
    assert clipped == 2
    nothing = np.full((1, 3, 1), np.nan, np.float32)
    assert not to_pixels(nothing, mapping, TYPES[0])[0].any()


@pytest.mark.parametrize(("out", "middle"), [(TYPES[0], 128), (TYPES[1], 32768), (TYPES[2], 0.5)], ids=str)
def test_no_response_is_mid_gray(out, middle):
    assert MIDDLE[out] == middle
    mapping = map_range(Options(), signed=True, span=255, out=out, raw=False, white=FULL_SCALE[out])
    assert to_pixels(np.zeros((1, 1, 1), np.float32), mapping, out)[0].item() == middle


def test_arrays_keep_their_own_units():
    mapping = map_range(Options(), signed=True, span=np.pi, out=TYPES[2], raw=True, white=1.0)
    responses = np.array([-900.5, 0, np.pi, 1e20], np.float32)
    pixels, clipped = to_pixels(responses.copy(), mapping, TYPES[2])
    assert pixels.tolist() == responses.tolist()
    assert clipped == 0
    asked = map_range(Options(range="clip"), signed=True, span=np.pi, out=TYPES[2], raw=True, white=1.0)
    assert to_pixels(responses.copy(), asked, TYPES[2])[0].tolist() == [0, 0, 1, 1]


def test_halves_go_to_even_and_rounding_is_not_clipping():
    mapping = map_range(Options(), signed=False, span=255, out=TYPES[0], raw=False, white=255.0)
    responses = np.array([-0.5, 0.5, 1.5, 2.5, 254.5, 255.5, -0.51, 255.51], np.float32)
    pixels, clipped = to_pixels(responses, mapping, TYPES[0])
    assert pixels.tolist() == [0, 0, 2, 2, 254, 255, 0, 255]
    assert clipped == 2
