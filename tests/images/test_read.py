"""Every mode and format is read at full depth; Pillow, our own loops and known numbers are the oracles."""

import io
import os
import struct
import sys
import threading

import numpy as np
import pytest
from image_samples import chunk, exif_with, pixels, png, png_header, saved, tiff
from PIL import Image, ImageCms, ImageOps

from cnncli.errors import CnncliError
from cnncli.images.decoding_limits import DEFAULT_MAX_PIXELS
from cnncli.images.read import read_picture, read_size


def read_one(data, **options):
    picture = read_picture(data, **options)
    assert len(picture.frames) == 1
    frame = picture.frames[0]
    assert frame.ndim == 3
    apart = frame.dtype == np.uint8 and frame.strides[1:] == (4, 1)  # as Pillow keeps colour
    assert apart or frame.flags["C_CONTIGUOUS"]
    assert picture.alpha == (frame.shape[2] in (2, 4))
    return frame


LOSSLESS = {"PNG": (1, 2, 3, 4), "TIFF": (1, 2, 3, 4), "BMP": (1, 3), "PPM": (1, 3), "TGA": (1, 2, 3, 4),
            "WEBP": (3, 4), "JPEG2000": (1, 2, 3, 4), "QOI": (3, 4), "PCX": (1, 3),
            "SGI": (1, 3)}  # fmt: skip


@pytest.mark.parametrize(("format", "channels"), [(f, c) for f, cs in LOSSLESS.items() for c in cs])
def test_8_bit_pixels_come_as_they_are(format, channels):
    array = pixels(channels, "uint8")
    data = saved(
        array[..., 0] if channels == 1 else array,
        format,
        **({"lossless": True, "exact": True} if format == "WEBP" else {}),
    )
    np.testing.assert_array_equal(read_one(data), array)
    assert read_picture(data).format == format
    assert read_size(data) == (17, 13, 1)


def test_jpeg_is_what_pillow_decodes():
    data = saved(pixels(3, "uint8", size=(40, 50)), "JPEG")
    np.testing.assert_array_equal(read_one(data), np.asarray(Image.open(io.BytesIO(data))))


def test_gray_jpeg_and_avif():
    assert read_one(saved(pixels(1, "uint8")[..., 0], "JPEG")).shape == (13, 17, 1)
    assert read_one(saved(pixels(3, "uint8"), "AVIF")).shape == (13, 17, 3)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "PPM", "MSP", "XBM"])
def test_1_bit_becomes_0_and_255(format):
    bits = pixels(1, "uint8")[..., 0] > 100
    np.testing.assert_array_equal(read_one(saved(bits, format))[..., 0], bits * np.uint8(255))


def test_palette_becomes_rgb():
    image = Image.fromarray(pixels(3, "uint8")).quantize(20)
    for format in ("PNG", "GIF", "BMP", "TIFF"):
        np.testing.assert_array_equal(read_one(saved(image, format)), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("clear", [3, bytes([0, 128, 255])])
def test_palette_with_transparency_becomes_rgba(clear):
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4) % 4, "P")
    image.putpalette([0, 0, 0, 250, 1, 2, 3, 250, 4, 5, 6, 250])
    frame = read_one(saved(image, "PNG", transparency=clear))
    opacity = [255, 255, 255, 0] if clear == 3 else [0, 128, 255, 255]
    colors = np.array([[0, 0, 0], [250, 1, 2], [3, 250, 4], [5, 6, 250]])
    expected = [[*colors[i], opacity[i]] for i in range(4)]
    np.testing.assert_array_equal(frame, np.tile(np.array(expected, np.uint8), (3, 1, 1)))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_png_of_all_filters_keeps_every_bit(dtype, channels, interlaced):
    array = pixels(channels, dtype)
    frame = read_one(png(array, interlaced=interlaced))
    assert frame.dtype == dtype
    np.testing.assert_array_equal(frame, array)


@pytest.mark.parametrize("filter_type", range(5))
def test_16_bit_png_of_one_filter(filter_type):
    array = pixels(3, "uint16", size=(5, 6))
    np.testing.assert_array_equal(read_one(png(array, filters=(filter_type,))), array)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_png_transparent_colour_becomes_opacity(dtype, channels):
    array = pixels(channels, dtype)
    array[4, 5] = array[0, 0] = array[2, 2]
    array[6, 6, -1] = array[2, 2, -1]
    clear = struct.pack(f">{channels}H", *array[2, 2])
    frame = read_one(png(array, before=[("tRNS", clear)]))
    expected = np.where(np.all(array == array[2, 2], axis=2), 0, np.iinfo(dtype).max)
    np.testing.assert_array_equal(frame[..., :-1], array)
    np.testing.assert_array_equal(frame[..., -1], expected)
    assert (expected == 0).sum() >= 3


@pytest.mark.parametrize(("depth", "scale"), [(1, 255), (2, 85), (4, 17)])
def test_png_of_few_bits_with_transparent_gray(depth, scale):
    import zlib

    levels = np.arange(8) % (1 << depth)
    packed = np.packbits((levels[:, None] >> np.arange(depth - 1, -1, -1) & 1).astype(np.uint8).ravel())
    header = struct.pack(">IIBBBBB", 8, 1, depth, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, body)
        for kind, body in (
            (b"IHDR", header), (b"tRNS", b"\0\1"),
            (b"IDAT", zlib.compress(b"\0" + packed.tobytes())), (b"IEND", b""),
        )
    )  # fmt: skip
    frame = read_one(data)
    np.testing.assert_array_equal(frame[0, :, 0], levels * scale)
    np.testing.assert_array_equal(frame[0, :, 1], np.where(levels == 1, 0, 255))


def test_cmyk_jpeg_is_laid_out_as_light_and_not_as_ink():
    ink = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    frame = read_one(saved(ink, "JPEG", quality=100))
    assert frame.shape == (8, 8, 3)
    np.testing.assert_allclose(frame[4, 4], [255, 0, 0], atol=2)
    np.testing.assert_array_equal(read_one(saved(ink, "TIFF"))[0, 0], [255, 0, 0])


@pytest.mark.parametrize(
    ("form", "mode"), [("TIFF", "CMYK"), ("JPEG", "CMYK"), ("TIFF", "LAB"), ("TIFF", "RGB")]
)
def test_colours_that_become_rgb_are_said(form, mode):
    notes = read_picture(saved(Image.new(mode, (4, 4)), form)).notes
    assert notes == (() if mode == "RGB" else (f"{mode} becomes RGB",))


def test_cmyk_with_a_broken_profile_still_opens():
    ink = Image.new("CMYK", (4, 4), (255, 0, 0, 0))
    profile = bytes(16) + b"CMYK" + bytes(140)
    picture = read_picture(saved(ink, "TIFF", icc_profile=profile))
    np.testing.assert_array_equal(picture.frames[0][0, 0], [0, 255, 255])
    assert picture.metadata.icc is None


def test_lab_tiff_becomes_srgb():
    gray = ImageCms.profileToProfile(
        Image.new("RGB", (4, 4), (200, 30, 60)), ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"), outputMode="LAB",
    )  # fmt: skip
    np.testing.assert_allclose(read_one(saved(gray, "TIFF"))[1, 1].astype(int), [200, 30, 60], atol=3)


def test_ycbcr_tiff_becomes_rgb():
    image = Image.new("RGB", (8, 8), (10, 200, 90)).convert("YCbCr")
    np.testing.assert_allclose(read_one(saved(image, "TIFF"))[1, 1].astype(int), [10, 200, 90], atol=2)


@pytest.mark.parametrize("kind", ["P2", "P5", "P3", "P6"])
@pytest.mark.parametrize("largest", [65535, 1000, 256])
def test_deep_pnm_is_scaled_to_65535(kind, largest):
    channels = 3 if kind in ("P3", "P6") else 1
    values = np.random.default_rng(3).integers(0, largest + 1, (5, 7, channels))
    head = f"{kind}\n# a remark\n7 5\n{largest}\n".encode()
    body = (
        values.astype(">u2").tobytes()
        if kind in ("P5", "P6")
        else " ".join(map(str, values.ravel())).encode()
    )
    frame = read_one(head + body)
    assert frame.dtype == np.uint16
    np.testing.assert_array_equal(frame, np.floor(values * 65535 / largest + 0.5))
    assert read_size(head + body) == (7, 5, 1)


@pytest.mark.parametrize(("head", "dtype"), [(b"Pf\n4 3\n-1.0\n", "<f4"), (b"PF\n4 3\n1\n", ">f4")])
def test_pfm_keeps_its_floats_and_starts_at_the_bottom(head, dtype):
    values = np.random.default_rng(3).normal(size=(3, 4, 3 if b"PF" in head else 1)).astype(np.float32)
    np.testing.assert_array_equal(read_one(head + values[::-1].astype(dtype).tobytes()), values)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_and_forgotten(format, orientation):
    image = Image.fromarray(pixels(3, "uint8", size=(16, 24)))
    exif = Image.Exif()
    exif[274] = orientation
    exif[270] = "a test picture"
    lossless = {"lossless": True} if format == "WEBP" else {}
    data = saved(image, format, exif=exif.tobytes() if format != "TIFF" else exif, **lossless)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    picture = read_picture(data)
    np.testing.assert_array_equal(picture.frames[0], np.asarray(upright))
    assert read_size(data) == (*upright.size, 1)
    kept = Image.Exif()
    kept.load(picture.metadata.exif)
    assert kept.get(274, 1) == 1
    assert kept[270] == "a test picture"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_16_bit_pictures(orientation):
    array = pixels(3, "uint16", size=(4, 6))
    methods = {2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
               5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1),
               7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: np.rot90}  # fmt: skip
    expected = methods.get(orientation, lambda a: a)(array)
    for order in "<>":
        data = png(array, before=[("eXIf", exif_with(orientation, order))])
        np.testing.assert_array_equal(read_one(data), expected)
        np.testing.assert_array_equal(
            read_one(tiff(array, order=order, tags=[(274, 3, (orientation,))])), expected
        )


def npy_header(shape):
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return out.getvalue()


SIDE = 60_000
HUGE = [(256, 4, (SIDE,)), (257, 4, (SIDE,))]
BOMBS = {
    "png": png_header(SIDE, SIDE),
    "png-16": png_header(SIDE, SIDE, depth=16, color=6),
    "tiff": tiff(np.zeros((1, 1, 3), np.uint8), tags=HUGE),
    "tiff-16": tiff(np.zeros((1, 1, 3), np.uint16), tags=HUGE),
    "ppm": b"P6 60000 60000 255\n" + bytes(100),
    "ppm-16": b"P6 60000 60000 65535\n",
    "bmp": b"BM"
    + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, SIDE, SIDE, 1, 24, *[0] * 6)
    + bytes(50),
    "gif": b"GIF89a" + struct.pack("<HH3x5sHHx3s", SIDE, SIDE, b",\0\0\0\0", SIDE, SIDE, b"\2\0;"),
    "npy": npy_header((SIDE, SIDE, 3)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_by_their_header(name):
    with pytest.raises(CnncliError, match=r"60000x60000 pixels; at most 500,000,000") as caught:
        read_picture(BOMBS[name])
    assert caught.value.hint == "Use --max-pixels 3600000000 if you trust the file."
    assert read_size(BOMBS[name])[:2] == (60_000, 60_000)


def test_max_pixels_counts_all_frames():
    frames = [Image.fromarray(pixels(3, "uint8", seed=i)) for i in range(3)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    pages = saved(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    for many in (data, pages):
        assert len(read_picture(many, max_pixels=13 * 17 * 3).frames) == 3
        with pytest.raises(CnncliError, match=r"3 (frames|pages)"):
            read_picture(many, max_pixels=13 * 17 * 3 - 1)
    assert DEFAULT_MAX_PIXELS < 3_600_000_000


def test_16_bit_that_would_be_narrowed_is_refused():
    sgi = bytearray(saved(pixels(3, "uint8"), "SGI"))
    sgi[3] = 2
    avif = bytearray(saved(pixels(3, "uint8"), "AVIF"))
    avif[avif.index(b"av1C") + 6] |= 0x40
    jp2 = bytearray(saved(pixels(3, "uint8"), "JPEG2000", no_jp2=True))
    jp2[jp2.index(b"\xff\x51") + 40] = 15
    for data in (sgi, avif, jp2):
        with pytest.raises(CnncliError, match=r"holds 1[06]-bit colour"):
            read_picture(bytes(data))


@pytest.mark.parametrize(("content", "message"), [
    (b"", "in.png is empty; expected an image"),
    (b"hello, world", "in.png is not an image in a format that can be read; it begins with 'hello, w'"),
    (b"\xff\xfe\x00\x01aaaa", "begins with bytes ff fe 00 01"),
    (b"%PDF-1.7 and so on", "not an image"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
])  # fmt: skip
def test_what_is_no_image_is_said_so(tmp_path, content, message):
    path = tmp_path / "in.png"
    path.write_bytes(content)
    for read in (read_picture, read_size):
        with pytest.raises(CnncliError) as caught:
            read(path)
        assert message in caught.value.message
        assert "\n" not in caught.value.message + caught.value.hint


def test_a_decoder_that_is_missing_is_no_damage(monkeypatch):
    data = saved(pixels(3, "uint8"), "QOI")
    monkeypatch.setitem(sys.modules, "PIL.QoiImagePlugin", None)
    with pytest.raises(CnncliError, match=r"cannot read standard input: a part of Pillow is missing"):
        read_picture(data)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(CnncliError, match=r"cannot read .*nowhere\.png: no such file"):
        read_picture(tmp_path / "nowhere.png")
    with pytest.raises(CnncliError, match="it is a folder"):
        read_picture(tmp_path)
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(CnncliError, match="a part of its path is a file"):
        read_picture(tmp_path / "file" / "in.png")


def test_unreadable_file(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(saved(pixels(1, "uint8")[..., 0], "PNG"))
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("permissions do not bind this user")
    with pytest.raises(CnncliError, match="permission denied"):
        read_picture(path)


def test_names_that_are_not_utf8_or_hold_newlines_are_shown_in_one_line(tmp_path):
    for name, seen in ((b"caf\xe9.png", r"caf\xe9.png"), (b"a\nb.png", r"a\nb.png")):
        path = tmp_path / os.fsdecode(name)
        with pytest.raises(CnncliError) as caught:
            read_picture(path)
        assert seen in caught.value.message
        caught.value.message.encode("utf-8")


def test_bytes_are_called_standard_input_or_by_their_name():
    with pytest.raises(CnncliError, match=r"^standard input is empty"):
        read_picture(b"")
    with pytest.raises(CnncliError, match=r"^the page is empty"):
        read_picture(b"", name="the page")


def test_content_decides_and_not_the_suffix(tmp_path):
    path = tmp_path / "really-a-jpeg.png"
    path.write_bytes(saved(pixels(3, "uint8"), "JPEG"))
    assert read_picture(path).format == "JPEG"


def test_a_pipe_is_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    array = pixels(3, "uint16")
    writer = threading.Thread(target=pipe.write_bytes, args=(png(array),))
    writer.start()
    np.testing.assert_array_equal(read_one(pipe), array)
    writer.join()
