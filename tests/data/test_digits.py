"""Digits drawn in any way, as MNIST has them."""

import numpy as np
import pytest
from PIL import Image

from cnncli.data import digits
from cnncli.data.digits import are_digits, as_digit
from cnncli.data.prepare import InputSpec, prepared
from cnncli.images.picture import Picture

SHAPE = (28, 28, 1)


@pytest.fixture
def digit(rng):
    """A light hook on dark, 20 pixels high, its centre of mass in the middle, smooth edges."""
    large = np.zeros((280, 280))
    large[40:240, 120:160] = 1
    large[200:240, 80:160] = 1
    y, x = np.nonzero(large)
    large = np.roll(large, (round(139.5 - y.mean()), round(139.5 - x.mean())), (0, 1))
    return np.rint(255 * large.reshape(28, 10, 28, 10).mean(axis=(1, 3))).astype(np.uint8)


def network_sees(picture):
    """What a network of digits is given, and what was done to get it."""
    return prepared(picture, InputSpec(SHAPE, digits=True))


def distance(one, other):
    """Mean difference of two pictures, in shades, for their ink."""
    return np.abs(one.astype(float) - other).sum() / max(1, np.count_nonzero(other))


def test_digits_as_mnist_has_them_stay(digit):
    result = network_sees(Picture((digit[..., None],)))
    assert result.changes == ()
    np.testing.assert_array_equal(result.pixels[..., 0], digit)


def test_the_negative_of_one_is_only_inverted(digit):
    result = network_sees(Picture((255 - digit[..., None],)))
    assert result.changes == ("inverted",)
    np.testing.assert_array_equal(result.pixels[..., 0], digit)


@pytest.mark.parametrize("place", [(0, 0), (37, 90), (160, 5)])
@pytest.mark.parametrize("shades", [(255, 0), (200, 60), (40, 250)])
def test_any_place_size_and_shade(digit, place, shades):
    ground, ink = shades
    page = np.full((400, 330), ground, np.uint8)
    drawn = np.asarray(Image.fromarray(digit).resize((168, 168), Image.Resampling.BICUBIC)) / 255
    part = page[place[0] : place[0] + 168, place[1] : place[1] + 168]
    part[...] = np.rint(ground + (ink - ground) * drawn)
    result = network_sees(Picture((page[..., None],)))
    assert result.changes == (("inverted",) if ground > ink else ()) + ("cropped", "centred")
    assert result.pixels.max() == 255
    assert distance(result.pixels[..., 0], digit) < 30


def test_a_photograph_of_paper(digit, rng):
    drawn = np.asarray(Image.fromarray(digit).resize((140, 140), Image.Resampling.BICUBIC)) / 255
    page = np.ones((300, 420))
    page[90:230, 200:340] -= 0.7 * drawn
    page *= np.linspace(0.75, 0.95, 420) * np.linspace(0.9, 1, 300)[:, None]
    page = np.clip(page + rng.normal(0, 0.015, page.shape), 0, 1)
    colour = np.rint(255 * page[..., None] * [1.0, 0.97, 0.9]).astype(np.uint8)
    result = network_sees(Picture((colour,)))
    assert result.changes == ("inverted", "cropped", "centred")
    assert distance(result.pixels[..., 0], digit) < 45
    assert np.count_nonzero(result.pixels[:3]) == 0


@pytest.mark.parametrize("ink", [0, 255])
def test_ink_on_a_clear_ground(digit, ink):
    pixels = np.dstack([np.full_like(digit, ink), digit])
    result = network_sees(Picture((pixels,), alpha=True))
    assert distance(result.pixels[..., 0], digit) < 8


def test_the_middle_of_mass_is_in_the_middle(digit):
    page = np.pad(digit, ((0, 60), (70, 0)))
    pixels = network_sees(Picture((page[..., None],))).pixels[..., 0].astype(float)
    y, x = ((pixels.sum(axis=1 - axis) * (np.arange(28) + 0.5)).sum() / pixels.sum() for axis in (0, 1))
    assert abs(y - 14) <= 0.6
    assert abs(x - 14) <= 0.6
    rows = np.flatnonzero(pixels.max(axis=1) > 127)
    assert rows[-1] - rows[0] + 1 in (19, 20)


@pytest.mark.parametrize(
    ("line", "changes"), [(1, ("inverted", "cropped", "centred")), (3, ("cropped", "centred"))]
)
def test_a_thin_line_around_the_page_is_not_its_background(digit, line, changes):
    """The background is the median of 3 pixels along each edge of 150: a line of 1 pixel is outvoted."""
    page = np.full((150, 150), 255, np.uint8)
    page[60:88, 60:88] = 255 - digit
    frame = np.ones(page.shape, bool)
    frame[line:-line, line:-line] = False
    page[frame] = 0
    assert network_sees(Picture((page[..., None],))).changes == changes


@pytest.mark.parametrize("shade", [0, 128, 255])
@pytest.mark.parametrize("size", [(28, 28), (50, 31)])
def test_an_empty_picture_stays_empty(shade, size):
    result = network_sees(Picture((np.full((*size, 1), shade, np.uint8),)))
    assert result.changes == ()
    assert np.all(result.pixels == shade)
    assert as_digit(np.full(size, shade, np.uint8), SHAPE) is None


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 2)])
def test_tiny_pictures(rng, shape):
    pixels = rng.integers(0, 256, (*shape, 1)).astype(np.uint8)
    assert network_sees(Picture((pixels,))).pixels.shape == SHAPE


@pytest.mark.parametrize(("side", "factor"), [(2239, 1), (2240, 4), (2803, 5)])
def test_a_very_large_picture_is_made_smaller_first(side, factor):
    """By means of whole squares; a digit of 28 pixels is looked for in 280, of which 2,240 are eight."""
    gray = np.random.default_rng(side).integers(0, 256, (side, side + 3)).astype(np.uint8)
    got = digits._reduced(gray, 280)
    assert got.shape == (side // factor, (side + 3) // factor)
    for row, column in ((0, 0), (got.shape[0] - 1, got.shape[1] - 1), (17, 41)):
        square = gray[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
        assert abs(int(got[row, column]) - square.astype(float).mean()) <= 0.5001


def test_opacity_is_taken_in_strips_as_in_one_piece(monkeypatch):
    pixels = np.random.default_rng(5).integers(0, 256, (37, 23, 4)).astype(np.uint8)
    values = pixels.astype(np.float64)
    gray, opacity = values[..., :3] @ [0.299, 0.587, 0.114], values[..., 3] / 255
    ground = 255 if (gray * opacity).sum() / opacity.sum() < 128 else 0
    monkeypatch.setattr(digits, "_PIXELS_AT_ONCE", 50)
    np.testing.assert_allclose(
        digits.on_contrast(pixels), gray * opacity + ground * (1 - opacity), atol=0.501
    )


@pytest.mark.parametrize(("height", "width"), [(28, 28), (9, 20)])
def test_digits_among_many_are_told_as_one_by_one(rng, height, width):
    """By a plain rule: the median of the four edges is no lighter than the middle of all shades; or faint."""
    images = rng.integers(0, 256, (40, height, width, 1)).astype(np.uint8)
    for at, image in enumerate(images):  # edges from dark to light, and some without contrast
        image[[0, 1, -2, -1]] = image[:, [0, 1, -2, -1]] = 6 * at
        if at % 5 == 0:
            image[:] = 128 + image // 64
    found = are_digits(images)
    for image, told in zip(images[..., 0].astype(int), found, strict=True):
        low, high = image.min(), image.max()
        ground = image[0, 0]  # all edges are of it
        if high - low >= digits._FAINTEST:
            assert told == (2 * ground <= low + high), (ground, low, high)
        else:
            assert told
    assert 0 < found.sum() < len(found)
