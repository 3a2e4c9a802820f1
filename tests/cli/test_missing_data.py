"""Values that stand for missing data: they take no part, and stay where they are, in the file's own value."""

import struct

import numpy as np
import pytest
from scipy import ndimage

from cnncli.images.mask import fits, with_mask, without_mask
from cnncli.images.picture import GeoField, Metadata, Picture
from cnncli.images.read import read_picture
from cnncli.images.tiff_write import encode_tiff

HEIGHT, WIDTH = 37, 41


def ground(dtype=np.float32):
    """Heights, and where there are some."""
    random = np.random.default_rng(0)
    there = np.ones((HEIGHT, WIDTH), bool)
    there[10:25, 8:30] = there[:3] = there[30, 35] = False
    there[15, 15] = True  # an island
    heights = 1000 + 100 * ndimage.gaussian_filter(random.standard_normal((HEIGHT, WIDTH)), 3)
    return heights.astype(dtype), there


def written(path, pixels, missing):
    """A TIFF whose value for missing data is given as text."""
    text = GeoField(42113, 2, missing.encode() + b"\0")
    path.write_bytes(encode_tiff(Picture((pixels[..., None],), False, "TIFF", Metadata(geo=(text,)))))
    return path


@pytest.mark.parametrize(
    ("dtype", "missing"),
    [
        (np.float32, "-9999"),
        (np.float32, "nan"),
        (np.float32, "-3.4028234663852886e+38"),
        (np.uint16, "0"),
        (np.uint16, "65535"),
    ],
)
def test_a_blur_sees_only_data_and_keeps_the_rest(tmp_path, run, dtype, missing):
    heights, there = ground(dtype)
    value = dtype(float(missing))
    source = written(tmp_path / "in.tif", np.where(there, heights, value), missing)
    done = run(
        "convolve", str(source), "-k", "box:5", "-o", str(tmp_path / "out.tif"), "--border", "constant:0"
    )
    assert done.code == 0, done.err
    weights, sums = np.zeros((2, HEIGHT, WIDTH))
    for y in range(HEIGHT):
        for x in range(WIDTH):
            part = slice(max(0, y - 2), y + 3), slice(max(0, x - 2), x + 3)
            sums[y, x] = heights[part][there[part]].sum(dtype=np.float64)
            weights[y, x] = 25 - there[part].size + there[part].sum()  # a constant border has data
    result = read_raw(tmp_path / "out.tif")
    assert result.dtype == dtype
    np.testing.assert_array_equal(np.isnan(result) if missing == "nan" else result == value, ~there)
    close = 1e-5 if dtype == np.float32 else 1e-3
    np.testing.assert_allclose(result[there], sums[there] / weights[there], rtol=close)


@pytest.mark.parametrize("kind", ["erode", "dilate", "open", "close"])
def test_missing_data_do_not_grow_with_shapes(tmp_path, run, kind):
    heights, there = ground()
    written(tmp_path / "in.tif", np.where(there, heights, np.float32(-9999)), "-9999")
    assert run("convolve", "in.tif", "-k", f"{kind}:square:3", "-o", "out.tif").code == 0
    want = heights
    for smallest in {"open": (True, False), "close": (False, True)}.get(kind, (kind == "erode",)):
        find, unseen = (ndimage.minimum_filter, np.inf) if smallest else (ndimage.maximum_filter, -np.inf)
        want = find(np.where(there, want, unseen), 3, mode="constant", cval=unseen)
    np.testing.assert_array_equal(read_raw(tmp_path / "out.tif"), np.where(there, want, np.float32(-9999)))


def test_a_median_of_few_data_is_one_of_them(tmp_path, run):
    heights, _ = ground()
    there = np.random.default_rng(1).random(heights.shape) < 0.3
    written(tmp_path / "in.tif", np.where(there, heights, np.float32(-9999)), "-9999")
    assert run("convolve", "in.tif", "-k", "median:3", "-o", "out.tif").code == 0
    result = read_raw(tmp_path / "out.tif")
    np.testing.assert_array_equal(result == -9999, ~there)
    for y, x in np.argwhere(there & (np.arange(WIDTH) > 0) & (np.arange(HEIGHT) > 0)[:, None]):
        part = slice(y - 1, y + 2), slice(x - 1, x + 2)
        seen = np.sort(heights[part][there[part]])
        if y < HEIGHT - 1 and x < WIDTH - 1:
            assert result[y, x] in seen[(seen.size - 1) // 2 : seen.size // 2 + 1]


def test_what_either_of_two_pictures_misses_their_difference_misses(tmp_path, run, two_lines):
    one, there = ground()
    other, known = one[::-1] + 50, there[:, ::-1]
    written(tmp_path / "one.tif", np.where(there, one, np.float32(-9999)), "-9999")
    written(tmp_path / "other.tif", np.where(known, other, np.float32(-9999)), "-9999")
    written(tmp_path / "full.tif", one, "-9999")
    for name, both in (("one.tif", there & known), ("full.tif", known)):
        done = run("convolve", name, "-k", "subtract:other.tif", "-o", "o.tif")
        assert done.code == 0, done.err
        found = read_raw(tmp_path / "o.tif")
        np.testing.assert_array_equal(found == -9999, ~both)
        np.testing.assert_array_equal(found[both], (one - other)[both])
    plain = Picture((one[..., None],), False, "TIFF")
    (tmp_path / "plain.tif").write_bytes(encode_tiff(plain))
    done = run("convolve", "plain.tif", "-k", "subtract:other.tif", "-o", "no.tif")
    assert "other.tif has missing data, and the picture has no way to mark them" in two_lines(done, 2)
    assert not (tmp_path / "no.tif").exists()


def read_raw(path):
    """The samples of a file of one band, as they are stored."""
    data = path.read_bytes()
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    fields = {}
    for number in range(count):
        tag, kind, many, value = struct.unpack_from("<HHII", data, at + 2 + 12 * number)
        fields[tag] = value if kind != 3 or many > 1 else value & 0xFFFF
    assert (fields[277], 338 in fields, 42113 in fields) == (1, False, True)
    dtype = np.dtype("<f4" if fields[339] == 3 else "<u2")
    return np.frombuffer(data, dtype, HEIGHT * WIDTH, fields[273]).reshape(HEIGHT, WIDTH)


def test_bands_give_the_bits_of_one_piece(tmp_path, run, monkeypatch):
    from cnncli.images import large

    heights, there = ground()
    source = written(tmp_path / "in.tif", np.where(there, heights, np.float32(-9999)), "-9999")
    files = []
    for name, least in (("whole", None), ("bands", 1)):
        if least is not None:
            monkeypatch.setattr(large, "LEAST_BYTES", least)
        files.append(tmp_path / f"{name}.tif")
        assert run("convolve", str(source), "-k", "gaussian:sigma=2", "-o", str(files[-1])).code == 0
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_picture_of_another_format_shows_missing_data_as_transparent(tmp_path, run):
    heights, there = ground(np.uint16)
    source = written(tmp_path / "in.tif", np.where(there, heights, np.uint16(0)), "0")
    assert run("convolve", str(source), "-k", "identity", "-o", str(tmp_path / "out.png")).code == 0
    picture = read_picture(tmp_path / "out.png")
    assert picture.alpha
    np.testing.assert_array_equal(picture.frames[0][..., 1] > 0, there)


@pytest.mark.parametrize(
    ("missing", "dtype"), [("-9999", np.uint16), ("0.5", np.uint16), ("none", np.float32)]
)
def test_a_value_that_no_sample_has_changes_nothing(tmp_path, missing, dtype):
    heights, _ = ground(dtype)
    picture = read_picture(written(tmp_path / "in.tif", heights, missing))
    pixels = picture.frames[0]
    np.testing.assert_array_equal(pixels[..., 0], heights)
    assert not picture.alpha or (pixels[..., 1] == pixels[..., 1].max()).all()


@pytest.mark.parametrize(
    ("dtype", "missing", "beside"),
    [
        (np.uint8, 0, 1),
        (np.uint8, 255, 254),
        (np.uint16, 7, 6),
        (np.float32, 0, np.nextafter(np.float32(0), np.float32(1))),
    ],
)
def test_data_that_happen_to_have_the_value_move_by_the_least_step(dtype, missing, beside):
    full = {"uint8": 255, "uint16": 65535, "float32": 1}[np.dtype(dtype).name]
    pixels = np.array([[[missing, full], [3, full], [missing, 0]]], dtype)
    np.testing.assert_array_equal(
        without_mask(pixels, missing)[0, :, 0], np.array([beside, 3, missing], dtype)
    )


def test_a_pixel_is_missing_where_all_of_its_colours_are():
    pixels = np.array([[[9, 9, 9], [9, 9, 1], [1, 2, 3]]], np.uint8)
    assert with_mask(pixels, 9).tolist() == [[[0, 0, 0, 0], [9, 9, 1, 255], [1, 2, 3, 255]]]


@pytest.mark.parametrize(
    ("missing", "dtype", "expected"),
    [
        (0, "u1", True),
        (256, "u1", False),
        (-1, "u2", False),
        (1.5, "u2", False),
        (float("nan"), "u2", False),
        (float("nan"), "f4", True),
        (1e39, "f4", False),
    ],
)
def test_which_types_hold_a_value(missing, dtype, expected):
    assert fits(missing, np.dtype(dtype)) is expected


def test_heights_of_16_bits_with_a_value_for_the_sea(tmp_path, run):
    """As height models are published: signed, with -32768 where nothing was measured."""
    heights, there = ground(np.int16)
    rows = np.where(there, heights, np.int16(-32768))
    floats = written(tmp_path / "floats.tif", rows.astype(np.float32), "-32768")
    data = bytearray(written(tmp_path / "in.tif", rows.view(np.uint16), "-32768").read_bytes())
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    for place in range(at + 2, at + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, place) == (339,):
            struct.pack_into("<H", data, place + 8, 2)
    (tmp_path / "in.tif").write_bytes(data)
    results = []
    for source in (floats, tmp_path / "in.tif"):
        out = source.with_suffix(".out.tif")
        assert run("convolve", str(source), "-k", "gaussian:sigma=1.5", "-o", str(out)).code == 0
        results.append(read_raw(out))
    np.testing.assert_array_equal(*results)
    np.testing.assert_array_equal(results[0] == -32768, ~there)
    assert abs(results[0][there] - heights[there]).max() < 200


def test_missing_data_of_many_bands_are_said_to_count(tmp_path, run):
    heights, there = ground()
    text = GeoField(42113, 2, b"-9999\0")
    bands = np.repeat(np.where(there, heights, -9999)[..., None], 5, axis=2).astype(np.float32)
    (tmp_path / "in.tif").write_bytes(encode_tiff(Picture((bands,), False, "TIFF", Metadata(geo=(text,)))))
    done = run("convolve", str(tmp_path / "in.tif"), "-k", "box:3", "-o", str(tmp_path / "out.tif"))
    assert done.code == 0
    assert "-9999 stands for missing data in it, and counts as any other value" in done.err
