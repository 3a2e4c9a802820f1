"""Which images are held out: by their content alone, against SplitMix64 in whole numbers of Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.data.holdout import TEST_DRAW, VAL_DRAW, choose_held_out, shipped_test

MASK = 2**64 - 1


def mixed(state):
    state = (state + 0x9E3779B97F4A7C15) & MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)


def number_of(key, seed, draw):
    """The number from 0 to 1 that decides about an image."""
    state = mixed(seed & MASK)
    for counter in (draw, key):
        state = mixed(state ^ ((counter * 0x9E3779B97F4A7C15 + 0xBF58476D1CE4E5B9) & MASK))
    return (state >> 11) / 2**53


def keys_of(count, seed=0):
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


@pytest.mark.parametrize(("share", "seed", "draw"), [(0.2, 0, TEST_DRAW), (0.1, 0, VAL_DRAW), (0.7, 9, 3)])
def test_the_number_of_the_key_decides(share, seed, draw):
    keys, labels = keys_of(400), np.arange(400) % 3
    held = choose_held_out(keys, labels, share, seed=seed, draw=draw)
    assert held.tolist() == [number_of(int(key), seed, draw) < share for key in keys]
    assert abs(held.mean() - share) < 0.07  # three deviations of a coin


def test_draws_of_one_seed_are_apart():
    """Else all images of the validation split would be those that the test has taken already."""
    keys, labels = keys_of(4000), np.zeros(4000, np.int64)
    test = choose_held_out(keys, labels, 0.2, seed=0, draw=TEST_DRAW)
    val = choose_held_out(keys, labels, 0.2, seed=0, draw=VAL_DRAW)
    assert abs((test & val).mean() - 0.04) < 0.01


@given(st.data(), st.integers(0, 5))
def test_images_that_come_or_go_move_no_other(data, seed):
    keys, labels = keys_of(120, seed), np.arange(120) % 2
    before = choose_held_out(keys, labels, 0.3, seed=0, draw=TEST_DRAW)
    kept = np.array(data.draw(st.lists(st.integers(0, 119), min_size=90, max_size=120, unique=True)))
    after = choose_held_out(keys[kept], labels[kept], 0.3, seed=0, draw=TEST_DRAW)
    assert np.array_equal(after, before[kept])


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), max_size=60),
    st.floats(0, 0.99),
    st.integers(-3, 3),
)
def test_no_class_lacks_a_side_and_no_copy_is_apart(images, share, seed):
    labels = np.array([label for label, _ in images], np.int64)
    keys = np.array([7 * key + label for label, key in images], np.uint64)  # no key has two classes
    held = choose_held_out(keys, labels, share, seed=seed, draw=TEST_DRAW)
    for label in set(labels.tolist()):
        mine = labels == label
        different = len(set(keys[mine].tolist()))
        assert not held[mine].all()
        assert held[mine].any() == (share > 0 and different > 1)
    for key in set(keys.tolist()):
        assert len(set(held[keys == key].tolist())) == 1


def test_a_key_of_two_classes_is_on_one_side():
    keys = keys_of(60, 3)
    keys[30:] = keys[:30]
    labels = np.repeat(np.arange(30), 2)
    held = choose_held_out(keys, labels, 0.2, seed=0, draw=TEST_DRAW)
    assert np.array_equal(held[:30], held[30:])
    assert (np.bincount(labels[~held], minlength=30) > 0).all()


@pytest.mark.parametrize("share", [0, 0.5])
def test_no_images(share):
    assert len(choose_held_out(keys_of(0), np.zeros(0, np.int64), share, seed=0, draw=TEST_DRAW)) == 0


def test_digits_that_ship_are_held_out_as_ever():
    """The digit model that ships was trained when these were the test's."""
    labels = np.repeat(np.arange(10), 500)
    held = np.flatnonzero(shipped_test(labels))
    assert np.bincount(labels[held]).tolist() == [100] * 10
    assert held[:8].tolist() == [2, 11, 21, 26, 27, 32, 39, 40]
    assert int(held.sum()) == 2_499_309
