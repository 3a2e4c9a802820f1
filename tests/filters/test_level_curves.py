"""Curves over pictures, against NumPy in float64."""

import numpy as np
import pytest
from surfaces import DTYPES, random_image, surface_over

from cnncli.core import tiling
from cnncli.core.tiling import Surface
from cnncli.filters.level_curves import Curve, along, run_curve
from cnncli.filters.rgbx import as_rgbx
from cnncli.records import replace

WIDTHS = (1, 3, 7, 8, 9, 15, 16, 17, 33, 200, 1000)
TABLE = np.cumsum(np.random.default_rng(2).random(1000))
CURVES = {
    "line": Curve(gain=-1.0, offset=1.0),
    "limited line": Curve(low=0.2, gain=1.9, least=0.0, most=1.0),
    "step": Curve(form="step", low=float(np.float32(0.3)), least=0.0, most=1.0),
    "power": Curve(form="power", most=1.0, exponent=1 / 2.2),
    "steep power": Curve(form="power", most=0.5, exponent=31.0),
    "table": Curve(form="table", low=0.1, gain=990.0, table=TABLE),
}


def odd(rng, shape):
    """Values of either sign around 0 to 1, some of them large, tiny or no numbers."""
    values = rng.normal(0.5, 0.6, shape).astype(np.float32)
    strange = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-42, -1e-42, 3e38, -3e38, 1.0, 0.3], np.float32)
    places = rng.random(shape) < 0.2
    values[places] = rng.choice(strange, int(places.sum()))
    return values


@pytest.mark.parametrize("streamed_bytes", [0, 1 << 30])
@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("width", WIDTHS)
def test_floats_by_the_definition(rng, monkeypatch, name, width, streamed_bytes):
    """Past the caches or not: where rows begin on lines, they bypass them."""
    monkeypatch.setattr(tiling, "STREAMED_BYTES", streamed_bytes)
    curve = CURVES[name]
    for channels in (1, 3):
        values = odd(rng, (5, width, channels))
        with np.errstate(all="ignore"):
            want = curve(values.astype(np.float64))
            wanted = want.astype(np.float32)
        for threads in (1, 2):
            found = along(curve, values, threads=threads)
            np.testing.assert_array_equal(np.isfinite(found), np.isfinite(wanted))
            np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
            assert not np.signbit(found[found == 0]).any()  # as 0 is added at the end
            np.testing.assert_allclose(found, wanted, rtol=3e-7 if "power" in name else 0, atol=1e-44)


def test_powers_to_the_last_bit_but_one():
    values = np.geomspace(1e-38, 1e38, 300_000, dtype=np.float64).astype(np.float32).reshape(3, -1, 1)
    for exponent in (0.01, 1 / 2.2, 1.0, 2.4, 100.0):
        with np.errstate(over="ignore", under="ignore"):
            want = (values.astype(np.float64) ** exponent).astype(np.float32)
        found = along(Curve(form="power", most=1.0, exponent=exponent), values, threads=1)
        normal = (want > 1.2e-38) & np.isfinite(want)
        assert normal.any()
        np.testing.assert_allclose(found[normal], want[normal], rtol=1.3e-7)
        np.testing.assert_array_equal(np.isinf(found), np.isinf(want))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("out", DTYPES)
def test_sources_and_results_of_all_types(rng, dtype, out):
    white = 1.0 if dtype == np.float32 else float(np.iinfo(dtype).max)
    top = None if out == np.float32 else float(np.iinfo(out).max)
    scale = (1.0 if top is None else top) / white * 1.1
    image = random_image(rng, (9, 67, 3), dtype)
    for given in (image, as_rgbx(image, threads=1)):
        for luma in (None, (0.299, 0.587, 0.114)):
            surface = surface_over(given, (1, 1), out=out, luma=luma, stride=(2, 3), scale=scale, bias=-1e-3)
            clipped = run_curve(Curve(gain=-1.0, offset=white), surface, threads=2)
            pixels = image[::3, ::2].astype(np.float64)
            pixels = pixels if luma is None else pixels @ np.array(luma)[:, None]
            want = (white - pixels) * scale - 1e-3
            near = 1e-6 if top is None else 0.51
            np.testing.assert_allclose(surface.out, np.clip(want, 0, top) if top else want, rtol=0, atol=near)
            if top:
                sure = (np.abs(want + 0.5) > 0.02) & (np.abs(want - top - 0.5) > 0.02)
                beyond = np.count_nonzero(((want < -0.5) | (want > top + 0.5)) & sure)
                assert beyond <= clipped <= beyond + np.count_nonzero(~sure)


def test_parts_of_rows_with_a_border_and_a_mapping(rng):
    image = odd(rng, (7, 203, 3))
    held = np.full((9, 250, 3), 5, np.float32)
    for first in (0, 1, 16):
        surface = surface_over(image, (1, 1), out=np.float32, full_scale=1.0, scale=2.0, bias=0.5)
        out = held[1:8, first : first + 203]
        run_curve(CURVES["limited line"], replace(surface, out=out), threads=2)
        with np.errstate(all="ignore"):
            want = CURVES["limited line"](image.astype(np.float64)) * 2 + 0.5
        np.testing.assert_allclose(out, want, rtol=2e-7)
        assert (held[[0, 8]] == 5).all()
        assert (held[:, :first] == 5).all()
        assert (held[:, first + 203 :] == 5).all()
        held[:] = 5
        columns = np.array([-1, *range(203), *range(60, 0, -1)])  # not there, or not in their order
        xmap = columns[40:] if first else columns[:203]
        spread_out = np.zeros((7, len(xmap), 3), np.float32)
        run_curve(Curve(), replace(surface, out=spread_out, xmap=xmap, scale=1.0, bias=0.0), threads=1)
        np.testing.assert_array_equal(spread_out, np.where(xmap[:, None] < 0, 0, image[:, xmap]))


def test_what_is_not_finite_is_reported():
    image = np.ones((3, 40, 1), np.float32)
    surface = Surface(
        src=image, out=np.empty_like(image), xmap=np.arange(40), ymap=np.arange(3), full_scale=1.0
    )
    assert run_curve(Curve(), surface, threads=1) == 0
    image[1, 39] = np.inf
    assert run_curve(Curve(), surface, threads=1) > 0
