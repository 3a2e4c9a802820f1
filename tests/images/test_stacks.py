"""Stacks of microscopes and pyramids: tifffile writes them, and reads what is written here."""

import numpy as np
import pytest

from cnncli.errors import CnncliError
from cnncli.images.encode import encode_picture
from cnncli.images.large import LargePicture, open_large
from cnncli.images.read import read_picture, read_size

tifffile = pytest.importorskip("tifffile")

TIMES, SLICES, CHANNELS, H, W = 2, 3, 4, 5, 7
#: Each page by its number as ImageJ counts: channels first, then slices, then times.
STACK = np.arange(TIMES * SLICES * CHANNELS * H * W, dtype=np.uint16).reshape(TIMES, SLICES, CHANNELS, H, W)
PLANES = STACK.reshape(-1, H, W)
WORDS = "its 24 pages are 4 channels x 3 slices x 2 times"


def planes_of(picture):
    return np.stack([frame[..., 0] for frame in picture.frames])


@pytest.mark.parametrize("axes", ["TZCYX", "TCZYX", "ZTCYX", "CZTYX", "CTZYX", "ZCTYX"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pages_of_ome_come_channels_first_whatever_order_they_lie_in(tmp_path, axes, compression):
    lying = np.transpose(STACK, ["TZCYX".index(axis) for axis in axes])
    tifffile.imwrite(
        tmp_path / "in.ome.tif", lying, ome=True, metadata={"axes": axes}, compression=compression
    )
    picture = read_picture(tmp_path / "in.ome.tif")
    np.testing.assert_array_equal(planes_of(picture), PLANES)
    assert picture.metadata.axes == (CHANNELS, SLICES, TIMES)
    assert picture.notes == (WORDS,)
    assert "OME's metadata" in picture.metadata.lost


def test_ome_of_other_programs_names_planes_one_by_one(tmp_path):
    """As Bio-Formats: a TiffData for each plane, here in any order, with prefixed names."""
    shuffled = np.random.default_rng(5).permutation(len(PLANES))
    places = {int(plane): at for at, plane in enumerate(shuffled)}
    data = "".join(
        f'<o:TiffData FirstC="{n % 4}" FirstZ="{n // 4 % 3}" FirstT="{n // 12}" IFD="{places[n]}">'
        f'<o:UUID FileName="in.tif">urn:uuid:1</o:UUID></o:TiffData>'
        for n in range(24)
    )
    write_ome(tmp_path / "in.tif", PLANES[shuffled], data)
    np.testing.assert_array_equal(planes_of(read_picture(tmp_path / "in.tif")), PLANES)


def write_ome(path, planes, data, *, sizes=(CHANNELS, SLICES, TIMES), own="urn:uuid:1"):
    text = (
        f'<?xml version="1.0"?><OME xmlns:o="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{own}">'
        '<o:Image ID="Image:0"><o:Pixels DimensionOrder="XYZCT" '
        f'SizeC="{sizes[0]}" SizeZ="{sizes[1]}" SizeT="{sizes[2]}">{data}</o:Pixels></o:Image></OME>'
    )
    with tifffile.TiffWriter(path) as file:
        for number, plane in enumerate(planes):
            file.write(plane, description=text if number == 0 else None, metadata=None, contiguous=False)


def test_planes_in_other_files_are_said_to_be_missing(tmp_path):
    data = (
        '<o:TiffData FirstZ="0" IFD="0" PlaneCount="3"/>'
        '<o:TiffData FirstC="1" IFD="0" PlaneCount="3"><o:UUID>urn:uuid:2</o:UUID></o:TiffData>'
    )
    write_ome(tmp_path / "in.tif", PLANES[:3], data, sizes=(2, 3, 1))
    picture = read_picture(tmp_path / "in.tif")
    assert picture.notes == (
        "its 3 pages are 2 channels x 3 slices x 1 time",
        "planes of them that are not in this file: 3",
    )
    assert picture.metadata.axes is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ('<o:TiffData IFD="1"/>', "name 1 planes in this file, which has 2 pages"),
        ('<o:TiffData IFD="0"/><o:TiffData FirstZ="1" IFD="0"/>', "which has 2 pages"),
        ('<o:TiffData IFD="x"/>', "are not understood"),
        ("<o:TiffData>", "are not understood"),
        ("<!DOCTYPE a>", "are not understood"),
    ],
)
def test_metadata_of_ome_that_do_not_fit_are_said_and_pages_stay_as_they_lie(tmp_path, data, words):
    write_ome(tmp_path / "in.tif", PLANES[:2], data, sizes=(1, 2, 1))
    picture = read_picture(tmp_path / "in.tif")
    np.testing.assert_array_equal(planes_of(picture), PLANES[:2])
    (note,) = picture.notes
    assert note.startswith("OME's metadata")
    assert "as they lie" in note
    assert words in note


def test_series_come_one_after_another(tmp_path):
    with tifffile.TiffWriter(tmp_path / "in.ome.tif", ome=True) as file:
        file.write(PLANES[:2], metadata={"axes": "CYX"})
        file.write(PLANES[5:8], metadata={"axes": "ZYX"})
    picture = read_picture(tmp_path / "in.ome.tif")
    np.testing.assert_array_equal(planes_of(picture), PLANES[[0, 1, 5, 6, 7]])
    assert picture.notes == (
        "its 5 pages are 2 channels x 1 slice x 1 time; then 1 channel x 3 slices x 1 time",
    )


def test_colour_of_ome_is_one_channel(tmp_path):
    array = np.arange(2 * H * W * 3, dtype=np.uint8).reshape(2, H, W, 3)
    tifffile.imwrite(tmp_path / "in.ome.tif", array, ome=True, photometric="rgb", metadata={"axes": "ZYXS"})
    picture = read_picture(tmp_path / "in.ome.tif")
    np.testing.assert_array_equal(np.stack(picture.frames), array)
    assert picture.metadata.axes == (1, 2, 1)
    tifffile.imwrite(tmp_path / "one.ome.tif", array[0], ome=True, photometric="rgb")
    assert read_picture(tmp_path / "one.ome.tif").notes == ()


def test_axes_of_imagej_are_written_for_its_and_other_readers(tmp_path):
    tifffile.imwrite(tmp_path / "in.tif", STACK, imagej=True, metadata={"axes": "TZCYX"})
    picture = read_picture(tmp_path / "in.tif")
    np.testing.assert_array_equal(planes_of(picture), PLANES)
    assert picture.notes == (WORDS,)
    (tmp_path / "out.tif").write_bytes(encode_picture(picture, "TIFF"))
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.series[0].axes == "TZCYX"
        np.testing.assert_array_equal(file.asarray(), STACK)
    again = read_picture(tmp_path / "out.tif")
    assert (again.metadata.axes, again.notes) == (picture.metadata.axes, (WORDS,))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("order", ["<", ">"])
def test_images_behind_the_only_directory_are_read(tmp_path, dtype, order):
    """So ImageJ writes more than 4 GiB, and tifffile ``truncate=True``."""
    array = (PLANES % 251).astype(dtype)
    for number, known in enumerate(({"imagej": True}, {})):
        path = tmp_path / f"{number}.tif"
        meta = {"metadata": {"axes": "ZYX"}} if known else {}
        tifffile.imwrite(path, array, truncate=True, byteorder=order, **known, **meta)
        with tifffile.TiffFile(path) as file:
            assert len(file.pages) == 1
        np.testing.assert_array_equal(planes_of(read_picture(path)), array)
        assert read_size(path) == (W, H, len(PLANES))
        assert open_large(path, least=0) == "it has several pages"
        path.write_bytes(path.read_bytes()[: -H * W * array.itemsize])
        with pytest.raises(CnncliError, match=r"metadata count 24 images, and it holds 2\d"):
            read_picture(path)


@pytest.mark.parametrize("below", [False, True])
def test_of_a_pyramid_the_first_level_is_read_and_the_others_are_named(tmp_path, below):
    levels = [np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)[::step, ::step] for step in (1, 2, 4)]
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        file.write(levels[0], subifds=2 if below else 0, tile=(16, 16), metadata=None)
        for level in levels[1:]:
            file.write(level, subfiletype=1, tile=(16, 16), metadata=None)
    note = "the largest level is read; 2 smaller copies (levels of a pyramid, or thumbnails) are left out"
    picture = read_picture(tmp_path / "in.tif")
    np.testing.assert_array_equal(planes_of(picture), levels[:1])
    assert picture.notes == (note,)
    large = open_large(tmp_path / "in.tif", least=0)
    assert isinstance(large, LargePicture)
    assert large.picture.notes == (note,)
    large.close()


def test_of_a_slide_of_aperio_the_largest_level_is_read(tmp_path):
    with tifffile.TiffWriter(tmp_path / "in.svs") as file:
        for number, step in enumerate((1, 3, 2, 4)):
            words = f"Aperio Image Library v1\r\n {number}"
            file.write(STACK[0, 0, 0][::step], description=words, metadata=None, contiguous=False)
    picture = read_picture(tmp_path / "in.svs")
    np.testing.assert_array_equal(planes_of(picture), STACK[:1, 0, 0])
    assert picture.notes == ("the largest level of the slide is read; 3 other images are left out",)
    large = open_large(tmp_path / "in.svs", least=0)
    assert isinstance(large, LargePicture)
    large.close()
