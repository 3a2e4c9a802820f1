"""Two pictures against OpenCV, and against plain formulas in float64."""

import itertools

import numpy as np
import pytest
import surfaces
from surfaces import DTYPES

from cnncli.core.tiling import is_rgbx
from cnncli.errors import CnncliError
from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.area import FilterArea, apply_in_area
from cnncli.filters.color import to_linear
from cnncli.filters.kinds.pair import Pair
from cnncli.filters.options import Options
from cnncli.filters.rgbx import as_rgbx
from cnncli.filters.second import Second
from cnncli.filters.spec import name_for_files, parse_spec
from cnncli.images.encode import encode_picture
from cnncli.images.picture import GeoField, Metadata, Picture
from cnncli.images.tiff_write import encode_tiff

WHITE = {np.uint8: 255.0, np.uint16: 65535.0, np.float32: 1.0}
LUMA = np.array([0.299, 0.587, 0.114])
FORMULAS = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "difference": lambda a, b: np.abs(a - b),
    "multiply": lambda a, b: a * b,
    "screen": lambda a, b: 1 - (1 - a) * (1 - b),
    "darken": np.minimum,
    "lighten": np.maximum,
    "blend": lambda a, b: 0.7 * a + 0.3 * b,
}


def random_image(rng, shape, dtype=np.uint8):
    return surfaces.random_image(rng, shape, dtype)


def spec_of(operation, file="other.png"):
    return f"{operation}:{'0.3:' if operation == 'blend' else ''}{file}"


def save(path, pixels, *, alpha=False):
    path.write_bytes(encode_picture(Picture((pixels,), alpha), "TIFF" if path.suffix == ".tif" else "PNG"))


def applied(frame, *specs, alpha=False, out=None, threads=2, **options):
    depth = Depth(frame.dtype, WHITE[frame.dtype.type])
    target = depth if out is None else Depth(np.dtype(out), WHITE[out])
    filters = [parse_spec(each).opened() for each in specs]
    how = {"alpha": alpha, "source": depth, "target": target, "threads": threads}
    return apply_filters(frame, filters, Options(**options), **how).pixels


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("operation", FORMULAS)
@pytest.mark.parametrize(("one", "two"), list(itertools.product(DTYPES, DTYPES)))
def test_each_operation_of_any_depths(rng, here, operation, one, two):
    first, second = random_image(rng, (37, 41, 3), one), random_image(rng, (37, 41, 3), two)
    save(here / "other.tif", second)
    a, b = first.astype(np.float64) / WHITE[one], second.astype(np.float64) / WHITE[two]
    want = FORMULAS[operation](a, b) * WHITE[one]
    found = applied(first, spec_of(operation, "other.tif"))
    if one == np.float32:
        np.testing.assert_allclose(found, want, atol=1e-6)
    else:
        np.testing.assert_allclose(found, np.clip(want, 0, WHITE[one]), rtol=0, atol=0.51)
    assert found.dtype == one
    np.testing.assert_array_equal(applied(first, spec_of(operation, "other.tif"), threads=1), found)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_they_are_opencvs(rng, here, dtype):
    cv2 = pytest.importorskip("cv2")
    first, second = random_image(rng, (300, 41, 3), dtype), random_image(rng, (300, 41, 3), dtype)
    save(here / "other.png", second)
    for operation, theirs in (
        ("add", cv2.add(first, second)),
        ("subtract", cv2.subtract(first, second)),
        ("difference", cv2.absdiff(first, second)),
        ("darken", cv2.min(first, second)),
        ("lighten", cv2.max(first, second)),
        ("multiply", cv2.multiply(first, second, scale=1 / WHITE[dtype])),
    ):
        near = 1 if operation == "multiply" and dtype == np.uint16 else 0  # both round floats
        found = applied(first, spec_of(operation)).astype(int)
        np.testing.assert_allclose(found, theirs, rtol=0, atol=near, err_msg=operation)
    blended = cv2.addWeighted(first, 0.7, second, 0.3, 0)
    np.testing.assert_allclose(applied(first, spec_of("blend")), blended, rtol=0, atol=1)


def test_all_products_of_bytes_are_rounded_to_the_nearest(here):
    a, b = (np.ascontiguousarray(each[..., None], np.uint8) for each in np.meshgrid(range(256), range(256)))
    save(here / "other.png", b)
    exact = a.astype(np.int64) * b
    np.testing.assert_array_equal(applied(a, "multiply:other.png"), (2 * exact + 255) // 510)
    screened = 255 - (2 * (255 - a.astype(np.int64)) * (255 - b) + 255) // 510
    np.testing.assert_array_equal(applied(a, "screen:other.png"), screened)


@pytest.mark.parametrize("operation", FORMULAS)
@pytest.mark.parametrize(("one", "two"), [(3, 1), (1, 3), (1, 1), (7, 1), (7, 7)])
def test_gray_and_colours(rng, here, operation, one, two):
    first = random_image(rng, (13, 17, one), np.float32)
    second = random_image(rng, (13, 17, two), np.float32)
    save(here / "other.tif", second)
    other = second @ LUMA[:, None] if (one, two) == (1, 3) else second
    found = applied(first, spec_of(operation, "other.tif"))
    np.testing.assert_allclose(found, FORMULAS[operation](first, other), atol=2e-6)
    assert found.shape == first.shape


def test_luma_of_both(rng, here):
    first, second = random_image(rng, (13, 17, 3)), random_image(rng, (13, 17, 3))
    save(here / "other.png", second)
    found = applied(first, "difference:other.png", gray=True)
    np.testing.assert_allclose(found[..., 0], np.abs(first @ LUMA - second @ LUMA), atol=0.51)


@pytest.mark.parametrize("operation", FORMULAS)
def test_colours_of_four_bytes_a_pixel(rng, here, operation):
    first, second = random_image(rng, (35, 70, 3)), random_image(rng, (35, 70, 3))
    save(here / "other.png", second)
    depth = Depth(np.dtype(np.uint8), 255.0)
    how = {"alpha": False, "source": depth, "target": depth, "threads": 2, "rgbx": True}
    for frame in (first, as_rgbx(first, threads=1)):
        found = apply_filters(frame, [parse_spec(spec_of(operation))], Options(), **how).pixels
        assert is_rgbx(found)
        np.testing.assert_array_equal(found, applied(first, spec_of(operation)))


def test_channels_that_do_not_fit(rng, here):
    save(here / "other.png", random_image(rng, (13, 17, 3)))
    with pytest.raises(CnncliError, match=r"other.png has 3 channels, the picture 7; expected as many"):
        applied(random_image(rng, (13, 17, 7)), "add:other.png")


@pytest.mark.parametrize("one", DTYPES)
def test_where_the_second_is_transparent_the_first_stays(rng, here, one):
    first, second = random_image(rng, (13, 17, 3), one), random_image(rng, (13, 17, 4))
    second[2:5, :, 3], second[6:9, :, 3] = 0, 255
    save(here / "other.png", second, alpha=True)
    cover = second[..., 3:] / 255.0
    a, b = first.astype(np.float64) / WHITE[one], second[..., :3] / 255.0
    want = (a + cover * (np.abs(a - b) - a)) * WHITE[one]
    np.testing.assert_allclose(
        applied(first, "difference:other.png"), want, rtol=1e-6, atol=1e-6 if one == np.float32 else 0.51
    )


def test_opacity_of_the_first_stays(rng, here):
    first, second = random_image(rng, (13, 17, 4)), random_image(rng, (13, 17, 3))
    first[3:6, :, 3] = 0
    save(here / "other.png", second)
    found = applied(first, "multiply:other.png", alpha=True)
    np.testing.assert_array_equal(found[..., 3], first[..., 3])
    want = np.where(first[..., 3:] > 0, first[..., :3] * (second / 255.0), 0)
    np.testing.assert_allclose(found[..., :3], want, atol=0.51)


def test_missing_data_of_the_second_are_missing_in_the_result(rng, here):
    heights = rng.uniform(100, 200, (13, 17, 1)).astype(np.float32)
    heights[4:7, 5:9] = -9999
    nodata = Metadata(geo=(GeoField(42113, 2, b"-9999\0"),))
    (here / "other.tif").write_bytes(encode_tiff(Picture((heights,), False, "TIFF", nodata)))
    first = rng.uniform(100, 200, (13, 17, 1)).astype(np.float32)
    with pytest.raises(CnncliError, match=r"other.tif has missing data, and the picture has no way"):
        applied(first, "difference:other.tif")
    opaque = np.concatenate([first, np.ones((13, 17, 1), np.float32)], axis=2)
    found = applied(opaque, "difference:other.tif", alpha=True, range="none", masked=True)
    there = np.ones((13, 17), bool)
    there[4:7, 5:9] = False
    np.testing.assert_array_equal(found[..., 1], there)
    np.testing.assert_allclose(found[there][:, 0], np.abs(first - heights)[there][:, 0], rtol=1e-6)


def test_numbers_of_two_float_pictures_are_taken_as_they_are(rng, here):
    first = rng.uniform(0, 3000, (13, 17, 1)).astype(np.float32)
    second = rng.uniform(0, 900, (13, 17, 1)).astype(np.float32)  # white would be 1,023
    np.save(here / "other.npy", second[..., 0])
    depth = Depth(np.dtype(np.float32), 4095.0, raw=True)
    how = {"alpha": False, "source": depth, "target": depth, "threads": 1}
    found = apply_filters(first, [parse_spec("subtract:other.npy")], Options(), **how).pixels
    np.testing.assert_array_equal(found, first - second)


def test_in_linear_light_both_are_decoded(rng, here):
    first, second = random_image(rng, (13, 17, 3)), random_image(rng, (13, 17, 3), np.uint16)
    save(here / "other.png", second)
    mean = (to_linear(first, 255.0) / 255 + to_linear(second, 65535.0) / 65535) / 2
    want = np.where(mean <= 0.0031308, mean * 12.92, 1.055 * mean ** (1 / 2.4) - 0.055) * 255
    np.testing.assert_allclose(applied(first, "blend:0.5:other.png", linear=True), want, atol=0.52)


def test_within_a_chain_nothing_is_rounded_or_cut_off(rng, here):
    first = random_image(rng, (40, 41, 1))
    save(here / "photo.png", first)
    blurred = applied(first, "gaussian:2", out=np.float32) * 255.0
    found = applied(first, "gaussian:2", "difference:photo.png", "10")
    np.testing.assert_allclose(found, np.clip(10 * np.abs(blurred - first), 0, 255), atol=0.52)
    np.testing.assert_array_equal(applied(first, "subtract:photo.png", "add:photo.png"), first)
    np.testing.assert_array_equal(applied(first, "add:photo.png", "subtract:photo.png"), first)


def test_regions_strides_and_channels_take_the_same_places(rng, here):
    first, second = random_image(rng, (40, 41, 3)), random_image(rng, (40, 41, 3))
    save(here / "other.png", second)
    whole = applied(first, "difference:other.png")
    cut = applied(first, "difference:other.png", roi=(5, 7, 20, 11))
    np.testing.assert_array_equal(cut, whole[7:18, 5:25])
    np.testing.assert_array_equal(applied(first, "difference:other.png", stride=(3, 2)), whole[::2, ::3])
    depth = Depth(np.dtype(np.uint8), 255.0)
    how = {"alpha": False, "source": depth, "target": depth, "threads": 2}
    part = FilterArea(channels=("g",))
    some = apply_in_area(first, [parse_spec("difference:other.png")], Options(), part, **how).pixels
    np.testing.assert_array_equal(some, np.where([False, True, False], whole, first))


def test_clipped_samples_are_counted(rng, here):
    first, second = random_image(rng, (40, 41, 3)), random_image(rng, (40, 41, 3))
    save(here / "other.png", second)
    depth = Depth(np.dtype(np.uint8), 255.0)
    how = {"alpha": False, "source": depth, "target": depth, "threads": 2}
    for operation, beyond in (
        ("add", first.astype(int) + second > 255),
        ("subtract", first < second),
        ("difference", np.zeros(1)),
    ):
        filters = [parse_spec(f"{operation}:other.png")]
        assert apply_filters(first, filters, Options(), **how).clipped == pytest.approx(beyond.mean())


def test_levels_in_place_of_a_picture(rng):
    first = random_image(rng, (13, 17, 3))
    for operation, formula in FORMULAS.items():
        found = applied(first, spec_of(operation, "level=0.4"))
        want = np.clip(formula(first / 255.0, 0.4), 0, 1) * 255
        np.testing.assert_allclose(found, want, atol=0.51, err_msg=operation)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("difference:other.png", "difference:picture=other.png"),
        ("absdiff: other.png ", "difference:picture=other.png"),
        ("add:C:\\pics\\a, b=2 - (1).png", "add:picture=C:\\pics\\a, b=2 - (1).png"),
        ("add:/tmp/a:b,c.png", "add:picture=/tmp/a:b,c.png"),
        ("blend:0.3:C:\\a.png", "blend:share=0.3,picture=C:\\a.png"),
        ("blend:30%,b.png", "blend:share=0.3,picture=b.png"),
        ("blend:share=0.3,picture=a,b.png", "blend:share=0.3,picture=a,b.png"),
        ("blend:other.png", "blend:share=0.5,picture=other.png"),
        ("mix:file=level=2.png", "blend:share=0.5,picture=level=2.png"),
        ("subtract:10%", "subtract:level=0.1"),
        ("blend:share=0.2,level=0.7", "blend:share=0.2,level=0.7"),
        ("multiply:./0.5", "multiply:picture=./0.5"),
        ("multiply:2*3.png", "multiply:picture=2*3.png"),
    ],
)
def test_what_may_be_written(text, spec):
    found = parse_spec(text)
    assert isinstance(found, Pair)
    assert found.spec == spec
    assert parse_spec(spec).spec == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("difference:", "nothing stands behind the colon"),
        ("blend:2:b.png", "share=2; expected a number from 0 to 1"),
        ("blend:0.2:share=0.3:b.png", "share is given twice"),
        ("add:0.5:b.png", "both a level and a picture|given"),
    ],
)
def test_what_may_not(text, message):
    with pytest.raises(CnncliError, match=message):
        parse_spec(text)


def test_files_that_cannot_be_a_second_picture(rng, here):
    save(here / "other.png", random_image(rng, (13, 17, 3)))
    for text, message in (
        ("add:-", "the second picture is standard input"),
        ("add:none.png", "cannot read none.png"),
        ("blend:other.png:0.3", "expected a number before the file"),
    ):
        with pytest.raises(CnncliError, match=message):
            parse_spec(text).opened()
    with pytest.raises(CnncliError, match=r"other.png is 17 x 13 pixels, the picture 17 x 12; expected"):
        applied(random_image(rng, (12, 17, 3)), "add:other.png")
    with pytest.raises(CnncliError):
        parse_spec("add:other.png").opened(max_pixels=100)


def test_it_is_read_once(rng, here):
    save(here / "other.png", random_image(rng, (13, 17, 3)))
    found = parse_spec("add:other.png").opened()
    (here / "other.png").unlink()
    assert isinstance(found, Pair)
    assert isinstance(found.second, Second)
    assert found.opened() is found


def test_names_of_files_tell_pictures_apart():
    names = [name_for_files(text, parse_spec(text)) for text in ("add:a/x.png", "add:b/x.png", "add:0.1")]
    assert names[0].startswith("add-x-")
    assert names[0] != names[1]
    assert names[2] == "add-level0.1"
