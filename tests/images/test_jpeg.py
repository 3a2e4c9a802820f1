"""JPEG's own ways: colour at half the resolution is kept so."""

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


@pytest.mark.parametrize(
    ("own", "quality", "expected"), [(2, None, 2), (0, None, 0), (2, 92, 0), (0, 80, 2), (1, None, 0)]
)
def test_color_keeps_its_resolution_unless_a_quality_is_asked_for(own, quality, expected):
    picture = read_picture(encoded(photograph(), subsampling=own))
    assert sampling(encode_picture(picture, "JPEG", quality=quality)) == expected
