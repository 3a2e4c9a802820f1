"""Imputed pixels against a dense system of equations, solved by NumPy."""

import numpy as np
import pytest

from cnncli.attribution.imputation import imputed
from cnncli.errors import CnncliError

WEIGHTS = {(i, j): 1 / 12 if i and j else 1 / 6 for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j}


def dense(x, gone):
    """Each removed pixel: the weighted mean of its neighbours, those that are there."""
    height, width, _ = x.shape
    places = [tuple(place) for place in np.argwhere(gone)]
    matrix, right = np.zeros((len(places), len(places))), np.zeros((len(places), x.shape[2]))
    for n, (row, column) in enumerate(places):
        for (i, j), weight in WEIGHTS.items():
            at = row + i, column + j
            if 0 <= at[0] < height and 0 <= at[1] < width:
                matrix[n, n] += weight
                if gone[at]:
                    matrix[n, places.index(at)] -= weight
                else:
                    right[n] += weight * x[at]
    out = x.astype(np.float64)
    out[gone] = np.linalg.solve(matrix, right)
    return out


@pytest.mark.parametrize("shape", [(1, 9, 1), (9, 1, 2), (2, 2, 3), (5, 6, 2), (28, 28, 1), (33, 20, 3)])
def test_pixels_are_those_of_a_dense_solve(shape, rng):
    x = rng.standard_normal(shape, np.float32)
    gone = rng.random((3, *shape[:2])) < np.array([0.3, 0.6, 0.95])[:, None, None]
    gone[:, shape[0] // 2, shape[1] // 2] = False
    found = imputed(x, gone, noise=np.zeros(shape[2]), random=rng)
    for each, mask in zip(found, gone, strict=True):
        np.testing.assert_allclose(each, dense(x, mask), atol=2e-3)
        np.testing.assert_array_equal(each[~mask], x[~mask])


@pytest.mark.parametrize("left", ["rim", "one pixel"])
def test_large_holes_are_filled_to_their_middle(left, rng):
    """With one pixel left all others are as it is; inside a rim that falls linearly, so does the image."""
    gone = np.ones((1, 60, 70), bool)
    x = np.broadcast_to(np.linspace(1, -1, 70, dtype=np.float32)[None, :, None], (60, 70, 1)).copy()
    if left == "rim":
        gone[0, [0, -1]] = gone[0, :, [0, -1]] = False
        wanted = x
    else:
        gone[0, 3, 5] = False
        wanted = np.full_like(x, x[3, 5])
    found = imputed(x, gone, noise=np.zeros(1), random=rng)[0]
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_noise_is_added_to_imputed_pixels_in_units_of_each_channel(rng):
    x, gone = np.zeros((40, 40, 2), np.float32), rng.random((4, 40, 40)) < 0.5
    found = imputed(x, gone, noise=np.array([0.1, 2.0]), random=rng)
    assert not found[~gone].any()
    np.testing.assert_allclose(found[gone].std(axis=0), [0.1, 2.0], rtol=0.05)
    np.testing.assert_allclose(found[gone].mean(axis=0), 0, atol=0.15)


def test_threads_do_not_change_a_bit(rng):
    x, gone = rng.standard_normal((90, 90, 3), np.float32), rng.random((15, 90, 90)) < 0.5
    one, two = (
        imputed(x, gone, noise=np.zeros(3), random=np.random.default_rng(0), threads=threads)
        for threads in (1, 2)
    )
    assert one.tobytes() == two.tobytes()


def test_an_image_without_any_pixel_is_refused(rng):
    with pytest.raises(CnncliError, match="every pixel of an image is removed"):
        imputed(np.zeros((3, 3, 1), np.float32), np.ones((1, 3, 3), bool), noise=np.zeros(1), random=rng)
