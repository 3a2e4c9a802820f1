"""Animations and pages: every frame as it is seen, and its timing."""

import io
import struct
import zlib

import numpy as np
import pytest
from image_samples import chunk, pixels, saved
from PIL import Image, ImageSequence

from cnncli.errors import CnncliError
from cnncli.images.encode import encode_picture
from cnncli.images.picture import Picture
from cnncli.images.read import read_frames, read_picture, read_size

DURATIONS = (30.0, 120.0, 70.0)


def few_colors(channels, *, seed=0, count=3):
    """Frames of few colours, so that GIF holds them exactly; opacity is 0 or 255."""
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 256, (40, channels), np.uint8)
    if channels in (2, 4):
        table[:, -1] = np.where(np.arange(40) % 3, 255, 0)
    return tuple(table[rng.integers(0, 40, (11, 14))] for _ in range(count))


def seen(frame):
    """What shows: colour where nothing is opaque does not count."""
    if frame.shape[2] == 4:
        return np.where(frame[..., 3:] > 0, frame, 0)
    return frame


@pytest.mark.parametrize("loop", [None, 0, 3])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_frames_and_timing_survive(format, channels, loop):
    frames = few_colors(channels)
    picture = Picture(frames, channels == 4, format, durations=DURATIONS, loop=loop)
    data = encode_picture(picture, format, quality=100)
    again = read_picture(data)
    assert again.durations == DURATIONS
    assert again.format == format
    assert again.alpha == (channels == 4)
    assert again.loop == (1 if loop is None and format != "GIF" else loop)
    assert read_size(data) == (14, 11, 3)
    for frame, expected in zip(again.frames, frames, strict=True):
        np.testing.assert_array_equal(seen(frame), seen(expected))
    with Image.open(io.BytesIO(data)) as image:
        for frame, expected in zip(ImageSequence.Iterator(image), frames, strict=True):
            shown = np.asarray(frame.convert("RGBA"))
            np.testing.assert_array_equal(seen(shown)[..., :channels], seen(expected))


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_what_pillow_composes_is_what_is_read(format):
    """Frames that only draw over a part of those before them."""
    frames = [Image.new("RGBA", (20, 16), (200, 0, 0, 255))]
    for i in range(4):
        nxt = frames[-1].copy()
        nxt.paste((0, 60 * i, 250, 255), (2 * i, i, 2 * i + 6, i + 5))
        frames.append(nxt)
    options = {"lossless": True} if format == "WEBP" else {}
    data = saved(frames[0], format, save_all=True, append_images=frames[1:], duration=50, loop=0, **options)
    picture = read_picture(data)
    assert picture.durations == (50.0,) * 5
    assert picture.loop == 0
    assert not picture.alpha
    for frame, expected in zip(picture.frames, frames, strict=True):
        np.testing.assert_array_equal(frame, np.asarray(expected.convert("RGB")))


def test_gif_without_a_loop_says_nothing_of_it():
    frames = [Image.fromarray(pixels(3, "uint8", seed=i)) for i in range(2)]
    assert read_picture(saved(frames[0], "GIF", save_all=True, append_images=frames[1:])).loop is None


def test_gray_animations_stay_gray_in_png():
    frames = tuple(pixels(1, "uint8", seed=i) for i in range(3))
    data = encode_picture(Picture(frames, durations=DURATIONS, loop=0), "PNG")
    for frame, expected in zip(read_picture(data).frames, frames, strict=True):
        np.testing.assert_array_equal(frame, np.repeat(expected, 3, axis=2))


def test_16_bit_animations_are_written_whole_and_refused_on_reading():
    frames = tuple(pixels(3, "uint16", seed=i) for i in range(2))
    data = encode_picture(Picture(frames, durations=(10.0, 20.0)), "PNG")
    with pytest.raises(CnncliError, match="animated PNG of 16 bits"):
        read_picture(data)


ODD_DURATIONS = (
    (0.0, 0),
    (33.3, 33.3),
    (1000.0, 1000),
    (65_535.0, 65_535),
    (1e5, 1e5),
    (9_999_999.0, 10_000_000),
    (1e9, 65_535_000),
)


@pytest.mark.parametrize(("milliseconds", "expected"), ODD_DURATIONS)
def test_png_states_odd_durations(milliseconds, expected):
    frames = (pixels(3, "uint8"), pixels(3, "uint8", seed=1))
    data = encode_picture(Picture(frames, durations=(milliseconds, 40.0)), "PNG")
    assert read_picture(data).durations == pytest.approx((expected, 40.0))


def test_equal_frames_of_png_keep_their_place():
    frame = pixels(3, "uint8")
    data = encode_picture(Picture((frame, frame, frame), durations=DURATIONS), "PNG")
    assert read_picture(data).durations == DURATIONS


def test_the_default_image_of_apng_is_no_frame():
    def packed(color):
        return zlib.compress(b"\0" + bytes(color) * 2)

    control = struct.Struct(">IIIIIHHBB")
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 2, 0, 0, 0)),
        (b"acTL", struct.pack(">II", 2, 5)),
        (b"IDAT", packed((9, 9, 9))),
        (b"fcTL", control.pack(0, 2, 1, 0, 0, 1, 10, 0, 0)),
        (b"fdAT", struct.pack(">I", 1) + packed((1, 2, 3))),
        (b"fcTL", control.pack(2, 2, 1, 0, 0, 2, 10, 0, 0)),
        (b"fdAT", struct.pack(">I", 3) + packed((4, 5, 6))),
        (b"IEND", b""),
    ]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
    picture = read_picture(data)
    assert [tuple(frame[0, 0]) for frame in picture.frames] == [(1, 2, 3), (4, 5, 6)]
    assert picture.durations == (100.0, 200.0)
    assert picture.loop == 5
    assert read_size(data) == (2, 1, 2)


def test_gif_of_half_opaque_and_many_colours():
    frame = np.zeros((40, 50, 4), np.uint8)
    frame[..., :3] = pixels(3, "uint8", size=(40, 50))
    frame[..., 3] = np.arange(50) * 5
    (again,) = read_picture(encode_picture(Picture((frame,), alpha=True), "GIF")).frames
    np.testing.assert_array_equal(again[..., 3], np.where(frame[..., 3] < 128, 0, 255))
    error = np.abs(again[:, 26:, :3].astype(int) - frame[:, 26:, :3])
    assert error.mean() < 20


def test_gif_of_nothing_opaque():
    frame = np.zeros((4, 5, 4), np.uint8)
    (again,) = read_picture(encode_picture(Picture((frame,), alpha=True), "GIF")).frames
    assert again[..., 3].max() == 0


def test_exactly_256_colours_are_exact_in_gif():
    table = np.random.default_rng(5).permutation(2**16)[:256] * 251
    frame = np.stack([table >> 16, table >> 8 & 255, table & 255], axis=1).reshape(16, 16, 3).astype(np.uint8)
    (again,) = read_picture(encode_picture(Picture((frame,)), "GIF")).frames
    np.testing.assert_array_equal(again, frame)


@pytest.mark.parametrize("format", ["JPEG", "BMP", "PPM", "NPY", "TGA"])
def test_formats_of_one_frame_refuse_several(format):
    picture = Picture((pixels(3, "uint8"),) * 2, durations=(10.0, 10.0))
    with pytest.raises(CnncliError, match=f"{format} holds one frame; this image has 2"):
        encode_picture(picture, format)


def test_pages_have_no_timing_and_animations_one_size():
    pages = Picture((pixels(3, "uint8"),) * 2)
    with pytest.raises(CnncliError, match="this image has 2 pages without timing"):
        encode_picture(pages, "GIF")
    sizes = Picture((pixels(3, "uint8"), pixels(3, "uint8", size=(5, 5))), durations=(10.0, 10.0))
    with pytest.raises(CnncliError, match="holds frames of one size"):
        encode_picture(sizes, "PNG")
    assert len(read_picture(encode_picture(sizes, "TIFF")).frames) == 2


ORIENTED_AVIF = """
import io, struct, sys
import numpy as np
from cnncli.images.picture import Metadata, Picture
from cnncli.images.read import read_picture
from cnncli.images.encode import encode_picture

frames = tuple(np.full((8, 12, 3), level, np.uint8) for level in (0, 255))
for kind, value in ((3, struct.pack("<HH", 6, 0)), (4, struct.pack("<I", 6)), (1, b"\\6\\0\\0\\0")):
    entry = struct.pack("<HHI", 274, kind, 1) + value
    for entries in (entry, entry * 2):
        count = struct.pack("<H", len(entries) // 12)
        exif = b"II*\\0\\x08\\0\\0\\0" + count + entries + bytes(4)
        picture = Picture(frames, format="WEBP", metadata=Metadata(exif=exif), durations=(50.0, 50.0))
        again = read_picture(encode_picture(picture, "AVIF"))
        print(len(again.frames), again.size)
"""


def test_no_orientation_ends_the_process_in_animated_avif(python):
    """Pillow's writer crashes where EXIF says that several frames are to be turned."""
    assert python(ORIENTED_AVIF).stdout.split("\n") == ["2 (12, 8)"] * 6 + [""]


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
@pytest.mark.parametrize("channels", [3, 4])
def test_frames_one_by_one_are_those_of_the_whole(format, channels, tmp_path):
    """Also where each shows only what has changed, and the canvas is cleared between them."""
    frames = [Image.fromarray(each) for each in few_colors(channels, count=5)]
    path = tmp_path / f"a.{format.lower()}"
    settings = {"lossless": True} if format == "WEBP" else {"disposal": 2} if format == "GIF" else {}
    frames[0].save(
        path, format, save_all=True, append_images=frames[1:], duration=[20, 30, 50, 70, 110], **settings
    )
    whole = read_picture(path)
    found = list(read_frames(path))
    assert [each.durations for each in found] == [(one,) for one in whole.durations]
    for one, whole_one in zip(found, whole.frames, strict=True):
        (alone,) = one.frames
        opaque = np.full_like(alone[..., :1], 255)
        padded = alone if one.alpha or not whole.alpha else np.concatenate([alone, opaque], axis=2)
        np.testing.assert_array_equal(padded, whole_one)


def test_frames_of_what_is_no_animation(tmp_path):
    path = tmp_path / "a.png"
    Image.new("L", (4, 3), 7).save(path)
    (one,) = read_frames(path)
    assert (one.durations, one.frames[0].shape) == ((), (3, 4, 1))


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_frames_of_a_damaged_animation(format, tmp_path):
    frames = [
        Image.fromarray(np.random.default_rng(at).integers(0, 256, (9, 8, 3), np.uint8)) for at in range(4)
    ]
    path = tmp_path / "a.bin"
    frames[0].save(path, format, save_all=True, append_images=frames[1:])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CnncliError, match=r"a\.bin is damaged or truncated"):
        list(read_frames(path))
