"""JPEG's own ways: luma decoded alone, and colour at half the resolution kept so."""

import io

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from cnncli.images.encode import encode_picture
from cnncli.images.read import read_picture


def photograph(height=61, width=83):
    """Smooth colours, none of which has to be clipped."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 9), np.cos(y / 11), np.sin((x + y) / 13)]
    return np.rint(128 + 60 * np.stack(waves, axis=2)).astype(np.uint8)


def encoded(pixels, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", **options)
    return stream.getvalue()


def sampling(data):
    return JpegImagePlugin.get_sampling(Image.open(io.BytesIO(data)))


def test_luma_alone_is_the_luma_of_the_colours():
    data = encoded(photograph(), quality=90)
    (luma,) = read_picture(data, gray=True).frames
    (colors,) = read_picture(data).frames
    assert (luma.shape, colors.shape) == ((61, 83, 1), (61, 83, 3))
    expected = colors.astype(np.float64) @ [0.299, 0.587, 0.114]
    assert np.abs(luma[..., 0] - expected).max() <= 1.0


@pytest.mark.parametrize("orientation", [3, 6])
def test_luma_alone_is_turned_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(photograph(), exif=exif)
    (luma,) = read_picture(data, gray=True).frames
    (colors,) = read_picture(data).frames
    assert luma.shape[:2] == colors.shape[:2]
    assert np.abs(luma[..., 0] - colors.astype(np.float64) @ [0.299, 0.587, 0.114]).max() <= 1.0


def test_what_holds_no_luma_apart_is_decoded_as_ever():
    stream = io.BytesIO()
    Image.fromarray(photograph()).save(stream, "PNG")
    assert np.array_equal(read_picture(stream.getvalue(), gray=True).frames[0], photograph())
    ink = io.BytesIO()
    Image.fromarray(photograph()).convert("CMYK").save(ink, "JPEG")
    assert read_picture(ink.getvalue(), gray=True).channels == 3


@pytest.mark.parametrize(
    ("own", "quality", "expected"), [(2, None, 2), (0, None, 0), (2, 92, 0), (0, 80, 2), (1, None, 0)]
)
def test_color_keeps_its_resolution_unless_a_quality_is_asked_for(own, quality, expected):
    picture = read_picture(encoded(photograph(), subsampling=own))
    assert sampling(encode_picture(picture, "JPEG", quality=quality)) == expected
