"""``.npy`` in and out: exact, and never unpickled."""

import io

import numpy as np
import pytest
from image_samples import pixels

from cnncli.errors import CnncliError
from cnncli.images.encode import encode_picture
from cnncli.images.picture import Picture
from cnncli.images.read import read_picture, read_size


def npy(array, **options):
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_known_depths_come_as_they_are(dtype, channels):
    array = pixels(channels, dtype)
    for stored in (array, np.asfortranarray(array), array.astype(array.dtype.newbyteorder(">"))):
        picture = read_picture(npy(stored))
        assert picture.frames[0].dtype == np.dtype(dtype)
        assert picture.frames[0].flags["C_CONTIGUOUS"]
        assert picture.alpha == (channels in (2, 4))
        np.testing.assert_array_equal(picture.frames[0], array)
    assert read_size(npy(array)) == (17, 13, 1)


def test_two_dimensions_are_gray_and_written_as_two():
    array = pixels(1, "float32")[..., 0]
    picture = read_picture(npy(array))
    np.testing.assert_array_equal(picture.frames[0][..., 0], array)
    np.testing.assert_array_equal(np.load(io.BytesIO(encode_picture(picture, "NPY"))), array)


def test_odd_numbers_survive():
    array = np.array([[np.nan, np.inf], [-np.inf, -0.0], [1e-40, 3.4e38]], np.float32)
    picture = read_picture(npy(array))
    np.testing.assert_array_equal(picture.frames[0][..., 0], array)
    assert encode_picture(picture, "NPY") == npy(array)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_floats_become_float32_unscaled(dtype):
    array = (pixels(3, "float32") * 300).astype(dtype)
    np.testing.assert_array_equal(read_picture(npy(array)).frames[0], array.astype(np.float32))


def test_bool_becomes_0_and_255():
    array = pixels(1, "uint8")[..., 0] > 99
    np.testing.assert_array_equal(read_picture(npy(array)).frames[0][..., 0], array * np.uint8(255))


@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "int32", "int64", "uint32", "uint64", "complex64", "U3", "M8[s]"]
)
def test_other_numbers_are_refused(dtype):
    with pytest.raises(CnncliError, match=r"its array has dtype .*; expected uint8, uint16, bool or float"):
        read_picture(npy(np.zeros((3, 4), dtype)))


def test_pickles_are_never_loaded():
    with pytest.raises(CnncliError, match=r"its array has dtype object"):
        read_picture(npy(np.array([[{}, []]], object), allow_pickle=True))


def test_float64_beyond_float32_is_refused():
    with pytest.raises(CnncliError, match=r"its largest value is 1e\+39"):
        read_picture(npy(np.array([[1.0, -1e39]])))
    np.testing.assert_array_equal(read_picture(npy(np.array([[np.inf]]))).frames[0], np.inf)


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 0), (0, 4), (2, 3, 4, 5)])
def test_shapes_that_are_no_picture(shape):
    for read in (read_picture, read_size):
        with pytest.raises(CnncliError, match=r"its array has shape"):
            read(npy(np.zeros(shape, np.uint8)))


def test_a_short_file_says_how_short():
    with pytest.raises(CnncliError, match=r"truncated: 7 bytes of numbers .* needs 12"):
        read_picture(npy(np.zeros((3, 4), np.uint8))[:-5])


def test_two_channels_are_written_whole():
    array = pixels(2, "uint16")
    data = encode_picture(Picture((array,), alpha=True), "NPY")
    np.testing.assert_array_equal(np.load(io.BytesIO(data)), array)


def test_many_channels_are_kept_where_they_are_asked_for():
    array = np.random.default_rng(4).normal(size=(5, 6, 7)).astype(np.float32)
    out = io.BytesIO()
    np.save(out, array)
    picture = read_picture(out.getvalue(), bands=True)
    np.testing.assert_array_equal(picture.frames[0], array)
    assert not picture.alpha
    assert picture.notes == ("its last axis is taken for 7 channels, each filtered by itself",)
    with pytest.raises(CnncliError, match="it has 7 channels whose meaning is unknown"):
        read_picture(out.getvalue())
