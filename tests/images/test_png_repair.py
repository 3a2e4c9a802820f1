"""PNG with odd ancillary chunks: the pixels are read, and what is left out is said."""

import struct
import zlib

import numpy as np
import pytest
from image_samples import chunk, pixels, png

from cnncli.errors import CnncliError
from cnncli.images.read import read_picture

COLOR, DEEP = pixels(3, "uint8"), pixels(3, "uint16")
MEBIBYTE = 1 << 20
LONG = {
    "zTXt": b"Comment\0\0" + zlib.compress(b"a" * (MEBIBYTE + 4)),
    "iTXt": b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"x" * 2 * MEBIBYTE),
    "iCCP": b"icc\0\0" + zlib.compress(bytes(3 * MEBIBYTE // 2)),
    "tEXt": b"Comment\0" + b"b" * 3 * MEBIBYTE,
}
ODD = {
    "tRNS": b"\0",
    "pHYs": b"\0\0",
    "gAMA": b"\0",
    "cHRM": bytes(9),
    "sRGB": b"",
    "tIME": b"\0",
    "zTXt": b"Comment\0\0" + zlib.compress(b"a" * 17 * MEBIBYTE),
    "iCCP": b"icc",
    "acTL": b"\0\0",
}


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("kind", LONG)
def test_long_texts_are_nothing_odd(kind, where):
    for array in (COLOR, DEEP):
        picture = read_picture(png(array, **{where: [(kind, LONG[kind])]}))
        np.testing.assert_array_equal(picture.frames[0], array)
        assert picture.notes == ()


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("kind", ODD)
def test_odd_chunks_are_left_out(kind, where):
    if (kind, where) == ("acTL", "after"):
        pytest.skip("says nothing any more behind the pixels")
    for array in (COLOR, DEEP):
        picture = read_picture(png(array, **{where: [(kind, ODD[kind])]}))
        np.testing.assert_array_equal(picture.frames[0], array)
        assert not picture.animated
        for note in picture.notes:
            assert note.startswith(f"its chunk {kind} of {len(ODD[kind]):,} bytes ")
        if kind in ("tRNS", "pHYs", "zTXt", "acTL"):  # the others Pillow passes over by itself
            assert picture.notes or where == "after"


def test_transparency_of_a_right_length_beside_an_odd_chunk_counts():
    clear = struct.pack(">3H", *COLOR[0, 0])
    picture = read_picture(png(COLOR, before=[("tRNS", clear), ("pHYs", b"\0")]))
    assert picture.alpha
    assert picture.frames[0][0, 0, 3] == 0
    assert len(picture.notes) == 1


def broken(data, kind):
    """The same file, one bit of a chunk's checksum turned."""
    at = data.index(kind)
    end = at + 4 + int.from_bytes(data[at - 4 : at], "big")
    return data[:end] + bytes([data[end] ^ 1]) + data[end + 1 :]


@pytest.mark.parametrize("kind", ["tEXt", "prVt", "eXIf", "iCCP"])
def test_a_wrong_checksum_counts_where_it_may_be_of_pixels(kind):
    data = png(COLOR, before=[(kind, b"Comment\0words"), ("tRNS", struct.pack(">3H", 1, 2, 3))])
    picture = read_picture(broken(data, kind.encode()))
    np.testing.assert_array_equal(picture.frames[0][..., :3], COLOR)
    assert picture.notes == (f"its chunk {kind} of 13 bytes has a wrong checksum and was left out",)
    for decisive in (b"tRNS", b"IHDR"):
        with pytest.raises(CnncliError, match="damaged or truncated"):
            read_picture(broken(data, decisive))


def test_texts_are_bounded_together():
    text = ("zTXt", b"Comment\0\0" + zlib.compress(bytes(15 * MEBIBYTE)))
    picture = read_picture(png(COLOR, before=[text] * 8))
    np.testing.assert_array_equal(picture.frames[0], COLOR)
    assert len(picture.notes) == 4
    assert all(note.endswith("is too long and was left out") for note in picture.notes)


def test_a_broken_animation_is_its_still_image():
    control = struct.pack(">IIIIIHHBB", 0, 17, 13, 0, 0, 1, 10, 0, 0)
    data = png(COLOR, before=[("acTL", b"\0\0\0\2"), ("fcTL", control)])
    picture = read_picture(data)
    np.testing.assert_array_equal(picture.frames[0], COLOR)
    assert picture.notes == ("its chunk acTL of 4 bytes has a wrong length and was left out",)
    assert chunk(b"acTL", b"\0\0\0\2") in data
