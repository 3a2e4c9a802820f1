"""What every option of ``cnncli convolve`` does, through the command, against plain NumPy and scipy."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from scipy import ndimage, signal

from cnncli.cli.explained import FilterRun, explain
from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.borders import Border
from cnncli.filters.color import from_linear
from cnncli.filters.options import Options
from cnncli.filters.spec import parse_spec
from cnncli.images.decode import is_lossless_webp
from cnncli.images.read import read_picture
from cnncli.views.explain.film import lay_out_film
from cnncli.views.explain.page import lay_out
from cnncli.views.explain.worked import work_out

LUMA = np.array([0.299, 0.587, 0.114])
RANDOM = np.array([[1.0, -2, 3, 0.5], [0.25, 4, -1, 2], [-3, 1, 0.75, -0.5]])
SPEC = "; ".join(" ".join(map(str, row)) for row in RANDOM)
PADS = {"replicate": "edge", "reflect": "symmetric", "reflect101": "reflect", "wrap": "wrap"}


def oracle(image, weights, *, border="reflect101", value=0.0, anchor=None, dilation=1, flip=True):
    """Convolve by definition, in float64: out(x, y) = sum of w(c, r) in(x - (c - ax), y - (r - ay))."""
    kh, kw = weights.shape
    ax, ay = anchor or (kw // 2, kh // 2)
    reach = dilation * max(kh, kw)
    if border == "constant":
        padded = np.pad(image.astype(np.float64), reach, constant_values=value)
    else:
        padded = np.pad(image.astype(np.float64), reach, mode=PADS[border])
    height, width = image.shape
    out = np.zeros(image.shape)
    for r in range(kh):
        for c in range(kw):
            dy, dx = (r - ay) * dilation, (c - ax) * dilation
            if flip:
                dy, dx = -dy, -dx
            out += weights[r, c] * padded[reach + dy :][:height, reach + dx :][:, :width]
    return out


def close(found, expected, scale=1.0):
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(RANDOM).sum() * scale)


def near(image, expected):
    """Bytes that are what is expected, clipped, but for rounding of halves."""
    np.testing.assert_allclose(np.asarray(image, float), np.clip(expected, 0, 255), rtol=0, atol=0.501)


GEOMETRY = {
    "plain": ([], lambda a: oracle(a, RANDOM)),
    "replicate": (["--border", "replicate"], lambda a: oracle(a, RANDOM, border="replicate")),
    "reflect": (["--border", "reflect"], lambda a: oracle(a, RANDOM, border="reflect")),
    "wrap": (["--border", "wrap"], lambda a: oracle(a, RANDOM, border="wrap")),
    "constant": (["--border", "constant"], lambda a: oracle(a, RANDOM, border="constant")),
    "constant value": (
        ["--border", "constant:0.25"],
        lambda a: oracle(a, RANDOM, border="constant", value=0.25),
    ),
    "scipy nearest": (["--border", "nearest"], lambda a: ndimage.convolve(a, RANDOM, mode="nearest")),
    "scipy mirror": (["--border", "mirror"], lambda a: ndimage.convolve(a, RANDOM, mode="mirror")),
    "valid": (["--mode", "valid"], lambda a: signal.convolve2d(a, RANDOM, "valid")),
    "full": (["--mode", "full", "--border", "constant"], lambda a: signal.convolve2d(a, RANDOM, "full")),
    "same": (["--mode", "same"], lambda a: ndimage.convolve(a, RANDOM, mode="mirror")),
    "stride": (["--stride", "2"], lambda a: oracle(a, RANDOM)[::2, ::2]),
    "strides": (["--stride", "3,2"], lambda a: oracle(a, RANDOM)[::2, ::3]),
    "dilation": (["--dilation", "3"], lambda a: oracle(a, RANDOM, dilation=3)),
    "anchor": (["--anchor", "0,2"], lambda a: oracle(a, RANDOM, anchor=(0, 2))),
    "correlate": (["--correlate"], lambda a: ndimage.correlate(a, RANDOM, mode="mirror")),
    "correlate anchor": (
        ["--correlate", "--anchor", "3,0"],
        lambda a: oracle(a, RANDOM, anchor=(3, 0), flip=False),
    ),
    "normalize none": (["--normalize", "none"], lambda a: oracle(a, RANDOM)),
    "normalize sum": (["--normalize", "sum"], lambda a: oracle(a, RANDOM) / RANDOM.sum()),
    "normalize abs": (["--normalize", "abs"], lambda a: oracle(a, RANDOM) / np.abs(RANDOM).sum()),
    "normalize auto": (["--normalize", "auto"], lambda a: oracle(a, RANDOM) / RANDOM.sum()),
    "scale": (["--scale", "0.5"], lambda a: oracle(a, RANDOM) * 0.5),
    "bias": (["--bias", "-0.125"], lambda a: oracle(a, RANDOM) - 0.125),
    "bias share": (["--bias", "50%"], lambda a: oracle(a, RANDOM) + 0.5),
    "scale bias": (["--scale", "2", "--bias", "0.25"], lambda a: oracle(a, RANDOM) * 2 + 0.25),
    "roi": (["--roi", "5,7,11,9"], lambda a: oracle(a, RANDOM)[7:16, 5:16]),
    "roi of strides": (["--roi", "1,2,6,5", "--stride", "2"], lambda a: oracle(a, RANDOM)[4:14:2, 2:14:2]),
    "abs": (["--range", "abs"], lambda a: np.clip(np.abs(oracle(a, RANDOM)), 0, 1)),
    "clip": (["--range", "clip"], lambda a: np.clip(oracle(a, RANDOM), 0, 1)),
    "none": (["--range", "none"], lambda a: oracle(a, RANDOM)),
    "offset": (["--range", "offset"], lambda a: np.clip(oracle(a, RANDOM) / 2 + 0.5, 0, 1)),
}


@pytest.mark.parametrize("name", GEOMETRY)
def test_options_against_the_definition(run, photo, name):
    options, expected = GEOMETRY[name]
    image = photo("a.npy", (24, 31), np.float32)
    done = run("convolve", "a.npy", "-k", SPEC, *options, "-o", "b.npy", "--quiet")
    assert (done.code, done.err) == (0, "")
    found = np.load("b.npy")
    assert found.dtype == np.float32
    close(found, expected(image.astype(np.float64)))


def test_repeat_and_several_kernels_run_one_after_another_in_float(run, photo):
    image = photo("a.npy", (24, 31), np.float32)
    small = RANDOM / 10
    spec = "; ".join(" ".join(map(str, row)) for row in small)
    assert run("convolve", "a.npy", "-k", spec, "-k", "0 1 0", "--repeat", "3", "-o", "b.npy").code == 0
    expected = image
    for _ in range(3):
        expected = oracle(expected, small)
    close(np.load("b.npy"), expected)
    done = run("convolve", "a.npy", "-k", spec, "-k", "box:3", "--json")
    assert re.fullmatch(r"a-custom-[0-9a-f]{8}-box\.npy", done.results[0]["output"])
    assert done.results[0]["kernel"] == f"{spec} | box:3"


def test_stretch_spans_black_to_white(run, photo):
    image = photo("a.png", (20, 30))
    assert run("convolve", "a.png", "-k", SPEC, "--range", "stretch", "-o", "b.png").code == 0
    response = oracle(image, RANDOM)
    expected = (response - response.min()) / np.ptp(response) * 255
    assert np.abs(np.asarray(Image.open("b.png")) - expected).max() <= 0.51


def test_linear_light_averages_black_and_white_to_bright_gray(run):
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:, ::2] = 255
    Image.fromarray(pixels).save("a.png")
    assert run("convolve", "a.png", "-k", "0.5 0.5", "--linear", "--border", "wrap", "-o", "b.png").code == 0
    assert set(np.unique(np.asarray(Image.open("b.png")))) == {188}  # half the light, in sRGB


def test_edges_are_gray_unless_color_is_asked_for(run, photo):
    image = photo("a.png", (20, 30, 3))
    assert run("convolve", "a.png", "-k", "sobel", "-o", "gray.png").code == 0
    assert run("convolve", "a.png", "-k", "sobel", "--color", "-o", "color.png").code == 0
    assert run("convolve", "a.png", "-k", "identity", "--gray", "-o", "luma.png").code == 0
    smooth = [1, 2, 1]

    def magnitude(plane):
        plane = plane.astype(np.float64)
        dx = ndimage.correlate1d(
            ndimage.correlate1d(plane, [-1, 0, 1], 1, mode="mirror"), smooth, 0, mode="mirror"
        )
        dy = ndimage.correlate1d(
            ndimage.correlate1d(plane, [-1, 0, 1], 0, mode="mirror"), smooth, 1, mode="mirror"
        )
        return np.hypot(dx, dy) / 4

    gray, color = np.asarray(Image.open("gray.png")), np.asarray(Image.open("color.png"))
    assert np.abs(gray - np.clip(magnitude(image @ LUMA), 0, 255)).max() <= 0.51
    for channel in range(3):
        expected = np.clip(magnitude(image[..., channel]), 0, 255)
        assert np.abs(color[..., channel] - expected).max() <= 0.51
    assert np.abs(np.asarray(Image.open("luma.png")) - image @ LUMA).max() <= 0.51


@pytest.mark.parametrize(
    ("bits", "dtype", "white"), [(8, np.uint8, 255), (16, np.uint16, 65535), (32, np.float32, 1)]
)
def test_bits(run, photo, bits, dtype, white):
    image = photo("a.png", (12, 17))
    assert run("convolve", "a.png", "-k", "0 1 0", "--bits", bits, "-o", "b.tiff").code == 0
    found = np.asarray(Image.open("b.tiff"))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, image / 255 * white, rtol=1e-6)


def test_depth_of_16_bit_color_is_kept(run, rng):
    pixels = rng.integers(0, 65536, (15, 21, 3), dtype=np.uint16)
    content = b"P6 21 15 65535\n" + pixels.astype(">u2").tobytes()
    Path("a.ppm").write_bytes(content)
    assert run("convolve", "a.ppm", "-k", "identity", "-o", "b.png").code == 0
    assert Path("b.png").read_bytes()[24:26] == b"\x10\x02"  # 16 bits, RGB
    assert run("convolve", "b.png", "-k", "identity", "-o", "c.tiff").code == 0
    assert run("convolve", "c.tiff", "-k", "identity", "-o", "d.ppm").code == 0
    assert Path("d.ppm").read_bytes()[-pixels.nbytes :] == content[-pixels.nbytes :]


def test_json_has_the_agreed_fields_in_order(run, photo):
    photo("a.png", (20, 30, 3))
    done = run("convolve", "a.png", "-k", "1 1; 1 1", "-o", "b.png", "--json", "--quiet")
    fields = [
        "input",
        "output",
        "width",
        "height",
        "channels",
        "dtype",
        "kernel",
        "plan",
        "clipped",
        "seconds",
    ]
    (result,) = done.results
    assert list(result) == fields
    assert done.out.startswith(
        b'{"input":"a.png","output":"b.png","width":30,"height":20,"channels":3,"dtype":"uint8",'
    )
    assert done.out.endswith(b"}\n")
    assert 0.5 < result["clipped"] < 1
    assert 0 < result["seconds"] < 60
    assert result["kernel"] == "1 1; 1 1"
    assert done.err == ""


def test_a_matrix_that_sums_to_nothing_is_shown_around_gray(run, photo):
    image = photo("a.png")
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    spec = "-1 0 1; -2 0 2; -1 0 1"
    answers = oracle(image.astype(np.float64), sobel)
    done = run("convolve", "a.png", "-k", spec, "-o", "b.png")
    assert done.code == 0
    assert "b.png: the weights sum to 0" in done.err
    assert "--range abs" in done.err
    near(Image.open("b.png"), answers / 2 + 128)
    for options, shown in (
        (["--range", "clip"], answers),
        (["--range", "abs"], np.abs(answers)),
        (["--bias", "100"], answers + 100),  # who adds a bias has chosen
    ):
        done = run("convolve", "a.png", "-k", spec, *options, "-o", "b.png")
        assert "sum to 0" not in done.err
        near(Image.open("b.png"), shown)


@pytest.mark.parametrize(
    ("behind", "shown"),
    [
        ("normalize", lambda seen, image: (seen - seen.min()) * 255 / (seen.max() - seen.min())),
        ("gamma:2", lambda seen, image: 255 * (np.maximum(seen, 0) / 255) ** 0.5),
        ("invert", lambda seen, image: 255 - seen),
        ("difference:a.png", lambda seen, image: np.abs(seen - image)),
        ("add:a.png", lambda seen, image: seen + image),
        ("add:0.5", lambda seen, image: seen + 127.5),
        ("blend:0.75:a.png", lambda seen, image: 0.25 * seen + 0.75 * image),
        ("multiply:0.5", lambda seen, image: seen / 4 + 128),
        ("darken:a.png", lambda seen, image: np.minimum(seen, image) / 2 + 128),
    ],
)
def test_levels_and_sums_behind_signed_responses_are_not_shown_around_gray(run, photo, behind, shown):
    image = photo("a.png").astype(np.float64)
    seen = oracle(image, np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]]))
    done = run("convolve", "a.png", "-k", "0 -1 0; -1 4 -1; 0 -1 0", "-k", behind, "-o", "b.png")
    assert done.code == 0
    near(Image.open("b.png"), shown(seen, image))


def test_small_shares_and_meant_clipping_are_not_warned_of(run, photo):
    pixels = np.full((100, 100), 100, np.uint8)
    for count, warned in ((0, False), (99, False), (100, True), (500, True)):
        pixels[:] = 100
        pixels.flat[:count] = 200
        Image.fromarray(pixels).save("a.png")
        done = run("convolve", "a.png", "-k", "2", "-o", "b.png")
        assert (f"warning: {count / 100:.1f}% of the pixels were clipped" in done.err) == warned, count
    photo("c.png", (60, 60))
    for spec in ("outline", "emboss"):
        done = run("convolve", "c.png", "-k", spec, "-o", "b.png", "--json")
        assert done.results[0]["clipped"] > 0.01
        assert done.err == ""


def test_dim_edges_are_said_to_people(on_terminal, tmp_path):
    gray = np.linspace(90, 120, 64).round().astype(np.uint8)
    Image.fromarray(np.tile(gray, (64, 1))).save(tmp_path / "a.png")
    Image.fromarray(np.repeat(np.array([[0, 255] * 2], np.uint8), 8, 1).repeat(64, 0)).save(
        tmp_path / "b.png"
    )
    text = on_terminal(80, "convolve", "a.png", "-k", "sobel", "-o", "c.png")
    scale = re.search(r"note: c\.png is dim, .* --scale (\d+) shows them", text)[1]
    text = on_terminal(80, "convolve", "a.png", "-k", "sobel", "--scale", scale, "-o", "c.png")
    assert "note" not in text
    assert 100 < np.percentile(np.asarray(Image.open(tmp_path / "c.png")), 99) <= 255
    assert "note" not in on_terminal(80, "convolve", "b.png", "-k", "sobel", "-o", "c.png")


def test_a_failed_input_has_a_line_of_json(run, photo, tmp_path):
    photo("a.png")
    (tmp_path / "empty").mkdir()
    done = run("convolve", "none.png", "a.png", "empty", "-k", "box:3", "--json")
    assert done.code == 1
    lines = {each["input"]: each for each in done.results}
    assert list(lines["none.png"]) == list(lines["empty"]) == ["input", "error"]
    assert lines["none.png"] == run("predict", "none.png", "--json").results[0]
    assert "without images" in lines["empty"]["error"]
    assert lines["a.png"]["output"] == "a-box.png"
    done = run("convolve", "none.png", "-k", "box:3", "-o", "-", "--json")
    assert (done.code, done.out) == (1, b"")
    assert '{"input":"none.png","error":"cannot read none.png: no such file"}' in done.err


def test_in_place_prints_the_name_as_given(run, photo, tmp_path):
    (tmp_path / "d").mkdir()
    photo("d/a.png")
    (tmp_path / "link.png").symlink_to("d/a.png")
    for name in ("link.png", "./d/../d/a.png"):
        (result,) = run("convolve", name, "-k", "box:3", "--in-place", "--json").results
        assert (result["input"], result["output"]) == (name, name)
    assert (tmp_path / "link.png").is_symlink()


@pytest.mark.parametrize("how", ["tiff_deflate", "tiff_lzw", "packbits", "raw"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_compressed_tiff_stays_compressed(run, tmp_path, how, dtype):
    if (how, dtype) == ("packbits", np.float32):
        dtype = np.uint8
    pixels = (np.arange(6400).reshape(80, 80) // 640 * 20).astype(dtype)
    Image.fromarray(pixels).save(tmp_path / "a.tif", compression=None if how == "raw" else how)
    for name in ("a.tif", "b.tif"):
        options = ["--in-place"] if name == "a.tif" else ["-o", name, "--strip"]
        assert run("convolve", "a.tif", "-k", "identity", *options).code == 0
        with Image.open(name) as result:
            assert result.info["compression"] == ("raw" if how == "raw" else "tiff_adobe_deflate")
            np.testing.assert_array_equal(np.asarray(result), pixels)
        assert (tmp_path / name).stat().st_size < pixels.nbytes / 2 or how == "raw"


def test_clipping_is_said_unless_quiet(run, photo):
    photo("a.png")
    loud = run("convolve", "a.png", "-k", "3", "-o", "b.png")
    assert "% of the pixels were clipped" in loud.err
    assert "--range stretch" in loud.err
    assert run("convolve", "a.png", "-k", "3", "-o", "b.png", "-q").err == ""
    assert run("convolve", "a.png", "-k", "0.25", "-o", "b.png").err == ""


def test_threads_make_no_difference(run, photo):
    photo("a.png", (300, 200, 3))
    for kernel in (SPEC, "gaussian:3", "sobel", "box:9"):
        for threads in (1, 3):
            assert (
                run(
                    "convolve", "a.png", "-k", kernel, "--threads", threads, "-o", f"{threads}.png", "-q"
                ).code
                == 0
            )
        assert Path("1.png").read_bytes() == Path("3.png").read_bytes()


MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"]


@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff", "webp"])
@pytest.mark.parametrize("kernel", ["sobel", "gaussian:sigma=1", "canny"])
def test_every_kind_of_image_goes_through(run, rng, kernel, suffix):
    names = []
    for mode in MODES:
        name = f"{mode.replace(';', '')}.tiff"
        if mode == "I;16":
            Image.fromarray(rng.integers(0, 65536, (33, 40), dtype=np.uint16)).save(name)
        else:
            Image.fromarray(rng.integers(0, 256, (33, 40, 4), dtype=np.uint8), "RGBA").convert(
                "RGB" if mode in ("1", "P", "CMYK") else mode
            ).convert(mode).save(name)
        names.append(name)
    done = run("convolve", *names, "-k", kernel, "--format", suffix, "-o", "out/", "--json", "-q")
    assert (done.code, done.err) == (0, "")
    assert [result["input"] for result in done.results] == names
    for result in done.results:
        with Image.open(result["output"]) as image:
            image.load()
            assert image.size == (40, 33)
            if kernel != "gaussian:sigma=1":
                assert np.ptp(np.asarray(image.convert("RGB")), axis=2).max() <= 3  # gray, but for JPEG


def test_alpha_is_kept_for_edges_and_blurred_with_blurs(run):
    pixels = np.zeros((20, 20, 4), np.uint8)
    pixels[:, :10] = (255, 0, 0, 255)  # beyond: black, and transparent
    Image.fromarray(pixels).save("a.png")
    assert run("convolve", "a.png", "-k", "box:5", "-o", "blur.png").code == 0
    assert run("convolve", "a.png", "-k", "sobel", "--color", "-o", "edge.png").code == 0
    blurred, edges = np.asarray(Image.open("blur.png")), np.asarray(Image.open("edge.png"))
    seen = blurred[..., 3] > 0
    assert (blurred[seen][:, :3] == (255, 0, 0)).all()  # no dark fringe
    assert list(blurred[10, 7:13, 3]) == [255, 204, 153, 102, 51, 0]
    np.testing.assert_array_equal(edges[..., 3], pixels[..., 3])


def test_metadata_travels(run, photo):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    photo("a.jpg", (20, 30, 3), exif=exif, dpi=(72, 144), icc_profile=profile)
    for name in ("b.jpg", "b.png", "b.tiff", "b.webp"):
        assert run("convolve", "a.jpg", "-k", "box:3", "-o", name).code == 0
        with Image.open(name) as image:
            assert image.size == (20, 30)  # turned upright
            assert image.getexif()[0x010F] == "Maker"
            assert image.getexif().get(0x0112, 1) == 1
            assert image.info["icc_profile"] == profile
            if name != "b.webp":
                assert [round(float(n)) for n in image.info["dpi"]] == [144, 72]


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tiff"])
def test_frames_are_filtered_one_by_one_and_keep_their_time(run, rng, name):
    frames = [Image.fromarray(np.full((16, 16), level, np.uint8)).convert("RGB") for level in (20, 120, 220)]
    options = {} if name == "a.tiff" else {"duration": [100, 250, 400], "loop": 2}
    if name == "a.webp":
        options["lossless"] = True
    frames[0].save(name, save_all=True, append_images=frames[1:], **options)
    done = run("convolve", name, "-k", "box:3", "--json")
    assert (done.code, len(done.results)) == (0, 1)
    with Image.open(done.results[0]["output"]) as image:
        assert image.n_frames == 3
        for number, level in enumerate((20, 120, 220)):
            image.seek(number)
            image.load()
            assert abs(int(np.asarray(image.convert("L")).mean()) - level) <= 2
            if options:
                assert image.info["duration"] == (100, 250, 400)[number]
        if options:
            assert image.info["loop"] == 2


def test_arrays_keep_their_numbers(run, rng):
    values = rng.normal(0, 1000, (9, 11)).astype(np.float32)
    np.save("a.npy", values)
    assert run("convolve", "a.npy", "-k", "0 2 0", "-o", "b.npy").code == 0
    np.testing.assert_array_equal(np.load("b.npy"), values * 2)
    piped = io.BytesIO()
    np.save(piped, values)
    done = run("convolve", "-k", "identity", stdin=piped.getvalue())
    np.testing.assert_array_equal(np.load(io.BytesIO(done.out)), values)


def test_bits_that_are_lost_are_said(run, photo):
    photo("a.npy", (9, 11), np.float32)
    done = run("convolve", "a.npy", "-k", "identity", "-o", "b.png")
    assert done.err == "note: b.png is written with 8 of 32 bits; --bits 16 keeps more\n"
    deep = photo("c.png", (9, 11), np.uint16)
    done = run("convolve", "c.png", "-k", "identity", "-o", "d.bmp")
    assert done.err == "note: d.bmp is written with 8 of 16 bits; BMP holds no more\n"
    assert np.abs(np.asarray(Image.open("d.bmp")) - deep / 257).max() <= 0.51
    assert run("convolve", "c.png", "-k", "identity", "-o", "d.bmp", "-q").err == ""
    assert run("convolve", "c.png", "-k", "identity", "-o", "d.bmp", "--bits", "8").err == ""


def test_standard_input_to_standard_output_keeps_the_format(run, photo):
    photo("a.jpg", (20, 30, 3))
    done = run("convolve", "-k", "identity", stdin=Path("a.jpg").read_bytes())
    assert (done.code, done.err) == (0, "")
    assert done.out[:3] == b"\xff\xd8\xff"
    done = run("convolve", "-", "-k", "sobel", "--format", "png", "--json", stdin=Path("a.jpg").read_bytes())
    assert done.image.shape == (20, 30)
    assert json.loads(done.err)["output"] == "-"


def test_quality_and_compress(run, photo):
    photo("a.png", (64, 64, 3))
    sizes = {}
    for name, options in {
        "low.jpg": ["--quality", 10],
        "high.jpg": ["--quality", 95],
        "fast.png": [],
        "small.png": ["--compress"],
    }.items():
        assert run("convolve", "a.png", "-k", "box:3", "-o", name, *options).code == 0
        sizes[name] = len(Path(name).read_bytes())
    assert sizes["low.jpg"] < sizes["high.jpg"]
    assert sizes["small.png"] < sizes["fast.png"]
    np.testing.assert_array_equal(np.asarray(Image.open("small.png")), np.asarray(Image.open("fast.png")))


def test_in_place_replaces_what_a_link_points_to(run, photo, tmp_path):
    image = photo("a.png")
    (tmp_path / "link.png").symlink_to("a.png")
    done = run("convolve", "link.png", "-k", "0 0 1", "--in-place", "--border", "wrap")
    assert (done.code, done.out) == (0, b"")
    assert (tmp_path / "link.png").is_symlink()
    np.testing.assert_array_equal(np.asarray(Image.open("a.png")), np.roll(image, 1, axis=1))


def test_in_place_keeps_the_format_under_a_wrong_suffix(run, photo, two_lines):
    image = photo("a.png")
    for name in ("fake.jpg", "a.pgm"):
        Image.fromarray(image).save(name, "PNG" if name == "fake.jpg" else "PPM")
    done = run("convolve", "fake.jpg", "a.pgm", "-k", "identity", "--in-place")
    assert (done.code, done.err) == (0, "note: fake.jpg holds PNG, whatever its suffix says, and keeps it\n")
    assert Path("fake.jpg").read_bytes()[:4] == b"\x89PNG"
    np.testing.assert_array_equal(np.asarray(Image.open("fake.jpg")), image)
    np.testing.assert_array_equal(np.asarray(Image.open("a.pgm")), image)
    Image.fromarray(image).save("icon.jpg", "PCX")
    before = Path("icon.jpg").read_bytes()
    assert "holds PCX, which cannot be written" in two_lines(
        run("convolve", "icon.jpg", "-k", "identity", "--in-place"), 1
    )
    assert Path("icon.jpg").read_bytes() == before


def test_a_colour_profile_that_is_lost_is_said(run, photo):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo("a.png", (20, 30, 3), icc_profile=profile)
    done = run("convolve", "a.png", "-k", "identity", "-o", "b.jp2")
    assert done.err == "note: b.jp2 is written without the colour profile; .png or .tif keeps it\n"
    for name in ("b.png", "b.tif", "b.jpg", "b.webp", "b.npy"):
        assert run("convolve", "a.png", "-k", "identity", "-o", name).err == ""


@pytest.mark.parametrize("extra", [{}, {"exif": Image.Exif()}, {"save_all": True}])
def test_webp_without_loss_stays_without(run, photo, extra):
    frames = [Image.fromarray(photo("a.png", (20, 30, 3))) for _ in range(2)]
    if "save_all" in extra:
        extra = extra | {"append_images": frames[1:]}
    frames[0].save("a.webp", lossless=True, **extra)
    frames[0].save("lossy.webp", quality=60, **extra)
    assert run("convolve", "a.webp", "lossy.webp", "-k", "identity", "-o", "out/").code == 0
    done = run("convolve", "-k", "identity", stdin=Path("a.webp").read_bytes())
    for picture in (Image.open("out/a-identity.webp"), Image.open(io.BytesIO(done.out))):
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), np.asarray(frames[0]))
    assert not is_lossless_webp(Path("out/lossy-identity.webp").read_bytes())
    assert run("convolve", "a.webp", "-k", "identity", "--quality", "60", "-o", "b.webp").code == 0
    assert not is_lossless_webp(Path("b.webp").read_bytes())


def test_a_gif_without_a_loop_plays_once_as_png(run, photo):
    frames = [Image.fromarray(photo("a.png")) for _ in range(2)]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:], duration=50)
    assert run("convolve", "a.gif", "-k", "identity", "-o", "o.png").code == 0
    with Image.open("o.png") as picture:
        assert (picture.n_frames, picture.info["loop"]) == (2, 1)


def explained(name, specs, **options):
    """The explanation of a run with its output, and the pixels of that output."""
    picture, white = read_picture(Path(name)), 255.0
    depth = Depth(np.dtype(np.uint8), white)
    options = Options(**options)
    filters = tuple(map(parse_spec, specs))
    applied = apply_filters(
        picture.frames[0], filters, options, alpha=picture.alpha, source=depth, target=depth, threads=2
    )
    return explain(FilterRun(picture, filters, options, depth, name, 2)), applied.pixels


CHAINS = {
    "linear": (["box:3"], {"linear": True}),
    "linear with a constant border": (["box:9"], {"linear": True, "border": Border("constant", 90.0)}),
    "linear and signed": (["sobel:output=x"], {"linear": True, "scale": 2.0, "bias": 10.0}),
    "magnitude with bias": (["sobel:output=x"], {"range": "abs", "scale": 3.0, "bias": 40.0}),
    "chain with stride": (["gaussian:sigma=2", "sobel:output=y"], {"stride": (2, 3)}),
    "chain inside": (["box:5", "box:3"], {"mode": "valid", "roi": (3, 4, 9, 7)}),
    "repeated": (["box:3"], {"repeat": 5, "stride": (1, 1)}),
    "median inside": (["median:5"], {"mode": "valid"}),
    "bilateral around": (["bilateral:sigma=1,size=5"], {"mode": "full", "stride": (2, 3)}),
    "closed inside": (["close:disk:2"], {"mode": "valid", "stride": (3, 2)}),
    "dilated around": (["dilate:line:5:30"], {"mode": "full"}),
    "kuwahara inside": (["kuwahara"], {"mode": "valid", "stride": (3, 2)}),
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_explained_numbers_are_the_outputs(run, photo, name):
    photo("a.png", (60, 81))
    specs, options = CHAINS[name]
    e, pixels = explained("a.png", specs, **options)
    np.testing.assert_array_equal(e.shown, pixels[:, :, 0])
    assert e.image.shape == e.gray.shape
    assert e.response.shape == e.shown.shape
    for x, y in list(np.ndindex(e.shown.shape[::-1]))[::7]:
        working = work_out(e, (x, y))
        assert working.value == pytest.approx(float(e.response[y, x]), rel=1e-4, abs=1e-2)
        assert not any("whole run" in line for line in working.lines)
        answer = from_linear(np.float32([working.value]), 255)[0] if e.linear_light else working.value
        mapped = e.gain * answer + e.offset
        assert np.clip(abs(mapped) if e.rectified else mapped, 0, 255) == pytest.approx(
            pixels[y, x, 0], abs=0.52
        )


def test_a_dropped_sign_comes_after_scale_and_bias(run, photo):
    photo("a.png", (60, 81))
    specs, options = CHAINS["magnitude with bias"]
    e, pixels = explained("a.png", specs, **options)
    y, x = np.unravel_index(np.argmin(e.response), e.response.shape)
    response = float(e.response[y, x])
    lines = work_out(e, (int(x), int(y))).lines
    spelled = [line.replace("\u00a0", " ") for line in lines]
    assert any(" × 3 + 40 = −" in line for line in spelled)
    assert any(line.startswith("without its sign: ") for line in lines)
    assert pixels[y, x, 0] == min(255, round(abs(3 * response + 40)))


def test_a_chain_is_explained_by_its_last_filter(run, photo):
    image = photo("a.png", (60, 81))
    e, _ = explained("a.png", ["gaussian:sigma=2", "sobel"], stride=(2, 2))
    assert e.title == "sobel on a.png, after gaussian"
    assert e.image.shape == (30, 41)
    assert run("convolve", "a.png", "-k", "gaussian:sigma=2", "--stride", "2", "-o", "b.png").code == 0
    np.testing.assert_array_equal(e.image, np.asarray(Image.open("b.png")))
    single, _ = explained("a.png", ["box:3"])
    np.testing.assert_array_equal(single.image, image)
    repeated, _ = explained("a.png", ["box:3"], repeat=9, linear=True)
    assert repeated.title == "box on a.png, after 8 other filters, in linear light"


@pytest.mark.parametrize("spec", ["box:3", "sharpen", "median", "bilateral:size=5", "1 2; 3 -4"])
@pytest.mark.parametrize("before", [[], ["gaussian"]])
def test_colours_are_explained_by_their_green_channel(run, photo, spec, before):
    """What the page works out is what stands in the output."""
    photo("a.png", (20, 30, 3))
    e, pixels = explained("a.png", [*before, spec])
    np.testing.assert_array_equal(e.shown, pixels[:, :, 1])
    for place in ((7, 5), (0, 19)):
        working = work_out(e, place)
        assert round(min(max(working.value, 0), 255)) == pytest.approx(pixels[place[1], place[0], 1], abs=1)
        assert working.pixel == pixels[place[1], place[0], 1]
    page, film = lay_out(e)[0], lay_out_film(e)[0][-1]
    for canvas, name in ((page, "The green feature map"), (film, "the green feature map")):
        assert name in [mark.text for mark in canvas.marks if mark.kind == "text"]


def test_luma_is_explained_where_it_is_filtered(run, photo):
    photo("a.png", (20, 30, 3))
    for spec, options in (("box:3", {"gray": True}), ("sobel", {})):
        e, pixels = explained("a.png", [spec], **options)
        assert e.colors is None
        np.testing.assert_array_equal(e.shown, pixels[:, :, 0])


def test_what_opacity_does_is_said(run, photo):
    image = photo("a.png", (20, 30, 4))
    image[:, :15, 3] = 0
    image[:, 15:, :3] = 0
    Image.fromarray(image).save("a.png")
    e, pixels = explained("a.png", ["box:3"], gray=True)
    np.testing.assert_array_equal(e.shown, pixels[:, :, 0])
    assert work_out(e, (15, 9)).lines == ("weighted by opacity in the run → 0",)
    assert work_out(e, (25, 9)).lines == ()


@pytest.mark.parametrize(
    "kernel",
    ["box:3", "bilateral", "laplacian", "gabor-bank", "median", "canny", "kuwahara", "open", "tophat:disk:2"],
)
def test_nan_and_infinity_are_explained(run, photo, kernel):
    values = photo("a.npy", (40, 50), np.float32)
    values[10, 20], values[30, 5], values[31, 7] = np.nan, np.inf, -np.inf
    np.save("a.npy", values)
    np.save("nan.npy", np.full((9, 9), np.nan, np.float32))
    np.save("inf.npy", np.full((9, 9), np.inf, np.float32))
    pages = [("a.npy", "a.png"), ("nan.npy", "b.png"), ("inf.npy", "c.png")]
    if kernel in ("box:3", "gabor-bank"):
        pages += [("a.npy", "a.gif"), ("nan.npy", "b.gif")]
    for name, page in pages:
        done = run("convolve", name, "-k", kernel, "-o", "out.png", "--explain", page, "-q")
        assert (done.code, done.err) == (0, "")
        assert Path(page).stat().st_size > 1000


@pytest.mark.parametrize("options", [["-o", "b.png"], ["--in-place"]])
def test_an_explanation_that_fails_leaves_the_output(run, photo, two_lines, options):
    photo("a.png")
    photo("b.png")
    before = Path("a.png").read_bytes(), Path("b.png").read_bytes()
    done = run("convolve", "a.png", "-k", "gaussian:sigma=4", *options, "--explain", "nodir/x.png")
    assert "nodir" in two_lines(done, 1)
    assert (Path("a.png").read_bytes(), Path("b.png").read_bytes()) == before


def test_explain_is_drawn_beside_the_result(run, photo):
    photo("a.png", (48, 64))
    assert run("convolve", "a.png", "-k", "sobel", "-o", "b.png", "--explain", "c.png").code == 0
    with Image.open("c.png") as picture:
        assert min(picture.size) > 200
    with Image.open("b.png") as picture:
        assert picture.size == (64, 48)


@pytest.mark.parametrize("top", [1.0, 1.0001, 255.0])
@pytest.mark.parametrize("suffix", ["npy", "tif"])
def test_floats_have_one_white_wherever_they_lie(run, top, suffix):
    steps = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16) * np.float32(top)
    if suffix == "npy":
        np.save("a.npy", steps)
    else:
        Image.fromarray(steps).save("a.tif")
    done = run("convolve", f"a.{suffix}", "-k", "identity", "-o", "b.png")
    np.testing.assert_array_equal(np.asarray(Image.open("b.png")), np.arange(256).reshape(16, 16))
    noted = "note: b.png: floats of the input reach beyond 1, so that white is 255" in done.err
    assert noted == (top == 255 and suffix == "tif")


def test_12_bits_in_16_are_said_where_8_are_written(run):
    Image.fromarray((np.arange(256, dtype=np.uint16) * 16).reshape(16, 16)).save("a.png")
    done = run("convolve", "a.png", "-k", "identity", "-o", "b.jpg")
    assert "b.jpg is almost black, pixels reach 4,080 of 65,535; --range stretch brightens them" in done.err
    assert "almost black" not in run("convolve", "a.png", "-k", "identity", "-o", "c.png").err
