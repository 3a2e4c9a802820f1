import numpy as np
import pytest
from data_helpers import picture
from PIL import Image

from cnncli.data.prepare import InputSpec, Resize, as_input, prepared, read_file, read_prepared
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


def torchvision_eval(pixels, resize, crop, interpolation):
    """Resize and CenterCrop of torchvision 0.21, `transforms.functional`, in Pillow's words."""
    image = Image.fromarray(pixels)
    short, long = sorted(image.size)
    new = resize, int(resize * long / short)
    image = image.resize(new if image.width <= image.height else new[::-1], interpolation)
    left, top = round((image.width - crop) / 2.0), round((image.height - crop) / 2.0)
    return np.asarray(image.crop((left, top, left + crop, top + crop)))


@pytest.mark.parametrize("size", [(451, 300), (300, 451), (31, 77), (640, 640), (33, 400)])
@pytest.mark.parametrize("kind", ["bilinear", "bicubic", "lanczos", "nearest"])
def test_the_short_side_is_resized_as_in_torchvision(size, kind):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    spec = InputSpec((56, 56, 3), resize=Resize(65, kind))
    got = prepared(Picture((pixels,)), spec).pixels
    np.testing.assert_array_equal(got, torchvision_eval(pixels, 65, 56, Image.Resampling[kind.upper()]))


def test_the_long_side_is_truncated_or_rounded():
    """300 pixels become 256, so that 451 become 384.85."""
    assert Resize(256).size_of(451, 300) == (384, 256)
    assert Resize(256, long_side="rounded").size_of(451, 300) == (385, 256)
    assert Resize(256, long_side="rounded").size_of(300, 451) == (256, 385)


def test_a_jpeg_is_decoded_whole_before_it_is_resized(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.jpg")
    decoded = np.asarray(Image.open(tmp_path / "a.jpg"))
    spec = InputSpec((32, 32, 3), resize=Resize(36))
    got = read_prepared(read_file(tmp_path / "a.jpg"), spec, name="a.jpg").pixels
    np.testing.assert_array_equal(got, torchvision_eval(decoded, 36, 32, Image.Resampling.BILINEAR))
