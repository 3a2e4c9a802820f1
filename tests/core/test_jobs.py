"""Records of numbers, against fields that NumPy sets one after the other."""

import numpy as np
import pytest

from cnncli.core import jobs

#: Those of plain numbers only.
KINDS = {
    name: kind
    for name, kind in vars(jobs).items()
    if isinstance(kind, np.dtype) and kind.names and all(kind[each].subdtype is None for each in kind.names)
}


@pytest.mark.parametrize("name", KINDS)
def test_each_number_is_in_its_field(name):
    kind = KINDS[name]
    want = np.zeros(1, kind)
    for number, field in enumerate(kind.names):
        want[field] = number + 1
    found = jobs.filled(kind, **{field: number + 1 for number, field in enumerate(kind.names)})
    assert (found.dtype, found.shape, found.flags.writeable) == (kind, (1,), True)
    for field in kind.names:
        assert found[field] == want[field]


def test_what_is_left_out_is_zero_and_what_is_unknown_is_refused():
    found = jobs.filled(jobs.LEVELS, samples=3, low=0.5, streams=True)
    given = {"samples": 3, "low": 0.5, "streams": 1}
    for field in jobs.LEVELS.names:
        assert found[field] == given.get(field, 0)
    with pytest.raises(KeyError, match="pitch"):
        jobs.filled(jobs.LEVELS, pitch=1)
