"""Kuwahara's filter against a plain loop in float64, and what it is for."""

import numpy as np
import pytest
from surfaces import BORDERS, DTYPES, random_image, surface_over

from cnncli.filters.kinds import kuwahara as kind
from cnncli.filters.kinds.kuwahara import Kuwahara, run_kuwahara
from cnncli.filters.spec import parse_spec

LUMA = (0.25, 0.5, 0.25)  # exact in float32


def kuwahara(image, size=5, *, threads=2, **fields):
    surface = surface_over(image, (size, size), **{"out": np.float32, **fields})
    clipped = run_kuwahara(Kuwahara(name="k", spec="k", size=size), surface, threads=threads)
    return surface.out, clipped


def by_definition(padded, size):
    """Means of the corner with the least variance; integers are compared without rounding."""
    reach = size // 2
    height, width = padded.shape[0] - 2 * reach, padded.shape[1] - 2 * reach
    out = np.zeros((height, width, padded.shape[2]))
    for y, x in np.ndindex(height, width):
        best = np.inf
        for i, j in ((0, 0), (0, reach), (reach, 0), (reach, reach)):
            part = padded[y + i : y + i + reach + 1, x + j : x + j + reach + 1].astype(np.float64)
            part = part.reshape(-1, part.shape[2])
            spread = (len(part) * (part**2).sum(axis=0) - part.sum(axis=0) ** 2).sum()
            if spread < best:
                best, out[y, x] = spread, part.sum(axis=0) / len(part)
    return out


def bordered(image, size, border="reflect101"):
    reach = size // 2
    mode = {"reflect101": "reflect", "reflect": "symmetric", "replicate": "edge"}.get(border, border)
    return np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode=mode)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 3, 5, 7, 9, 15])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_its_definition(rng, dtype, size, channels):
    image = random_image(rng, (23, 18, channels), dtype)
    np.testing.assert_allclose(
        kuwahara(image, size)[0], by_definition(bordered(image, size), size), rtol=1e-6
    )


@pytest.mark.parametrize("border", BORDERS)
def test_every_border(rng, border):
    image = random_image(rng, (12, 9, 1), np.uint8)
    expected = by_definition(bordered(image, 5, border), 5)
    np.testing.assert_allclose(kuwahara(image, border=border)[0], expected, rtol=1e-6)


def test_luma_and_stride(rng):
    image = random_image(rng, (20, 31, 3), np.uint8)
    gray = (image @ np.array(LUMA))[..., None]
    expected = by_definition(bordered(gray, 5), 5)
    np.testing.assert_allclose(kuwahara(image, luma=LUMA)[0], expected, rtol=1e-6)
    strided = kuwahara(image, luma=LUMA, stride=(2, 3))[0]
    np.testing.assert_allclose(strided, expected[::3, ::2], rtol=1e-6)


def test_bytes_are_rounded_and_clipped(rng):
    image = random_image(rng, (15, 17, 1), np.uint8)
    found, clipped = kuwahara(image, out=np.uint8, scale=1.5)
    expected = 1.5 * by_definition(bordered(image, 5), 5)
    np.testing.assert_array_equal(found, np.clip(np.rint(expected), 0, 255))
    assert clipped == np.count_nonzero(expected > 255.5)


def test_bands_and_threads_change_nothing(rng, monkeypatch):
    image = random_image(rng, (67, 40, 3), np.float32)
    whole = kuwahara(image, threads=1)[0]
    monkeypatch.setattr(kind, "SUMMED_BYTES", 1)
    for threads in (1, 2, 5):
        for stride in ((1, 1), (3, 2)):
            found = kuwahara(image, threads=threads, stride=stride)[0]
            np.testing.assert_array_equal(found, whole[:: stride[1], :: stride[0]])


def test_a_step_stays_sharp_and_flat_areas_stay_as_they_are():
    image = np.zeros((20, 30, 1), np.uint8)
    image[:, 13:] = 200
    np.testing.assert_array_equal(kuwahara(image, 7, out=np.uint8)[0], image)


def test_noise_beside_an_edge_is_smoothed_not_the_edge(rng):
    image = np.where(np.arange(60) < 30, 60.0, 180.0) + rng.normal(0, 5, (60, 60))
    found = kuwahara(image[..., None].astype(np.float32), 9)[0][..., 0]
    for half, level in ((found[:, :30], 60), (found[:, 30:], 180)):
        assert abs(half.mean() - level) < 1
        assert np.abs(half - level).max() < 10
        assert half.std() < 2.5


def test_a_corner_that_is_not_finite_is_not_chosen():
    image = np.arange(81, dtype=np.float32).reshape(9, 9, 1)
    image[4, 4], image[0, 8] = np.nan, np.inf
    found = kuwahara(image)[0]
    assert np.isnan(found[4, 4, 0])
    finite = np.isfinite(found[..., 0])
    assert finite.sum() == 79
    assert not finite[4, 4]
    assert not finite[0, 8]


def test_the_first_of_equal_corners_counts_in_the_run_and_in_words():
    patch = [[0, 1, 2], [1, 1, 1], [2, 1, 4]]
    lines, value = parse_spec("kuwahara:3").spell_out(patch)
    assert lines[-1] == "least variance: top left, mean 0.75"
    assert value == 0.75
    found = kuwahara(np.array(patch, np.uint8)[..., None], 3)[0]
    assert found[1, 1, 0] == 0.75
