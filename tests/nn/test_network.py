"""Weights taken over: arrays that are missing or of another shape are refused, under the names they have."""

import numpy as np
import pytest

from cnncli.errors import CnncliError
from cnncli.nn import BatchNorm, Conv, Graph, Network


@pytest.fixture
def network():
    graph = Graph((6, 6, 2))
    graph.add(Conv(3, 3), BatchNorm())
    return Network(graph, seed=1)


def test_arrays_under_a_prefix_are_checked(network):
    arrays = {f"mean/{name}": array for name, array in network.export().items()}
    network.check(arrays, prefix="mean/")
    wrong = arrays | {"mean/conv1.weight": np.zeros((3, 2, 5, 5), np.float32)}
    said = r"mean/conv1.weight has shape \(3, 2, 5, 5\); expected shape \(3, 2, 3, 3\)"
    with pytest.raises(CnncliError, match=said):
        network.check(wrong, prefix="mean/")
    with pytest.raises(CnncliError, match=r"^conv1.weight is missing; expected shape \(3, 2, 3, 3\)"):
        network.check(arrays)


def test_states_are_checked_where_they_are_wanted(network):
    parameters = {name: array for name, array in network.export().items() if "running" not in name}
    network.check(parameters, states=False)
    with pytest.raises(CnncliError, match=r"batchnorm1.running_\w+ is missing; expected shape \(3,\)"):
        network.check(parameters)
