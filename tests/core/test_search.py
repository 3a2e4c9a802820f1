"""Exact search against float64 products that are sorted, and where products are equal."""

import numpy as np
import pytest

from cnncli.core import crew, native
from cnncli.core.choices import SEARCH_BLOCK
from cnncli.core.search import LINE_FLOATS, nearest, padded_width


def expected(rows, queries, top):
    """Positions by product, largest first, and by position where products are equal."""
    products = queries.astype(np.float64) @ rows.astype(np.float64).T
    return np.argsort(-products, axis=1, kind="stable")[:, :top], products


# N around a tile of 4 rows and around blocks; Q around tiles of 2 and 4 queries and around one reading.
@pytest.mark.parametrize(
    "rows", [1, 3, 4, 7, *(SEARCH_BLOCK + more for more in (-1, 0, 1)), 3 * SEARCH_BLOCK + 6]
)
@pytest.mark.parametrize(("width", "queries", "top"), [(16, 1, 1), (48, 5, 3), (112, 2, 40), (32, 67, 5)])
def test_the_largest_products_are_found(rng, rows, width, queries, top):
    a = rng.integers(-9, 10, (rows, width)).astype(np.float32)  # sums of whole numbers are exact
    b = rng.integers(-9, 10, (queries, width)).astype(np.float32)
    positions, products = expected(a, b, top)
    for threads in (1, 2):
        scores, found = nearest(a, b, top, threads=threads)
        np.testing.assert_array_equal(found, positions)
        np.testing.assert_array_equal(scores, np.take_along_axis(products, positions, 1))


def test_products_of_fractions(rng):
    a, b = (rng.standard_normal((count, 512)).astype(np.float32) for count in (200, 9))
    positions, products = expected(a, b, 7)
    scores, found = nearest(a, b, 7, threads=2)
    np.testing.assert_array_equal(found, positions)
    np.testing.assert_allclose(scores, np.take_along_axis(products, positions, 1), rtol=1e-5, atol=1e-5)


def test_a_query_has_the_same_bits_alone_and_among_others(rng):
    a, b = (rng.standard_normal((count, 80)).astype(np.float32) for count in (131, 6))
    together, _ = nearest(a, b, 131, threads=1)
    for q in range(6):
        alone, _ = nearest(a, b[q : q + 1], 131, threads=2)
        np.testing.assert_array_equal(alone[0], together[q])


def test_of_equal_products_the_first_rows_are_taken():
    rows = np.ones((1000, 16), np.float32)
    rows[500:510] = 2
    _, found = nearest(rows, np.ones((3, 16), np.float32), 13, threads=2)
    assert found.tolist() == [[*range(500, 510), 0, 1, 2]] * 3


def test_it_does_not_matter_which_thread_takes_the_first_rows(monkeypatch):
    def share(_, function, job, scratches, count, architecture):
        loop = native.native_function("nearest")
        loop(job, scratches[1], 0, count // 2)
        loop(job, scratches[0], count // 2, count)

    monkeypatch.setattr(crew, "share", share)
    rows = np.ones((1000, 16), np.float32)
    assert nearest(rows, rows[:1], 50, threads=2)[1].tolist() == [[*range(50)]]


def test_what_is_no_number_is_never_found():
    rows = np.zeros((70, 16), np.float32)
    rows[:, 0] = np.arange(70)
    rows[[3, 69], 5] = np.nan
    scores, found = nearest(rows, np.ones((1, 16), np.float32), 70, threads=2)
    assert found[0].tolist() == [i for i in range(68, -1, -1) if i != 3] + [-1, -1]
    assert np.isneginf(scores[0, -2:]).all()


def test_no_rows_and_no_queries():
    none = np.zeros((0, 16), np.float32)
    assert nearest(none, np.ones((2, 16), np.float32), 5, threads=2)[1].shape == (2, 0)
    assert nearest(np.ones((4, 16), np.float32), none, 5, threads=2)[1].shape == (0, 4)


@pytest.mark.parametrize(
    ("rows", "queries", "top"),
    [
        (np.ones((4, 17), np.float32), np.ones((1, 17), np.float32), 1),
        (np.ones((4, 16), np.float64), np.ones((1, 16), np.float32), 1),
        (np.ones((4, 32), np.float32)[:, ::2], np.ones((1, 16), np.float32), 1),
        (np.ones((4, 16), np.float32), np.ones((1, 32), np.float32), 1),
        (np.ones((4, 16), np.float32), np.ones((1, 16), np.float32), 0),
    ],
)
def test_what_does_not_fit_is_refused(rows, queries, top):
    with pytest.raises(ValueError, match=r"expected float32|do not fit"):
        nearest(rows, queries, top, threads=1)


def test_widths_are_whole_cache_lines():
    assert [padded_width(each) for each in (1, 15, 16, 17, 1280)] == [16, 16, 16, 32, 1280]
    assert LINE_FLOATS * 4 == 64
