"""Pixels by class and by what they are taken for, beside NumPy's argmax and a histogram of pairs."""

import numpy as np
import pytest

from cnncli.core.confusions import confusions


@pytest.mark.parametrize("classes", [1, 2, 11, 33])
@pytest.mark.parametrize("shape", [(1,), (3, 5, 7), (2, 16)])
@pytest.mark.parametrize("threads", [1, 2])
def test_pairs_are_counted(rng, classes, shape, threads):
    """Whole numbers share their highest value; a pixel without a class does not count."""
    values = rng.integers(-3, 3, (*shape, classes)).astype(np.float32)
    labels = rng.integers(-1, classes, shape)
    found = confusions(values, labels, threads=threads)
    expected = np.zeros((shape[0], classes, classes), np.int64)
    seen = values.argmax(axis=-1)
    for at in np.ndindex(shape):
        if labels[at] >= 0:
            expected[at[0], labels[at], seen[at]] += 1
    np.testing.assert_array_equal(found, expected)


def test_none_of_none():
    assert confusions(np.zeros((0, 4, 4, 3), np.float32), np.zeros((0, 4, 4), np.int64)).shape == (0, 3, 3)


def test_shapes_that_do_not_belong_together():
    with pytest.raises(ValueError, match="one for each pixel"):
        confusions(np.zeros((2, 4, 4, 3), np.float32), np.zeros((2, 4, 5), np.int64))
