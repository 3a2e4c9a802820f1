"""Rows that are read as they are wanted: the pixels, metadata and faults of files read in one piece."""

import contextlib
import itertools
import struct
import zlib

import numpy as np
import pytest
from image_samples import pixels, tiff
from PIL import Image

from cnncli.errors import CnncliError
from cnncli.images.encode import encode_bands, encode_picture
from cnncli.images.large import LargePicture, open_large
from cnncli.images.picture import Metadata, Picture
from cnncli.images.read import read_picture
from cnncli.images.row_source import blank


def assert_as_whole(path, *, steps=(1, 5, 17)):
    """Rows in bands of several heights, with overlap, are those of the whole."""
    whole = read_picture(path, bands=True)
    large = open_large(path, least=0)
    assert isinstance(large, LargePicture), large
    (frame,), known = whole.frames, large.picture
    assert (known.alpha, known.format, known.metadata) == (whole.alpha, whole.format, whole.metadata)
    assert (known.frames[0].shape, known.dtype) == (frame.shape, frame.dtype)
    for step in steps:
        for start in range(0, len(frame), step):
            stop = min(start + step + 3, len(frame))
            assert np.array_equal(large.rows(start, stop), frame[start:stop], equal_nan=frame.dtype == "f4")
    large.close()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(("channels", "photometric"), [(1, "minisblack"), (3, "rgb"), (1, "miniswhite"),
                                                       (5, "minisblack")])  # fmt: skip
@pytest.mark.parametrize("tile", [None, (32, 16)])
def test_tiff_layouts(rng, tmp_path, dtype, channels, photometric, tile):
    tifffile = pytest.importorskip("tifffile")
    pixels = (rng.random((75, 45, channels)) * 255).astype(dtype)
    many = channels > 1
    for number, (codec, planar, order, big) in enumerate(
        itertools.product([None, "zlib"], ["contig", "separate"] if many else [None], "<>", [False, True])
    ):
        path = tmp_path / f"{number}.tif"
        predictor = 2 if codec and number % 3 and dtype != "float32" else None
        shown = pixels if many else pixels[..., 0]
        tifffile.imwrite(
            path, np.moveaxis(shown, 2, 0) if planar == "separate" else shown, byteorder=order, bigtiff=big,
            photometric=photometric, planarconfig=planar, compression=codec, tile=tile,
            predictor=predictor, rowsperstrip=None if tile else 7, metadata=None,
        )  # fmt: skip
        assert_as_whole(path)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16", "F"])
@pytest.mark.parametrize("codec", ["raw", "tiff_lzw", "packbits", "tiff_adobe_deflate", "zstd"])
def test_tiff_modes_and_codecs(rng, tmp_path, mode, codec):
    array = rng.integers(0, 256, (70, 41, 4), np.uint8)
    image = Image.fromarray(array)
    image = {"I;16": lambda: Image.fromarray(array[..., 0].astype(np.uint16) * 257)}.get(
        mode, lambda: image.convert("RGB").convert(mode) if mode != "RGBA" else image
    )()
    image.save(
        tmp_path / "in.tif", compression=None if codec == "raw" else codec, strip_size=500, dpi=(72, 99)
    )
    assert_as_whole(tmp_path / "in.tif")


def test_strips_as_tall_as_the_page_are_cut(rng, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    array = rng.integers(0, 65536, (600, 9000), np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", array, rowsperstrip=600)
    assert_as_whole(tmp_path / "in.tif", steps=(37,))
    tifffile.imwrite(tmp_path / "in.tif", array, rowsperstrip=586)
    assert_as_whole(tmp_path / "in.tif", steps=(37,))


def png(array, depth, kind, *, filters=(0, 1, 2, 3, 4), chunks=(), piece=1000, interlaced=0):
    """A PNG of rows of bytes (H, bytes), each by the next of some filters, from plain loops."""
    size = max(1, {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind] * depth // 8)
    height, length = array.shape
    raw, above = bytearray(), bytes(length)
    for number, row in enumerate(array.tolist()):
        chosen = filters[number % len(filters)]
        raw.append(chosen)
        for x, value in enumerate(row):
            a, c = (row[x - size], above[x - size]) if x >= size else (0, 0)
            b = above[x]
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            raw.append((value - (0, a, b, (a + b) // 2, paeth)[chosen]) & 255)
        above = row
    packed = zlib.compress(bytes(raw))
    width = length * 8 // depth // {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    parts = [(b"IHDR", head), *chunks]
    parts += [(b"IDAT", packed[at : at + piece]) for at in range(0, len(packed), piece)]
    out = b"\x89PNG\r\n\x1a\n"
    for name, body in [*parts, (b"IEND", b"")]:
        out += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return out


COLORS = (b"PLTE", bytes(range(255, -1, -1)) * 3)


@pytest.mark.parametrize(
    ("depth", "kind", "chunks"),
    [(1, 0, []), (2, 0, []), (4, 0, []), (8, 0, []), (16, 0, []), (8, 2, []), (16, 2, []), (8, 4, []),
     (16, 4, []), (8, 6, []), (16, 6, []), (8, 3, [COLORS]), (4, 3, [COLORS]), (1, 3, [COLORS]),
     (8, 3, [COLORS, (b"tRNS", bytes(range(99)))]), (8, 0, [(b"pHYs", struct.pack(">IIB", 3000, 4000, 1))])],
)  # fmt: skip
def test_png(rng, tmp_path, depth, kind, chunks):
    array = rng.integers(0, 256, (43, 48), np.uint8)
    (tmp_path / "in.png").write_bytes(png(array, depth, kind, chunks=chunks))
    assert_as_whole(tmp_path / "in.png")


def test_what_of_a_png_is_decoded_in_one_piece(rng, tmp_path):
    path = tmp_path / "in.png"
    array = rng.integers(0, 256, (43, 48), np.uint8)
    path.write_bytes(png(array, 8, 0, chunks=[(b"tRNS", b"\0\7")]))
    assert open_large(path, least=0) == "one of its colours is transparent"
    path.write_bytes(png(array, 8, 0, interlaced=1))
    assert open_large(path, least=0) == "it is interlaced"
    frames = [Image.fromarray(array), Image.fromarray(255 - array)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert open_large(path, least=0) == "it is an animation"


def test_damaged_png(rng, tmp_path):
    path = tmp_path / "in.png"
    data = png(rng.integers(0, 256, (43, 48), np.uint8), 8, 0)
    path.write_bytes(data[:-900])
    assert "it stops inside its pixels" in refused(path)
    path.write_bytes(data[:1500] + bytes([data[1500] ^ 1]) + data[1501:])
    assert "damaged or truncated" in refused(path)
    path.write_bytes(data[:-17] + bytes([data[-17] ^ 1]) + data[-16:])
    assert "damaged or truncated" in refused(path)
    path.write_bytes(data[:16] + struct.pack(">II", 10**6, 10**6) + data[24:])
    assert "at most 500,000,000 pixels" in refused(path)


def all_rows(path):
    large = open_large(path, least=0)
    assert isinstance(large, LargePicture)
    with contextlib.closing(large):
        return large.rows(0, large.picture.frames[0].shape[0])


def refused(path):
    with pytest.raises(CnncliError) as found:
        all_rows(path)
    return found.value.message


def test_hostile_tiff(tmp_path):
    path = tmp_path / "in.tif"
    array = pixels(1, "uint16")
    good = tiff(array)
    path.write_bytes(good[:-1])
    assert "truncated" in refused(path)

    def changed(tag, value):
        """The file with the first value of a field replaced."""
        data = bytearray(good)
        at = struct.unpack_from("<I", data, 4)[0]
        for place in range(at + 2, at + 2 + 12 * struct.unpack_from("<H", data, at)[0], 12):
            found, kind = struct.unpack_from("<HH", data, place)
            if found == tag:
                struct.pack_into("<H" if kind == 3 else "<I", data, place + 8, value)
        path.write_bytes(data)
        return refused(path)

    assert "at most 500,000,000 pixels" in changed(257, 2**31)
    assert "strips or tiles" in changed(278, 1) or "truncated" in changed(278, 1)
    assert "truncated" in changed(273, 2**31)
    assert "too few bytes" in changed(279, 3)
    assert "damaged" in changed(277, 65535)


@pytest.mark.parametrize(
    ("format", "compress", "compressed"),
    [("PNG", False, False), ("TIFF", False, False), ("TIFF", True, False), ("TIFF", False, True),
     ("PGM", False, False), ("PPM", False, False), ("NPY", False, False)],
)  # fmt: skip
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_files_are_the_same_in_bands(rng, format, compress, compressed, dtype):
    if dtype == "float32" and format in ("PNG", "PGM", "PPM"):
        return
    frame = (rng.random((300, 421, 1 if format == "PGM" else 3)) * 255).astype(dtype)
    metadata = Metadata(dpi=(72.0, 99.0), compressed=compressed)
    whole = encode_picture(Picture((frame,), metadata=metadata), format, compress=compress)
    for step in (1, 37, 300):
        bands = (frame[at : at + step] for at in range(0, len(frame), step))
        empty = Picture((blank(frame.shape, frame.dtype),), metadata=metadata)
        pieces, _ = encode_bands(empty, format, bands, compress=compress, threads=2)
        assert b"".join(pieces) == whole


def test_a_png_of_several_chunks(rng):
    frame = rng.integers(0, 4, (4000, 9000, 1), np.uint8)
    data = encode_picture(Picture((frame,)), "PNG")
    assert data.count(b"IDAT") == 2
    bands = (frame[at : at + 300] for at in range(0, len(frame), 300))
    pieces, _ = encode_bands(Picture((blank(frame.shape, frame.dtype),)), "PNG", bands)
    assert b"".join(pieces) == data
    assert np.array_equal(read_picture(data).frames[0], frame)


def test_large_tiff_is_big(tmp_path):
    frame = blank((70_000, 65_536, 1), np.uint8)
    pieces, _ = encode_bands(Picture((frame,)), "TIFF", (frame[:1] for _ in range(2)))
    head = next(pieces)
    assert head == b"II" + struct.pack("<HHHQ", 43, 8, 0, 16)
    (tmp_path / "big.tif").write_bytes(head + next(pieces))
    with (tmp_path / "big.tif").open("r+b") as file:
        file.truncate(file.seek(0, 2) + frame.nbytes)
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffFile(tmp_path / "big.tif") as file:
        assert file.is_bigtiff
        assert file.pages[0].shape == (70_000, 65_536)
        page = file.pages[0]
        assert page.dataoffsets[-1] + page.databytecounts[-1] == (tmp_path / "big.tif").stat().st_size
        assert page.is_contiguous
    large = open_large(tmp_path / "big.tif", max_pixels=10**10)
    assert not large.rows(69_990, 70_000).any()
    large.close()
