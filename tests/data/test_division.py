import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.data.division import stratified


@given(st.lists(st.integers(0, 5), max_size=60), st.floats(0, 0.99), st.integers(-3, 3))
def test_parts_are_disjoint_whole_and_fair(labels, share, seed):
    labels = np.array(labels, np.int64)
    rest, part = stratified(labels, share, seed=seed)
    assert np.array_equal(np.sort(np.concatenate([rest, part])), np.arange(len(labels)))
    assert np.array_equal(part, np.sort(part))
    for label in set(labels.tolist()):
        count, taken = int(np.sum(labels == label)), int(np.sum(labels[part] == label))
        assert taken < count
        if share > 0 and count > 1:
            assert taken >= 1
            assert abs(taken - share * count) <= 1 + 1e-9


def test_seed_chooses():
    labels = np.repeat(np.arange(3), 100)
    first, again, other = (stratified(labels, 0.3, seed=seed)[1] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.bincount(labels[first]).tolist() == [30, 30, 30]


@pytest.mark.parametrize("share", [0, 0.5])
def test_no_labels(share):
    rest, part = stratified(np.zeros(0, np.int64), share, seed=0)
    assert len(rest) == len(part) == 0
