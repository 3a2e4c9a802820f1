"""What each format holds, and what is refused rather than narrowed."""

import io
import itertools
import re
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_samples import exif_with, pixels, saved
from PIL import Image, ImageCms

from cnncli.errors import CnncliError
from cnncli.images.encode import encode_picture
from cnncli.images.formats import FORMATS, READ_SUFFIXES, SUFFIXES, format_for
from cnncli.images.picture import Metadata, Picture, with_depth
from cnncli.images.read import read_picture

EXACT = {"PNG": (1, 2, 3, 4), "TIFF": (1, 2, 3, 4), "NPY": (1, 2, 3, 4), "PPM": (1, 3), "PGM": (1,),
         "PFM": (1, 3), "BMP": (1, 3), "TGA": (1, 2, 3, 4), "JPEG2000": (1, 2, 3, 4),
         "WEBP": (3, 4)}  # fmt: skip
DTYPES = {8: "uint8", 16: "uint16", 32: "float32"}


def picture_of(array, **options):
    return Picture((array,), alpha=array.shape[2] in (2, 4), **options)


def again(picture, format, **options):
    return read_picture(encode_picture(picture, format, **options))


CASES = [(f, c, d) for f, cs in EXACT.items() for c, d in itertools.product(cs, FORMATS[f].depths)]


@pytest.mark.parametrize(("format", "channels", "depth"), CASES)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (13, 17)])
def test_lossless_formats_give_back_what_they_got(format, channels, depth, size):
    array = pixels(channels, DTYPES[depth], size=size)
    picture = again(picture_of(array), format, quality=100)
    assert picture.frames[0].dtype == array.dtype
    assert picture.alpha == (channels in (2, 4))
    np.testing.assert_array_equal(picture.frames[0], array)


@given(
    st.sampled_from(["PNG", "TIFF", "NPY"]),
    st.sampled_from(["uint8", "uint16"]),
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4)),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_any_integers_survive(format, dtype, shape, seed, compress):
    rng = np.random.default_rng(seed)
    array = rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    array[rng.random(shape[:2]) < 0.5] = rng.integers(0, 256)
    picture = again(picture_of(array), format, compress=compress)
    np.testing.assert_array_equal(picture.frames[0], array)


def test_png_is_read_alike_by_pillow():
    for channels in (1, 2, 3, 4):
        for compress in (False, True):
            array = pixels(channels, "uint8", size=(70, 90))
            with Image.open(io.BytesIO(encode_picture(picture_of(array), "PNG", compress=compress))) as image:
                np.testing.assert_array_equal(np.asarray(image).reshape(array.shape), array)
    deep = pixels(1, "uint16", size=(70, 90))
    with Image.open(io.BytesIO(encode_picture(picture_of(deep), "PNG"))) as image:
        np.testing.assert_array_equal(np.asarray(image), deep[..., 0])


def test_png_bytes_do_not_depend_on_the_threads():
    array = np.random.default_rng(0).integers(0, 256, (900, 1300, 3), np.uint8)
    alone = encode_picture(picture_of(array), "PNG")
    for threads in (2, 5):
        assert encode_picture(picture_of(array), "PNG", threads=threads) == alone
    np.testing.assert_array_equal(read_picture(alone).frames[0], array)


def test_compress_makes_smaller_files():
    y, x = np.mgrid[:200, :200]
    smooth = np.stack([x, y, (x + y) // 2], axis=2).astype(np.uint8)
    edges = np.where((x // 20 + y // 20) % 2, 255, 0).astype(np.uint8)[..., None]
    for array, formats in ((smooth, ("PNG", "TIFF", "JPEG")), (edges, ("PNG", "TIFF"))):
        for format in formats:
            picture = picture_of(array)
            assert len(encode_picture(picture, format, compress=True)) < len(encode_picture(picture, format))


def test_jpeg_quality_and_colour_detail():
    picture = picture_of(pixels(3, "uint8", size=(64, 64)))
    sizes = [len(encode_picture(picture, "JPEG", quality=quality)) for quality in (10, 60, 92, 100)]
    assert sizes == sorted(sizes)
    assert encode_picture(picture, "JPEG") == encode_picture(picture, "JPEG", quality=92)
    colors = np.zeros((16, 16, 3), np.uint8)
    colors[:, ::2] = [255, 0, 0]
    kept = again(picture_of(colors), "JPEG").frames[0]
    assert np.abs(kept.astype(int) - colors).max() < 40
    blurred = again(picture_of(colors), "JPEG", quality=80).frames[0]
    assert np.abs(blurred.astype(int) - colors).max() > 80


@pytest.mark.parametrize("format", ["JPEG", "BMP", "PPM"])
@pytest.mark.parametrize("channels", [2, 4])
def test_opacity_is_laid_on_white_where_there_is_none(format, channels):
    array = np.zeros((16, 16, channels), np.uint8)
    array[..., 0] = 100
    array[:8, :, -1], array[8:, :, -1] = 0, 255
    frame = again(picture_of(array), format).frames[0]
    assert frame.shape[2] == channels - 1
    np.testing.assert_allclose(frame[2].astype(int), 255, atol=3)
    np.testing.assert_allclose(frame[13, :, 0].astype(int), 100, atol=3)
    half = np.full((1, 1, channels), 128, np.uint16 if format == "PPM" else np.uint8)
    full = 65535 if format == "PPM" else 255
    expected = round(128 * 128 / full + full * (1 - 128 / full))
    np.testing.assert_allclose(again(picture_of(half), format).frames[0].astype(int), expected, atol=1)


@pytest.mark.parametrize(("format", "dtype"), [
    ("JPEG", "uint16"), ("JPEG", "float32"), ("PNG", "float32"), ("WEBP", "uint16"), ("GIF", "uint16"),
    ("BMP", "uint16"), ("AVIF", "uint16"), ("PPM", "float32"), ("PFM", "uint8"), ("TGA", "float32"),
])  # fmt: skip
def test_depths_are_refused_and_never_narrowed(format, dtype):
    what = "floating point" if dtype == "float32" else "16-bit" if dtype == "uint16" else "8-bit"
    with pytest.raises(CnncliError, match=f"{format} cannot hold {what} pixels") as caught:
        encode_picture(picture_of(pixels(3, dtype)), format)
    most = max(FORMATS[format].depths)
    assert f"--bits {most}" in caught.value.hint
    frame = again(picture_of(pixels(3, dtype)), format, bits=most).frames[0]
    assert frame.dtype == DTYPES[most]


def test_bits_convert_by_full_scale():
    eight = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(with_depth(eight, 16), eight.astype(int) * 257)
    np.testing.assert_array_equal(with_depth(eight, 32), (eight / 255).astype(np.float32))
    sixteen = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(with_depth(sixteen, 8), np.floor(sixteen / 257 + 0.5))
    np.testing.assert_allclose(with_depth(sixteen, 32), sixteen / 65535, rtol=2e-7)
    for depth in (8, 16):
        whole = eight if depth == 8 else sixteen
        np.testing.assert_array_equal(with_depth(with_depth(whole, 32), depth), whole)
    odd = np.array([np.nan, -np.inf, np.inf, -1, 2, 0.5], np.float32)
    np.testing.assert_array_equal(with_depth(odd, 8), [0, 0, 255, 0, 255, 128])
    np.testing.assert_array_equal(odd[3:], [-1, 2, 0.5])
    assert with_depth(odd, 32) is odd


@pytest.mark.parametrize(("options", "message"), [
    ({"format": "PNG", "bits": 12}, "cannot write 12 bits; expected 8, 16 or 32"),
    ({"format": "PNG", "bits": 32}, "PNG cannot hold floating point pixels; expected 8 or 16 bits"),
    ({"format": "JPEG", "quality": 0}, "quality 0 is out of range; expected 1 to 100"),
    ({"format": "JPEG", "quality": 101}, "quality 101 is out of range"),
    ({"format": "EPS"}, "unknown format 'EPS'"),
    ({"format": "PGM"}, "PGM holds gray only; this image has colours"),
])  # fmt: skip
def test_wrong_requests(options, message):
    with pytest.raises(CnncliError, match=message):
        encode_picture(picture_of(pixels(3, "uint8")), **options)


def test_pbm_holds_black_and_white():
    edges = np.where(pixels(1, "uint8") > 99, 255, 0).astype(np.uint8)
    np.testing.assert_array_equal(again(picture_of(edges), "PBM").frames[0], edges)
    with pytest.raises(CnncliError, match="holds only black and white"):
        encode_picture(picture_of(pixels(1, "uint8")), "PBM")


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "GIF"])
def test_sides_beyond_the_format(format):
    long = np.zeros((70_000, 1, 1), np.uint8)
    with pytest.raises(
        CnncliError, match=rf"{format} holds at most \d+ pixels a side; this image has 1x70000"
    ):
        encode_picture(picture_of(long), format)
    assert again(picture_of(long), "PNG").size == (1, 70_000)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_metadata_travels(format):
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    metadata = Metadata(exif_with(1), icc, (300.0, 150.0))
    kept = again(picture_of(pixels(3, "uint8"), metadata=metadata), format).metadata
    assert kept.icc == icc
    exif = Image.Exif()
    exif.load(kept.exif)
    assert exif[270] == "a test picture."
    if format in ("PNG", "JPEG", "TIFF"):
        np.testing.assert_allclose(kept.dpi, (300, 150), rtol=1e-4)
    twice = again(
        read_picture(encode_picture(picture_of(pixels(3, "uint8"), metadata=metadata), format)), format
    )
    assert twice.metadata == kept


def test_a_profile_of_other_channels_is_left_out_or_becomes_one_of_gray():
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    gray_icc = icc[:16] + b"GRAY" + icc[20:]
    for format in ("PNG", "JPEG", "TIFF"):
        for channels, own, other in ((1, gray_icc, icc), (3, icc, gray_icc)):
            array = pixels(channels, "uint8")
            assert again(picture_of(array, metadata=Metadata(icc=own)), format).metadata.icc == own
            kept = again(picture_of(array, metadata=Metadata(icc=other)), format).metadata.icc
            assert (kept is None) if channels == 3 else kept[16:20] == b"GRAY"
    assert read_picture(saved(pixels(1, "uint8")[..., 0], "PNG", icc_profile=icc)).metadata.icc is None


def test_exif_too_long_for_a_jpeg_is_left_out():
    text = b"a long text. " * 6_000
    long = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 270, 2, len(text), 26) + bytes(4) + text
    assert again(picture_of(pixels(3, "uint8"), metadata=Metadata(exif=long)), "JPEG").metadata.exif is None


@pytest.mark.parametrize(("path", "format"), [
    ("a.png", "PNG"), ("dir.x/a.JPG", "JPEG"), (".tif", "TIFF"), ("webp", "WEBP"), ("a.b.npy", "NPY"),
    ("x.apng", "PNG"),
])  # fmt: skip
def test_suffixes_name_formats(path, format):
    assert format_for(path) == format


@pytest.mark.parametrize(("path", "message", "hint"), [
    ("a.pngg", r"unknown suffix \.pngg in a\.pngg; expected one of \.png", r"Did you mean \.png\?"),
    ("a.jepg", r"unknown suffix \.jepg", r"Did you mean \.jpe?g\?"),
    ("folder/out", "output folder/out has no suffix", "--format png"),
    ("a.\udce9", r"unknown suffix \.\\xe9", "--format png"),
])  # fmt: skip
def test_unknown_suffixes(path, message, hint):
    with pytest.raises(CnncliError, match=message) as caught:
        format_for(path)
    assert re.search(hint, caught.value.hint)


def test_format_by_name():
    assert format_for("a.png", format="jpg") == "JPEG"
    assert format_for("-", format=".tiff") == "TIFF"
    assert format_for("-", format="WebP") == "WEBP"
    with pytest.raises(CnncliError, match="unknown format 'jpgg'") as caught:
        format_for("a.png", format="jpgg")
    assert "Did you mean jp" in caught.value.hint


def test_the_tables_agree():
    assert set(SUFFIXES.values()) == set(FORMATS)
    assert set(SUFFIXES) <= READ_SUFFIXES
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in READ_SUFFIXES)
