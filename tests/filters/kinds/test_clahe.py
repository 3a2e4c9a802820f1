"""CLAHE against OpenCV bit for bit, and where OpenCV has none against shares that are counted."""

import numpy as np
import pytest
from scipy import ndimage

from cnncli.core.luma import LUMA
from cnncli.errors import CnncliError
from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.options import Options
from cnncli.filters.rgbx import as_rgbx
from cnncli.filters.spec import parse_spec

WHITE = {np.uint8: 255.0, np.uint16: 65535.0, np.float32: 1.0}


def applied(frame, spec, *, alpha=False, threads=2, rgbx=False, **options):
    depth = Depth(frame.dtype, WHITE[frame.dtype.type])
    how = {"alpha": alpha, "source": depth, "target": depth, "threads": threads, "rgbx": rgbx}
    return apply_filters(frame, [parse_spec(spec)], Options(**options), **how).pixels


def gray_of(color):
    """Luma in the order in which it is summed."""
    red, green, blue = (color[..., each].astype(np.float64) for each in range(3))
    weights = [float(np.float32(each)) for each in LUMA]
    total = np.float32(red * np.float32(weights[0]))
    total = np.float32(green * weights[1] + total)
    return np.float32(blue * weights[2] + total)


def photo(rng, dtype, height, width, channels=1):
    """Smooth areas with some noise."""
    shape = (height, width, channels)
    levels = ndimage.gaussian_filter(rng.normal(0.5, 1, shape), (2, 2, 0)) * 0.6 + 0.3
    return (np.clip(levels + rng.normal(0, 0.02, shape), 0, 1) * WHITE[dtype]).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "size", [(64, 64), (100, 131), (61, 80), (5, 7), (1, 9), (9, 1), (33, 17), (40, 200)]
)
@pytest.mark.parametrize(("tiles", "clip"), [((8, 8), 2), ((4, 3), 40), ((1, 1), 0.5), ((16, 2), 0)])
def test_it_is_opencvs_bit_for_bit(rng, dtype, size, tiles, clip):
    cv2 = pytest.importorskip("cv2")
    image = photo(rng, dtype, *size)
    theirs = cv2.createCLAHE(clip, tiles).apply(image[..., 0])
    spec = f"clahe:clip={clip},tiles={tiles[0]},tiles-y={tiles[1]}"
    np.testing.assert_array_equal(applied(image, spec)[..., 0], theirs)
    np.testing.assert_array_equal(applied(image, spec, threads=1)[..., 0], theirs)


def test_floats_are_as_16_bits(rng):
    cv2 = pytest.importorskip("cv2")
    image = photo(rng, np.uint16, 61, 83)
    theirs = cv2.createCLAHE(2, (8, 8)).apply(image[..., 0])
    found = applied((image / np.float32(65535)).astype(np.float32), "clahe")[..., 0]
    # Levels are mixed as floats, and not rounded afterwards.
    np.testing.assert_allclose(found * 65535, theirs, rtol=0, atol=0.6)


def test_between_levels_of_bytes_values_are_between(rng):
    image = photo(rng, np.uint8, 50, 60)
    depth = Depth(np.dtype(np.uint8), 255.0)
    raw = Depth(np.dtype(np.float32), 255.0, raw=True)
    how = {"alpha": False, "source": depth, "threads": 2}
    whole = apply_filters(image, [parse_spec("clahe")], Options(), target=depth, **how).pixels
    chain = [parse_spec("identity"), parse_spec("clahe")]
    np.testing.assert_array_equal(apply_filters(image, chain, Options(), target=depth, **how).pixels, whole)
    half = [parse_spec("0.5"), parse_spec("clahe:clip=0,tiles=1")]
    found = apply_filters(image, half, Options(range="none"), target=raw, **how).pixels
    order = np.argsort(image, axis=None)
    assert (np.diff(found.ravel()[order]) >= 0).all()


def test_colours_change_as_their_luma(rng):
    gray = photo(rng, np.uint8, 50, 60)
    np.testing.assert_array_equal(
        applied(np.repeat(gray, 3, axis=2), "clahe"), np.repeat(applied(gray, "clahe"), 3, axis=2)
    )
    for dtype in (np.uint8, np.uint16):
        color = photo(rng, dtype, 50, 67, 3)
        luma = np.rint(gray_of(color))[..., None].astype(dtype)
        change = applied(luma, "clahe:4").astype(int) - luma
        want = np.clip(color + change, 0, WHITE[dtype])
        np.testing.assert_array_equal(applied(color, "clahe:4"), want)
        pixels = as_rgbx(color, threads=1)
        np.testing.assert_array_equal(applied(pixels, "clahe:4", rgbx=True), want)
        beyond = np.mean((color + change < 0) | (color + change > WHITE[dtype]))
        depth = Depth(color.dtype, WHITE[dtype])
        how = {"alpha": False, "source": depth, "target": depth, "threads": 2}
        done = apply_filters(color, [parse_spec("clahe:4")], Options(), **how)
        assert done.clipped == pytest.approx(beyond)
        assert beyond > 0
    color = photo(rng, np.float32, 50, 60, 3)
    change = applied(color, "clahe:0.5,2", range="none") - color
    np.testing.assert_allclose(change, np.repeat(change[..., :1], 3, axis=2), atol=1e-6)
    luma = (color @ np.array(LUMA)).astype(np.float32)[..., None]
    want = applied(luma, "clahe:0.5,2", range="none") - luma
    np.testing.assert_allclose(np.median(np.abs(change[..., :1] - want)), 0, atol=1e-5)
    np.testing.assert_allclose(change[..., :1], want, atol=2e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_cannot_be_seen_does_not_count(rng, dtype):
    white = int(WHITE[dtype])
    frame = np.concatenate([photo(rng, dtype, 40, 50), np.full((40, 50, 1), white, dtype)], axis=2)
    frame[:17, :, 1] = 0
    frame[30, 3, 1] = 7
    found = applied(frame, "clahe:0,1", alpha=True)
    np.testing.assert_array_equal(found[..., 1], frame[..., 1])
    values = np.sort(frame[17:, :, 0], axis=None)
    shares = np.searchsorted(values, frame[17:, :, 0], side="right") / values.size
    np.testing.assert_allclose(found[17:, :, 0], shares * white, rtol=0, atol=0.51)
    assert not found[:17, :, 0].any()
    other = frame.copy()
    other[:17, :, 0] = white
    np.testing.assert_array_equal(applied(other, "clahe", alpha=True), applied(frame, "clahe", alpha=True))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_region_and_a_stride_are_those_of_the_whole(rng, dtype):
    image = photo(rng, dtype, 40, 51, 3)
    whole = applied(image, "clahe")
    np.testing.assert_array_equal(applied(image, "clahe", roi=(5, 7, 20, 11)), whole[7:18, 5:25])
    np.testing.assert_array_equal(applied(image, "clahe", stride=(3, 2)), whole[::2, ::3])
    gray = photo(rng, dtype, 40, 51)
    np.testing.assert_array_equal(applied(gray, "clahe", stride=(3, 2)), applied(gray, "clahe")[::2, ::3])


def test_floats_beyond_white_and_without_a_value(rng):
    image = photo(rng, np.float32, 40, 50)
    image[3, 4], image[20, 30], image[10, 10] = np.nan, 5.0, np.inf
    found = applied(image, "clahe", range="none")
    assert np.isnan(found[3, 4])
    known = np.isfinite(image)
    assert (found[known] >= 0).all()
    assert (found[known] <= 1.00001).all()
    blank = np.full((5, 6, 1), np.nan, np.float32)
    np.testing.assert_array_equal(applied(blank, "clahe", range="none"), blank)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clahe:-1", "clip=-1; expected a number from 0"),
        ("clahe:2,0", "tiles=0; expected a whole number from 1 to 64"),
        ("clahe:2,65", "tiles=65"),
        ("clahe:2,8,8,8", "'8' has no name"),
    ],
)
def test_what_may_not_be_written(text, message):
    with pytest.raises(CnncliError, match=message):
        parse_spec(text)
