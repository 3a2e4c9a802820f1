"""Colour pixels close together and four bytes apart, by hand and by the native loop."""

import numpy as np
import pytest

from cnncli.filters.rgbx import as_rgb, as_rgbx


@pytest.mark.parametrize("width", [1, 2, 15, 16, 17, 33, 100])
@pytest.mark.parametrize("threads", [1, 3])
def test_there_and_back(rng, width, threads):
    close = rng.integers(0, 256, (5, width, 3), np.uint8)
    apart = as_rgbx(close, threads=threads)
    assert apart.strides[1:] == (4, 1)
    assert np.array_equal(apart, close)
    assert (np.lib.stride_tricks.as_strided(apart, (5, width, 4))[..., 3] == 255).all()
    assert as_rgbx(apart, threads=threads) is apart
    again = as_rgb(apart, threads=threads)
    assert again.flags.c_contiguous
    assert np.array_equal(again, close)


def test_rows_of_a_larger_image(rng):
    whole = rng.integers(0, 256, (9, 40, 4), np.uint8)
    part = whole[2:7, 3:36, :3]
    assert np.array_equal(as_rgb(part, threads=2), part)


def test_others_are_left_or_copied(rng):
    close = rng.integers(0, 256, (5, 6, 3), np.uint8)
    assert as_rgb(close, threads=1) is close
    assert as_rgb(close[1:], threads=1).base is close
    deep = rng.integers(0, 65536, (5, 6, 4), np.uint16)
    assert as_rgbx(deep, threads=1) is deep
    gray = rng.integers(0, 256, (5, 6, 1), np.uint8)
    assert as_rgbx(gray, threads=1) is gray
    for view in (deep[..., :3], close[:, ::-1], close.transpose(1, 0, 2)):
        assert np.array_equal(as_rgb(view, threads=2), view)
        assert as_rgb(view, threads=2).flags.c_contiguous


def test_nothing_is_touched_beyond_the_rows(rng):
    from guarded import Guarded

    for width in (1, 15, 16, 17, 47):
        room = Guarded(2 * width * 4 - 1, at_end=True)  # the last pixel's fourth byte is not there
        whole = np.ndarray((2, width, 3), np.uint8, buffer=room.bytes, strides=(4 * width, 4, 1))
        whole[:] = rng.integers(0, 256, whole.shape, np.uint8)
        assert np.array_equal(as_rgb(whole, threads=1), whole)
