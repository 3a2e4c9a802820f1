"""Size, crops, turns: against Pillow, OpenCV, PyTorch, scipy and plain loops."""

import functools
import math

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from surfaces import DTYPES, random_image, surface_over

from cnncli.core.tiling import Surface
from cnncli.errors import CnncliError
from cnncli.filters import moves
from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.options import Options
from cnncli.filters.rgbx import as_rgbx
from cnncli.filters.spec import name_for_files, parse_spec

WHITE = {np.uint8: 255.0, np.uint16: 65535.0, np.float32: 1.0}
SHAPES = [(1, 1), (2, 5), (17, 16), (33, 15), (60, 131)]
SIZES = [(1, 1), (3, 2), (16, 17), (31, 64), (75, 140)]
WAYS = ("bilinear", "bicubic", "lanczos", "area")


def applied(frame, *specs, alpha=False, threads=2, rgbx=False, **options):
    depth = Depth(frame.dtype, WHITE[frame.dtype.type])
    how = {"alpha": alpha, "source": depth, "target": depth, "threads": threads, "rgbx": rgbx}
    return apply_filters(frame, [parse_spec(each) for each in specs], Options(**options), **how).pixels


def kernel(way, x):
    """How much a pixel counts whose middle is so far away, in pixels of the smaller picture."""
    x = abs(x)
    if way == "bilinear":
        return max(0.0, 1 - x)
    if way == "area":
        return 1.0 if x < 0.5 else 0.0
    if way == "lanczos":
        return np.sinc(x) * np.sinc(x / 3) if x < 3 else 0.0
    return 1.5 * x**3 - 2.5 * x**2 + 1 if x < 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


@functools.cache
def matrix(before, after, way):
    """(after, before) in float64, by the definition."""
    scale = before / after
    wide = max(scale, 1.0)
    rows = [
        [kernel(way, ((at + 0.5) - (out + 0.5) * scale) / wide) for at in range(before)]
        for out in range(after)
    ]
    weights = np.array(rows)
    return weights / weights.sum(axis=1, keepdims=True)


def resized(image, shape, way):
    rows, columns = (matrix(a, b, way) for a, b in zip(image.shape, shape, strict=False))
    return np.einsum("ih,hwc,jw->ijc", rows, image.astype(np.float64), columns, optimize=True)


@pytest.mark.parametrize("way", WAYS[:3])
@pytest.mark.parametrize("shape", SHAPES)
def test_floats_by_the_definition(rng, shape, way):
    for number, (height, width) in enumerate(SIZES):
        for channels in (1 + 2 * (number % 2), 7)[: 1 + (number == 3)]:
            image = random_image(rng, (*shape, channels))
            found = applied(image, f"resize:{width}x{height}!:{way}")
            assert found.shape == (height, width, channels)
            np.testing.assert_allclose(found, resized(image, (height, width), way), rtol=0, atol=2e-6)


@pytest.mark.parametrize("way", WAYS[:3])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_larger_pictures_of_several_tiles(rng, way, channels):
    """Also by whole odd factors, where some pixels lie upon those of the source, and have a single tap."""
    sizes = [((70, 130), (141, 331)), ((25, 70), (75, 210)), ((1, 1), (70, 33))]
    for shape, size in (*sizes, ((3, 400), (5, 1001)))[: 4 if (way, channels) == ("bilinear", 1) else 3]:
        image, rows = random_image(rng, (*shape, channels)), min(27, size[0] - 3)
        found = applied(image, f"resize:{size[1]}x{size[0]}!:{way}")
        np.testing.assert_allclose(found, resized(image, size, way), rtol=0, atol=2e-6)
        for threads in (1, 3):
            part = applied(image, f"resize:{size[1]}x{size[0]}!:{way}", threads=threads, roi=(7, 3, 20, rows))
            np.testing.assert_array_equal(part, found[3 : 3 + rows, 7:27])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("way", WAYS[:3])
def test_integers_by_the_definition(rng, dtype, way):
    image = random_image(rng, (37, 41, 3), dtype)
    for height, width in ((18, 20), (50, 90), (5, 120)):
        want = np.clip(resized(image, (height, width), way), 0, WHITE[dtype])
        for given in (image, as_rgbx(image, threads=1)):
            found = applied(given, f"resize:{width}x{height}!:{way}", rgbx=given is not image)
            assert abs(found - want).max() < 0.51


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_bytes_are_the_nearest_of_exact_sums(rng, monkeypatch, channels, streamed):
    """Weights of these factors are parts of a power of two: float64 sums are exact, halves become even."""
    if streamed:
        monkeypatch.setattr("cnncli.filters.enlarge_bytes.STREAMED_BYTES", 0)
    sizes = [(1, 16), (2, 31), (17, 33), (40, 64), (35, 1003), (3, 11)]
    for number, (height, width) in enumerate(sizes):
        image = random_image(rng, (height, width, channels), np.uint8)
        for down, across in ((2, 2), (4, 4), (8, 8), (1, 2), (2, 1), (4, 2), (16, 2), (16, 16))[
            number % 4 :: 4
        ]:
            size = (down * height, across * width)
            want = np.rint(resized(image, size, "bilinear"))
            for given in (image, as_rgbx(image, threads=1)):
                for rgbx in (False, True):
                    found = applied(given, f"resize:{size[1]}x{size[0]}!", rgbx=rgbx)
                    np.testing.assert_array_equal(found, want)
                    if rgbx and channels == 3:
                        four = np.lib.stride_tricks.as_strided(found, (*size, 4))
                        assert (four[..., 3] == 255).all()
            part = applied(image, f"resize:{size[1]}x{size[0]}!", threads=3, roi=(across, 0, 9, down))
            np.testing.assert_array_equal(part, want[:down, across : across + 9])


def test_bytes_of_a_view_and_to_a_view(rng):
    """Rows that begin anywhere, with other bytes between them, which stay as they are."""
    room = random_image(rng, (21, 150), np.uint8)
    for first in range(3):
        source = room[:20, first : first + 97, None]
        out = np.full((40, 211), 9, np.uint8)
        taps = [moves.taps_for(before, 2 * before, "bilinear", (0, 2 * before)) for before in (20, 97)]
        maps = {"xmap": np.arange(97), "ymap": np.arange(20)}
        moves.run_resize(Surface(src=source, out=out[:, 5:199, None], **maps), taps, threads=2)
        np.testing.assert_array_equal(out[:, 5:199, None], np.rint(resized(source, (40, 194), "bilinear")))
        assert (out[:, :5] == 9).all()
        assert (out[:, 199:] == 9).all()


@pytest.mark.parametrize("way", WAYS)
def test_pillow(rng, way):
    smooth = ndimage.gaussian_filter(random_image(rng, (67, 103, 3)), (3, 3, 0))
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min()) * 0.8 + 0.1
    name = "BOX" if way == "area" else way.upper()
    for height, width in ((34, 52), (20, 200), (7, 10), (150, 210)):
        floats = applied(smooth, f"resize:{width}x{height}!:{way}")
        for channel in range(3):
            theirs = Image.fromarray(smooth[..., channel]).resize((width, height), Image.Resampling[name])
            np.testing.assert_allclose(floats[..., channel], np.asarray(theirs), rtol=0, atol=2e-6)
        image = (smooth * 255).astype(np.uint8)
        theirs = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling[name]))
        found = applied(image, f"resize:{width}x{height}!:{way}")
        assert abs(found.astype(int) - theirs).max() <= 1


def test_pytorch(rng):
    torch = pytest.importorskip("torch")
    image = random_image(rng, (61, 47, 1))
    x = torch.from_numpy(image[None, ..., 0][None])
    for mode, way in (("bilinear", "bilinear"), ("bicubic", "bicubic")):
        for size in ((30, 20), (90, 31)):
            theirs = torch.nn.functional.interpolate(x, size, mode=mode, antialias=True)[0, 0].numpy()
            found = applied(image, f"resize:{size[1]}x{size[0]}!:{way}")[..., 0]
            np.testing.assert_allclose(found, theirs, rtol=0, atol=3e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_opencv_means_by_whole_factors(rng, dtype):
    cv2 = pytest.importorskip("cv2")
    image = random_image(rng, (60, 84, 3), dtype)
    for factor in (2, 3, 4):
        size = (84 // factor, 60 // factor)
        theirs = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        found = applied(image, f"resize:{size[0]}x{size[1]}!:area")
        assert abs(found.astype(np.float64) - theirs).max() <= (1e-6 if dtype == np.float32 else 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nearest(rng, dtype):
    image = random_image(rng, (13, 21, 3), dtype)
    for height, width in ((6, 10), (13, 21), (40, 50), (1, 1)):
        rows = [math.floor((at + 0.5) * 13 / height) for at in range(height)]
        columns = [math.floor((at + 0.5) * 21 / width) for at in range(width)]
        found = applied(image, f"resize:{width}x{height}!:nearest")
        np.testing.assert_array_equal(found, image[rows][:, columns])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("way", [*WAYS, "nearest"])
def test_a_flat_picture_stays_flat_and_the_same_size_is_the_same(rng, dtype, way):
    image = random_image(rng, (19, 23, 3), dtype)
    np.testing.assert_array_equal(applied(image, f"resize:100%:{way}"), image)
    flat = np.full((190, 231, 1), WHITE[dtype] * 0.7, dtype)
    for size in ("1x1!", "33%", "57x300!"):
        found = applied(flat, f"resize:{size}:{way}")
        np.testing.assert_allclose(found, flat[0, 0, 0], rtol=2e-6 if dtype == np.float32 else 0)


def test_nan_reaches_only_what_it_is_part_of(rng):
    image = random_image(rng, (40, 40, 1))
    image[20, 20] = np.nan
    for way in WAYS:
        found = applied(image, f"resize:50%:{way}")[..., 0]
        rows = matrix(40, 20, way) != 0
        if way == "area":
            rows = np.kron(np.eye(20), np.ones((1, 2))) > 0
        np.testing.assert_array_equal(np.isnan(found), np.outer(rows[:, 20], rows[:, 20]))


@pytest.mark.parametrize("way", WAYS[:3])
def test_what_is_not_finite_reaches_no_pixel_without_weight(rng, way):
    image = random_image(rng, (20, 31, 1))
    image[10, 15], image[3, 30], image[19, 0] = np.nan, np.inf, -np.inf
    for size in ((60, 93), (37, 64), (20, 100)):
        found = applied(image, f"resize:{size[1]}x{size[0]}!:{way}")[..., 0]
        rows, columns = (np.abs(matrix(a, b, way)) > 1e-12 for a, b in zip((20, 31), size, strict=True))
        reached = rows.astype(int) @ ~np.isfinite(image[..., 0]) @ columns.T > 0
        np.testing.assert_array_equal(~np.isfinite(found), reached)


@pytest.mark.parametrize("dtype", DTYPES)
def test_colours_of_transparent_pixels_do_not_bleed(rng, dtype):
    white = WHITE[dtype]
    frame = np.zeros((40, 60, 4), dtype)
    frame[..., 0], frame[..., 3] = white, 0  # red that nobody sees …
    frame[:, 21:] = [0, white, 0, white]  # … beside green
    for spec in (
        "resize:50%",
        "resize:37%:lanczos",
        "resize:150%:bicubic",
        "rotate:20",
        "resize:30%:nearest",
    ):
        found = applied(frame, spec, alpha=True)
        seen = found[..., 3] > 1e-5 * white
        assert seen.any()
        assert not seen.all()
        assert found[..., 0].max() <= 1e-6 * white
        assert found[seen][:, 1].min() >= white * (1 - 1e-5)
    half = applied(frame, "resize:50%:area", alpha=True)
    assert abs(float(half[5, 10, 3]) - white / 2) <= 1


def test_opacity_by_the_definition(rng):
    frame = random_image(rng, (30, 41, 4))
    found = applied(frame, "resize:45%", alpha=True)
    cover = resized(frame[..., 3:], found.shape[:2], "bilinear")
    color = resized(frame[..., :3] * frame[..., 3:], found.shape[:2], "bilinear") / cover
    np.testing.assert_allclose(found, np.concatenate([color, cover], axis=2), atol=1e-5)


@pytest.mark.parametrize(
    ("size", "want"),
    [
        ("50%", (50, 25)), ("50%x30%", (50, 15)), ("50x30%", (50, 15)), ("33.3%", (33, 17)), ("40", (40, 20)),
        ("x40", (80, 40)), ("40x40", (40, 20)), ("40x40!", (40, 40)), ("40x40^", (80, 40)),
        ("400x400", (400, 200)), ("400x400>", (100, 50)), ("40x40>", (40, 20)), ("40x40<", (100, 50)),
        ("400x400<", (400, 200)), ("40!", (40, 50)), ("1x1", (1, 1)), ("0.1%", (1, 1)), ("200%>", (100, 50)),
    ],
)  # fmt: skip
def test_sizes_as_imagemagick_takes_them(size, want):
    assert parse_spec(f"resize:{size}").result_shape((50, 100)) == want[::-1]


@pytest.mark.parametrize(
    "text", ["0x0", "x", "-5x5", "5.5x5", "10x20x30", "%", "nan", "50%%", "10 x", "1e9", "٥٠%", "9999999999"]
)
def test_what_is_no_size(text):
    with pytest.raises(CnncliError, match=r"resize: size=.*expected 50%, 640x480"):
        parse_spec(f"resize:size={text}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_crops(rng, dtype):
    image = random_image(rng, (40, 60, 3), dtype)
    for spec, rows, columns in (
        ("20x10+3+5", slice(5, 15), slice(3, 23)),
        ("20x10", slice(15, 25), slice(20, 40)),
        ("50%", slice(10, 30), slice(15, 45)),
        ("10%x50%+0+0", slice(0, 20), slice(0, 6)),
        ("7x5+1+2,gravity=southeast", slice(33, 38), slice(52, 59)),
        ("8x6:north", slice(0, 6), slice(26, 34)),
        ("8x6+2-3:center", slice(14, 20), slice(28, 36)),
        ("60x40", slice(0, 40), slice(0, 60)),
    ):
        for given in (image, as_rgbx(image, threads=1)):
            np.testing.assert_array_equal(applied(given, f"crop:{spec}"), image[rows, columns])


@pytest.mark.parametrize("area", ["61x40", "10x10+55+0", "10x10-1+0", "10x10+0+31", "200%"])
def test_a_crop_that_leaves_the_picture(area):
    with pytest.raises(CnncliError, match="the picture has 60 x 40; expected a part that lies inside"):
        parse_spec(f"crop:{area}").result_shape((40, 60))


@pytest.mark.parametrize("area", ["10", "10x", "10x10+5", "10x10!+0+0", "0x5+1+1", "10x10+a+b", "x10"])
def test_what_is_no_area(area):
    with pytest.raises(CnncliError, match=r"crop: area=.*expected 640x480\+10\+20"):
        parse_spec(f"crop:area={area}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_quarter_turns_and_reversals(rng, dtype, channels):
    image = random_image(rng, (70, 131, channels), dtype)
    for angle, turns in ((90, -1), (180, 2), (270, 1), (-90, 1), (450, -1), (0, 0), (360, 0)):
        np.testing.assert_array_equal(applied(image, f"rotate:{angle}"), np.rot90(image, turns))
    for spec, want in (
        ("flip", image[::-1]), ("flip:vertical", image[::-1]), ("flip:horizontal", image[:, ::-1]),
        ("flop", image[:, ::-1]), ("flip:both", image[::-1, ::-1]), ("transpose", image.swapaxes(0, 1)),
    ):  # fmt: skip
        np.testing.assert_array_equal(applied(image, spec), want)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_turns_of_all_sizes_keep_all_bits(rng, dtype, channels):
    for shape in ((1, 1), (1, 200), (200, 1), (15, 17), (16, 64), (33, 65), (129, 63)):
        whole = rng.integers(0, 256, (*shape, channels * np.dtype(dtype).itemsize), np.uint8).view(dtype)
        wide = np.full((shape[0], 2 * shape[1], channels + 1), 7, dtype)
        apart = wide[:, ::2, :channels]  # pixels with others between them
        apart[...] = whole
        for image in (whole, apart):
            for spec, want in (
                ("flop", np.fliplr(whole)), ("transpose", whole.transpose(1, 0, 2)),
                ("rotate:90", np.rot90(whole, -1)), ("rotate:180", np.rot90(whole, 2)),
                ("rotate:270", np.rot90(whole)),
            ):  # fmt: skip
                found = np.ascontiguousarray(applied(image, spec))
                np.testing.assert_array_equal(found.view(np.uint8), np.ascontiguousarray(want).view(np.uint8))


@pytest.mark.parametrize("streamed_bytes", [0, 1 << 30])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 6, 8, 12, 16, 20])
def test_rows_keep_all_bits(rng, monkeypatch, size, streamed_bytes):
    """Rows of all lengths that begin anywhere, past the caches or not."""
    monkeypatch.setattr(moves, "STREAMED_BYTES", streamed_bytes)
    for width in (1, 64 // size + 1, 100, 128, 129, 20000 // size):
        for first in (0, 1, 5):
            source = rng.integers(0, 256, (5, width, size), np.uint8)
            room = np.full((5, width * size + 80), 9, np.uint8)
            out = room[:, first : first + width * size].reshape(5, width, size)
            for moved in (source, source[:, ::-1], source[::-1], source[::-1, ::-1]):
                moves._copy(moved, out, 2)
                np.testing.assert_array_equal(out, moved)
            assert (room[:, :first] == 9).all()
            assert (room[:, first + width * size :] == 9).all()


@pytest.mark.parametrize("transposed", [False, True])
def test_moves_between_pixels_that_are_not_dense(rng, transposed):
    """Of sources and outputs in which something else lies between pixels or samples."""
    for step, skip in ((1, 2), (2, 1), (2, 2)):
        source = rng.integers(0, 256, (70, 70 * step, 3 * skip), np.uint8)[:, ::step, ::skip]
        room = np.full((70, 70 * step, 3 * skip), 9, np.uint8)
        moved = (source.swapaxes(0, 1) if transposed else source)[:, ::-1]
        want = room.copy()
        want[:, ::step, ::skip] = moved
        moves._copy(moved, room[:, ::step, ::skip], 2)
        np.testing.assert_array_equal(room, want)


@pytest.mark.parametrize(("spec", "order"), [("rotate:30", 1), ("rotate:-75.5", 1), ("rotate:30:nearest", 0)])
def test_other_angles_by_scipy(rng, spec, order):
    image = ndimage.gaussian_filter(random_image(rng, (40, 61, 1)), (1, 1, 0))
    found = applied(image, f"{spec},fill=0.25")[..., 0]
    angle = math.radians(float(spec.split(":")[1]))
    cos, sin = math.cos(angle), math.sin(angle)
    height, width = found.shape
    assert (height, width) == (
        math.ceil(61 * abs(sin) + 40 * abs(cos)), math.ceil(61 * abs(cos) + 40 * abs(sin))
    )  # fmt: skip
    turn = np.array([[cos, -sin], [sin, cos]])  # (row, column) of the result to those of the picture
    offset = np.array([19.5, 30]) - turn @ np.array([(height - 1) / 2, (width - 1) / 2])
    want = ndimage.affine_transform(
        image[..., 0], turn, offset, (height, width), order=order, mode="grid-constant", cval=0.25
    )
    if order == 0:
        assert (found == want).mean() > 0.995  # but halves, which scipy rounds otherwise
    else:
        np.testing.assert_allclose(found, want, rtol=0, atol=2e-6)


def test_bicubic_turns_are_pillows(rng):
    image = ndimage.gaussian_filter(random_image(rng, (41, 61, 1)), (2, 2, 0))
    found = applied(image, "rotate:30:bicubic")[..., 0]
    theirs = np.asarray(Image.fromarray(image[..., 0]).rotate(-30, Image.Resampling.BICUBIC))
    middle = found[found.shape[0] // 2 - 10 :][:20, found.shape[1] // 2 - 15 :][:, :30]
    if found.shape[0] % 2 == 1 and found.shape[1] % 2 == 1:
        np.testing.assert_allclose(middle, theirs[10:30, 15:45], atol=1e-5)


def test_corners_are_transparent_where_there_is_opacity(rng):
    frame = np.full((30, 50, 4), 255, np.uint8)
    found = applied(frame, "rotate:45,fill=1", alpha=True)
    assert not found[0, 0].any()
    assert (found[found.shape[0] // 2, found.shape[1] // 2] == 255).all()
    assert (applied(frame[..., :3].copy(), "rotate:45,fill=1") == 255).all()
    gray = applied(frame[..., :1].copy(), "rotate:45")
    assert gray[0, 0] == 0


@pytest.mark.parametrize("spec", ["resize:70%", "rotate:33", "rotate:90", "crop:30x20+7+9", "flip"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_region_and_threads_show_nothing(rng, spec, dtype):
    frame = random_image(rng, (61, 83, 4), dtype)
    whole = applied(frame, "sobel", spec, alpha=True, threads=1)
    region = applied(frame, "sobel", spec, alpha=True, threads=3, roi=(3, 5, 20, 11))
    np.testing.assert_array_equal(region, whole[5:16, 3:23])


def test_linear_light(rng):
    image = random_image(rng, (16, 16, 1), np.uint8) // 255 * 255
    image[:, ::2], image[:, 1::2] = 0, 255
    assert applied(image, "resize:50%:area")[0, 0] == 128
    assert applied(image, "resize:50%:area", linear=True)[0, 0] == 188
    assert applied(image, "rotate:45,fill=0.5", linear=True)[0, 0] == 128


def test_names_of_files_hold_no_signs():
    for spec, name in {
        "resize:50%": "resize-50percent", "resize:640x480>": "resize-640x480-reduced",
        "resize:x9^:area": "resize-x9-filled-area", "crop:5x6+7-8": "crop-5x6+7-8",
        "rotate:45": "rotate-angle45", "flip:horizontal": "flip-horizontal",
    }.items():  # fmt: skip
        assert name_for_files(spec, parse_spec(spec)) == name


@pytest.mark.parametrize(("option", "value"), [("stride", (2, 1)), ("mode", "full"), ("dilation", 2)])
@pytest.mark.parametrize("spec", ["crop", "resize", "rotate:9", "flip"])
def test_options_about_windows_are_refused(rng, spec, option, value):
    from cnncli.filters.options import place_kernels

    with pytest.raises(CnncliError, match=f"--{option} is given, but"):
        place_kernels(parse_spec(spec), Options(**{option: value}))


def keys(x):
    x = abs(x)
    return 1.5 * x**3 - 2.5 * x**2 + 1 if x <= 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


WEIGHTS = {
    "nearest": (np.vectorize(lambda x: float(-0.5 <= x < 0.5)), 1),
    "bilinear": (lambda x: np.maximum(1 - np.abs(x), 0), 1),
    "bicubic": (np.vectorize(keys), 2),
}


def turned(image, angle, way, fill):
    """In float64, tap by tap; a tap without weight does not count, whatever lies there."""
    weight, reach = WEIGHTS[way]
    height, width, channels = image.shape
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    tall = math.ceil(width * abs(sin) + height * abs(cos) - 1e-9)
    wide = math.ceil(width * abs(cos) + height * abs(sin) - 1e-9)
    v, u = np.mgrid[:tall, :wide] - np.array([(tall - 1) / 2, (wide - 1) / 2])[:, None, None]
    x, y = cos * u + sin * v + (width - 1) / 2, cos * v - sin * u + (height - 1) / 2
    total = np.zeros((tall, wide, channels))
    for j in range(-reach, reach + 1):
        for i in range(-reach, reach + 1):
            column, row = np.floor(x) + i, np.floor(y) + j
            share = weight(column - x) * weight(row - y)
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            at = tuple(np.where(inside, each, 0).astype(int) for each in (row, column))
            value = np.where(inside[..., None], image[at].astype(np.float64), fill)
            some = share[..., None] != 0
            total += np.where(some, share[..., None] * np.where(some, value, 0), 0)
    if way == "nearest":  # of places between two pixels, either may be right
        halves = np.abs(np.stack([x, y]) % 1 - 0.5).min(axis=0) < 1e-9
        total[halves] = np.nan
    return total


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("way", WEIGHTS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_turns_by_the_definition(rng, dtype, way, channels):
    white = WHITE[dtype]
    near = 2e-6 if dtype == np.float32 else 0.51
    for shape, angle in (
        ((1, 1), 30), ((1, 40), 77), ((40, 1), -13), ((2, 2), 45), ((17, 31), 181.5), ((33, 15), 359.9),
        ((131, 250), 30), ((140, 257), -100.1), ((300, 64), 0.01),
    ):  # fmt: skip
        image = random_image(rng, (*shape, channels), dtype)
        want = turned(image, angle, way, 0.25 * white)
        for given in (image, as_rgbx(image, threads=1)):
            found = applied(given, f"rotate:{angle}:{way}:0.25", rgbx=given is not image)
            assert found.shape == want.shape
            known = ~np.isnan(want)
            assert known.any()
            clipped = want if dtype == np.float32 else np.clip(want, 0, white)
            assert np.abs(found - clipped)[known].max() <= near


@pytest.mark.parametrize("way", ["nearest", "bilinear", "bicubic"])
def test_turns_of_rows_that_share_sets_of_a_cache(rng, monkeypatch, way):
    """Rows of 2 KB, of which tiles are copied first; bit by bit as without copies."""
    image = random_image(rng, (150, 2048, 1), np.uint8)
    for angle in (3, 30, -75.5, 137, 270.2):
        spec = f"rotate:{angle}:{way}:0.25"
        found, want = applied(image, spec, threads=3), turned(image, angle, way, 0.25 * 255)
        known = ~np.isnan(want)
        assert np.abs(found - np.clip(want, 0, 255))[known].max() <= 0.51
        with monkeypatch.context() as patch:
            patch.setattr(moves, "TURNED_BYTES", 0)
            np.testing.assert_array_equal(applied(image, spec), found)


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_not_finite_turns_with_the_pixels_around_it(rng, channels):
    image = random_image(rng, (60, 90, channels))
    image[20, 31], image[40, 50], image[59, 89] = np.nan, np.inf, -np.inf
    for angle in (30, -71, 0.5):
        want = turned(image, angle, "bilinear", 0.0)
        found = applied(image, f"rotate:{angle}")
        finite = np.isfinite(want)
        assert (~finite).any()
        np.testing.assert_array_equal(np.isfinite(found), finite)
        np.testing.assert_allclose(found[finite], want[finite], rtol=0, atol=2e-6)


def test_pixels_without_weight_do_not_count():
    """A turn whose places are whole numbers: of floats, what lies beside them may be anything."""
    image = np.full((40, 40, 1), np.nan, np.float32)
    image[20] = np.arange(40)[:, None]
    surface = surface_over(image, (1, 1), full_scale=1.0)
    surface = moves.replace(surface, out=np.empty((1, 38, 1), np.float32))
    moves.run_affine(surface, (1.0, 20.0), ((1.0, 0.0), (0.0, 1.0)), 2, threads=1)
    np.testing.assert_array_equal(surface.out[0, :, 0], np.arange(1, 39))


@pytest.mark.parametrize("streamed_bytes", [0, 1 << 30])
def test_rows_are_copied_as_they_lie(rng, monkeypatch, streamed_bytes):
    """Past the caches or not, wherever they begin, and without a byte beyond them."""
    monkeypatch.setattr(moves, "STREAMED_BYTES", streamed_bytes)
    for width in (1, 3, 15, 16, 17, 21, 31, 32, 33, 63, 64, 65, 127, 128, 129, 191, 500):
        for start in (0, 1, 31):
            source = rng.integers(0, 256, (70, width + 40, 3), np.uint8)[::-1, start : start + width]
            room = np.full((70, width + 60, 3), 9, np.uint8)
            want = room.copy()
            want[:, start : start + width] = source
            moves._copy(source, room[:, start : start + width], 2)
            np.testing.assert_array_equal(room, want)
            want[:, start : start + width] = source[:, ::-1]
            moves._copy(source[:, ::-1], room[:, start : start + width], 2)
            np.testing.assert_array_equal(room, want)
