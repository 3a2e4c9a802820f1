"""TIFF of microscopes and of pictures from above; tifffile, which wrote them, is the oracle."""

import struct
import sys

import numpy as np
import pytest
from image_samples import pixels, tiff

from cnncli.errors import CnncliError
from cnncli.images.large import LargePicture, open_large
from cnncli.images.read import read_picture

tifffile = pytest.importorskip("tifffile")
imagecodecs = pytest.importorskip("imagecodecs")

HEIGHT, WIDTH = 75, 90
FORMS = ({"tile": (32, 48)}, {"rowsperstrip": 32})


@pytest.fixture
def shades(rng):
    """Smooth shades in [0, 1] with a little noise, (H, W, 4)."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    waves = [(np.sin(x / 17 + k) + np.cos(y / 23 - k) + 2) / 4 for k in range(4)]
    return np.stack(waves, axis=2) * 0.9 + rng.random((HEIGHT, WIDTH, 4)) * 0.1


def of_type(shades, dtype, channels):
    scale = {"uint8": 255, "uint16": 65535, "int16": 20000, "float32": 1}[dtype]
    array = (shades[..., :channels] * scale).astype(dtype)
    return array[..., 0] if channels == 1 else array


def assert_read(path, expected=None):
    """The picture is that of tifffile, whole and in bands."""
    array = tifffile.imread(path) if expected is None else expected
    array = array if array.ndim == 3 else array[..., None]
    (frame,) = read_picture(path, bands=True).frames
    np.testing.assert_array_equal(frame, array)
    assert_in_bands(path, frame)


def assert_in_bands(path, frame):
    large = open_large(path, least=0)
    assert isinstance(large, LargePicture), large
    for start in range(0, len(frame), 7):
        stop = min(start + 10, len(frame))
        np.testing.assert_array_equal(large.rows(start, stop), frame[start:stop])
    large.close()


CODECS = [
    ("jpeg2000", "uint8"),
    ("jpeg2000", "uint16"),
    ("jpegxl", "uint8"),
    ("jpegxl", "uint16"),
    ("jpegxl", "float32"),
    ("lerc", "uint8"),
    ("lerc", "uint16"),
    ("lerc", "int16"),
    ("lerc", "float32"),
    ("png", "uint8"),
    ("png", "uint16"),
    ("webp", "uint8"),
    ("zstd", "uint16"),
    ("lzma", "uint16"),
]


#: How each is written so that nothing of the samples is lost.
LOSSLESS = {"jpeg2000": {"reversible": True}, "jpegxl": {"lossless": True}, "webp": {"lossless": True}}


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(("codec", "dtype"), CODECS)
def test_pictures_are_those_that_were_written(tmp_path, shades, codec, dtype, channels):
    if codec == "webp" and channels == 1:
        pytest.skip("WebP has no gray")
    array = of_type(shades, dtype, channels)
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    for number, form in enumerate(FORMS):
        path = tmp_path / f"{number}.tif"
        tifffile.imwrite(
            path, array, photometric="rgb" if channels > 1 else "minisblack",
            compression=codec, compressionargs=LOSSLESS.get(codec, {}), **extra, **form,
        )  # fmt: skip
        np.testing.assert_array_equal(tifffile.imread(path), array)
        assert_read(path)


def test_byte_order_of_the_file_is_that_of_samples_before_lerc_alone(shades):
    """So GDAL 3.11 writes ``ENDIANNESS=BIG`` by libtiff, and Bio-Formats big-endian JPEG 2000."""
    array = of_type(shades, "uint16", 1)
    piece = imagecodecs.lerc_encode(array.byteswap())
    data = tiff(array[..., None], order=">", packed=piece, tags=[(259, 3, (34887,))])
    np.testing.assert_array_equal(read_picture(data).frames[0][..., 0], array)
    piece = imagecodecs.jpeg2k_encode(array, reversible=True)
    data = tiff(array[..., None], order=">", packed=piece, tags=[(259, 3, (34712,))])
    np.testing.assert_array_equal(read_picture(data).frames[0][..., 0], array)
    data = tiff(array[..., None], order=">", tags=[(259, 3, (50002,))])
    with pytest.raises(
        CnncliError, match="16-bit samples in a file of big-endian byte order, where their order"
    ):
        read_picture(data)


@pytest.mark.parametrize("codec", ["jpeg2000", "lerc", "jpegxl"])
def test_planes_of_colours_lie_one_after_another(tmp_path, shades, codec):
    array = np.moveaxis(of_type(shades, "uint16", 3), 2, 0)
    tifffile.imwrite(
        tmp_path / "in.tif", array, photometric="rgb", planarconfig="separate", tile=(32, 48),
        compression=codec, compressionargs=LOSSLESS.get(codec, {}),
    )  # fmt: skip
    assert_read(tmp_path / "in.tif", np.moveaxis(array, 0, 2))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("order", ["<", ">"])
def test_jpeg_inside_tiff_in_bands_is_jpeg_in_one_piece(tmp_path, shades, channels, form, order):
    array = of_type(shades, "uint8", channels)
    photometric = "rgb" if channels == 3 else "minisblack"
    tifffile.imwrite(
        tmp_path / "in.tif", array, compression="jpeg", photometric=photometric, bigtiff=True,
        byteorder=order, subsampling=(2, 2) if channels == 3 else None, **form,
    )  # fmt: skip
    (frame,) = read_picture(tmp_path / "in.tif").frames
    known = tifffile.imread(tmp_path / "in.tif").reshape(frame.shape)
    # Builds of libjpeg smooth colour at half the resolution differently.
    assert np.abs(frame.astype(int) - known).max() <= (12 if channels == 3 else 1)
    assert np.abs(frame.astype(int) - array.reshape(frame.shape)).mean() < 6
    assert_in_bands(tmp_path / "in.tif", frame)


def test_jpeg_of_12_bits_fills_16(tmp_path, shades):
    array = (shades[..., 0] * 4095).astype(np.uint16)
    piece = imagecodecs.jpeg8_encode(array, level=98, bitspersample=12)
    data = tiff(array[..., None], packed=piece, tags=[(258, 3, (12,)), (259, 3, (7,))])
    stored = imagecodecs.jpeg8_decode(piece)
    (frame,) = read_picture(data).frames
    np.testing.assert_array_equal(frame[..., 0], np.floor(stored * (65535 / 4095) + 0.5))


def test_slides_of_aperio_store_brightness_and_colour_in_jpeg_2000(shades):
    rgb = of_type(shades, "uint8", 3)
    stored = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    luma = np.rint(rgb @ stored.T + [0, 128, 128]).clip(0, 255).astype(np.uint8)
    piece = imagecodecs.jpeg2k_encode(luma, codecformat="j2k", reversible=True, mct=False)
    for photometric in (2, 6):
        data = tiff(rgb, packed=piece, tags=[(259, 3, (33003,)), (262, 3, (photometric,))])
        (frame,) = read_picture(data).frames
        assert np.abs(frame.astype(int) - rgb).max() <= 2
    data = tiff(rgb, packed=piece, tags=[(259, 3, (33005,))])
    np.testing.assert_array_equal(read_picture(data).frames[0], luma)
    data = tiff(rgb, packed=piece, tags=[(259, 3, (34712,)), (262, 3, (6,))])
    with pytest.raises(
        CnncliError, match=r"JPEG 2000 \(34712\) in colour model 6; expected gray, RGB or CMYK"
    ):
        read_picture(data)


@pytest.mark.parametrize("added", [0, 1, 2])
def test_what_lerc_leaves_out_is_nan_or_transparent(shades, added):
    """As libtiff writes it; GDAL 3.11 reads such files to the same numbers."""
    mask = shades[..., 0] > 0.4
    pack = (bytes, imagecodecs.zlib_encode, imagecodecs.zstd_encode)[added]
    lerc = [(259, 3, (34887,)), (50674, 4, (4, added))]
    floats = of_type(shades, "float32", 1)
    piece = pack(imagecodecs.lerc_encode(floats, masks=mask))
    (frame,) = read_picture(tiff(floats[..., None], packed=piece, tags=lerc)).frames
    np.testing.assert_array_equal(frame[..., 0], np.where(mask, floats, np.nan))
    colors = of_type(shades, "uint8", 4)
    piece = pack(imagecodecs.lerc_encode(np.ascontiguousarray(colors[..., :3]), masks=mask))
    picture = read_picture(tiff(colors, packed=piece, tags=[*lerc, (338, 3, (2,))]))
    assert picture.alpha
    np.testing.assert_array_equal(picture.frames[0][..., 3], mask * 255)
    np.testing.assert_array_equal(picture.frames[0][mask][:, :3], colors[mask][:, :3])
    piece = pack(imagecodecs.lerc_encode(np.ascontiguousarray(colors[..., 0]), masks=mask))
    with pytest.raises(CnncliError, match="LERC leaves out pixels of whole numbers"):
        read_picture(tiff(colors[..., :1], packed=piece, tags=lerc))


PIECES = [
    (34712, imagecodecs.jpeg2k_encode),
    (34887, imagecodecs.lerc_encode),
    (50001, imagecodecs.webp_encode),
    (50002, imagecodecs.jpegxl_encode),
    (34933, imagecodecs.png_encode),
]


@pytest.mark.parametrize(("codec", "pack"), PIECES)
def test_a_piece_of_another_size_is_damage(codec, pack):
    array = pixels(3, "uint8")
    larger = np.zeros((array.shape[0] + 1, array.shape[1], 3), np.uint8)
    for piece in (pack(larger), pack(array)[:-20], b"", bytes(40)):
        data = tiff(array, packed=piece, tags=[(259, 3, (codec,))])
        with pytest.raises(CnncliError, match="standard input is damaged or truncated"):
            read_picture(data)


def test_a_size_of_jpeg_2000_is_looked_at_before_memory_is_taken():
    array = pixels(1, "uint8")
    piece = bytearray(imagecodecs.jpeg2k_encode(array, codecformat="j2k"))
    struct.pack_into(">2I", piece, piece.find(b"\xff\x4f\xff\x51") + 8, 1 << 30, 1 << 30)
    with pytest.raises(CnncliError, match="holds 1073741824x1073741824 pixels"):
        read_picture(tiff(array, packed=bytes(piece), tags=[(259, 3, (34712,))]))


@pytest.mark.parametrize(
    ("codec", "name"),
    [(34712, "JPEG 2000"), (33005, "JPEG 2000"), (34887, "LERC"), (50001, "WebP"), (50002, "JPEG XL")],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_without_the_package_the_extra_is_named(monkeypatch, codec, name, dtype):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    data = tiff(np.zeros((4, 5, 1), dtype), tags=[(259, 3, (codec,))])
    with pytest.raises(CnncliError, match=rf"page 1 is compressed as {name} \({codec}\), which") as caught:
        read_picture(data)
    assert "pip install 'cnncli[tiff]'" in caught.value.hint
