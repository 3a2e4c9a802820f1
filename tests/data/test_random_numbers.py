import numpy as np
import pytest

from cnncli.data.random_numbers import hashed, shuffled, uniform

MASK = (1 << 64) - 1


def finalised(state):
    """SplitMix64 in Python's integers."""
    state = (state + 0x9E3779B97F4A7C15) & MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)


def reference(seed, *counters):
    state = finalised(seed & MASK)
    for counter in counters:
        state = finalised(state ^ ((counter * 0x9E3779B97F4A7C15 + 0xBF58476D1CE4E5B9) & MASK))
    return state


def test_splitmix_of_zero_is_the_published_number():
    assert int(hashed(0)) == 0xE220A8397B1DCDAF


@pytest.mark.parametrize("seed", [0, 1, -1, 2**63, 123456789])
def test_against_python_integers(seed):
    indices = np.array([0, 1, 7, 2**40])
    got = hashed(seed, 3, indices, 5)
    assert [int(each) for each in got] == [reference(seed, 3, int(each), 5) for each in indices]


def test_uniform_spreads_evenly():
    numbers = uniform(7, 0, np.arange(20_000), 2)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts = np.histogram(numbers, 10, (0, 1))[0]
    assert np.all(np.abs(counts - 2000) < 200)
    assert abs(np.corrcoef(numbers, uniform(7, 0, np.arange(20_000), 3))[0, 1]) < 0.03


def test_shuffled_is_a_permutation_of_its_own_for_each_epoch():
    orders = [shuffled(1000, 1, epoch) for epoch in range(3)]
    for order in orders:
        assert np.array_equal(np.sort(order), np.arange(1000))
    assert not np.array_equal(orders[0], orders[1])
    assert np.array_equal(orders[2], shuffled(1000, 1, 2))
