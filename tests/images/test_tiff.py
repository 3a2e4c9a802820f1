"""Deep TIFF from any layout, read and written; the plain loops and Pillow here are the oracles."""

import io
import struct
import zlib

import numpy as np
import pytest
from image_samples import pixels, saved, tiff
from PIL import Image

from cnncli.errors import CnncliError
from cnncli.images.encode import encode_picture
from cnncli.images.picture import Metadata, Picture
from cnncli.images.read import read_picture


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


WIDE = ["int8", "int16", "int32", "uint32"]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("channels", [1, 3])
def test_integers_without_a_white_become_floats_that_hold_them(dtype, order, channels):
    limits = np.iinfo(dtype)
    low, high = max(limits.min, -(1 << 24)), min(limits.max, 1 << 24)
    array = np.linspace(low, high, 60 * channels).astype(dtype).reshape(6, 10, channels)
    picture = read_picture(tiff(array, order=order))
    assert picture.frames[0].dtype == np.float32
    np.testing.assert_array_equal(picture.frames[0].astype(np.int64), array)
    signs = "signed" if limits.min else "unsigned"
    assert picture.notes == (f"its samples of {limits.bits} bits, {signs}, are taken as 32-bit floats",)


@pytest.mark.parametrize("dtype", WIDE)
def test_differences_of_integers_are_undone(dtype):
    numbers = [-5, 100, -128, 127, 0] if dtype != "uint32" else [5, 100, 1 << 24, 127, 0]
    array = np.array(numbers, dtype).reshape(1, 5, 1)
    packed = zlib.compress(horizontal_differences(array).tobytes())
    data = tiff(array, packed=packed, tags=[(259, 3, (8,)), (317, 3, (2,))])
    np.testing.assert_array_equal(read_one(data).astype(np.int64), array)


@pytest.mark.parametrize("value", [(1 << 24) + 1, -(1 << 24) - 1])
def test_an_integer_that_a_float_would_round_is_refused(value):
    array = np.array([[[5], [value]]], np.int32)
    with pytest.raises(CnncliError, match=f"32-bit sample {value:,}; expected at most 16,777,216"):
        read_picture(tiff(array))


def test_integers_in_other_colours_are_refused():
    with pytest.raises(CnncliError, match="page 1 has 16-bit signed integer samples"):
        read_picture(tiff(np.ones((3, 4, 1), "int16"), tags=[(262, 3, (0,))]))


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


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(("photometric", "channels"), [(1, 2), (1, 7), (2, 4), (2, 5), (5, 5), (1, 300)])
def test_channels_without_a_meaning_are_kept_whole(dtype, photometric, channels):
    array = pixels(channels, dtype)
    extra = channels - {1: 1, 2: 3, 5: 4}[photometric]
    planes = [array[..., c].tobytes() for c in range(channels)]
    starts = [8 + len(planes[0]) * c for c in range(channels)]
    apart = [(284, 3, (2,)), (273, 4, starts), (279, 4, [len(plane) for plane in planes])]
    for tags, packed in (([], None), (apart, b"".join(planes))):
        meaning = [(262, 3, (photometric,)), (338, 3, (0,) * extra)]
        data = tiff(array, tags=[*meaning, *tags], packed=packed)
        picture = read_picture(data, bands=True)
        assert not picture.alpha
        np.testing.assert_array_equal(picture.frames[0], array)
        with pytest.raises(CnncliError, match=f"it has {channels} channels whose meaning is unknown"):
            read_picture(data)
        with pytest.raises(
            CnncliError, match=f"PNG holds gray or RGB, .* this image has {channels} channels"
        ):
            encode_picture(picture, "PNG", bits=8)
        for compress in (False, True):
            again = read_picture(encode_picture(picture, "TIFF", compress=compress), bands=True)
            np.testing.assert_array_equal(again.frames[0], array)
        np.testing.assert_array_equal(np.load(io.BytesIO(encode_picture(picture, "NPY"))), array)


BIG = {"<": b"II", ">": b"MM"}


def bigtiff(array, *, order, compress=False, photometric=1, tags=()):
    """A BigTIFF of one strip, with offsets of 64 bits; ``tags`` have one number each, or many shorts."""
    height, width, channels = array.shape
    body = array.astype(array.dtype.newbyteorder(order)).tobytes()
    body = zlib.compress(body) if compress else body
    fields = {
        256: (4, width), 257: (4, height), 258: (3, array.dtype.itemsize * 8), 259: (3, 8 if compress else 1),
        262: (3, photometric), 273: (16, 16), 277: (3, channels), 278: (4, height), 279: (16, len(body)),
        **dict(tags),
    }  # fmt: skip
    entries, tail = b"", b""
    behind = 16 + len(body) + 8 + 20 * len(fields) + 8
    for tag, (kind, value) in sorted(fields.items()):
        many = isinstance(value, list)
        entries += struct.pack(order + "HHQ", tag, kind, len(value) if many else 1)
        form = "Q" if many else {3: "H6x", 4: "I4x", 16: "Q"}[kind]
        entries += struct.pack(order + form, behind + len(tail) if many else value)
        tail += struct.pack(f"{order}{len(value)}H", *value) if many else b""
    start = BIG[order] + struct.pack(order + "HHHQ", 43, 8, 0, 16 + len(body))
    return start + body + struct.pack(order + "Q", len(fields)) + entries + bytes(8) + tail


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("dtype", "channels"), [("uint8", 1), ("uint8", 3), ("uint16", 3), ("float32", 1)])
def test_bigtiff_in_both_byte_orders(dtype, channels, order, compress):
    array = pixels(channels, dtype)
    photometric = 2 if channels == 3 else 1
    tags = {339: (3, 3)}.items() if dtype == "float32" else ()
    data = bigtiff(array, order=order, compress=compress, photometric=photometric, tags=tags)
    np.testing.assert_array_equal(read_one(data), array)


def without(data, tag):
    """The same little-endian TIFF without a field: it becomes one that nobody knows."""
    at = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[at : at + 2], "little")
    for place in range(at + 2, at + 2 + 12 * count, 12):
        if data[place : place + 2] == tag.to_bytes(2, "little"):
            return data[:place] + (65000).to_bytes(2, "little") + data[place + 2 :]
    raise ValueError(tag)


@pytest.mark.parametrize("codec", [1, 8])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_lengths_of_strips_and_the_colour_model_may_be_missing(dtype, channels, codec):
    array = pixels(channels, dtype, size=(11, 7))
    rows = [array[top : top + 4].tobytes() for top in (0, 4, 8)]
    strips = [zlib.compress(strip) if codec == 8 else strip for strip in rows]
    starts = np.cumsum([8] + [len(strip) for strip in strips])[:3].tolist()
    tags = [(259, 3, (codec,)), (278, 4, (4,)), (273, 4, starts), (279, 4, [len(strip) for strip in strips])]
    data = tiff(array, tags=tags, packed=b"".join(strips))
    np.testing.assert_array_equal(read_one(without(data, 262)), array)
    if dtype == "uint16" or codec == 1:
        np.testing.assert_array_equal(read_one(without(data, 279)), array)


@pytest.mark.parametrize("codec", [1, 8])
def test_strips_of_no_rows_are_read_or_refused_but_no_mistake_of_ours(codec):
    one, many = pixels(3, "uint16", size=(1, 7)), pixels(3, "uint16", size=(9, 7))
    tags = [(259, 3, (codec,)), (278, 4, (0,))]
    pack = zlib.compress if codec == 8 else bytes
    np.testing.assert_array_equal(read_one(tiff(one, tags=tags, packed=pack(one.tobytes()))), one)
    with pytest.raises(CnncliError, match="damaged"):
        read_one(tiff(many, tags=tags, packed=pack(many.tobytes())))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palettes_and_small_samples_in_big_endian_bigtiff(bits):
    levels = np.arange(8) % (1 << bits)
    packed = np.packbits((levels[:, None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8).ravel())
    array = packed.reshape(1, -1, 1)
    tags = {256: (4, 8), 258: (3, bits)}
    frame = read_one(bigtiff(array, order=">", tags=tags.items()))
    np.testing.assert_array_equal(frame[0, :, 0], levels * (255 // (2**bits - 1)))


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_colours_of_palettes_in_big_endian_bigtiff(bits):
    """All reds, then all greens, then all blues, as TIFF 6.0 has them, each 257 times its value in 8 bits."""
    colors = np.random.default_rng(bits).integers(0, 256, (1 << bits, 3))
    indices = np.arange(16) % (1 << bits)
    packed = np.packbits((indices[:, None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8).ravel())
    tags = {256: (4, 16), 258: (3, bits), 262: (3, 3), 320: (3, (colors.T * 257).ravel().tolist())}
    frame = read_one(bigtiff(packed.reshape(1, -1, 1), order=">", tags=tags.items()))
    np.testing.assert_array_equal(frame[0], colors[indices])


def chained(array, count, *, last=0):
    """A file of many pages that share their pixels."""
    one = bytearray(tiff(array))
    start = int.from_bytes(one[4:8], "little")
    length = len(one) - start
    directory = one[start:]
    out = bytearray(one[:start])
    for page in range(count):
        at = start + page * length
        following = at + length if page < count - 1 else last
        entries = int.from_bytes(directory[:2], "little")
        moved = bytearray(directory)
        moved[2 + 12 * entries : 6 + 12 * entries] = following.to_bytes(4, "little")
        out += moved
    return bytes(out), start


def test_every_page_is_visited_once_and_circles_end():
    array = pixels(1, "uint8", size=(2, 2))
    data, start = chained(array, 700)
    picture = read_picture(data)
    assert (len(picture.frames), picture.notes) == (700, ())
    assert all(np.array_equal(frame, array) for frame in picture.frames)
    assert len(read_picture(data, first=True).frames) == 1
    data, start = chained(array, 5, last=start)
    picture = read_picture(data)
    assert len(picture.frames) == 5
    assert picture.notes == ("its chain of pages runs in a circle; 5 were read",)


def test_more_pages_than_are_read_are_refused(monkeypatch):
    array = pixels(1, "uint8", size=(2, 2))
    monkeypatch.setattr("cnncli.images.tiff.MOST_PAGES", 300)
    data, _ = chained(array, 301)
    with pytest.raises(CnncliError, match="it has more than 300 pages"):
        read_picture(data)
    assert len(read_picture(data, first=True).frames) == 1
    assert len(read_picture(chained(array, 300)[0]).frames) == 300


def test_pages_by_pillow_are_read_where_they_lie():
    pages = [Image.fromarray(pixels(3, "uint8", size=(40, 50), seed=k)) for k in range(4)]
    for codec in ("jpeg", "tiff_lzw", "raw"):
        data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression=codec)
        with Image.open(io.BytesIO(data)) as image:
            for number, frame in enumerate(read_picture(data).frames):
                image.seek(number)
                np.testing.assert_array_equal(frame, np.asarray(image.convert("RGB")))


def test_strips_that_name_the_same_bytes_take_no_more_memory_than_the_file():
    size = (1 << 14, 64)
    data = tiff(np.zeros((*size, 1), np.uint16))
    strips = [(278, 4, (1,)), (273, 4, range(8, 8 + size[0])), (279, 4, (1 << 20,) * size[0])]
    with pytest.raises(CnncliError, match="lie over each other"):
        read_picture(tiff(np.zeros((*size, 1), np.uint16), tags=[(259, 3, (8,)), *strips]))
    assert len(read_picture(data).frames) == 1


def test_pages_that_name_the_same_bytes_over_and_over():
    array = pixels(1, "uint8", size=(2, 2))
    many = [(273, 4, (8,) * 3000), (279, 4, (4,) * 3000)]
    one = tiff(array, tags=many)
    start = int.from_bytes(one[4:8], "little")
    entries = int.from_bytes(one[start : start + 2], "little")
    directory = bytearray(one[start : start + 2 + 12 * entries + 4])
    out = bytearray(one)
    place = start + 2 + 12 * entries
    for _ in range(40):
        out[place : place + 4] = len(out).to_bytes(4, "little")
        place = len(out) + 2 + 12 * entries
        out += directory
    with pytest.raises(CnncliError, match="the same bytes over and over"):
        read_picture(bytes(out))


def test_the_preview_of_a_raw_photograph_is_not_taken_for_it():
    preview = pixels(3, "uint8")
    for tags in ([(50706, 4, (1,))], [(254, 4, (1,)), (330, 4, (8,))]):
        with pytest.raises(CnncliError, match="camera's raw data"):
            read_picture(tiff(preview, tags=tags))
    assert len(read_picture(tiff(preview, tags=[(330, 4, (8,))])).frames) == 1


def test_deep_cmyk():
    ink = np.array([[[0, 65535, 65535, 0], [0, 0, 0, 65535], [0, 0, 0, 0]]], np.uint16)
    frame = read_one(tiff(ink, tags=[(262, 3, (5,))]))
    np.testing.assert_array_equal(frame, [[[65535, 0, 0], [0, 0, 0], [65535] * 3]])


@pytest.mark.parametrize("tags", [[(262, 3, (8,))], [(262, 3, (6,))], [(259, 3, (34892,))]])
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


def test_more_values_than_samples_are_passed_over():
    array = pixels(3, "uint8")
    data = tiff(array, tags=[(258, 3, (8, 8, 8, 1))])
    np.testing.assert_array_equal(read_one(data), array)


def test_predictors_of_odd_samples_are_no_damage():
    packed = bytes(12)
    with pytest.raises(CnncliError, match="page 1 has predictor 2 with 12-bit samples"):
        read_picture(
            tiff(np.zeros((2, 4, 1), np.uint16), tags=[(258, 3, (12,)), (317, 3, (2,))], packed=packed)
        )
