"""Zero-crossings against their definition in float64."""

import numpy as np
import pytest
from scipy import ndimage
from surfaces import BORDERS, DTYPES, SCIPY_MODES, surface_over

from cnncli.filters.kinds.zero_crossings import run_zero_crossings, zero_crossings

WHITE = {np.uint8: 255.0, np.uint16: 65535.0, np.float32: 1.0}
LUMA = (0.299, 0.587, 0.114)


def smooth_noise(rng, shape):
    """Blobs over the whole range of 8 bits."""
    noise = ndimage.gaussian_filter(rng.normal(size=shape), (2, 2, 0), mode="wrap")
    low, high = noise.min(), noise.max()
    return np.rint((noise - low) / (high - low) * 255).astype(np.uint8)


def crossed(image, sigma=2.0, threshold=0.02, *, threads=2, **fields):
    filter = zero_crossings(sigma=sigma, threshold=threshold)
    fields = {"out": image.dtype, "full_scale": WHITE[image.dtype.type], **fields}
    surface = surface_over(image, filter.weights.shape, **fields)
    run_zero_crossings(filter, surface, threads=threads)
    return surface.out


def crossings_by_definition(response, least, floor):
    """Edges where neighbours differ in sign, or where a zero lies between such neighbours."""
    r = np.where(np.abs(response) > floor, response, 0.0)
    height, width = r.shape
    edges = np.zeros(r.shape, bool)
    for y in range(height):
        for x in range(width):
            pairs = []
            for dy, dx in ((0, 1), (1, 0)):
                after = (y + dy, x + dx) if y + dy < height and x + dx < width else None
                before = (y - dy, x - dx) if y - dy >= 0 and x - dx >= 0 else None
                if r[y, x] and after:
                    pairs.append((r[y, x], r[after]))
                if not r[y, x] and after and before:
                    pairs.append((r[before], r[after]))
            edges[y, x] = any(a * b < 0 and abs(a - b) > least for a, b in pairs)
    return edges


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threshold", [0.0, 0.02])
def test_zero_crossings_are_their_definition(rng, dtype, threshold):
    white = WHITE[dtype]
    image = smooth_noise(rng, (33, 47, 1)).astype(np.float64) / 255 * white
    image = image.astype(dtype)
    weights = zero_crossings(sigma=1.5).weights
    response = ndimage.convolve(image[:, :, 0].astype(float), weights, mode="mirror")
    floor = 1e-6 * np.abs(weights).sum() * white
    expected = crossings_by_definition(response, threshold * white, floor)
    edges = crossed(image, 1.5, threshold)
    assert set(np.unique(edges)) == {0, white}
    assert expected.any()
    assert np.count_nonzero((edges[:, :, 0] > 0) != expected) <= 1


def test_zero_crossings_of_a_step_and_of_nothing(rng):
    image = np.zeros((20, 40, 1), np.uint8)
    image[:, 17:] = 200
    edges = crossed(image)[:, :, 0]
    np.testing.assert_array_equal(edges[:, 16], 255)
    assert np.count_nonzero(edges) == 20
    # A pixel halfway up: its own response is 0, and it is the edge.
    image[:, 17] = 100
    edges = crossed(image)[:, :, 0]
    np.testing.assert_array_equal(edges[:, 17], 255)
    assert np.count_nonzero(edges) == 20
    for value in (0, 77, 255):
        assert not crossed(np.full((20, 40, 1), value, np.uint8), threshold=0.0).any()


def test_zero_crossings_by_transform_with_stride_channels_and_luma(rng):
    image = smooth_noise(rng, (70, 83, 3))
    whole = crossed(image, 6.0, 0.0)
    assert whole.any()
    for channel in range(3):
        alone = crossed(image[:, :, channel : channel + 1].copy(), 6.0, 0.0)
        assert np.count_nonzero(whole[:, :, channel] != alone[:, :, 0]) <= 2
    gray = crossed(image, 6.0, 0.0, luma=LUMA)
    strided = crossed(image, 6.0, 0.0, luma=LUMA, stride=(2, 3))
    np.testing.assert_array_equal(strided, gray[::3, ::2])


def test_edges_with_any_number_of_threads(rng):
    image = smooth_noise(rng, (130, 1100, 1))
    first = crossed(image, threads=1)
    for threads in (2, 3, 5):
        np.testing.assert_array_equal(crossed(image, threads=threads), first)


@pytest.mark.parametrize("border", BORDERS)
def test_zero_crossings_at_every_border(rng, border):
    image = smooth_noise(rng, (25, 31, 1))
    weights = zero_crossings(sigma=1.0).weights
    mode = SCIPY_MODES[border]
    response = ndimage.convolve(image[:, :, 0].astype(float), weights, mode=mode)
    expected = crossings_by_definition(response, 5.1, 1e-6 * 255 * np.abs(weights).sum())
    edges = crossed(image, 1.0, 0.02, border=border)
    assert np.count_nonzero((edges[:, :, 0] > 0) != expected) <= 1
