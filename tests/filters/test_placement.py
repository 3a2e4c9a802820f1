"""Where a result lies: found by filters that only move pixels, over pictures that hold their own places."""

import itertools

import numpy as np
import pytest

from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.borders import Border
from cnncli.filters.options import Options
from cnncli.filters.placement import keeps_values, placed
from cnncli.filters.spec import parse_spec

WIDTH, HEIGHT = 40, 36
FLOATS = Depth(np.dtype(np.float32), 1.0, raw=True)
# An impulse in the cell on the output pixel (x 1, y 2 of 4 x 3 cells), which leaves a picture as it is.
IMPULSE = "0 0 0 0; 0 0 0 0; 0 1 0 0"


@pytest.mark.parametrize("mode", ["same", "valid", "full"])
@pytest.mark.parametrize(("stride", "roi", "repeat"), [
    ((1, 1), None, 1), ((2, 3), None, 1), ((1, 1), (3, 2, 5, 4), 1), ((2, 2), (1, 2, 3, 2), 2),
    ((1, 1), None, 3),
])  # fmt: skip
def test_first_pixel_and_steps(mode, stride, roi, repeat):
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    places = np.stack([x, y, x], axis=2)
    options = Options(
        mode=mode,
        stride=stride,
        roi=roi,
        repeat=repeat,
        anchor=(1, 2),
        correlate=True,
        border=Border("constant", -99),
    )
    filters = [parse_spec(IMPULSE)]
    found = apply_filters(
        places, filters, options, alpha=False, source=FLOATS, target=FLOATS, threads=1
    ).pixels
    place = placed((WIDTH, HEIGHT), filters, options)
    checked = 0
    for v, u in itertools.product(range(found.shape[0]), range(found.shape[1])):
        if (found[v, u] >= 0).all():
            assert tuple(found[v, u, :2]) == place.of(u, v)
            checked += 1
    assert checked >= 4


def test_units():
    same = (
        "gaussian:sigma=2",
        "box:size=5",
        "median:size=3",
        "bilateral",
        "kuwahara",
        "identity",
        "sharpen",
        "open",
        "dilate:disk:2",
    )
    others = ("sobel", "laplacian", "canny", "1 1; 1 1")
    assert all(keeps_values([parse_spec(spec)], Options()) for spec in same)
    assert not any(keeps_values([parse_spec(spec)], Options()) for spec in others)
    assert keeps_values([parse_spec("1 1; 1 1")], Options(normalize="sum"))
    for options in (Options(scale=2.0), Options(bias=1.0), Options(range="stretch")):
        assert not keeps_values([parse_spec("identity")], options)
