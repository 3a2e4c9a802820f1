"""Broken files end in one clear error; they never leak a traceback, a warning or a half-decoded picture."""

import functools
import io

import numpy as np
import pytest
from image_samples import pixels, png, png_header, saved, tiff
from PIL import Image

from cnncli.errors import CnncliError
from cnncli.images.read import read_picture, read_size

COLOR = pixels(3, "uint8", size=(40, 50))
OPAQUE = pixels(4, "uint8", size=(40, 50))
DEEP = pixels(3, "uint16", size=(40, 50))
BITS = COLOR[..., 0] > 90
FRAMES = [Image.fromarray(np.roll(OPAQUE, 3 * i, 1)) for i in range(3)]
MOVING = {"save_all": True, "append_images": FRAMES[1:], "duration": [30, 40, 50]}


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


FILES = {
    "png": saved(COLOR, "PNG"),
    "palette": saved(Image.fromarray(COLOR).quantize(50), "PNG"),
    "png-16": png(DEEP),
    "png-16-interlaced": png(DEEP, interlaced=True),
    "apng": saved(FRAMES[0], "PNG", **MOVING),
    "jpeg": saved(COLOR, "JPEG"),
    "jpeg-progressive": saved(COLOR, "JPEG", progressive=True),
    "jpeg-cmyk": saved(Image.fromarray(COLOR).convert("CMYK"), "JPEG"),
    "tiff": saved(COLOR, "TIFF"),
    "tiff-lzw": saved(COLOR, "TIFF", compression="tiff_lzw"),
    "tiff-jpeg": saved(COLOR, "TIFF", compression="jpeg"),
    "tiff-fax": saved(BITS, "TIFF", compression="group4"),
    "tiff-16": tiff(DEEP),
    "tiff-16-deflate": saved(DEEP[..., 0], "TIFF", compression="tiff_adobe_deflate"),
    "tiff-pages": saved(FRAMES[0], "TIFF", save_all=True, append_images=FRAMES[1:]),
    "gif": saved(Image.fromarray(COLOR).quantize(64), "GIF"),
    "gif-moving": saved(FRAMES[0], "GIF", **MOVING),
    "webp": saved(OPAQUE, "WEBP", lossless=True),
    "webp-moving": saved(FRAMES[0], "WEBP", lossless=True, **MOVING),
    "bmp": saved(COLOR, "BMP"),
    "ppm": saved(COLOR, "PPM"),
    "ppm-16": b"P6\n50 40\n65535\n" + DEEP.astype(">u2").tobytes(),
    "avif": saved(COLOR, "AVIF"),
    "jpeg2000": saved(COLOR, "JPEG2000"),
    "tga": saved(COLOR, "TGA", compression="tga_rle"),
    "pcx": saved(COLOR, "PCX"),
    "sgi": saved(COLOR, "SGI"),
    "ico": saved(OPAQUE, "ICO", sizes=[(32, 32)]),
    "dds": saved(OPAQUE, "DDS"),
    "qoi": saved(OPAQUE, "QOI"),
    "msp": saved(BITS, "MSP"),
    "xbm": saved(BITS, "XBM"),
    "npy": npy(DEEP),
}


def read_or_none(data, read=read_picture):
    try:
        return read(data)
    except CnncliError as error:
        fault = error
    assert fault.hint
    assert "\n" not in fault.message + fault.hint
    assert fault.message.startswith(("standard input", "cannot read standard input"))
    return None


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_refused_or_whole(name, capfd):
    data = FILES[name]
    whole = read_picture(data)
    lengths = {
        *range(0, 40, 3),
        *np.linspace(0, len(data) - 1, 40).astype(int),
        *range(len(data) - 12, len(data)),
    }
    refused = 0
    for length in sorted(lengths):
        read_or_none(data[:length], read_size)
        picture = read_or_none(data[:length])
        refused += picture is None
        if picture is not None:
            assert len(picture.frames) == len(whole.frames)
            for frame, expected in zip(picture.frames, whole.frames, strict=True):
                np.testing.assert_array_equal(frame, expected)
    assert refused > 20
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", FILES)
def test_flipped_bytes_and_noise_leak_nothing(name, capfd):
    data = FILES[name]
    rng = np.random.default_rng(7)
    for i in range(40):
        flipped = bytearray(data)
        for at in rng.integers(0 if i % 2 else 8, min(len(data), 200 if i % 3 else 2000), 3):
            flipped[at] = rng.integers(256)
        for broken in (bytes(flipped), data[: 8 + i] + rng.bytes(300)):
            read_or_none(broken, read_size)
            read_or_none(broken, functools.partial(read_picture, max_pixels=10**6))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("data", [
    b"P5\n0 5\n65535\n", b"P6\n5 0\n255\n", tiff(DEEP, tags=[(256, 4, (0,))]),
    tiff(DEEP, tags=[(257, 4, (0,))]),
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(8) + b"\x08\2\0\0\0" + bytes(4),
], ids=["pgm", "ppm", "tiff-width", "tiff-height", "png"])  # fmt: skip
def test_pictures_without_pixels(data):
    assert read_or_none(data) is None


def test_a_directory_that_points_to_itself_ends():
    data = bytearray(tiff(COLOR))
    start = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[start : start + 2], "little")
    following = start + 2 + 12 * entries
    data[following : following + 4] = data[4:8]
    np.testing.assert_array_equal(read_picture(bytes(data)).frames[0], COLOR)


def test_a_bomb_inside_an_icon_is_refused():
    inner = png_header(30_000, 30_000)
    icon = (
        b"\0\0\1\0\1\0"
        + bytes([0, 0, 0, 0])
        + b"\1\0\x20\0"
        + len(inner).to_bytes(4, "little")
        + b"\x16\0\0\0"
    )
    with pytest.raises(CnncliError, match=r"an image inside it has more pixels|30000x30000"):
        read_picture(icon + inner, max_pixels=10**6)
