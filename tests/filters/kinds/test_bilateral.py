"""The bilateral filter against its definition in float64."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from surfaces import DTYPES, random_image, surface_over

from cnncli.core.native import processor
from cnncli.filters.kinds.bilateral import Bilateral, run_bilateral

LANES = processor()[3].lanes
LUMA = (0.25, 0.5, 0.25)  # exact in float32
WHITE = {np.uint8: 255.0, np.uint16: 65535.0, np.float32: 1.0}
HERE = Path(__file__).parent


def bilateral(image, size, sigma, sigma_color, *, threads=2, **fields):
    fields = {"out": np.float32, "full_scale": WHITE[image.dtype.type], **fields}
    surface = surface_over(image, (size, size), **fields)
    filter = Bilateral(name="bilateral", spec="bilateral", size=size, sigma=sigma, sigma_color=sigma_color)
    clipped = run_bilateral(filter, surface, threads=threads)
    return surface.out, clipped


def by_definition(image, size, sigma, sigma_color, white):
    """Sum of weights times neighbours over the sum of weights, borders as reflect101."""
    r = size // 2
    values = image.astype(np.float64)
    padded = np.pad(values, ((r, r), (r, r), (0, 0)), mode="reflect")
    height, width, _ = image.shape
    total, mass = np.zeros(image.shape), np.zeros((height, width, 1))
    for y in range(size):
        for x in range(size):
            near = padded[y : y + height, x : x + width]
            differs = ((near - values) ** 2).sum(axis=2, keepdims=True) / white**2
            distance = (x - r) ** 2 + (y - r) ** 2
            weight = np.exp(-distance / (2 * sigma**2)) * np.exp(-differs / (2 * sigma_color**2))
            total += weight * near
            mass += weight
    return total / mass


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_bilateral_is_its_definition(rng, dtype, channels):
    white = WHITE[dtype]
    for size, sigma, sigma_color in ((3, 1.0, 0.1), (7, 2.0, 0.4), (5, 30.0, 0.02)):
        image = random_image(rng, (33, 3 * LANES + 2, channels), dtype)
        expected = by_definition(image, size, sigma, sigma_color, white)
        out = bilateral(image, size, sigma, sigma_color)[0]
        np.testing.assert_allclose(out, expected, rtol=0, atol=1e-6 * white)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("share", [0.0, -2.0, 9.0])
def test_bilateral_of_integers_as_of_floats(rng, dtype, share):
    """Where weights become too small to count, and where they cannot; what lies beyond may be anything."""
    white = WHITE[dtype]
    image = random_image(rng, (14, 3 * LANES + 2, 1), dtype)
    image[rng.random(image.shape) < 0.3], image[rng.random(image.shape) < 0.3] = 0, white
    padded = np.pad(image.astype(np.float64), ((2, 2), (2, 2), (0, 0)), constant_values=share * white)
    for sigma_color in (0.05, 0.076, 0.077, 0.08, 0.1, 0.5, 0.8):
        expected = by_definition(padded, 5, 1.5, sigma_color, white)[2:-2, 2:-2]
        given = {"border": "constant", "fill": share * white}
        out = bilateral(image, 5, 1.5, sigma_color, **given)[0]
        np.testing.assert_allclose(out, expected, rtol=0, atol=2e-6 * white)
        floats = bilateral(image.astype(np.float32), 5, 1.5, sigma_color, full_scale=white, **given)[0]
        np.testing.assert_array_equal(out, floats)


def test_bilateral_leaves_flat_areas_exactly(rng):
    for value in (255, 65535, 0.1):
        dtype = {255: np.uint8, 65535: np.uint16}.get(value, np.float32)
        image = np.full((9, 40, 3), value, dtype)
        np.testing.assert_array_equal(bilateral(image, 9, 2.0, 0.1)[0], image.astype(np.float32))


@pytest.mark.parametrize("width", [1, LANES - 1, LANES, LANES + 1, 319, 320, 321, 961])
def test_bilateral_widths_stride_and_luma(rng, width):
    image = random_image(rng, (12, width, 3), np.uint8)
    gray = (image.astype(np.float64) @ np.array(LUMA))[:, :, None]
    expected = by_definition(np.pad(gray, ((4, 4), (4, 4), (0, 0)), mode="symmetric"), 5, 1.5, 0.2, 255.0)
    out = bilateral(image, 5, 1.5, 0.2, luma=LUMA, stride=(2, 3), border="reflect")[0]
    np.testing.assert_allclose(out, expected[4:-4:3, 4:-4:2], rtol=0, atol=3e-4)


def test_bilateral_clips_and_counts(rng):
    image = random_image(rng, (12, 30, 1), np.uint8)
    exact = bilateral(image, 5, 1.0, 0.3)[0]
    out, clipped = bilateral(image, 5, 1.0, 0.3, out=np.uint8, scale=2)
    np.testing.assert_array_equal(out, np.clip(np.rint(exact * 2), 0, 255))
    assert clipped == np.count_nonzero(exact * 2 > 255.5) > 0


def test_bilateral_with_a_color_sigma_so_small_that_weights_vanish(rng):
    image = random_image(rng, (9, 20, 1), np.uint16)
    np.testing.assert_array_equal(bilateral(image, 3, 1.0, 1e-7)[0], image.astype(np.float32))


def test_bilateral_keeps_nan_in_its_windows(rng):
    image = random_image(rng, (15, 40, 1))
    clean = bilateral(image, 5, 1.0, 0.3)[0]
    image[7, 20] = np.nan
    out = bilateral(image, 5, 1.0, 0.3)[0]
    touched = np.zeros(image.shape, bool)
    touched[5:10, 18:23] = True
    assert np.isnan(out[touched]).all()
    np.testing.assert_array_equal(out[~touched], clean[~touched])


def test_bilateral_with_any_number_of_threads(rng):
    image = random_image(rng, (70, 331, 3), np.uint8)
    first = bilateral(image, 5, 1.0, 0.1, threads=1)[0]
    for threads in (2, 3, 5):
        np.testing.assert_array_equal(bilateral(image, 5, 1.0, 0.1, threads=threads)[0], first)


# Vector widths

ANSWERS = """
from test_bilateral import digest

print(digest())
"""


def digest():
    """Fingerprint of means in floats."""
    rng = np.random.default_rng(3)
    whole = hashlib.sha256()
    for channels in (1, 3):
        whole.update(bilateral(random_image(rng, (9, 37, channels)), 5, 1.0, 0.2)[0].tobytes())
    return whole.hexdigest()


@pytest.mark.parametrize("target", ["neon", "avx512"])
def test_every_vector_width_gives_the_same_bits(python, target):
    done = python(ANSWERS, env={"CNNCLI_TARGET": target}, path=[HERE, HERE.parent])
    assert done.stdout.strip() == digest()
