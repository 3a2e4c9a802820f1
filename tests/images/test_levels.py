"""Which numbers are black and white: what is meant by floats and by 16 bits, and what is no scale."""

import numpy as np
import pytest
from PIL import Image

from cnncli.errors import CnncliError
from cnncli.images import levels
from cnncli.images.picture import Picture
from cnncli.images.read import read_picture

STEPS = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16, 1)
BYTES = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)


def scale(*pictures, kind="float32", highlights=False):
    found = levels.combined_range([levels.value_range_of(each, highlights=highlights) for each in pictures])
    choose_scale = levels.choose_scale(found, kind)
    return choose_scale.low, choose_scale.high


@pytest.mark.parametrize(
    ("values", "white"),
    [
        (STEPS, 1),
        (STEPS * np.float32(1.0001), 1),
        (STEPS - np.float32(1e-7), 1),
        (BYTES.astype(np.float32), 255),
        (STEPS * np.float32(254.7), 255),
        (BYTES.astype(np.float32) * 4, 1023),
        (STEPS * np.float32(3060.4), 4095),
        (BYTES.astype(np.float32) * 200, 65535),
    ],
)
def test_floats(values, white):
    assert scale(values) == (0, white)


def test_an_accident_is_clipped_and_a_range_is_stretched():
    few, many = STEPS.copy(), STEPS * np.float32(1.275)
    few[0, :2] = 1.2
    assert scale(few) == (0, 1)
    low, high = scale(many)
    assert (low, high) == (0, pytest.approx(1.275))
    assert levels.clipped(few, levels.Scale(0, 1, 1, 1)) == 2
    assert levels.clipped(STEPS * np.float32(1 + 1e-7), levels.Scale(0, 1, 1, 1)) == 0


def test_highlights_of_a_format_whose_white_is_1():
    bright = STEPS.copy()
    bright[0, :6] = 8
    assert scale(bright, highlights=True) == (0, 1)
    assert scale(bright)[1] > 8  # an array has no white of its own


@pytest.mark.parametrize(
    ("small", "large", "most", "highlights", "white"),
    [
        (90, 10, 8.5, True, 1),  # nine up to 1 for each one above
        (89, 11, 8.5, True, 255),
        (50, 50, 8.5, True, 255),
        (99, 1, 1.9, False, 1),  # one of a hundred is an accident
        (98, 2, 1.9, False, 1.9),
        (99, 1, 2.1, False, 255),  # beyond twice white it is none
        (1, 99, 1.009, False, 1),  # a hair above white
        (1, 99, 257.5, False, 255),
        (1, 99, 258.5, False, 1023),
    ],
)
def test_where_one_scale_ends_and_the_next_begins(small, large, most, highlights, white):
    # Over all levels, so that nothing is stretched.
    values = np.append(np.linspace(0.001, 1, small), np.full(large, most)).astype(np.float32)
    found = levels.combined_range([levels.value_range_of(values, highlights=highlights)])
    assert (found.small, found.large) == (small, large)
    wide = levels.ValueRange(0, most, most, most, 100, small, large, False, highlights)
    choose_scale = levels.choose_scale(wide, "float32")
    if white != 255 or most > 200:
        assert (choose_scale.low, choose_scale.high) == (0, pytest.approx(white))
    else:
        assert choose_scale.high > most, "on the scale to 255 it would have few levels: stretched"


@pytest.mark.parametrize(("low", "taken"), [(-0.05, True), (-0.099, True), (-0.11, False)])
@pytest.mark.parametrize("top", [1, 255])
def test_how_far_below_black_numbers_may_lie(low, taken, top):
    values = np.append(np.linspace(0, top, 256), low * top).astype(np.float32)
    if taken:
        assert scale(values) == (0, top)
    else:
        with pytest.raises(CnncliError, match=f"pixels from -[0-9.]+ to {top}; expected"):
            scale(values)


@pytest.mark.parametrize("top", [255, 1023, 4095, 16383, 65535])
def test_16_bits(top):
    ramp = (STEPS * top).astype(np.uint16)
    assert scale(ramp, kind="uint16") == (0, top)
    spread = np.unique(levels.to_bytes(ramp, levels.Scale(0, top, top, top))).size
    assert spread > 250


def test_few_levels_are_stretched_over_all():
    """A faint pattern of a camera with 12 bits: by its type it would have two shades."""
    faint = (400 + 80 * STEPS).astype(np.uint16)
    low, high = scale(faint, kind="uint16")
    assert 0 < low < 400 < 480 < high < 500
    eight = levels.to_bytes(faint, levels.Scale(low, high, 480, 480))
    np.testing.assert_array_equal(eight, np.rint((faint - low) * 255.0 / (high - low)))
    assert np.unique(eight).size == np.unique(faint).size == 81


def test_bytes_in_any_type_are_the_same_bytes():
    full = {"uint16": 65535, "float32": 1}
    for kind, values in (("uint16", BYTES * np.uint16(257)), ("float32", BYTES.astype(np.float32) / 255)):
        given = levels.Scale(0, full[kind], 1, 1)
        np.testing.assert_array_equal(levels.to_bytes(values, given), BYTES)
        given = levels.Scale(0, 255, 255, 255)
        np.testing.assert_array_equal(levels.to_bytes(BYTES.astype(kind), given), BYTES)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (STEPS * 2 - 1, "pixels from -1 to 1; expected 0 to 1, or 0 to 255"),
        (STEPS * np.float32(70_000.5), "pixels from 0 to 70000.5; expected"),
        (np.where(STEPS > 0.5, np.nan, STEPS), "128 of its 256 values are NaN or infinite"),
        (np.where(STEPS > 0.9, np.inf, STEPS), "values are NaN or infinite"),
    ],
)
def test_what_is_no_scale_is_refused(values, said):
    with pytest.raises(CnncliError, match=said):
        scale(values.astype(np.float32))


def lone(values, known=None):
    kind = values.dtype.name
    found = levels.scale_for(levels.value_range_of(values), kind, known)
    return found.low, found.high


def test_a_lone_picture_is_on_its_own_scale():
    for top in (1, 255):
        assert lone(STEPS * np.float32(top)) == (0, top)
    assert lone(BYTES * np.uint16(257)) == (0, 65535)
    for times, bits in ((1, 12), (16, 12), (17, 14), (64, 14)):
        with pytest.raises(
            CnncliError, match=rf"reach {255 * times:,} of 65,535: it is dark, or holds {bits} bits"
        ):
            lone(BYTES.astype(np.uint16) * np.uint16(times))
    assert lone(BYTES.astype(np.uint16) * np.uint16(65)) == (0, 65535)
    assert lone(BYTES.astype(np.uint16) * np.uint16(0)) == (0, 65535)
    for values in (STEPS * 3000, STEPS * 8, STEPS - 1):
        with pytest.raises(CnncliError, match="its pixels reach"):
            lone(values.astype(np.float32))


def test_a_network_keeps_its_scale_but_for_pictures_of_another_saver():
    counts, unit, bytes_ = (
        levels.Scale(0, 4095, 900, 3060),
        levels.Scale(0, 1, 0.4, 1),
        levels.Scale(0, 255, 40, 255),
    )
    for values in (STEPS * 200, STEPS * 5000):
        assert lone(values.astype(np.float32), counts) == (0, 4095)
    assert lone(STEPS, unit) == lone(STEPS, bytes_) == (0, 1)
    assert lone(STEPS * 255, unit) == lone(STEPS * 255, bytes_) == (0, 255)
    dark = levels.Scale(0, 255, 0.5, 255)  # learned from pictures that are as dark as this one
    assert lone(STEPS * np.float32(0.8), dark) == (0, 255)
    assert lone(STEPS, levels.Scale(0, 255, 1, 255)) == (0, 1), "dark ones learned from were whole numbers"
    assert lone((STEPS > 0.5).astype(np.float32), levels.Scale(0, 255, 1, 255)) == (0, 255)
    assert lone(STEPS, levels.Scale(0, 65535, 9000, 60000)) == (0, 1)
    depth = levels.Scale(0, 11.2, 4, 10)  # stretched: numbers up to 1 have 22 levels
    assert lone(STEPS, depth) == (0, 11.2)


def test_16_bits_of_another_camera_than_the_networks():
    camera = levels.Scale(0, 4095, 480, 4095)
    full = levels.Scale(0, 65535, 50_000, 65535)
    dark = levels.Scale(0, 65535, 17_000, 65535)
    for reach, known in ((300, camera), (8000, camera), (26_000, full), (16_000, dark), (0, full)):
        assert lone((STEPS * reach).astype(np.uint16), known) == (0, known.high), (reach, known)
    for reach, known in ((16_000, full), (4000, full), (4000, dark), (9000, camera)):
        with pytest.raises(CnncliError, match=rf"reach {reach:,} of 65,535: it is dark, or holds"):
            lone((STEPS * reach).astype(np.uint16), known)
    assert lone((STEPS * 60_000).astype(np.uint16), camera) == (0, 65535), "no 12 bits reach so far"
    stretched = levels.Scale(100, 900, 700, 800)
    assert lone((STEPS * 40_000).astype(np.uint16), stretched) == (100, 900)


@pytest.mark.parametrize(
    ("values", "white"),
    [
        (STEPS, 1),
        (STEPS * np.float32(1.0001), 1),
        (STEPS * 2 - 1, 1),
        (STEPS * np.float32(1.5), 1),
        (STEPS * 255, 255),
        (STEPS * 600 - 300, 255),
        (np.where(STEPS == 0, np.nan, STEPS), 1),
        (np.where(STEPS == 0, np.inf, STEPS), 1),
        (np.where(STEPS == 0, -np.inf, STEPS * 255), 255),
        (np.full((2, 2, 1), np.nan), 1),
    ],
)
def test_white_of_an_array_that_is_filtered(values, white):
    picture = Picture((values.astype(np.float32),), format="NPY")
    assert levels.picture_white(picture) == white


def test_white_of_float_tiffs(tmp_path):
    bright = STEPS.copy()
    bright[0, :6] = 8
    for name, values, white in (("unit", STEPS, 1), ("bytes", STEPS * 255, 255), ("hdr", bright, 1)):
        Image.fromarray(values[..., 0].astype(np.float32)).save(tmp_path / f"{name}.tif")
        assert levels.picture_white(read_picture(tmp_path / f"{name}.tif")) == white, name
    assert levels.picture_white(Picture((BYTES.astype(np.uint16),))) == 65535
