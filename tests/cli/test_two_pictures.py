"""Kernels of two pictures through the command."""

import os
import threading

import numpy as np
import pytest
from PIL import Image

from cnncli.filters import bands
from cnncli.images import large
from cnncli.images.encode import encode_picture
from cnncli.images.picture import GeoField, Metadata, Picture
from cnncli.images.read import read_picture
from cnncli.images.tiff_write import encode_tiff


@pytest.fixture
def photos(rng, tmp_path):
    """Three pictures of one size in a folder, and another one beside it."""
    (tmp_path / "in").mkdir()
    pixels = [rng.integers(0, 256, (20, 30, 3)).astype(np.uint8) for _ in range(4)]
    for number, each in enumerate(pixels[:3]):
        Image.fromarray(each).save(tmp_path / f"in/{number}.png")
    Image.fromarray(pixels[3]).save(tmp_path / "flat, 1:2 - x.png")
    return pixels


def opened(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_one_second_picture_for_all_of_a_folder(run, photos, tmp_path):
    done = run("convolve", "in", "-k", "difference:flat, 1:2 - x.png", "-o", "out/{stem}{ext}", "--json")
    assert done.code == 0
    assert done.results[0]["kernel"] == "difference:flat, 1:2 - x.png"
    assert done.results[0]["plan"] == "pixel by pixel (with a second picture)"
    for number in range(3):
        want = np.abs(photos[number].astype(int) - photos[3])
        assert np.array_equal(opened(tmp_path / f"out/{number}.png"), want)


def test_pictures_of_another_size_are_told_and_the_others_written(run, photos, tmp_path):
    Image.fromarray(photos[0][:10]).save(tmp_path / "in/3.png")
    done = run("convolve", "in", "-k", "blend:0.3:flat, 1:2 - x.png", "-o", "out/{stem}{ext}")
    assert done.code == 1
    assert "in/3.png: blend: flat, 1:2 - x.png is 30 x 20 pixels, the picture 30 x 10" in done.err
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["0.png", "1.png", "2.png"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-k", "difference", "-o", "o.png"), "difference has no second picture; expected its file"),
        (("-k", "blend:0.3", "-o", "o.png"), "blend:0.3 has no second picture; expected its file"),
        (("-k", "difference:-", "-o", "o.png"), "the second picture is standard input; expected a file"),
        (("-k", "difference:none.png", "-o", "o.png"), "cannot read none.png: no such file"),
        (("-k", "add:in/1.png", "-o", "in/1.png"), "the output in/1.png is also read, as in/1.png"),
        (("-k", "add:in/1.png", "-o", "o.png", "--max-pixels", "500"), "in/1.png: it has 30x20 pixels"),
        (("-k", "add:in/1.png", "-o", "o.png", "--explain", "x.png"), "--explain is given for add"),
        (("-k", "add:in/1.png", "-o", "o.png", "--normalize", "sum"), "--normalize is given, but add has no"),
    ],
)
def test_what_is_refused(run, photos, two_lines, tmp_path, words, message):
    before = (tmp_path / "in/1.png").read_bytes()
    assert message in two_lines(run("convolve", "in/0.png", *words), 2)
    assert (tmp_path / "in/1.png").read_bytes() == before
    assert not (tmp_path / "o.png").exists()


def test_a_second_picture_through_a_pipe(run, photos, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    contents = (tmp_path / "in/1.png").read_bytes()
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(contents,))
    writer.start()
    assert run("convolve", "in/0.png", "-k", "darken:pipe", "-o", "o.png").code == 0
    writer.join()
    assert np.array_equal(opened(tmp_path / "o.png"), np.minimum(photos[0], photos[1]))


def test_12_bits_in_16_beside_8_are_told(run, photos, tmp_path):
    Image.fromarray(np.full((20, 30), 4000, np.uint16)).save(tmp_path / "dark.png")
    Image.fromarray(np.full((20, 30), 9000, np.uint16)).save(tmp_path / "deep.png")
    done = run("convolve", "in/0.png", "-k", "difference:dark.png", "-o", "o.png")
    assert done.err == "note: dark.png is almost black, pixels reach 4,000 of 65,535\n"
    assert run("convolve", "deep.png", "-k", "difference:dark.png", "-o", "o.png").err == ""
    assert run("convolve", "in/0.png", "-k", "difference:deep.png", "-o", "o.png").err == ""


def test_in_a_chain_with_a_mask_and_channels(run, photos, tmp_path):
    assert run("convolve", "in/0.png", "-k", "gaussian:1", "-o", "soft.tif", "--bits", "32").code == 0
    words = ("-k", "gaussian:1", "-k", "difference:in/0.png", "--channels", "g", "-o", "o.png")
    assert run("convolve", "in/0.png", *words).code == 0
    found, soft = opened(tmp_path / "o.png"), read_picture(tmp_path / "soft.tif").frames[0] * 255
    assert np.array_equal(found[..., [0, 2]], photos[0][..., [0, 2]])
    np.testing.assert_allclose(found[..., 1], np.abs(soft - photos[0])[..., 1], atol=0.52)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ("b.tif", ("-k", "difference:{}")),
        ("b.ppm", ("-k", "gaussian:3", "-k", "blend:0.3:{}", "-k", "median:3", "-k", "subtract:{}")),
        ("b.png", ("-k", "add:{}", "--range", "stretch")),
        ("b.npy", ("-k", "multiply:{}", "--linear", "--stride", "2")),
        ("b.png", ("-k", "screen:{}", "--gray", "--roi", "5,40,20,90")),
    ],
)
def test_bands_have_the_bits_of_one_piece(run, rng, tmp_path, monkeypatch, second, words):
    one, other = rng.integers(0, 256, (2, 150, 30, 3)).astype(np.uint8)
    save(tmp_path / "a.tif", one)
    save(tmp_path / second, other)
    words = [each.format(second) for each in words]
    assert run("convolve", "a.tif", *words, "-o", "whole.tif").code == 0
    done = in_bands(run, monkeypatch, "a.tif", *words, "-o", "bands.tif")
    assert done.code == 0, done.err
    assert (tmp_path / "bands.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()


@pytest.mark.parametrize("missing", [False, True])
def test_bands_of_a_second_picture_with_opacity(run, rng, tmp_path, monkeypatch, missing):
    one, other = rng.integers(1, 256, (2, 150, 30, 4)).astype(np.uint8)
    one[..., 3] = 255  # opaque
    if missing:
        other[40:90, 5:20, :3] = 0
        value = Metadata(geo=(GeoField(42113, 2, b"0\0"),))
        (tmp_path / "b.tif").write_bytes(
            encode_tiff(Picture((np.ascontiguousarray(other[..., :3]),), False, "TIFF", value))
        )
    else:
        save(tmp_path / "b.tif", other, alpha=True)
    save(tmp_path / "a.tif", one, alpha=True)
    words = ("a.tif", "-k", "box:3", "-k", "difference:b.tif", "-k", "box:3", "-o")
    assert run("convolve", *words, "whole.tif").code == 0
    done = in_bands(run, monkeypatch, *words, "bands.tif")
    assert done.code == 0, done.err
    found = read_picture(tmp_path / "bands.tif").frames[0]
    np.testing.assert_array_equal(found, read_picture(tmp_path / "whole.tif").frames[0])
    assert (found[..., 3] < 255).any() == missing


def test_a_large_second_picture_of_one_that_lies_in_memory(run, rng, tmp_path, monkeypatch, two_lines):
    one, other = rng.integers(0, 256, (2, 150, 30, 3)).astype(np.uint8)
    for name, pixels in (("a.tif", one), ("b.tif", other), ("c.tif", other[:99])):
        save(tmp_path / name, pixels)
    words = ("-k", "darken:b.tif", "-o", "o.png", "--channels", "g")  # which keeps the rest
    assert in_bands(run, monkeypatch, "a.tif", *words).code == 0
    want = np.where([False, True, False], np.minimum(one, other), one)
    assert np.array_equal(opened(tmp_path / "o.png"), want)
    done = in_bands(run, monkeypatch, "a.tif", "-k", "darken:c.tif", "-o", "no.tif")
    assert "c.tif is 30 x 99 pixels, the picture 30 x 150; expected the same" in two_lines(done, 2)
    assert not (tmp_path / "no.tif").exists()


def test_what_does_not_fit_is_told_alike_in_bands(run, rng, tmp_path, monkeypatch, two_lines):
    save(tmp_path / "a.tif", rng.integers(0, 256, (40, 30, 3)).astype(np.uint8))
    save(tmp_path / "b.tif", rng.integers(0, 256, (40, 30, 5)).astype(np.uint8))
    words = ("a.tif", "-k", "darken:b.tif", "-o", "no.tif")
    for done in (run("convolve", *words), in_bands(run, monkeypatch, *words)):
        assert "a.tif: darken: b.tif has 5 channels, the picture 3; expected as" in two_lines(done, 2)
    assert not (tmp_path / "no.tif").exists()


def test_each_of_many_channels_gets_its_own_of_the_second_picture(run, rng, tmp_path, two_lines):
    one, other = rng.integers(0, 256, (2, 40, 30, 5)).astype(np.uint8)
    save(tmp_path / "a.tif", one)
    save(tmp_path / "b.tif", other)
    save(tmp_path / "c.tif", other[..., :3])
    words = ("-k", "clahe:3,4")  # which weighs colours, so that these are filtered one by one
    assert run("convolve", "a.tif", *words, "-k", "difference:b.tif", "-o", "o.tif").code == 0
    cv2 = pytest.importorskip("cv2")
    equalize = cv2.createCLAHE(3, (4, 4)).apply
    mapped = np.stack([equalize(np.ascontiguousarray(one[..., at])) for at in range(5)], axis=2)
    want = np.abs(mapped.astype(int) - other)
    assert np.array_equal(read_picture(tmp_path / "o.tif", bands=True).frames[0], want)
    done = run("convolve", "a.tif", *words, "-k", "difference:c.tif", "-o", "no.tif")
    assert "difference: c.tif has 3 channels, the picture 5; expected as many, or" in two_lines(done, 2)


def test_bytes_of_a_large_second_picture_are_not_called_dark(run, rng, tmp_path, monkeypatch):
    save(tmp_path / "a.tif", rng.integers(0, 65536, (40, 30, 1)).astype(np.uint16))
    save(tmp_path / "b.tif", rng.integers(0, 256, (40, 30, 2)).astype(np.uint8), alpha=True)
    assert in_bands(run, monkeypatch, "a.tif", "-k", "screen:b.tif", "-o", "o.tif").err == ""


def test_opacity_that_is_nan_is_none_in_bands_too(run, rng, tmp_path, monkeypatch):
    frame = rng.random((40, 30, 2)).astype(np.float32)
    hidden = rng.random((40, 30)) < 0.2
    np.save(tmp_path / "none.npy", np.where(hidden[..., None] & [False, True], 0, frame))
    frame[hidden, 1] = np.nan
    np.save(tmp_path / "a.npy", frame)
    words = ("-k", "gaussian:1", "-k", "sobel", "-o")
    assert run("convolve", "none.npy", *words, "want.npy").code == 0
    assert run("convolve", "a.npy", *words, "whole.npy").code == 0
    assert in_bands(run, monkeypatch, "a.npy", *words, "bands.npy").code == 0
    want = np.load(tmp_path / "want.npy")
    assert np.array_equal(np.load(tmp_path / "whole.npy"), want)
    assert np.array_equal(np.load(tmp_path / "bands.npy"), want)


def save(path, pixels, *, alpha=False):
    if path.suffix == ".npy":
        np.save(path, pixels)
    else:
        format = {".tif": "TIFF", ".png": "PNG", ".ppm": "PPM"}[path.suffix]
        path.write_bytes(encode_picture(Picture((pixels,), alpha), format))


def in_bands(run, monkeypatch, *words):
    """Run the command so that all pictures are large, and bands have a few rows."""
    with monkeypatch.context() as patched:
        patched.setattr(large, "LEAST_BYTES", 1)
        patched.setattr(bands, "BAND_BYTES", 1)
        return run("convolve", *words)
