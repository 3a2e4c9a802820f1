"""The median against scipy."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from surfaces import BORDERS, DTYPES, SCIPY_MODES, random_image, surface_over

from cnncli.core.native import processor
from cnncli.filters.kinds import median as kind
from cnncli.filters.kinds.median import Median, run_median

LANES = processor()[3].lanes
LUMA = (0.25, 0.5, 0.25)  # exact in float32
SIZES = [1, 3, 5, 7, 9, 11, 13, 15, 17]  # networks compiled and read; histograms; ranks
HERE = Path(__file__).parent


def median(image, size, *, threads=2, **fields):
    """The median, in the image's own type unless ``out`` says otherwise, and the clipped values."""
    surface = surface_over(image, (size, size), **{"out": image.dtype, **fields})
    clipped = run_median(Median(name="median", spec="median", size=size), surface, threads=threads)
    return surface.out, clipped


def scipys(image, size, border="reflect101", fill=0):
    mode = SCIPY_MODES[border].replace("grid-constant", "constant")
    return ndimage.median_filter(image, size=(size, size, 1), mode=mode, cval=fill)


# Values


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("border", BORDERS)
def test_median_equals_scipys(rng, size, dtype, border):
    for shape in ((19, 23, 1), (8, 11, 3)):
        image = random_image(rng, shape, dtype)
        np.testing.assert_array_equal(median(image, size, border=border)[0], scipys(image, size, border))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [3, 5, 7, 13])
def test_widths_around_vectors(rng, dtype, size):
    vector = 4 * LANES // np.dtype(dtype).itemsize
    for width in (1, 2, 3, vector - 1, vector, vector + 1, 4 * vector - 1, 4 * vector + 2):
        for channels in (1, 3):
            image = random_image(rng, (4, width, channels), dtype)
            np.testing.assert_array_equal(median(image, size)[0], scipys(image, size))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [3, 5, 9, 15])
@pytest.mark.parametrize("shape", [(67, 530, 1), (35, 190, 4), (131, 66, 2)])
def test_images_of_several_tiles(rng, dtype, size, shape):
    image = random_image(rng, shape, dtype)
    np.testing.assert_array_equal(median(image, size)[0], scipys(image, size))


def test_wide_rows_of_the_smallest_window(rng):
    image = random_image(rng, (3, 17000, 1), np.uint8)
    np.testing.assert_array_equal(median(image, 3)[0], scipys(image, 3))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [31, 65, 255])
def test_windows_larger_than_the_image(rng, dtype, size):
    image = random_image(rng, (17, 12, 1), dtype)
    np.testing.assert_array_equal(median(image, size, border="wrap")[0], scipys(image, size, "wrap"))


@pytest.mark.parametrize("size", [13, 31])
def test_histograms_of_steep_and_flat_pictures(rng, size):
    ramp = np.tile((np.arange(600) // 2 % 256).astype(np.uint8)[:, None], (40, 1, 1))
    flat = np.full((40, 600, 1), 255, np.uint8)
    specks = flat.copy()
    specks[rng.random(flat.shape) < 0.3] = 0
    for image in (ramp, flat, specks):
        np.testing.assert_array_equal(median(image, size)[0], scipys(image, size))


@pytest.mark.parametrize("size", [3, 7, 11, 15])
@pytest.mark.parametrize("fill", [7.0, 0.5, -3.0, 300.0])
def test_fills_that_the_type_holds_or_does_not(rng, size, fill):
    image = random_image(rng, (9, 13, 1), np.uint8)
    expected = scipys(image.astype(np.float32), size, "constant", fill)
    out, clipped = median(image, size, border="constant", fill=fill)
    np.testing.assert_array_equal(out, np.clip(np.rint(expected), 0, 255))
    assert clipped == np.count_nonzero((expected < -0.5) | (expected > 255.5))


# What the surface asks for


@pytest.mark.parametrize("size", [3, 5, 9, 15])
@pytest.mark.parametrize("dtype", DTYPES)
def test_luma_stride_and_range(rng, size, dtype):
    image = random_image(rng, (20, 37, 3), dtype)
    gray = (image.astype(np.float64) @ np.array(LUMA))[:, :, None].astype(np.float32)
    middles = scipys(gray, size)[::3, ::2]
    out, clipped = median(image, size, luma=LUMA, stride=(2, 3), out=np.float32, scale=-0.5, bias=2)
    np.testing.assert_allclose(out, middles * -0.5 + 2, rtol=1e-6)
    assert clipped == 0
    levels, clipped = median(image, size, luma=LUMA, out=np.uint8, absolute=True, scale=-2)
    assert not levels.any()
    assert clipped == np.count_nonzero(scipys(gray, size) * 2 > 0.5)


@pytest.mark.parametrize("size", [3, 5, 13])
@pytest.mark.parametrize("stride", [(2, 1), (1, 2), (3, 4)])
def test_stride_of_integers(rng, size, stride):
    image = random_image(rng, (15, 26, 3), np.uint8)
    out = median(image, size, stride=stride)[0]
    np.testing.assert_array_equal(out, scipys(image, size)[:: stride[1], :: stride[0]])


def test_rows_with_gaps_between_them(rng):
    whole = random_image(rng, (9, 60, 3), np.uint8)
    for size in (3, 7, 15):
        np.testing.assert_array_equal(median(whole[:, 5:50], size)[0], scipys(whole[:, 5:50].copy(), size))


# NaN and threads


@pytest.mark.parametrize("size", [3, 5, 7, 11])
def test_nan_is_the_largest_value_and_stays_in_its_windows(rng, size):
    image = rng.normal(size=(21, 33, 1)).astype(np.float32)
    image[10, 16] = np.nan
    image[0, 0] = -np.nan
    image[20, 30] = -np.inf
    largest = np.where(np.isnan(image), np.inf, image)
    np.testing.assert_array_equal(median(image, size)[0], scipys(largest, size))
    image[5 : 6 + size, 3 : 4 + size] = np.nan
    assert np.isnan(median(image, size)[0][5 + size // 2, 3 + size // 2])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [3, 5, 7, 15])
def test_median_with_any_number_of_threads(rng, dtype, size):
    image = random_image(rng, (150, 301, 1), dtype)
    first = median(image, size, threads=1)[0]
    for threads in (2, 3, 5):
        np.testing.assert_array_equal(median(image, size, threads=threads)[0], first)


def test_ways_agree_beyond_their_own_sizes(rng):
    image = random_image(rng, (90, 140, 1), np.uint8)
    expected = scipys(image, 15)
    for run in (kind._by_histogram, kind._by_ranks):
        surface = surface_over(image, (15, 15), out=np.uint8)
        run(15, surface, 2)
        np.testing.assert_array_equal(surface.out, expected)


# Vector widths

ANSWERS = """
from test_median import digest

print(digest())
"""


def digest():
    """Fingerprint of answers of networks in bytes."""
    rng = np.random.default_rng(3)
    whole = hashlib.sha256()
    for size in (3, 5, 7):
        for width in (1, 15, 16, 17, 63, 64, 65, 130):
            whole.update(median(random_image(rng, (6, width, 1), np.uint8), size)[0].tobytes())
    return whole.hexdigest()


@pytest.mark.parametrize("target", ["neon", "avx512"])
def test_every_vector_width_gives_the_same_bits(python, target):
    done = python(ANSWERS, env={"CNNCLI_TARGET": target}, path=[HERE, HERE.parent])
    assert done.stdout.strip() == digest()
