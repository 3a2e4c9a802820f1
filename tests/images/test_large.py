"""Rows that are read as they are wanted: the pixels, metadata and faults of files read in one piece."""

import itertools
import struct

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


def all_rows(path):
    large = open_large(path, least=0)
    assert isinstance(large, LargePicture)
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
    [("TIFF", False, False), ("TIFF", True, False), ("TIFF", False, True), ("PGM", False, False),
     ("PPM", False, False), ("NPY", False, False)],
)  # fmt: skip
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_files_are_the_same_in_bands(rng, format, compress, compressed, dtype):
    if dtype == "float32" and format in ("PGM", "PPM"):
        return
    frame = (rng.random((300, 421, 1 if format == "PGM" else 3)) * 255).astype(dtype)
    metadata = Metadata(dpi=(72.0, 99.0), compressed=compressed)
    whole = encode_picture(Picture((frame,), metadata=metadata), format, compress=compress)
    for step in (1, 37, 300):
        bands = (frame[at : at + step] for at in range(0, len(frame), step))
        empty = Picture((blank(frame.shape, frame.dtype),), metadata=metadata)
        pieces, _ = encode_bands(empty, format, bands, compress=compress, threads=2)
        assert b"".join(pieces) == whole


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
