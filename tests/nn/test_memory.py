"""Where tensors lie: those that are alive at the same time have places of their own."""

from itertools import combinations

import numpy as np
import pytest

from cnncli.nn.graph import Shape
from cnncli.nn.memory import SLACK, Tensor, assign_addresses, pieces, split_evenly


def drawn(seed):
    """Tensors of all sizes, alive from one moment to another of twelve."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(30):
        height, width, channels = random.integers(1, 12, 3).tolist()
        first, last = np.sort(random.integers(0, 12, 2)).tolist()
        made.append(Tensor(Shape(height, width, channels), halo=(1, 1), first=first, last=last))
    return made


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("chunk", [1, 3])
def test_no_two_that_are_alive_share_a_byte(seed, chunk):
    tensors = drawn(seed)
    total = assign_addresses(tensors, chunk)
    ends = {id(t): t.address + t.image * chunk + SLACK for t in tensors}
    for a, b in combinations(tensors, 2):
        if set(range(a.first, a.last + 1)) & set(range(b.first, b.last + 1)):
            assert ends[id(a)] <= b.address or ends[id(b)] <= a.address
    assert all(t.address >= 0 and t.address % 64 == 0 for t in tensors)
    assert max(ends.values()) <= total < sum(t.image * chunk + SLACK for t in tensors)


@pytest.mark.parametrize(
    ("count", "parts", "unit"), [(1, 3, 1), (7, 2, 1), (21, 3, 4), (8, 16, 1), (5, 2, 4)]
)
def test_shares_hold_each_line_once(count, parts, unit):
    found = split_evenly(count, parts, unit=unit)
    assert [at for lo, hi in found for at in range(lo, hi)] == list(range(count))
    assert len(found) <= parts
    assert all(lo % unit == 0 and lo < hi for lo, hi in found)
    assert pieces(count, count) == [(0, count)]
