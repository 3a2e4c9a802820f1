"""Levels against OpenCV, scikit-image and scipy."""

import numpy as np
import pytest
from scipy import ndimage
from surfaces import DTYPES, random_image, surface_over

from cnncli.errors import CnncliError
from cnncli.filters import level_curves
from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.bands import BandedFilters
from cnncli.filters.borders import Border
from cnncli.filters.histogram import counts_of
from cnncli.filters.level_curves import map_levels
from cnncli.filters.options import Options
from cnncli.filters.spec import parse_spec

WHITE = {np.uint8: 255.0, np.uint16: 65535.0, np.float32: 1.0}
LUMA = np.array([0.299, 0.587, 0.114])


def applied(frame, *specs, alpha=False, out=None, threads=2, **options):
    depth = Depth(frame.dtype, WHITE[frame.dtype.type])
    target = depth if out is None else Depth(np.dtype(out), WHITE[out])
    how = {"alpha": alpha, "source": depth, "target": target, "threads": threads}
    return apply_filters(frame, [parse_spec(each) for each in specs], Options(**options), **how).pixels


def rounded(values, dtype):
    return values.astype(dtype) if dtype == np.float32 else np.rint(values).astype(dtype)


def photo(rng, dtype=np.uint8, shape=(60, 70, 1)):
    """Dark and bright areas with noise."""
    blobs = ndimage.gaussian_filter(rng.normal(size=shape), (6, 6, 0)) > 0
    levels = np.clip(0.25 + 0.4 * blobs + rng.normal(0, 0.06, shape), 0, 1)
    return rounded(levels * WHITE[dtype], dtype)


def test_pictures_after_one_another_have_their_own_tables(rng):
    """What a table is kept by: the filter, the picture's type, what is made of responses, and its type."""
    for spec, function in (("invert", lambda x, w: w - x), ("gamma:2", lambda x, w: np.sqrt(x / w) * w)):
        for dtype in (np.uint8, np.uint16):
            image, white = random_image(rng, (9, 40, 1), dtype), WHITE[dtype]
            for out in DTYPES:
                for how in ({}, {"scale": 0.5}, {"bias": white / 8}, {"scale": -0.5, "range": "abs"}):
                    found = applied(image, spec, out=out, **how).astype(np.float64)
                    want = function(image.astype(np.float64), white)
                    want = (want * how.get("scale", 1) + how.get("bias", 0)) * (WHITE[out] / white)
                    want = np.abs(want) if "range" in how else want
                    near = 1e-6 if out == np.float32 else 0.51
                    want = want if out == np.float32 else np.clip(want, 0, WHITE[out])
                    np.testing.assert_allclose(found, want, rtol=1e-6, atol=near)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 3])
def test_invert_and_gamma(rng, dtype, channels):
    image, white = random_image(rng, (20, 31, channels), dtype), WHITE[dtype]
    np.testing.assert_array_equal(applied(image, "invert"), rounded(np.float32(white) - image, dtype))
    found = applied(image, "gamma:2.2").astype(np.float64)
    want = white * (image / white) ** (1 / 2.2)
    np.testing.assert_allclose(found, want, rtol=1e-6, atol=0 if dtype == np.float32 else 0.501)


def test_gamma_is_scikit_images_of_the_inverse(rng):
    exposure = pytest.importorskip("skimage.exposure")
    image = random_image(rng, (20, 31, 1))
    np.testing.assert_allclose(applied(image, "gamma:2"), exposure.adjust_gamma(image, 0.5), rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gray_is_luma(rng, dtype):
    image = random_image(rng, (20, 31, 3), dtype)
    found = applied(image, "gray")
    assert found.shape == (20, 31, 1)
    np.testing.assert_allclose(
        found[..., 0], image @ LUMA, rtol=1e-5, atol=0 if dtype == np.float32 else 0.51
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("text", ["threshold:0.25", "threshold:25%", "threshold:level=0.25", "binarize:0.25"])
def test_a_level(rng, dtype, text):
    image, white = random_image(rng, (20, 31, 1), dtype), WHITE[dtype]
    image[3, 4] = 0.25 * white
    np.testing.assert_array_equal(applied(image, text), np.where(image > 0.25 * white, white, 0))


def test_a_level_beyond_one_is_asked_about():
    with pytest.raises(CnncliError, match="level=128") as caught:
        parse_spec("threshold:128")
    assert "level=0.5, which is 128 of 255" in caught.value.hint


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_otsu_is_scikit_images(rng, dtype):
    filters = pytest.importorskip("skimage.filters")
    image = photo(rng, dtype)
    level = filters.threshold_otsu(image)
    np.testing.assert_array_equal(applied(image, "threshold:otsu"), np.where(image > level, WHITE[dtype], 0))


def test_otsu_of_floats_and_colours(rng):
    filters = pytest.importorskip("skimage.filters")
    image = photo(rng, np.float32)
    np.testing.assert_array_equal(applied(image, "threshold:otsu"), image > filters.threshold_otsu(image))
    color = photo(rng, np.uint8, (60, 70, 3))
    gray = (color @ LUMA)[..., None]
    np.testing.assert_array_equal(applied(color, "threshold:otsu") > 0, gray > filters.threshold_otsu(gray))


def test_otsu_is_opencvs(rng):
    cv2 = pytest.importorskip("cv2")
    image = photo(rng)
    _, theirs = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    np.testing.assert_array_equal(applied(image, "threshold:otsu")[..., 0], theirs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("offset", [0, 0.05, -0.02])
def test_adaptive_compares_with_the_mean_around(rng, dtype, offset):
    image, white = photo(rng, dtype), WHITE[dtype]
    mean = ndimage.uniform_filter(image.astype(np.float64), (9, 9, 0), mode="mirror") - offset * white
    found = applied(image, f"threshold:adaptive:9:{offset}")
    sure = np.abs(image - mean) > 1e-4 * white
    assert sure.mean() > 0.99
    np.testing.assert_array_equal(found[sure], np.where(image > mean, white, 0)[sure])


@pytest.mark.parametrize("dtype", DTYPES)
def test_normalize_is_scikit_images(rng, dtype):
    exposure = pytest.importorskip("skimage.exposure")
    image = photo(rng, dtype, (40, 50, 3))
    want = exposure.rescale_intensity(image.astype(np.float64), out_range=(0, WHITE[dtype]))
    np.testing.assert_allclose(
        applied(image, "normalize"), want, rtol=1e-5, atol=0 if dtype == np.float32 else 0.501
    )


def test_normalize_with_a_cutoff_clips_that_share(rng):
    image = photo(rng, np.float32, (100, 100, 1))
    found = applied(image, "normalize:1%")
    assert np.count_nonzero(found == 0) == pytest.approx(100, abs=2)
    assert np.count_nonzero(found == 1) == pytest.approx(100, abs=2)


def test_equalize_is_opencvs(rng):
    cv2 = pytest.importorskip("cv2")
    image = photo(rng)
    np.testing.assert_allclose(applied(image, "equalize")[..., 0], cv2.equalizeHist(image), atol=1)
    assert (applied(image, "equalize")[..., 0] == cv2.equalizeHist(image)).mean() > 0.99


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_equalized_levels_are_about_as_frequent(rng, dtype):
    found = applied(photo(rng, dtype, (200, 200, 1)), "equalize") / WHITE[dtype]
    counts, _ = np.histogram(found, 10, (0, 1))
    np.testing.assert_allclose(counts, 4000, rtol=0.02)


def test_equalized_colours_change_as_their_luma(rng):
    image = photo(rng, np.float32, (40, 50, 3))
    found = applied(image, "equalize", range="none")
    change = found - image
    np.testing.assert_allclose(change, np.repeat(change[..., :1], 3, axis=2), atol=1e-6)
    gray = (image @ LUMA.astype(np.float32))[..., None].astype(np.float32)
    np.testing.assert_allclose((found @ LUMA)[..., None], applied(gray, "equalize"), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_equalized_colours_of_integers(rng, dtype):
    cv2 = pytest.importorskip("cv2")
    image = photo(rng, dtype, (60, 71, 3))
    found = applied(image, "equalize").astype(int)
    luma = np.rint(image @ LUMA).astype(dtype)
    mapped = applied(luma[..., None], "equalize").astype(int)
    sure = np.abs(image @ LUMA % 1 - 0.5) > 1e-2  # elsewhere luma may be rounded either way
    want = np.clip(image + mapped - luma[..., None], 0, WHITE[dtype])
    assert sure.mean() > 0.9
    np.testing.assert_allclose(found[sure], want[sure], rtol=0, atol=1 if dtype == np.uint8 else 300)
    if dtype == np.uint8:
        np.testing.assert_allclose(mapped[..., 0], cv2.equalizeHist(luma), atol=1)
        assert (found[sure] == want[sure]).mean() > 0.9


@pytest.mark.parametrize("spec", ["normalize", "equalize", "threshold:otsu", "invert"])
def test_flat_and_odd_pictures(spec):
    for image in (np.full((5, 6, 1), 90, np.uint8), np.full((5, 6, 1), np.nan, np.float32)):
        assert applied(image, spec).shape == image.shape
    flat = applied(np.full((5, 6, 1), 90, np.uint8), spec)
    assert (flat == {"threshold:otsu": 0, "invert": 165}.get(spec, 90)).all()


@pytest.mark.parametrize("spec", ["normalize", "equalize", "threshold:otsu", "gamma:2", "invert"])
def test_colours_that_cannot_be_seen_do_not_count(rng, spec):
    frame = np.dstack([photo(rng, np.uint8, (40, 50, 3)), np.full((40, 50), 255, np.uint8)])
    frame[:20, :, :3], frame[:20, :, 3] = 255, 0
    found = applied(frame, spec, alpha=True)
    np.testing.assert_array_equal(found[..., -1], frame[..., 3])
    assert not found[:20, :, :-1].any()
    seen = applied(np.ascontiguousarray(frame[20:, :, :3]), spec)
    apart = np.abs(found[20:, :, :-1].astype(int) - seen.astype(int))
    assert apart.max() <= (1 if spec != "threshold:otsu" else 0)


@pytest.mark.parametrize("spec", ["normalize", "equalize", "threshold:otsu", "clahe"])
def test_a_picture_that_cannot_be_seen_at_all(spec):
    assert not applied(np.zeros((5, 6, 4), np.uint8), spec, alpha=True).any()


@pytest.mark.parametrize("spec", ["normalize", "equalize", "threshold:otsu"])
def test_a_region_is_that_of_the_whole(rng, spec):
    image = photo(rng, np.uint8, (40, 50, 3))
    np.testing.assert_array_equal(applied(image, spec, roi=(5, 7, 20, 11)), applied(image, spec)[7:18, 5:25])


def test_what_needs_all_pixels_says_so():
    depth = Depth(np.dtype(np.uint8), 255.0)
    for spec, why in (
        ("threshold:otsu", "decides by pixels far away"),
        ("invert", ""),
        ("threshold:0.5", ""),
    ):
        banded = BandedFilters((parse_spec(spec),), Options(), (9, 9, 1), False, depth, depth)
        assert why in banded.why_whole()


def test_a_chain_in_one_line(rng):
    image = photo(rng, np.uint8, (60, 70, 3))
    found = applied(image, "median:3", "threshold:otsu", "open:disk:5")
    assert set(np.unique(found)) <= {0, 255}
    assert found.shape == (60, 70, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("threshold:otsu:5", "'5' has no name"),
        ("threshold:method=otsu,level=0.5", "level=0.5 is given for method=otsu; expected nothing behind it"),
        ("threshold:adaptive:4", "size=4; expected a whole odd number"),
        ("normalize:60%", "cutoff=60%; expected a number from 0 to 0.49"),
        ("gamma:0", "gamma=0; expected a number from 0.01"),
    ],
)
def test_what_may_not_be_written(text, message):
    with pytest.raises(CnncliError, match=message):
        parse_spec(text)


@pytest.mark.parametrize("text", ["threshold:size=9", "threshold:offset=0.1,size=9", "threshold:adaptive:9"])
def test_a_method_goes_by_what_is_given(text):
    assert parse_spec(text).spec.startswith("threshold:method=adaptive,size=9,offset=0")


def test_integers_and_floats_of_the_result(rng):
    image = random_image(rng, (9, 9, 1), np.uint8)
    np.testing.assert_allclose(applied(image, "invert", out=np.float32), (255.0 - image) / 255, atol=1e-6)
    depth = Depth(np.dtype(np.uint8), 255.0)
    done = apply_filters(
        image, [parse_spec("invert")], Options(scale=2.0), alpha=False, source=depth, target=depth, threads=2
    )
    np.testing.assert_array_equal(done.pixels, np.minimum(2 * (255 - image.astype(int)), 255))
    assert done.clipped == np.mean(2 * (255 - image.astype(int)) > 255)


WIDTHS = (1, 2, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 200)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("out_type", [np.uint8, np.uint16, np.float32])
def test_levels_are_counted_and_looked_up(rng, dtype, out_type, width):
    pixels = rng.integers(0, np.iinfo(dtype).max + 1, (9, width, 3), dtype)
    pixels[0, 0] = np.iinfo(dtype).max  # equal neighbours at either end
    pixels[-1, -1] = 0
    table = (rng.random(np.iinfo(dtype).max + 1) * 255).astype(out_type)
    for part in (pixels, pixels[:, :, :1], pixels[::2], pixels[:, ::2]):
        for threads in (1, 2):
            np.testing.assert_array_equal(
                counts_of(part, threads=threads), np.bincount(part.ravel(), minlength=len(table))
            )
            out = np.zeros(part.shape, out_type)
            map_levels(part, table, out, threads=threads)
            np.testing.assert_array_equal(out, table[part])
            spread_out = np.zeros((*part.shape[:2], 4), out_type)[..., : part.shape[2]]
            map_levels(part, table, spread_out, threads=threads)
            np.testing.assert_array_equal(spread_out, table[part])


def test_every_byte_has_its_entry(rng):
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 256, 1)
    table = rng.permutation(256).astype(np.uint8)
    out = np.empty_like(pixels)
    map_levels(pixels, table, out, threads=1)
    np.testing.assert_array_equal(out[0, :, 0], table)


def plain_tables(rng):
    """Tables of bytes that take an instruction or two, and the same with one entry changed."""
    levels = np.arange(256, dtype=np.uint8)
    tables = [levels ^ np.uint8(bits) for bits in (0, 1, 85, 255)]
    tables += [np.where(levels > last, high, low).astype(np.uint8)
               for last in (0, 1, 127, 128, 254) for low, high in ((0, 255), (200, 3))]  # fmt: skip
    tables += [np.full(256, value, np.uint8) for value in (0, 128, 255)]
    for table in tables:
        yield table
        for place in (0, 1, 127, 128, 254, 255, int(rng.integers(256))):
            changed = table.copy()
            changed[place] ^= 1
            yield changed


def test_tables_that_are_an_instruction_or_two(rng):
    shuffled = rng.permutation(np.repeat(np.arange(256, dtype=np.uint8), 3))
    pixels = shuffled[: 3 * 251].reshape(3, 251, 1)
    assert len(np.unique(pixels)) == 256
    for table in plain_tables(rng):
        for part in (pixels, pixels[:, 3:40]):
            out = np.zeros(part.shape, np.uint8)
            map_levels(part, table, out, threads=1)
            np.testing.assert_array_equal(out, table[part])


@pytest.mark.parametrize("width", WIDTHS)
def test_large_results_are_the_same_past_the_caches(monkeypatch, rng, width):
    monkeypatch.setattr(level_curves, "STREAMED_BYTES", 0)
    pixels = rng.integers(0, 256, (5, width + 9, 1), np.uint8)
    for table in (255 - np.arange(256), np.arange(256) > 99, rng.permutation(256)):
        held = np.full((5, width + 9, 1), 77, np.uint8)
        for first in (0, 1, 9):  # rows that begin anywhere in a line, and those that follow one another
            out, part = held[:, first : first + width], pixels[:, first : first + width]
            map_levels(part, table.astype(np.uint8), out, threads=2)
            np.testing.assert_array_equal(out, table.astype(np.uint8)[part])
            assert (held[:, first + width :] == 77).all()
            assert (held[:, :first] == 77).all()
            held[:] = 77
        whole = np.ascontiguousarray(pixels[:, :width])
        out = np.zeros_like(whole)
        map_levels(whole, table.astype(np.uint8), out, threads=2)
        np.testing.assert_array_equal(out, table.astype(np.uint8)[whole])


def test_samples_that_are_cut_off_are_counted():
    pixels = np.array([[[0], [100], [200], [255]]], np.uint8)
    surface = surface_over(pixels, (1, 1), out=np.uint8, scale=2.0, bias=-100.0, full_scale=255.0)
    filter = parse_spec("invert")
    _, clipped = filter.run((), filter.plan(), surface, dilation=1, threads=1)
    responses = 2.0 * (255 - pixels[..., 0].astype(float)) - 100
    assert clipped == np.count_nonzero((responses < -0.5) | (responses > 255.5))
    np.testing.assert_array_equal(surface.out[..., 0], np.clip(responses, 0, 255))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [3, 15, 17])
def test_integers_are_compared_with_their_mean_exactly(rng, dtype, size):
    """In windows of few levels, as in flat areas, many pixels are their mean."""
    image = (rng.integers(0, 2, (40, 67, 1)) + rng.integers(0, int(WHITE[dtype]), (40, 1, 1))).astype(dtype)
    image[:, 30:60] = int(0.7 * WHITE[dtype])
    sums = ndimage.convolve(image[..., 0].astype(np.int64), np.ones((size, size), int), mode="mirror")
    want = np.where(image[..., 0].astype(np.int64) * size**2 > sums, WHITE[dtype], 0)
    np.testing.assert_array_equal(applied(image, f"threshold:adaptive:{size}")[..., 0], want)


@pytest.mark.parametrize("dtype", DTYPES)
def test_adaptive_with_strides_and_borders(rng, dtype):
    image, white = photo(rng, dtype, (50, 67, 3)), WHITE[dtype]
    gray = image @ LUMA
    for border, mode, extra in (("replicate", "nearest", {}), ("wrap", "wrap", {"anchor": (0, 3)})):
        origin = (-1, 2) if extra else (0, 0)  # rows -1 to 3 and columns -4 to 0 around the pixel
        mean = ndimage.uniform_filter(gray, 5, mode=mode, origin=origin)
        options = {"border": Border(border), "stride": (2, 3), **extra}
        found = applied(image, "threshold:adaptive:5:0.02", **options)[..., 0]
        here, level = gray[::3, ::2], (mean - 0.02 * white)[::3, ::2]
        sure = np.abs(here - level) > 1e-4 * white
        assert sure.mean() > 0.98
        np.testing.assert_array_equal(found[sure], np.where(here > level, white, 0)[sure])


def test_otsu_of_a_flat_picture_of_floats():
    assert not applied(np.full((5, 6, 1), 0.4, np.float32), "threshold:otsu").any()
