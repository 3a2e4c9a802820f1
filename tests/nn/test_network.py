"""Weights taken over, refused under the names they have; and what becomes of any number of images."""

import numpy as np
import pytest

from cnncli.errors import CnncliError
from cnncli.nn import BatchNorm, Conv, Flatten, Graph, Inference, Linear, Network


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


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7])
@pytest.mark.parametrize("writes", [True, False])
def test_any_number_of_images_gives_each_the_outputs_that_it_has_alone(rng, count, writes):
    graph = Graph((6, 5, 2))
    graph.add(Conv(4, 3), name="maps")
    graph.add(Flatten(), name="flat")
    graph.add(Linear(3), name="classes")
    graph.set_output("maps", "maps")
    network = Network(graph, seed=3)
    images = rng.standard_normal((count, 6, 5, 2), np.float32)
    images.flags.writeable = writes
    alone, plan = (Inference(network, batch, threads=1, outputs=("main", "maps")) for batch in (1, 3))
    found = plan.run_all(images)
    assert {role: array.shape[0] for role, array in found.items()} == {"main": count, "maps": count}
    for at in range(count):
        for role, array in alone.run_all(images[at : at + 1]).items():
            np.testing.assert_array_equal(found[role][at], array[0])
    kept = {role: array.copy() for role, array in found.items()}
    np.testing.assert_array_equal(plan.run(images), kept["main"])
    plan.run(np.ones((3, 6, 5, 2), np.float32))  # what was returned is no part of the plan's memory
    for role, array in found.items():
        np.testing.assert_array_equal(array, kept[role])
