"""The short way for plain PNGs: the same pixels as Pillow, and nothing that is unusual or damaged."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from cnncli.images.png_read import read_plain_png
from cnncli.images.read import read_picture


def encoded(array, **options):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", **options)
    return stream.getvalue()


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (28, 28), (1, 300), (65, 64), (28, 28, 3), (5, 1, 3)])
def test_plain_pixels(rng, shape):
    array = rng.integers(0, 256, shape).astype(np.uint8)
    pixels = read_plain_png(encoded(array))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, array.reshape(*shape[:2], -1))


@pytest.mark.parametrize("kind", range(5))
def test_every_row_filter(rng, kind):
    array = rng.integers(0, 256, (9, 11)).astype(np.int64)
    left, up = np.pad(array, ((0, 0), (1, 0)))[:, :-1], np.pad(array, ((1, 0), (0, 0)))[:-1]
    corner = np.pad(array, ((1, 0), (1, 0)))[:-1, :-1]
    guess = left + up - corner
    near = [abs(guess - each) for each in (left, up, corner)]
    paeth = np.where(
        (near[0] <= near[1]) & (near[0] <= near[2]), left, np.where(near[1] <= near[2], up, corner)
    )
    filtered = (array - [0 * array, left, up, (left + up) // 2, paeth][kind]) % 256
    rows = np.pad(filtered, ((0, 0), (1, 0)), constant_values=kind).astype(np.uint8)
    plain = encoded(array.astype(np.uint8))
    start = plain.index(b"IDAT")
    body = b"IDAT" + zlib.compress(rows.tobytes())
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    data = plain[: start - 4] + chunk + plain[-12:]
    assert np.array_equal(read_plain_png(data)[..., 0], array)


def test_text_and_resolution_do_no_harm(rng):
    array = rng.integers(0, 256, (4, 4)).astype(np.uint8)
    about = PngImagePlugin.PngInfo()
    about.add_text("Title", "four")
    assert np.array_equal(read_plain_png(encoded(array, pnginfo=about, dpi=(72, 72)))[..., 0], array)


def text(keyword, value):
    info = PngImagePlugin.PngInfo()
    info.add_text(keyword, value)
    return info


def unusual():
    gray = np.arange(64, dtype=np.uint8).reshape(8, 8)
    turned = Image.Exif()
    turned[0x0112] = 6
    palette = io.BytesIO()
    Image.fromarray(gray).convert("P").save(palette, "PNG")
    bits = io.BytesIO()
    Image.fromarray(gray).convert("1").save(bits, "PNG")
    return {
        "opacity": encoded(np.dstack([gray] * 4)),
        "16 bits": encoded(gray.astype(np.uint16) * 257),
        "one clear shade": encoded(gray, transparency=3),
        "turned": encoded(gray, exif=turned),
        "perhaps turned by a raw profile": encoded(
            gray, pnginfo=text("Raw profile type exif", "\nexif\n 1\n00")
        ),
        "perhaps turned by XMP": encoded(gray, pnginfo=text("XML:com.adobe.xmp", "<x/>")),
        "palette": palette.getvalue(),
        "1 bit": bits.getvalue(),
        "jpeg": b"\xff\xd8\xff" + bytes(60),
        "empty": b"",
    }


@pytest.mark.parametrize("name", unusual())
def test_the_unusual_is_left_to_others(name):
    assert read_plain_png(unusual()[name]) is None


def test_damage_is_never_read_as_pixels(rng):
    array = rng.integers(0, 256, (12, 12)).astype(np.uint8)
    data = encoded(array)
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 1 << int(rng.integers(8))
        pixels = read_plain_png(bytes(broken))
        assert pixels is None or np.array_equal(pixels[..., 0], array)
        assert read_plain_png(data[:at]) is None
    assert np.array_equal(read_picture(data).frames[0], read_plain_png(data))
