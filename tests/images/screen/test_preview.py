"""Small versions of pictures: means, whatever bands they come in."""

import numpy as np
import pytest

from cnncli.images.screen.preview import Shrinker, as_shown, on_squares


def shrunk(pixels, most, heights, *, alpha=False):
    small, top = Shrinker(pixels.shape, alpha=alpha, most=most), 0
    for height in heights:
        small.add(pixels[top : top + height])
        top += height
    assert top == len(pixels)
    return small.means()


def means_of(pixels, step, *, alpha):
    """By the definition, square by square."""
    height, width, channels = pixels.shape
    out = np.zeros((-(-height // step), -(-width // step), channels))
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            square = pixels[y * step : y * step + step, x * step : x * step + step].astype(float)
            square = square.reshape(-1, channels)
            out[y, x] = square.mean(axis=0)
            if alpha:
                total = square[:, -1].sum()
                out[y, x, :-1] = (square[:, :-1] * square[:, -1:]).sum(axis=0) / total if total else 0
    return out


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize(("shape", "most", "step"), [((7, 5), 9, 1), ((20, 31), 10, 3), ((41, 23), 8, 5)])
def test_means(rng, dtype, alpha, shape, most, step):
    pixels = rng.integers(0, 256, (*shape, 4 if alpha else 3)).astype(dtype)
    if alpha:
        pixels[: shape[0] // 2, : shape[1] // 2, 3] = 0
    expected = means_of(pixels, step, alpha=alpha)
    height = shape[0]
    for heights in ([height], [1] * height, [step + 1, height - step - 1], [2, 4, height - 6]):
        found = shrunk(pixels, most, heights, alpha=alpha)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_what_is_no_number_is_black():
    pixels = np.array([[[np.nan], [1]], [[np.inf], [1]]], np.float32)
    assert shrunk(pixels, 1, [2])[0, 0, 0] == 0.5


def test_values_on_a_screen():
    gray = np.array([[[0.0], [0.5], [1.0]]])
    assert as_shown(gray, alpha=False, white=1.0).tolist() == [[[0] * 3, [128] * 3, [255] * 3]]
    signed = np.array([[[-3.0], [0.0], [3.0]]])
    assert as_shown(signed, alpha=False, white=255.0)[0, :, 0].tolist() == [0, 128, 255]
    assert as_shown(np.full((1, 1, 1), -3.0), alpha=False, white=1.0).tolist() == [[[0] * 3]]
    bands = np.arange(5.0)[None, None] * 51
    assert as_shown(bands, alpha=False, white=255.0).tolist() == [[[0, 0, 0]]]
    clear = np.array([[[100.0, 0.0], [100.0, 255.0]]])
    assert as_shown(clear, alpha=True, white=255.0).tolist() == [[[100, 100, 100, 0], [100, 100, 100, 255]]]


def test_squares_are_seen_through_what_is_transparent():
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[..., 0], pixels[2:, :, 3] = 200, 255
    found = on_squares(pixels, 2)
    assert found[0].tolist() == [[0x99] * 3] * 2 + [[0x66] * 3] * 2
    assert (found[2:] == [200, 0, 0]).all()
