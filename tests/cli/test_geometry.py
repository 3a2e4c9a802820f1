"""Chains that change the size: files, their metadata, JSON, names and errors."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from test_missing_data import ground, written

from cnncli.images.encode import encode_picture
from cnncli.images.picture import GeoField, Metadata, Picture
from cnncli.images.read import read_picture

GEO = (
    GeoField(33550, 12, (30.0, 20.0, 0.0)),
    GeoField(33922, 12, (0.0, 0.0, 0.0, 5e5, 4e6, 0.0)),
    GeoField(34735, 3, (1, 1, 0, 1, 1025, 0, 1, 1)),
)


def picture(rng, *shape):
    return rng.integers(0, 256, shape).astype(np.uint8)


def test_json_and_names_have_the_size_of_the_result(run, tmp_path, rng):
    Image.fromarray(picture(rng, 40, 60, 3)).save(tmp_path / "in.png")
    done = run(
        "convolve", "in.png", "-k", "sobel", "-k", "resize:50%", "-k", "rotate", "--json",
        "-o", "{stem}-{width}x{height}-{kernel}{ext}",
    )  # fmt: skip
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["width"], told["height"], told["channels"]) == (20, 30, 1)
    assert told["output"] == "in-20x30-sobel-resize-50percent-rotate.png"
    assert told["plan"].endswith("| resize (bilinear, rows, then columns) | copy (rows become columns)")
    with Image.open(tmp_path / told["output"]) as image:
        assert image.size == (20, 30)


def test_every_frame_of_an_animation(run, tmp_path, rng):
    frames = [Image.fromarray(picture(rng, 20, 30, 3)) for _ in range(3)]
    frames[0].save(tmp_path / "in.png", save_all=True, append_images=frames[1:], duration=[40, 80, 120])
    done = run("convolve", "in.png", "-k", "crop:10x8+3+4", "-k", "flop", "-o", "out.png")
    assert done.code == 0, done.err
    result = read_picture(tmp_path / "out.png")
    assert result.durations == (40, 80, 120)
    for before, after in zip(frames, result.frames, strict=True):
        np.testing.assert_array_equal(after, np.asarray(before)[4:12, 3:13][:, ::-1])


def test_palettes_and_sixteen_bits(run, tmp_path, rng):
    levels = rng.integers(0, 65536, (12, 16)).astype(np.uint16)
    (tmp_path / "deep.png").write_bytes(encode_picture(Picture((levels[..., None],)), "PNG"))
    assert run("convolve", "deep.png", "-k", "rotate:180", "-o", "deep-out.png").code == 0
    np.testing.assert_array_equal(
        read_picture(tmp_path / "deep-out.png").frames[0][..., 0], np.rot90(levels, 2)
    )
    colors = Image.fromarray(picture(rng, 12, 16, 3)).quantize(7)
    colors.save(tmp_path / "palette.png")
    assert run("convolve", "palette.png", "-k", "transpose", "-o", "palette-out.png").code == 0
    np.testing.assert_array_equal(
        read_picture(tmp_path / "palette-out.png").frames[0], np.asarray(colors.convert("RGB")).swapaxes(0, 1)
    )


def test_orientation_resolution_and_sizes_in_exif(run, tmp_path, rng):
    pixels = picture(rng, 24, 40, 3)
    exif = Image.Exif()
    exif[274], exif[282], exif[283], exif[296] = 6, 300.0, 150.0, 2
    exif.get_ifd(0x8769).update({40962: 40, 40963: 24, 37396: (5, 6, 7, 8)})
    Image.fromarray(pixels).save(tmp_path / "in.png", exif=exif, dpi=(300, 150))
    done = run("convolve", "in.png", "-k", "rotate:90", "-k", "crop:20x10+0+0", "-o", "out.png")
    assert done.code == 0, done.err
    with Image.open(tmp_path / "out.png") as image:
        np.testing.assert_array_equal(np.asarray(image), np.rot90(pixels, 2)[:10, :20])  # 6 is a quarter turn
        about = image.getexif()
        assert (about[282], about[283]) == (300, 150)  # turned twice
        assert about.get(274, 1) == 1
        details = about.get_ifd(0x8769)
        assert (details[40962], details[40963]) == (20, 10)
        assert 37396 not in details


@pytest.mark.parametrize(
    ("spec", "corner", "steps"),
    [
        ("resize:50%", (5e5, 4e6), ((60, 0), (0, -40))),
        ("crop:10x8+4+3", (5e5 + 4 * 30, 4e6 - 3 * 20), ((30, 0), (0, -20))),
        ("flip", (5e5, 4e6 - 30 * 20), ((30, 0), (0, 20))),
        ("rotate:90", (5e5, 4e6 - 30 * 20), ((0, 20), (30, 0))),
    ],
)
def test_places_on_the_earth_follow(run, tmp_path, rng, spec, corner, steps):
    data = encode_picture(Picture((picture(rng, 30, 40, 1),), metadata=Metadata(geo=GEO)), "TIFF")
    (tmp_path / "in.tif").write_bytes(data)
    done = run("convolve", "in.tif", "-k", spec, "-o", "out.tif")
    assert (done.code, done.err) == (0, "")
    with Image.open(tmp_path / "out.tif") as image:
        tags = dict(image.tag_v2)
    if 34264 in tags:
        matrix = np.array(tags[34264]).reshape(4, 4)
        assert 33550 not in tags
        assert 33922 not in tags
    else:
        (across, down, _), (i, j, _, east, north, _) = tags[33550], tags[33922]
        matrix = np.array([[across, 0, 0, east - i * across], [0, -down, 0, north + j * down]])
    np.testing.assert_allclose(matrix[:2, 3], corner)
    np.testing.assert_allclose(matrix[:2, 0], steps[0])
    np.testing.assert_allclose(matrix[:2, 1], steps[1])


@pytest.mark.parametrize("missing", ["-9999", "nan"])
def test_missing_data_stay_missing_and_do_not_count(run, tmp_path, missing):
    heights, there = ground()
    heights, there = heights[:36, :40], there[:36, :40]
    value = np.float32(float(missing))
    written(tmp_path / "in.tif", np.where(there, heights, value), missing)
    done = run("convolve", "in.tif", "-k", "resize:50%:area", "-o", "out.tif")
    assert done.code == 0, done.err
    found = read_picture(tmp_path / "out.tif")
    blocks = lambda each: each.reshape(18, 2, 20, 2).sum(axis=(1, 3), dtype=np.float64)  # noqa: E731
    counts, sums = blocks(there), blocks(np.where(there, heights, 0))
    nearest = there[1::2, 1::2]  # the pixel under the middle
    seen = found.frames[0][..., 1] > 0
    np.testing.assert_array_equal(seen, nearest & (counts > 0))
    np.testing.assert_allclose(found.frames[0][..., 0][seen], (sums / counts.clip(1))[seen], rtol=1e-6)
    done = run("convolve", "in.tif", "-k", "rotate:45", "-o", "turned.tif")
    assert done.code == 0, done.err
    assert not read_picture(tmp_path / "turned.tif").frames[0][0, 0].any()  # missing, and not a height of 0


def test_a_region_as_imagemagick_writes_it(run, tmp_path, rng):
    pixels = picture(rng, 30, 40, 3)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    for written_as in ("10x8+5+6", "5,6,10,8"):
        done = run("convolve", "in.png", "-k", "identity", "--roi", written_as, "-o", "out.png")
        assert done.code == 0, done.err
        np.testing.assert_array_equal(read_picture(tmp_path / "out.png").frames[0], pixels[6:14, 5:15])
    for wrong in ("10x8", "10x8-1+0", "50%+0+0", "x8+1+1", "0x8+1+1", "10x8+1"):
        done = run("convolve", "in.png", "-k", "identity", "--roi", wrong, "-o", "out.png")
        assert done.code == 2
        assert "expected WxH+X+Y, or X,Y,W,H" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "-k crop:50x10",
            "in.png: crop: 50x10 is 50 x 10 pixels from column -5 and row 10 on, and the picture",
        ),
        (
            "-k resize:900000x900000!",
            "resize makes 900000 x 900000 pixels; at most 500,000,000 pixels are made",
        ),
        ("-k resize:300% --repeat 12", "at most 500,000,000 pixels are made"),
        ("-k resize:900000%x100% --repeat 2", "expected at most 1,000,000 a side"),
        ("-k resize:50%:cubicle", "expected bilinear, bicubic, lanczos, nearest or area"),
        ("-k flip --mask in.png", "--mask is given with flip, which moves pixels"),
        ("-k resize --channels r", "--channels is given with resize, which moves pixels"),
        ("-k box:3 -k crop --roi 0,0,9,9 --inside", "--inside is given with crop, which moves pixels"),
        ("-k crop --stride 2", "--stride is given, but crop has no window"),
        ("-k flip --explain x.png", "--explain is given for flip, which moves pixels"),
        ("-k rotate:nan", "expected a number from -3600 to 3600"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_written(run, tmp_path, rng, words, said):
    Image.fromarray(picture(rng, 30, 40, 3)).save(tmp_path / "in.png")
    done = run("convolve", "in.png", *words.split(), "-o", "out.png")
    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / "out.png").exists()


def test_a_signed_response_keeps_its_gray_and_a_cubic_may_overshoot(run, tmp_path):
    edge = np.repeat(np.array([0, 255], np.uint8), 20)[None].repeat(40, axis=0)
    Image.fromarray(edge).save(tmp_path / "in.png")
    for words in (["-k", "sobel:x", "-k", "crop:20x20"], ["-k", "resize:50%:lanczos"]):
        done = run("convolve", "in.png", *words, "-o", "out.png")
        assert (done.code, done.err) == (0, "")
    assert run("convolve", "in.png", "-k", "sobel:x", "-k", "crop:20x20+0+0", "-o", "out.png").code == 0
    assert read_picture(tmp_path / "out.png").frames[0][5, 5, 0] == 128


@pytest.mark.parametrize("spec", ["resize:200%", "resize:30%:area", "rotate:10", "flip", "crop"])
def test_floats_that_are_no_numbers_are_not_called_clipped(run, tmp_path, spec):
    buffer = io.BytesIO()
    np.save(buffer, np.full((5, 6), np.nan, np.float32))
    (tmp_path / "in.npy").write_bytes(buffer.getvalue())
    done = run("convolve", "in.npy", "-k", spec, "-o", "out.npy")
    assert (done.code, done.err) == (0, "")
    assert np.isnan(np.load(tmp_path / "out.npy")).any()


def test_a_share_without_a_percent_sign_is_asked_about(run, tmp_path, rng):
    Image.fromarray(picture(rng, 30, 40, 3)).save(tmp_path / "in.png")
    done = run("convolve", "in.png", "-k", "resize:0.25", "-o", "out.png")
    assert done.code == 2
    assert "Write for example: -k resize:25%" in done.err


def test_an_array_of_seven_channels(run, tmp_path, rng):
    array = rng.random((20, 30, 7))
    buffer = io.BytesIO()
    np.save(buffer, array)
    (tmp_path / "in.npy").write_bytes(buffer.getvalue())
    assert run("convolve", "in.npy", "-k", "resize:50%:area", "-o", "out.npy").code == 0
    want = array.reshape(10, 2, 15, 2, 7).mean(axis=(1, 3))
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), want, atol=1e-6)
