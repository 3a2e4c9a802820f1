"""Pictures of any number of channels, and of several images, through the command."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from cnncli.images.encode import encode_picture
from cnncli.images.picture import Picture
from cnncli.images.read import read_picture


@pytest.fixture
def seven(rng):
    return rng.uniform(-1, 1, size=(20, 25, 7)).astype(np.float32)


def test_channels_without_a_meaning_are_filtered_each_by_itself(run, tmp_path, seven):
    (tmp_path / "in.tif").write_bytes(encode_picture(Picture((seven,)), "TIFF"))
    assert run("convolve", "in.tif", "-k", "box:5", "-o", "out.npy").code == 0
    mean = ndimage.uniform_filter(seven.astype(np.float64), (5, 5, 1), mode="mirror")
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), mean, atol=1e-6)
    np.save(tmp_path / "in.npy", seven)
    assert run("convolve", "in.npy", "-k", "median:3", "-o", "out.tif", "--range", "none").code == 0
    median = ndimage.median_filter(seven, (3, 3, 1), mode="mirror")
    np.testing.assert_array_equal(read_picture(tmp_path / "out.tif", bands=True).frames[0], median)


def test_the_bilateral_filter_weighs_such_channels_apart(run, tmp_path, seven):
    np.save(tmp_path / "in.npy", seven)
    assert run("convolve", "in.npy", "-k", "bilateral", "-o", "out.npy").code == 0
    for channel in (0, 6):
        np.save(tmp_path / "one.npy", seven[..., channel])
        assert run("convolve", "one.npy", "-k", "bilateral", "-o", "one-out.npy").code == 0
        np.testing.assert_array_equal(
            np.load(tmp_path / "out.npy")[..., channel], np.load(tmp_path / "one-out.npy")
        )


def test_elsewhere_they_are_refused_with_their_number(run, tmp_path, two_lines, seven):
    np.save(tmp_path / "in.npy", seven)
    done = run("convolve", "in.npy", "-k", "sobel", "-o", "out.png")
    assert "this image has 7 channels" in two_lines(done, 1)
    done = run("convolve", "in.npy", "-k", "sobel", "-o", "out.npy", "--explain", "page.png")
    assert "in.npy has 7 channels; expected gray or RGB" in two_lines(done, 1)
    assert "it has 7 channels whose meaning is unknown" in two_lines(run("predict", "in.npy"), 1)
    assert [path.name for path in tmp_path.iterdir()] == ["in.npy"]


def test_two_images_of_a_stream_come_out_as_two(run):
    image = np.arange(144, dtype=np.uint8).reshape(6, 8, 3)
    stream = b"".join(b"P6\n8 6\n255\n" + each.tobytes() for each in (image, 255 - image))
    assert run("convolve", "-k", "identity", stdin=stream).out == stream


def test_what_was_left_out_is_said_and_quiet_keeps_silent(run, tmp_path):
    image = b"P6\n1 1\n255\nabc"
    (tmp_path / "in.ppm").write_bytes(image + b"and more")
    done = run("convolve", "in.ppm", "-k", "identity", "-o", "out.ppm")
    assert done.err == "note: in.ppm: 8 bytes after the end of the image left out\n"
    assert run("convolve", "in.ppm", "-k", "identity", "-o", "out.ppm", "--quiet").err == ""
    assert (tmp_path / "out.ppm").read_bytes() == image


@pytest.mark.parametrize("kernel", ["erode", "open", "median:3"])
def test_a_channel_of_what_is_seen_does_not_darken_beside_transparent_pixels(run, rng, kernel):
    frame = np.full((21, 22, 4), 200, np.uint8)
    frame[..., 3] = np.where(rng.random((21, 22)) < 0.3, 255, 0)
    Image.fromarray(frame).save("a.png")
    assert run("convolve", "a.png", "-k", kernel, "--channels", "r", "-o", "b.png").code == 0
    found = np.asarray(Image.open("b.png"))
    assert np.array_equal(found[frame[..., 3] > 0], frame[frame[..., 3] > 0])
