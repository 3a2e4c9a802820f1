"""Values of pictures, counted and compared, against NumPy."""

import numpy as np
import pytest
from surfaces import DTYPES, random_image

from cnncli.filters.histogram import counts_of, ends_of, values_of

WIDTHS = (1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 129, 300)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_smallest_and_the_largest(rng, dtype, width):
    for shape in ((1, width, 1), (7, width, 3), (40, width, 1)):
        middle = random_image(rng, shape, dtype) // 2 + (0.25 if dtype == np.float32 else 9)
        pixels = np.asarray(middle, dtype) if dtype != np.float32 else random_image(rng, shape) - 0.5
        for part in (pixels, pixels[::2], pixels[:, ::2], pixels.reshape(-1, shape[2])):
            for threads in (1, 3):
                assert ends_of(part, threads=threads) == (float(part.min()), float(part.max()))
        for at in range(0, width, max(1, width // 5)):  # wherever they are
            changed = pixels.copy()
            low, high = (-3e38, 3e38) if dtype == np.float32 else (0, np.iinfo(dtype).max)
            changed[-1, at] = low
            assert ends_of(changed, threads=1)[0] == np.float32(low)
            changed[0, at] = high
            assert ends_of(changed, threads=2) == (float(changed.min()), float(changed.max()))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_all_threads_stop_where_one_has_met_both_ends(rng, dtype):
    top = np.iinfo(dtype).max
    for rows in ((0, 0), (0, 799), (400, 401), (799, 799)):
        pixels = rng.integers(1, top, (800, 3000, 1), dtype)
        pixels[rows[0], 7], pixels[rows[1], 2000] = 0, top
        for threads in (1, 2, 3):
            assert ends_of(pixels, threads=threads) == (0, top)
        pixels[rows[0], 7] = 1
        assert ends_of(pixels, threads=3) == (1, top)


def test_only_what_is_finite_counts(rng):
    pixels = random_image(rng, (9, 37, 1))
    pixels[:, ::3], pixels[4, 7], pixels[8, 36] = np.nan, np.inf, -np.inf
    finite = pixels[np.isfinite(pixels)]
    assert ends_of(pixels, threads=2) == (float(finite.min()), float(finite.max()))
    assert values_of(pixels, 1.0).counts.sum() == finite.size
    for nothing in (np.full((3, 20, 1), np.nan, np.float32), np.full((3, 20, 1), np.inf, np.float32)):
        assert ends_of(nothing, threads=1) is None
        assert values_of(nothing, 1.0).counts.sum() == 0
    assert ends_of(pixels[:0], threads=1) is None


@pytest.mark.parametrize("width", [1, 5, 64, 301])
def test_bins_of_floats(rng, width):
    pixels = rng.normal(0, 3, (23, width, 3)).astype(np.float32)
    found = values_of(pixels, 1.0, threads=2)
    low, high = float(pixels.min()), float(pixels.max())
    assert found.ends == (low, high)
    want, edges = np.histogram(pixels.astype(np.float64), 1 << 16, range=(low, high))
    assert np.abs(found.counts - want).sum() <= 2e-3 * pixels.size + 2  # but those upon an edge
    assert found.counts.sum() == pixels.size
    np.testing.assert_allclose(found.levels, (edges[:-1] + edges[1:]) / 2, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(values_of(pixels, 1.0, threads=1).counts, found.counts)


def test_a_flat_picture_has_one_level():
    found = values_of(np.full((5, 6, 1), 0.3, np.float32), 1.0)
    assert found.levels.tolist() == [float(np.float32(0.3))]
    assert found.counts.tolist() == [30.0]


def test_nothing_is_counted_where_nothing_is():
    assert counts_of(np.zeros((0, 5, 1), np.uint8), threads=1).sum() == 0
