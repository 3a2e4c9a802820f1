"""JPEG's own ways: colour at half the resolution is kept so."""

import io

import numpy as np
import pytest
from image_samples import exif_with
from PIL import Image, JpegImagePlugin

from cnncli.images import encode, jpeg
from cnncli.images.encode import encode_picture
from cnncli.images.picture import Metadata, Picture
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


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def sampling(data):
    return JpegImagePlugin.get_sampling(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("own", "quality", "expected"), [(2, None, 2), (0, None, 0), (2, 92, 0), (0, 80, 2), (1, None, 0)]
)
def test_color_keeps_its_resolution_unless_a_quality_is_asked_for(own, quality, expected):
    picture = read_picture(encoded(photograph(), subsampling=own))
    assert sampling(encode_picture(picture, "JPEG", quality=quality)) == expected


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [None, 80])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (61, 83), (48, 7), (400, 31)])
def test_strips_hold_the_pixels_of_one_piece(monkeypatch, channels, quality, height, width):
    frame = np.ascontiguousarray(photograph(height, width)[..., :channels])
    picture = Picture((frame,), metadata=Metadata(exif=exif_with(1), dpi=(72, 72)))
    whole = encode_picture(picture, "JPEG", quality=quality)
    monkeypatch.setattr(encode, "LEAST_PIXELS", 1)
    monkeypatch.setattr(jpeg, "STRIP_ROWS", 32)
    cut, again = (encode_picture(picture, "JPEG", quality=quality, threads=count) for count in (1, 3))
    assert cut == again
    assert (b"\xff\xd0" in cut) == (height > 32)
    assert cut.count(b"Exif") == whole.count(b"Exif") == 1
    for name in ("size", "mode", "info"):
        assert getattr(opened(cut), name) == getattr(opened(whole), name)
    assert np.array_equal(np.asarray(opened(cut)), np.asarray(opened(whole)))


def test_strips_are_as_wide_as_a_restart_interval_can_be():
    made = []

    def strip(top, bottom):
        made.append(bottom - top)
        return encoded(np.zeros((bottom - top, 65_500), np.uint8))

    cut = jpeg.encode_strips(strip, (100, 65_500), halved=False, threads=1)
    assert made == [64, 36]  # 8 rows of 8188 blocks, which 9 would bring above 65,535
    assert opened(cut).size == (65_500, 100)
    assert not np.asarray(opened(cut)).any()


def test_the_fault_of_a_strip_is_raised():
    def strip(top, bottom):
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        jpeg.encode_strips(strip, (600, 8), halved=True, threads=2)
