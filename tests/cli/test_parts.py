"""``--mask`` and ``--roi --inside``: what is filtered, what stays, and what is refused."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage


@pytest.fixture
def photo(rng, tmp_path):
    """A colour picture of 40 x 30 pixels, as a file and as an array."""
    pixels = rng.integers(0, 256, (30, 40, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return pixels


def save_mask(path, mask, mode="L"):
    Image.fromarray(mask).convert(mode).save(path)


def opened(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_region_is_filtered_in_place(run, photo):
    done = run(
        "convolve", "a.png", "-k", "median:3", "--roi", "4,5,20,10", "--inside", "-o", "o.png", "--json"
    )
    assert (done.code, done.results[0]["width"], done.results[0]["height"]) == (0, 40, 30)
    out = opened("o.png")
    wanted = photo.copy()
    wanted[5:15, 4:24] = ndimage.median_filter(photo, (3, 3, 1), mode="mirror")[5:15, 4:24]
    assert np.array_equal(out, wanted)


def test_16_bits_outside_a_region_stay(run, rng):
    pixels = rng.integers(0, 65536, (20, 25)).astype(np.uint16)
    Image.fromarray(pixels).save("a.png")
    assert run("convolve", "a.png", "-k", "gaussian", "--roi", "0,0,9,9", "--inside", "-o", "o.png").code == 0
    out = opened("o.png").astype(np.uint16)
    assert not np.array_equal(out[:9, :9], pixels[:9, :9])
    out[:9, :9] = pixels[:9, :9]
    assert np.array_equal(out, pixels)


@pytest.mark.parametrize("colours", [255, 300])
def test_a_palette_that_overflows_is_said(run, colours):
    """The rest stays as it is in a GIF only while there are no more colours than fit into its palette."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels.reshape(-1, 3)[:colours, 0] = np.arange(colours) % 256
    pixels.reshape(-1, 3)[:colours, 1] = np.arange(colours) // 256
    Image.fromarray(pixels).save("a.png")
    words = ("a.png", "-k", "box:3", "--roi", "30,15,5,4", "--inside", "-o")
    done = run("convolve", *words, "o.gif")
    said = "note: o.gif: GIF holds 256 colours and there are more, so that pixels outside the filtered"
    assert (said in done.err) == (colours > 256)
    with Image.open("o.gif") as image:
        same = np.array_equal(np.asarray(image.convert("RGB"))[:15], pixels[:15])
    assert same == (colours < 256)
    assert "colours" not in run("convolve", *words, "o.png").err


def test_every_frame_of_an_animation(run, rng):
    frames = [rng.integers(0, 256, (12, 14, 4)).astype(np.uint8) for _ in range(3)]
    first, *more = [Image.fromarray(each) for each in frames]
    first.save("a.png", save_all=True, append_images=more, duration=100)
    assert run("convolve", "a.png", "-k", "box:3", "--roi", "3,3,5,5", "--inside", "-o", "o.png").code == 0
    with Image.open("o.png") as image:
        assert image.n_frames == 3
        for number, frame in enumerate(frames):
            image.seek(number)
            out = np.array(image.convert("RGBA"))
            assert not np.array_equal(out[3:8, 3:8], frame[3:8, 3:8])
            out[3:8, 3:8] = frame[3:8, 3:8]
            assert np.array_equal(out, frame)


@pytest.mark.parametrize("mode", ["L", "RGB", "LA", "1"])
def test_masks_of_any_kind(run, photo, mode):
    mask = np.zeros((30, 40), np.uint8)
    mask[:, 20:] = 255
    save_mask("m.png", mask, mode)
    assert run("convolve", "a.png", "-k", "box:5", "--mask", "m.png", "-o", "o.png").code == 0
    out = opened("o.png")
    assert np.array_equal(out[:, :20], photo[:, :20])
    box = ndimage.uniform_filter(photo.astype(float), (5, 5, 1), mode="mirror")
    assert np.abs(out[:, 20:] - box[:, 20:]).max() <= 0.5 + 1e-3


def test_a_soft_mask_of_16_bits_mixes(run, photo):
    mask = np.full((30, 40), 16384, np.uint16)
    Image.fromarray(mask).save("m.png")
    assert run("convolve", "a.png", "-k", "box:5", "--mask", "m.png", "-o", "o.png").code == 0
    box = np.rint(ndimage.uniform_filter(photo.astype(float), (5, 5, 1), mode="mirror"))
    wanted = photo + 16384 / 65535 * (box - photo)
    assert np.abs(opened("o.png") - wanted).max() <= 0.5 + 1e-3


def test_a_mask_that_filters_nothing_is_said(run, photo):
    save_mask("m.png", np.zeros((30, 40), np.uint8))
    done = run("convolve", "a.png", "-k", "box:5", "--mask", "m.png", "-o", "o.png")
    assert (done.code, done.err) == (0, "warning: --mask m.png is black everywhere: nothing is filtered\n")
    assert np.array_equal(opened("o.png"), photo)


REFUSED = {
    "size": (["--mask", "small.png"], "--mask is 4 x 3 pixels; expected 40 x 30 as the image"),
    "no file": (["--mask", "none.png"], "--mask is none.png; expected a picture's file"),
    "many": (["--mask", "many.tif"], "which holds 2 pictures; expected one"),
    "range": (["--mask", "wide.npy"], "whose values reach from -3 to"),
    "0 and 1": (["--mask", "labels.png"], "--mask is labels.png, whose values reach 1 of 255"),
    "8 bits in 16": (["--mask", "bytes.npy"], "whose values reach 255 of 65535"),
    "inside": (["--inside"], "--inside is given without --roi"),
    "outside": (["--inside", "--roi", "30,20,11,5"], "--roi is 30,20,11,5; expected X,Y,W,H inside"),
    "stride": (["--mask", "small.png", "--stride", "2"], "expected a result of the picture's size"),
    "mode": (["--inside", "--roi", "0,0,5,5", "--mode", "full"], "expected a result of the picture's size"),
    "explain": (["--mask", "small.png", "--explain", "e.png"], "--mask and --explain are both given"),
    "written": (["--mask", "o.png"], "o.png"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(run, photo, tmp_path, case):
    small = np.zeros((3, 4), np.uint8)
    save_mask("small.png", small)
    page = Image.fromarray(small)
    page.save("many.tif", save_all=True, append_images=[page])
    np.save("wide.npy", np.full((30, 40), -3, np.float32))
    ones = np.tri(30, 40, dtype=np.uint8)
    save_mask("labels.png", ones)
    np.save("bytes.npy", ones.astype(np.uint16) * 255)
    if case == "written":
        save_mask("o.png", np.zeros((30, 40), np.uint8))
    before = sorted(tmp_path.iterdir())
    options, message = REFUSED[case]
    done = run("convolve", "a.png", "-k", "box:3", "-o", "o.png", *options)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 2
    assert sorted(tmp_path.iterdir()) == before


def test_some_channels(run, photo):
    assert run("convolve", "a.png", "-k", "median:3", "--channels", "g", "-o", "o.png").code == 0
    out = opened("o.png")
    assert np.array_equal(out[..., [0, 2]], photo[..., [0, 2]])
    assert np.array_equal(out[..., 1], ndimage.median_filter(photo[..., 1], 3, mode="mirror"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--channels", "x"), "--channels is 'x'; expected letters of rgba"),
        (("--channels", "a"), "a.png: --channels names a; expected r, g, b, or 1 to 3"),
        (("--channels", "r", "--gray"), "--channels and --gray are both given"),
        (("--channels", "r", "--stride", "2"), "--channels is given with --mode same and --stride 2"),
        (("--channels", "r", "--explain", "x.png"), "--channels and --explain are both given"),
    ],
)
def test_channels_that_are_refused(run, photo, two_lines, words, message):
    assert message in two_lines(run("convolve", "a.png", "-k", "box:3", "-o", "o.png", *words), 2)


def test_one_picture_of_several_has_no_such_channel(run, photo, tmp_path):
    Image.fromarray(photo[..., 0]).save("gray.png")
    done = run("convolve", "a.png", "gray.png", "-k", "box:3", "--channels", "r", "-o", "out/")
    assert done.code == 1
    assert "gray.png: --channels names r; expected 1" in done.err
    (made,) = tmp_path.glob("out/*")
    assert np.array_equal(opened(made)[..., 1:], photo[..., 1:])
