"""Deep TIFF from any layout, read and written; the plain loops and Pillow here are the oracles."""

import io
import struct
import zlib

import numpy as np
import pytest
from image_samples import pixels, saved, tiff
from PIL import Image

from cnncli.errors import CnncliError
from cnncli.images.picture import Metadata, Picture
from cnncli.images.read import read_picture
from cnncli.images.write import encode_picture


def read_one(data):
    (frame,) = read_picture(data).frames
    return frame


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_uncompressed_samples_come_whole(dtype, channels, order):
    array = pixels(channels, dtype)
    picture = read_picture(tiff(array, order=order))
    assert picture.alpha == (channels in (2, 4))
    assert picture.frames[0].dtype == dtype
    np.testing.assert_array_equal(picture.frames[0], array)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_become_float32(dtype):
    array = pixels(3, "float32").astype(dtype)
    np.testing.assert_array_equal(read_one(tiff(array)), array.astype(np.float32))


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32"])
def test_integers_without_a_white_are_refused(dtype):
    with pytest.raises(CnncliError, match=r"page 1 has \d+-bit (un)?signed integer samples"):
        read_picture(tiff(np.ones((3, 4, 1), dtype)))


def horizontal_differences(array):
    packed = array.copy()
    for x in range(array.shape[1] - 1, 0, -1):
        packed[:, x] -= array[:, x - 1]
    return packed


def float_planes(array):
    """The floating point predictor, value by value."""
    out = bytearray()
    for row in array:
        values = [struct.pack(">f", v) for v in row.ravel()]
        planes = bytes(v[k] for k in range(4) for v in values)
        step = array.shape[2]
        out += bytes((b - (planes[i - step] if i >= step else 0)) & 255 for i, b in enumerate(planes))
    return bytes(out)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [1, 3])
def test_predictors(channels, order):
    deep, floats = pixels(channels, "uint16"), pixels(channels, "float32")
    packed = zlib.compress(horizontal_differences(deep).astype(f"{order}u2").tobytes())
    tags = [(259, 3, (8,)), (317, 3, (2,))]
    np.testing.assert_array_equal(read_one(tiff(deep, order=order, tags=tags, packed=packed)), deep)
    tags = [(259, 3, (8,)), (317, 3, (3,))]
    packed = zlib.compress(float_planes(floats))
    np.testing.assert_array_equal(read_one(tiff(floats, order=order, tags=tags, packed=packed)), floats)


@pytest.mark.parametrize("codec", [1, 8])
def test_planes_lie_one_after_another(codec):
    array = pixels(3, "uint16")
    planes = [array[..., c].astype("<u2").tobytes() for c in range(3)]
    planes = [zlib.compress(plane) if codec == 8 else plane for plane in planes]
    starts = np.cumsum([8] + [len(plane) for plane in planes])[:3].tolist()
    tags = [(259, 3, (codec,)), (284, 3, (2,)), (273, 4, starts), (279, 4, [len(p) for p in planes])]
    np.testing.assert_array_equal(read_one(tiff(array, tags=tags, packed=b"".join(planes))), array)


@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("codec", [1, 8])
def test_tiles_larger_than_the_rest_of_the_page(codec, predictor):
    array = pixels(3, "uint16", size=(21, 37))
    padded = np.zeros((32, 48, 3), np.uint16)
    padded[:21, :37] = array
    tiles = []
    for y in (0, 16):
        for x in (0, 16, 32):
            tile = padded[y : y + 16, x : x + 16]
            tile = horizontal_differences(tile) if predictor == 2 else tile
            tiles.append(zlib.compress(tile.tobytes()) if codec == 8 else tile.tobytes())
    starts = np.cumsum([8] + [len(tile) for tile in tiles])[:-1].tolist()
    tags = [(259, 3, (codec,)), (317, 3, (predictor,)), (322, 4, (16,)), (323, 4, (16,)), (324, 4, starts),
            (325, 4, [len(tile) for tile in tiles])]  # fmt: skip
    np.testing.assert_array_equal(read_one(tiff(array, tags=tags, packed=b"".join(tiles))), array)


@pytest.mark.parametrize("codec", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "lzma", "zstd", "raw"])
def test_compressions_of_pillow(codec):
    array = pixels(1, "uint16", size=(50, 60))
    np.testing.assert_array_equal(read_one(saved(array[..., 0], "TIFF", compression=codec)), array)
    color = pixels(3, "uint8", size=(50, 60))
    np.testing.assert_array_equal(read_one(saved(color, "TIFF", compression=codec)), color)


def test_white_is_zero():
    array = pixels(1, "uint16")
    np.testing.assert_array_equal(read_one(tiff(array, tags=[(262, 3, (0,))])), 65535 - array)


def test_12_bit_samples_are_scaled():
    values = np.random.default_rng(1).integers(0, 4096, (4, 6, 1))
    bits = (values.ravel()[:, None] >> np.arange(11, -1, -1)) & 1
    data = tiff(
        values.astype(np.uint16), tags=[(258, 3, (12,))], packed=np.packbits(bits.astype(np.uint8)).tobytes()
    )
    np.testing.assert_array_equal(read_one(data), np.floor(values * 65535 / 4095 + 0.5))


def test_premultiplied_colour_is_divided_out():
    straight = np.full((2, 2, 4), 40_000, np.uint16)
    straight[..., 3] = [[65535, 32768], [100, 0]]
    stored = straight.copy()
    stored[..., :3] = np.round(straight[..., :3] * (straight[..., 3:] / 65535))
    frame = read_one(tiff(stored, tags=[(338, 3, (1,))]))
    np.testing.assert_allclose(frame[0, :, :3].astype(int), 40_000, atol=2)
    np.testing.assert_allclose(frame[1, 0, :3].astype(int), 40_000, rtol=0.01)
    np.testing.assert_array_equal(frame[1, 1], [0, 0, 0, 0])
    np.testing.assert_array_equal(frame[..., 3], straight[..., 3])


def test_a_channel_that_means_nothing_is_dropped():
    array = pixels(4, "uint16")
    picture = read_picture(tiff(array, tags=[(338, 3, (0,))]))
    assert not picture.alpha
    np.testing.assert_array_equal(picture.frames[0], array[..., :3])


def test_deep_cmyk():
    ink = np.array([[[0, 65535, 65535, 0], [0, 0, 0, 65535], [0, 0, 0, 0]]], np.uint16)
    frame = read_one(tiff(ink, tags=[(262, 3, (5,))]))
    np.testing.assert_array_equal(frame, [[[65535, 0, 0], [0, 0, 0], [65535] * 3]])


@pytest.mark.parametrize("tags", [[(262, 3, (8,))], [(262, 3, (6,))], [(259, 3, (7,))], [(259, 3, (34712,))]])
def test_deep_pages_in_unknown_colours_or_compressions_are_refused(tags):
    with pytest.raises(CnncliError, match="page 1 has 16-bit samples"):
        read_picture(tiff(pixels(3, "uint16"), tags=tags))


def test_bytes_beyond_the_file_are_a_truncation():
    with pytest.raises(CnncliError, match="damaged or truncated"):
        read_picture(tiff(pixels(3, "uint16"), tags=[(279, 4, (99_999,))]))


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_what_is_written_is_read_back(dtype, channels, compress):
    array = pixels(channels, dtype, size=(70, 300))
    picture = Picture((array,), alpha=channels in (2, 4))
    data = encode_picture(picture, "TIFF", compress=compress)
    again = read_picture(data)
    assert again.alpha == picture.alpha
    assert again.frames[0].dtype == dtype
    np.testing.assert_array_equal(again.frames[0], array)
    if dtype == "uint8" or channels == 1:
        with Image.open(io.BytesIO(data)) as image:
            np.testing.assert_array_equal(np.asarray(image).reshape(array.shape), array)
    if compress:
        assert len(data) < len(encode_picture(picture, "TIFF")) or dtype == "float32"


def test_pages_of_different_sizes_and_kinds():
    pages = (pixels(3, "uint16"), pixels(3, "uint16", size=(9, 4)), pixels(3, "uint16", size=(1, 1)))
    data = encode_picture(Picture(pages), "TIFF")
    for page, again in zip(pages, read_picture(data).frames, strict=True):
        np.testing.assert_array_equal(again, page)
    gray, color = pixels(1, "uint8")[..., 0], pixels(4, "uint8", size=(5, 5))
    mixed = saved(gray, "TIFF", save_all=True, append_images=[Image.fromarray(color)])
    picture = read_picture(mixed)
    assert picture.alpha
    np.testing.assert_array_equal(picture.frames[0][..., :3], np.repeat(gray[..., None], 3, axis=2))
    assert picture.frames[0][..., 3].min() == 255
    np.testing.assert_array_equal(picture.frames[1], color)


def test_thumbnails_are_no_pages():
    big, small = Image.fromarray(pixels(3, "uint8")), Image.fromarray(pixels(3, "uint8", size=(4, 4)))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    data = saved(big, "TIFF", save_all=True, append_images=[small])
    assert len(read_picture(data).frames) == 1


def test_exif_dpi_and_profile_travel_in_both_byte_orders():
    exif = Image.Exif()
    exif[270], exif[306] = "a picture", "2024:01:02 03:04:05"
    exif.get_ifd(0x8769)[0x9003] = "2023:01:02 03:04:05"
    exif.get_ifd(0x8769)[0x829A] = 0.25
    exif.get_ifd(0x8825)[1] = "N"
    from PIL import ImageCms

    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for endian in ("<", ">"):
        exif.endian = endian
        block = exif.tobytes().removeprefix(b"Exif\0\0")
        picture = Picture((pixels(3, "uint16"),), metadata=Metadata(block, icc, (300.0, 72.5)))
        data = encode_picture(picture, "TIFF")
        again = read_picture(data)
        assert data[:2] == {"<": b"II", ">": b"MM"}[endian]
        np.testing.assert_array_equal(again.frames[0], picture.frames[0])
        assert again.metadata.icc == icc
        assert again.metadata.dpi == (300.0, 72.5)
        kept = Image.Exif()
        kept.load(again.metadata.exif)
        assert (kept[270], kept[306]) == ("a picture", "2024:01:02 03:04:05")
        assert kept.get_ifd(0x8769)[0x9003] == "2023:01:02 03:04:05"
        assert kept.get_ifd(0x8769)[0x829A] == 0.25
        assert kept.get_ifd(0x8825)[1] == "N"
        with Image.open(io.BytesIO(data)) as image:
            assert image.getexif().get_ifd(0x8769)[0x9003] == "2023:01:02 03:04:05"
            assert image.info["dpi"] == (300.0, 72.5)
