"""PBM to PAM: every image of a stream, by the words of netpbm's manual pages."""

import io
import struct

import numpy as np
import pytest
from image_samples import pixels

from cnncli.errors import CnncliError
from cnncli.images.encode import encode_picture
from cnncli.images.picture import Picture
from cnncli.images.read import read_picture, read_size

GRAY = [[0, 100, 255], [7, 8, 9]]
COLOR = [[(1, 2, 3), (4, 5, 6), (7, 8, 9)], [(250, 0, 1), (0, 255, 0), (9, 9, 9)]]
BITS = [[0, 1, 1], [1, 0, 1]]  # 1 is black
IMAGES = {
    "P1": (b"P1\n3 2\n011\n1 0 1\n", [[255, 0, 0], [0, 255, 0]]),
    "P2": (b"P2 3 2 255\n0 100 255 7 8 9\n", GRAY),
    "P3": (
        b"P3\n# a remark\n3 2 255\n" + b"\n".join(b"%d %d %d" % p for r in COLOR for p in r) + b"\n",
        COLOR,
    ),
    "P4": (b"P4\n3 2\n\x60\xa0", [[255, 0, 0], [0, 255, 0]]),
    "P5": (b"P5 3 2 255 \0\x64\xff\7\x08\t", GRAY),
    "P6": (b"P6\n3 2\n255\n" + bytes(v for row in COLOR for pixel in row for v in pixel), COLOR),
    "P7": (
        b"P7\nWIDTH 3\n# a remark\nHEIGHT 2\nDEPTH 1\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\n"
        b"\0\x64\xff\7\x08\t",
        GRAY,
    ),
}


def gray_or_color(values):
    array = np.array(values, np.uint8)
    return array if array.ndim == 3 else array[..., None]


@pytest.mark.parametrize("second", IMAGES)
@pytest.mark.parametrize("first", IMAGES)
def test_all_images_of_a_stream_are_read(first, second):
    data = IMAGES[first][0] + IMAGES[second][0]
    picture = read_picture(data)
    assert read_size(data) == (3, 2, 2)
    assert picture.notes == ()
    assert not picture.animated
    for frame, name in zip(picture.frames, (first, second), strict=True):
        expected = gray_or_color(IMAGES[name][1])
        np.testing.assert_array_equal(frame, np.broadcast_to(expected, frame.shape))


@pytest.mark.parametrize("name", IMAGES)
def test_what_follows_the_last_image_is_said(name):
    data, expected = IMAGES[name]
    picture = read_picture(data + b"\n \n")
    np.testing.assert_array_equal(picture.frames[0], gray_or_color(expected))
    assert picture.notes == ()
    for rest in (b"\x89PNG\r\n\x1a\n and so on", b"Q"):
        (note,) = read_picture(data + b"\n" + rest).notes
        assert "after the end of the image" in note
    with pytest.raises(CnncliError, match=r"truncated|damaged"):
        read_picture(data + b"\nP6\n9 9\n255\nshort")


def pam(width, height, depth, largest, words, body):
    kind = f"TUPLTYPE {words}\n" if words else ""
    head = f"P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {depth}\nMAXVAL {largest}\n{kind}ENDHDR\n"
    return head.encode() + body


@pytest.mark.parametrize(("words", "channels"), [
    ("GRAYSCALE", 1), ("GRAYSCALE_ALPHA", 2), ("RGB", 3), ("RGB_ALPHA", 4), ("", 1), ("", 2), ("", 3),
    ("", 4),
])  # fmt: skip
@pytest.mark.parametrize("largest", [255, 65535, 100, 1023])
def test_pam_of_every_kind(words, channels, largest):
    values = np.random.default_rng(1).integers(0, largest + 1, (3, 5, channels))
    data = pam(5, 3, channels, largest, words, values.astype(">u2" if largest > 255 else "u1").tobytes())
    picture = read_picture(data)
    full = 65535 if largest > 255 else 255
    assert picture.alpha == (channels in (2, 4))
    assert picture.frames[0].dtype == (np.uint16 if largest > 255 else np.uint8)
    np.testing.assert_array_equal(picture.frames[0], np.floor(values * full / largest + 0.5))


def test_pam_of_black_and_white():
    bits = bytes([0, 1, 1, 0])
    np.testing.assert_array_equal(
        read_picture(pam(2, 2, 1, 1, "BLACKANDWHITE", bits)).frames[0][..., 0], [[0, 255], [255, 0]]
    )
    two = read_picture(pam(2, 1, 2, 1, "BLACKANDWHITE_ALPHA", bits))
    np.testing.assert_array_equal(two.frames[0], [[[0, 255], [255, 0]]])


@pytest.mark.parametrize(("data", "message"), [
    (pam(2, 1, 4, 255, "CMYK", bytes(8)), "it holds tuples of type CMYK and 4 samples"),
    (pam(2, 1, 3, 255, "GRAYSCALE", bytes(6)), "tuples of type GRAYSCALE and 3 samples"),
    (pam(2, 1, 7, 255, "", bytes(14)), "tuples without a type and 7 samples"),
    (pam(2, 1, 1, 0, "", bytes(2)), "its largest value is 0"),
    (pam(2, "x", 1, 255, "", bytes(2)), "its HEIGHT is x"),
    (b"P7\nWIDTH 2\nHEIGHT 1\nMAXVAL 255\nENDHDR\n\0\0", "its DEPTH is missing"),
    (b"P5\n2 1\n100\n\0\x65", "it holds the sample 101; expected 0 to 100"),
    (b"P2\n2 1\n100\n0 -5", "it holds the sample '-5'; expected 0 to 100"),
    (b"P1\n2 1\n0x", "it holds the sample 'x'|truncated"),
    (b"P6\n2 1\n70000\n" + bytes(12), "its largest value is 70000"),
])  # fmt: skip
def test_what_is_wrong_with_a_header_or_a_sample_is_said(data, message):
    with pytest.raises(CnncliError, match=message):
        read_picture(data)


@pytest.mark.parametrize(("format", "dtype", "channels"), [
    ("PPM", "uint8", 3), ("PPM", "uint16", 1), ("PGM", "uint8", 1), ("PFM", "float32", 3),
    ("PAM", "uint8", 4), ("PAM", "uint16", 2), ("PAM", "uint8", 1),
])  # fmt: skip
def test_pages_are_written_one_after_the_other(format, dtype, channels):
    frames = (pixels(channels, dtype), pixels(channels, dtype, size=(2, 3), seed=1))
    data = encode_picture(Picture(frames, channels in (2, 4)), format)
    again = read_picture(data)
    assert again.alpha == (channels in (2, 4))
    for frame, expected in zip(again.frames, frames, strict=True):
        np.testing.assert_array_equal(frame, expected)


def test_pages_of_different_depths_are_all_kept():
    data = b"P5\n1 1\n255\n\x80" + b"P6\n1 1\n65535\n" + struct.pack(">3H", 1, 2, 3)
    first, second = read_picture(data).frames
    np.testing.assert_array_equal(first, [[[0x8080] * 3]])
    np.testing.assert_array_equal(second, [[[1, 2, 3]]])
    with pytest.raises(
        CnncliError, match="PNG holds several frames only as an animation; this image has 2 pages"
    ):
        encode_picture(Picture((first, second)), "PNG")


def test_pixels_of_all_images_count():
    data = IMAGES["P5"][0] * 3
    assert len(read_picture(data, max_pixels=18).frames) == 3
    with pytest.raises(CnncliError, match="its 3 images have 18 pixels; at most 17"):
        read_picture(data, max_pixels=17)


def test_a_second_array_in_a_file_of_numpy_is_said():
    out = io.BytesIO()
    np.save(out, np.zeros((2, 3), np.uint8))
    assert read_picture(out.getvalue()).notes == ()
    length = len(out.getvalue())
    np.save(out, np.ones((2, 3), np.uint8))
    (note,) = read_picture(out.getvalue()).notes
    assert note == f"{length} bytes after the end of the image, which begin like another NPY image, left out"


def test_numbers_are_read_across_the_pieces_of_a_long_text():
    values = np.random.default_rng(2).integers(0, 256, (300, 1000, 3))
    text = b"P3 1000 300 255\n" + b" ".join(b"%d" % value for value in values.ravel().tolist())
    assert len(text) > 3 << 20
    first, second = read_picture(text + b"\n" + IMAGES["P6"][0]).frames
    np.testing.assert_array_equal(first, values)
    np.testing.assert_array_equal(second, COLOR)
    with pytest.raises(CnncliError, match="it is truncated: 899999 samples"):
        read_picture(text[: text.rindex(b" ")])


@pytest.mark.parametrize("kind", ["P1", "P2"])
def test_many_images_of_text_and_remarks_among_their_samples(kind):
    text, expected = IMAGES[kind]
    lines = text.replace(b"P2 3 2 255\n", b"P2\n3 2\n255\n").split(b"\n")
    remarked = b"\n".join([*lines[:-2], b"# 0 1 in a remark", lines[-2], b""]) if kind == "P1" else text
    picture = read_picture(remarked * 500)
    assert len(picture.frames) == 500
    for frame in picture.frames[::499]:
        np.testing.assert_array_equal(frame, gray_or_color(expected))


def test_a_long_bitmap_of_digits_without_gaps():
    bits = np.random.default_rng(5).integers(0, 2, (1500, 1000), np.uint8)
    text = b"P1 1000 1500\n" + (bits + ord("0")).tobytes()
    first, second = read_picture(text + b"\n" + text).frames
    for frame in (first, second):
        np.testing.assert_array_equal(frame[..., 0], np.where(bits, 0, 255))
    with pytest.raises(CnncliError, match="truncated"):
        read_picture(text[:-1])
