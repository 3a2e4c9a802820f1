"""Networks that find medians, by the 0-1 principle: what is right for zeros and ones is right for all."""

import itertools

import numpy as np
import pytest

from cnncli.core.networks import median_network, network_stages, network_steps

SIZES = [3, 5, 7, 9, 11, 13]


def medians(size, columns):
    """The network over windows (count, size, size), whose columns stand side by side."""
    values = {row: columns[:, row] for row in range(size)}
    for operation in median_network(size).operations:
        a, b = (values[reference.value][:, reference.shift :] for reference in (operation.a, operation.b))
        width = min(a.shape[1], b.shape[1])
        choose = np.minimum if operation.kind == "min" else np.maximum
        values[operation.value] = choose(a[:, :width], b[:, :width])
    result = values[median_network(size).operations[-1].value]
    assert result.shape == (len(columns), 1)
    return result[:, 0]


def test_three_by_three_with_every_pattern():
    windows = np.array(list(itertools.product([0, 1], repeat=9)), np.uint8).reshape(-1, 3, 3)
    np.testing.assert_array_equal(medians(3, windows), windows.sum(axis=(1, 2)) > 4)


@pytest.mark.parametrize("size", [3, 5, 7])
def test_columns_are_sorted(size):
    """Every pattern of one column, beside columns that are half ones: the count alone decides."""
    patterns = np.array(list(itertools.product([0, 1], repeat=size)), np.uint8)
    windows = np.zeros((len(patterns), size, size), np.uint8)
    windows[:, :, 1:] = (np.arange(size)[:, None] + np.arange(size - 1)) % 2
    windows[:, :, 0] = patterns
    np.testing.assert_array_equal(medians(size, windows), windows.sum(axis=(1, 2)) > size * size // 2)


def test_five_by_five_with_every_count_of_ones_in_each_column():
    counts = np.array(list(itertools.product(range(6), repeat=5)))
    windows = (np.arange(5)[None, :, None] < counts[:, None, :]).astype(np.uint8)
    np.testing.assert_array_equal(medians(5, windows), windows.sum(axis=(1, 2)) > 12)


@pytest.mark.parametrize("size", SIZES)
def test_counts_of_ones_around_the_middle(rng, size):
    counts = rng.integers(0, size + 1, (20000, size))
    counts[:, -1] = np.clip(
        size * size // 2 + rng.integers(0, 2, 20000) - counts[:, :-1].sum(axis=1), 0, size
    )
    windows = (np.arange(size)[None, :, None] < counts[:, None, :]).astype(np.uint8)
    np.testing.assert_array_equal(medians(size, windows), windows.sum(axis=(1, 2)) > size * size // 2)


@pytest.mark.parametrize("size", SIZES)
def test_steps_reuse_places_and_find_the_same(rng, size):
    width = 3 * size
    rows = rng.integers(0, 256, (size, width))
    steps = network_steps(size)
    places = np.full((steps.places, 2 * width), -1)
    padded = np.zeros((size, 2 * width), int)
    padded[:, :width] = rows

    def read(place, shift):
        source = places[place] if place >= 0 else padded[-1 - place]
        return np.roll(source, -shift)

    for a, a_shift, b, b_shift, smaller, larger in steps.table:
        first, second = read(a, a_shift), read(b, b_shift)
        if smaller >= 0:
            places[smaller] = np.minimum(first, second)
        if larger >= 0:
            places[larger] = np.maximum(first, second)
    windows = np.lib.stride_tricks.sliding_window_view(rows, (size, size))[0]
    count = width - size + 1
    np.testing.assert_array_equal(places[steps.median][:count], np.median(windows, axis=(1, 2)))
    assert steps.places < len(steps.table)


@pytest.mark.parametrize("size", SIZES)
def test_stages_read_neighbours_only_from_earlier_ones(size):
    stages = network_stages(size)
    for operation in median_network(size).operations:
        for value, shift in (operation.a, operation.b):
            earlier = stages.number[value] < stages.number[operation.value]
            assert earlier or not shift or value < size
            assert value < size or not earlier or value in stages.place
