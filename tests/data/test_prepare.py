import numpy as np
import pytest
from data_helpers import picture
from PIL import Image

from cnncli.data.prepare import InputSpec, as_input, prepared, read_file, read_prepared
from cnncli.images.picture import Picture


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(("channels", "wanted"), [(1, 1), (1, 3), (3, 1), (3, 3)])
def test_depths_and_channels(dtype, channels, wanted):
    pixels = picture(0, 6, 6, 3)[..., :channels]
    full = {"uint8": 1, "uint16": 257, "float32": 1 / 255}[np.dtype(dtype).name]
    frame = (pixels * np.float64(full)).astype(dtype)
    got = prepared(Picture((frame,)), InputSpec((6, 6, wanted))).pixels
    expected = pixels @ [0.299, 0.587, 0.114] if channels == 3 and wanted == 1 else pixels
    expected = expected[..., None] if expected.ndim == 2 else expected
    np.testing.assert_allclose(got, np.broadcast_to(expected, (6, 6, wanted)), atol=0.51)


def test_opacity_is_laid_on_white():
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[..., 3] = [[0, 51], [102, 255]]
    assert as_input(Picture((pixels,), True), (2, 2, 1))[..., 0].tolist() == [[255, 204], [153, 0]]


@pytest.mark.parametrize("size", [(40, 20), (20, 40), (7, 9), (300, 31)])
def test_covers_and_cuts_evenly(size):
    height, width = size
    ramp = np.linspace(0, 255, width)[None].repeat(height, 0).astype(np.uint8)[..., None]
    got = as_input(Picture((ramp,)), (16, 16, 1))
    assert got.shape == (16, 16, 1)
    assert abs(got.astype(float).mean() - ramp.mean()) < 8  # the middle is kept, within half a pixel
    assert np.all(np.diff(got[8, :, 0].astype(int)) >= 0)


@pytest.mark.parametrize("orientation", [1, 6])
def test_large_jpeg_is_reduced_alike(tmp_path, orientation):
    y, x = np.mgrid[:480, :640]
    pixels = np.stack([x * 255 / 640, y * 255 / 480, 128 + 50 * np.sin(x / 40)], 2).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95, exif=exif)
    upright = np.rot90(pixels, -1) if orientation == 6 else pixels
    got = read_prepared(read_file(tmp_path / "a.jpg"), InputSpec((32, 32, 3)), name="a.jpg").pixels
    assert np.abs(got.astype(int) - as_input(Picture((upright,)), (32, 32, 3))).mean() < 3


def test_damaged_jpeg_is_an_error(tmp_path):
    from cnncli.errors import CnncliError

    Image.fromarray(picture(0, 400, 400)).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:5000])
    with pytest.raises(CnncliError, match=r"a\.jpg is damaged or truncated"):
        read_prepared(read_file(tmp_path / "a.jpg"), InputSpec((32, 32, 3)), name="a.jpg")
