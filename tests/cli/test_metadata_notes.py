"""What `convolve` keeps of a file's metadata, makes true of the result, and says of the rest."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Make="Maker"/>'
SHADES = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunks(array, *chunks):
    """A PNG by Pillow with more chunks before its pixels."""
    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG")
    data = out.getvalue()
    return data[:33] + b"".join(chunk(*each) for each in chunks) + data[33:]


@pytest.fixture
def rich(tmp_path):
    """A JPEG that lies on its side, with all kinds of metadata."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0xA003] = 30, 20
    Image.fromarray(SHADES).save(
        tmp_path / "rich.jpg", exif=exif, xmp=XMP, comment=b"a comment", icc_profile=SRGB, dpi=(300, 150)
    )
    return "rich.jpg"


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif", "gif", "bmp", "jp2"])
def test_strip_writes_pixels_alone(run, tmp_path, rich, suffix):
    assert run("convolve", rich, "-k", "identity", "--strip", "-o", f"out.{suffix}").err == ""
    data = (tmp_path / f"out.{suffix}").read_bytes()
    for sign in (b"Maker", b"a comment", b"Exif", SRGB[:40]):
        assert sign not in data
    with Image.open(tmp_path / f"out.{suffix}") as image:
        image.load()
        assert image.size == (20, 30)
        assert not image.info.keys() & {"exif", "xmp", "icc_profile"}
        assert b"OpenJPEG" in image.info.get("comment", b"OpenJPEG")
        dpi = image.info.get("dpi", (72, 72))
        assert all(round(value) in (0, 1, 72, 96) for value in dpi)


def test_strip_says_what_becomes_of_other_colours(run, tmp_path):
    other = SRGB.replace("sRGB".encode("utf-16-be"), "Wide".encode("utf-16-be"))
    Image.fromarray(SHADES).save(tmp_path / "a.png", icc_profile=other)
    done = run("convolve", "a.png", "-k", "identity", "--strip", "-o", "b.png")
    assert done.err.startswith("note: b.png is written without the colour profile, so that it is shown as")


def test_sizes_are_those_of_the_result(run, tmp_path, rich):
    run("convolve", rich, "-k", "identity", "--roi", "2,3,11,7", "-o", "out.jpg")
    with Image.open(tmp_path / "out.jpg") as image:
        below = image.getexif().get_ifd(0x8769)
        assert (below[0xA002], below[0xA003]) == image.size == (11, 7)
        assert image.info["dpi"] == (150, 300)


def test_what_is_lost_is_said_once_with_formats_that_keep_it(run, rich):
    assert run("convolve", rich, "-k", "identity", "-o", "out.png").err == ""
    done = run("convolve", rich, "-k", "identity", "-o", "out.bmp")
    kinds = "EXIF, XMP, the colour profile and the comment"
    assert done.err == f"note: out.bmp is written without {kinds}; .png or .tif keeps them\n"
    assert run("convolve", rich, "-k", "identity", "-o", "out.npy").err == ""
    assert run("convolve", rich, "-k", "identity", "-q", "-o", "out.bmp").err == ""


def test_what_holds_for_many_files_is_said_once_and_counted(run, tmp_path, rich):
    for name in ("b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes((tmp_path / rich).read_bytes())
    done = run("convolve", "b.jpg", "c.jpg", rich, "-k", "identity", "-o", "{stem}.bmp")
    first, second = done.err.splitlines()
    assert first.startswith("note: b.bmp is written without EXIF, XMP,")
    assert second == first.replace("note: b.bmp", "note: so it is with 2 more files: …")


def test_an_edge_picture_keeps_a_gray_profile(run, tmp_path, rich):
    assert run("convolve", rich, "-k", "sobel", "-o", "out.png").err == ""
    with Image.open(tmp_path / "out.png") as image:
        assert image.mode == "L"
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"])).profile
        assert profile.xcolor_space.strip() == "GRAY"


@pytest.mark.parametrize(("stated", "expected"), [(100_000, 142), (50_000, 190), (None, 197)])
def test_linear_follows_gamma(run, tmp_path, stated, expected):
    # 5 of 9 columns are white: as light 5/9 of white, which a gamma of 2 codes as 255 * (5/9) ** (1/2).
    stripes = np.zeros((9, 9, 3), np.uint8)
    stripes[:, ::2] = 255
    chunks = [] if stated is None else [(b"gAMA", struct.pack(">I", stated))]
    (tmp_path / "a.png").write_bytes(with_chunks(stripes, *chunks))
    run("convolve", "a.png", "-k", "box:size=9", "--border", "wrap", "--linear", "-o", "b.png")
    with Image.open(tmp_path / "b.png") as image:
        assert abs(int(np.asarray(image)[4, 4, 0]) - expected) <= 1
        assert image.info.get("gamma") == (stated / 100_000 if stated else None)


def test_linear_refuses_a_curve_that_it_does_not_know(run, tmp_path):
    (tmp_path / "a.png").write_bytes(with_chunks(SHADES, (b"cICP", bytes([9, 16, 0, 1]))))
    done = run("convolve", "a.png", "-k", "box", "--linear", "-o", "b.png")
    assert done.code != 0
    assert "transfer function PQ" in done.err
    assert run("convolve", "a.png", "-k", "box", "-o", "b.png").code == 0


def test_names_from_a_file_reach_the_terminal_as_text(run, tmp_path):
    (tmp_path / "a.png").write_bytes(with_chunks(SHADES, (b"tEXt", b"\x1b]0;title\x07\0text")))
    done = run("convolve", "a.png", "-k", "identity", "-o", "b.bmp")
    assert "\x1b" not in done.err
    assert "texts (\\x1b]0;title\\x07)" in done.err
