"""What ``cnncli formats`` states is so: suffixes are read, depths are written, and others are refused."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from cnncli.cli.formats import known_formats
from cnncli.errors import CnncliError
from cnncli.images.encode import encode_picture
from cnncli.images.foreign import NOT_READ
from cnncli.images.formats import FORMATS, READ, READ_SUFFIXES, SUFFIXES, sniffed
from cnncli.images.picture import Picture
from cnncli.images.read import read_picture

ROWS = [(name, suffix) for name, reads in READ.items() for suffix in reads.suffixes]
# Formats that Pillow reads and does not write: small files by their specifications.
BY_HAND = {
    "CUR": b"\0\0\2\0\1\0\2\1\0\0\0\0\0\0\x38\0\0\0\x16\0\0\0"
    + b"\x28\0\0\0\2\0\0\0\2\0\0\0\1\0\x18\0\0\0\0\0\x10\0\0\0" + bytes(16)
    + b"\1\2\3\4\5\6\0\0\7\x08\t\1\2\3\0\0" + bytes(8),
    "PSD": b"8BPS\0\1" + bytes(6) + b"\0\3\0\0\0\2\0\0\0\2\0\x08\0\3" + bytes(12) + b"\0\0"
    + bytes(range(12)),
    "SUN": b"\x59\xa6\x6a\x95" + b"".join(n.to_bytes(4, "big") for n in (2, 2, 24, 12, 1, 0, 0)) + bytes(12),
    "XPM": b'/* XPM */\nstatic char *x[] = {\n"2 2 2 1",\n"a c #ff0000",\n"b c #00ff00",\n"ab",\n"ba"};\n',
    "DCX": b"\xb1\x68\xde\x3a" + (12).to_bytes(4, "little") + bytes(4),
}  # fmt: skip


def fli():
    """One frame of 2 x 2 pixels, with a black chunk."""
    chunk = (10).to_bytes(4, "little") + (13).to_bytes(2, "little") + bytes(4)
    frame = (16 + len(chunk)).to_bytes(4, "little") + b"\xfa\xf1\1\0" + bytes(8) + chunk
    head = (128 + len(frame)).to_bytes(4, "little") + b"\x11\xaf\1\0\2\0\2\0\x08\0\3\0\5\0"
    return head.ljust(128, b"\0") + frame


def file_of(name, suffix):
    color = Image.fromarray(np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3))
    if name == "FLI":
        return fli()
    if name == "DCX":
        return BY_HAND[name] + saved(color, "PCX")
    if name in BY_HAND:
        return BY_HAND[name]
    if suffix == ".dib":
        return saved(color, "DIB")
    if name in FORMATS:
        gray = np.zeros((3, 4, 1), np.uint8 if 8 in FORMATS[name].depths else np.float32)
        return encode_picture(Picture((gray,)), name)
    return saved(color.convert("1") if name in ("MSP", "XBM") else color, name)


def saved(image, format):
    out = io.BytesIO()
    image.save(out, format)
    return out.getvalue()


@pytest.mark.parametrize(("name", "suffix"), ROWS)
def test_every_suffix_is_read(tmp_path, name, suffix):
    path = tmp_path / f"in{suffix}"
    path.write_bytes(file_of(name, suffix))
    assert read_picture(path).frames[0].size


def test_every_suffix_is_listed_once_and_written_ones_are_read():
    suffixes = [suffix for _, suffix in ROWS]
    assert len(set(suffixes)) == len(suffixes)
    assert set(SUFFIXES) <= READ_SUFFIXES == set(suffixes)
    assert not READ_SUFFIXES & {suffix for _, others, _ in NOT_READ for suffix in others}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_depths_are_written_as_stated(name, dtype):
    frame = np.zeros((3, 4, 1), dtype)
    if frame.dtype.itemsize * 8 in FORMATS[name].depths:
        assert encode_picture(Picture((frame,)), name)
    else:
        with pytest.raises(CnncliError, match=f"{name} cannot hold"):
            encode_picture(Picture((frame,)), name)


def test_the_list_has_all_formats_in_both_forms(run):
    done = run("formats", "--json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["format"] for row in rows] == [*READ, *(name for name, _, _ in NOT_READ)]
    png = rows[0]
    assert (png["read"], png["write"], png["opacity"], png["frames"]) == ([8, 16], [8, 16], True, "animation")
    assert {"EXIF", "XMP", "colour profile"} <= set(png["metadata"])
    text = run("formats").out.decode()
    for row in rows:
        assert row["format"] in text
        assert row["suffixes"][0] in text


BRANDS = b"\0\0\0\x1cftyp%s\0\0\0\0mif1%smiaf"


@pytest.mark.parametrize(("data", "what", "tool"), [
    (BRANDS % (b"heic", b"heic"), "an HEIC image", "heif-convert"),
    (BRANDS % (b"mif1", b"heic"), "an HEIC image", "heif-convert"),
    (BRANDS % (b"msf1", b"hevc"), "an HEIC image", "heif-convert"),
    (BRANDS % (b"isom", b"mp42"), "an HEIF image of another kind", "heif-convert"),
    (b"\0\0\0\x14ftypisom\0\0\0\0mp42", "a video and not an image", "ffmpeg"),
    (b"\xff\x0a\xfa\x1f", "a JPEG XL image", "djxl"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image", "djxl"),
    (b"\x76\x2f\x31\x01\2\0\0\0", "an OpenEXR image", "oiiotool"),
    (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n", "a Radiance HDR image", "oiiotool"),
    (b"II*\0\x10\0\0\0CR\2\0", r"a camera's raw data \(CR2\)", "darktable"),
    (b"SIMPLE  =                    T", "a FITS image", "astropy"),
    (bytes(128) + b"DICM", "a DICOM image", "pydicom"),
    (b"%PDF-1.7", "a PDF document and not an image", "pdftoppm"),
    (b'<?xml version="1.0"?>\n<!-- x -->\n<svg width="3">', "an SVG drawing", "rsvg"),
])  # fmt: skip
def test_what_is_not_read_is_named_with_what_would(tmp_path, data, what, tool):
    path = tmp_path / "in.heic"
    path.write_bytes(data + bytes(64))
    with pytest.raises(CnncliError, match=f"in.heic is {what}") as caught:
        read_picture(path)
    assert "damaged" not in caught.value.message
    assert tool in caught.value.hint


def test_avif_by_its_other_brands_is_read():
    data = saved(Image.new("RGB", (8, 8), "red"), "AVIF")
    assert data[8:12] == b"avif"
    other = data[:8] + b"mif1" + data[12:]
    assert sniffed(other) == sniffed(data)
    np.testing.assert_array_equal(read_picture(other).frames[0], read_picture(data).frames[0])


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_word_is_torn_on_any_terminal(run, monkeypatch, columns):
    """Every suffix, number and kind of metadata stands whole in the table and the lists below it."""
    monkeypatch.setenv("COLUMNS", str(columns))
    text = run("formats").out.decode()
    assert max(map(len, text.splitlines())) <= columns
    words = set(text.replace(",", " ").replace(":", " ").split())
    for each in known_formats():
        assert {each["format"], *each["suffixes"]} <= words
        assert {word for kind in each["metadata"] for word in kind.split()} <= words
        assert each["frames"] is None or each["frames"] in words
    assert {"float", "8", "16", "opacity", "written"} <= words
