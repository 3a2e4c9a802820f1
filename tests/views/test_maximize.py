"""Maximize: the unit is excited far more than by any real or random image, the same each time."""

import numpy as np
import pytest
from test_patches import SHAPE, maps_of, subject  # noqa: F401 - a fixture

from cnncli.cli.options.shared import NetworkSettings
from cnncli.cli.trained import load_trained
from cnncli.data.assemble import LoadOptions
from cnncli.data.load import load_dataset
from cnncli.errors import CnncliError
from cnncli.nn import Graph, Network
from cnncli.nn.layers.convolution import Conv
from cnncli.views.featuremaps import maximize
from cnncli.views.featuremaps.model import Request, Subject
from cnncli.views.featuremaps.units import FieldMap

PLAIN = (np.zeros(1, np.float32), np.ones(1, np.float32))


def test_of_a_linear_unit_it_is_the_kernel_in_black_and_white():
    """A value that is linear in pixels of 0 to 1 is highest at 1 where the weight is above 0, else at 0."""
    graph = Graph((9, 9, 1))
    graph.add(Conv(2, 5))
    network = Network(graph, seed=3)
    found = maximize.maximized(network, "conv1", [0, 1], PLAIN, seed=0, steps=120)
    weight = network.export()["conv1.weight"][:, 0]
    best = np.maximum(weight, 0).sum(axis=(1, 2)) + network.export()["conv1.bias"]
    assert np.all(found.after > 0.9 * best)  # smoothing takes the rest
    assert np.all(found.after <= best + 1e-4)
    strong = np.abs(weight) > 0.5 * np.abs(weight).max()
    assert np.array_equal(found.pixels[:, 2:7, 2:7, 0][strong] > 0.5, weight[strong] > 0)


def test_digits_excite_units_less():
    trained = load_trained(NetworkSettings(model="digits"))
    shipped = Subject(trained.checkpoint, trained.network, 1)
    layer, units = "relu3", [2, 5, 6]
    drawing = maximize.draw(shipped, Request(layers=(layer,), units=("2", "5", "6")))
    split = load_dataset("mnist", LoadOptions(offline=True)).train
    pixels = np.empty((200, 28, 28, 1), np.uint8)
    split.read(np.arange(200), pixels)
    highest = maps_of(shipped, layer, pixels)[:, :, :, units].max(axis=(0, 1, 2))
    found = drawing.record["layers"][0]["units"]
    assert [each["unit"] for each in found] == units
    for each, real in zip(found, highest, strict=True):
        assert each["activation"] > 1.2 * real
        assert each["activation"] > 4 * abs(each["before"])
    assert drawing.arrays[layer].shape == (3, *FieldMap(shipped.graph, layer).size, 1)


def test_the_seed_decides(subject):  # noqa: F811
    drawn = [
        maximize.draw(subject, Request(layers=("relu2",), seed=seed)).arrays["relu2"] for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.abs(drawn[0] - drawn[2]).max() > 0.05


def test_a_class_by_its_name(subject):  # noqa: F811
    head = subject.graph.output
    drawing = maximize.draw(subject, Request(layers=(head,), units=("b",)))
    (unit,) = drawing.record["layers"][0]["units"]
    assert unit["unit"] == 1
    assert drawing.sections[0].tiles[0].name == "b"
    assert drawing.arrays[head].shape == (1, *SHAPE)
    pixels = np.rint(255 * drawing.arrays[head]).astype(np.uint8)
    assert maps_of(subject, head, pixels)[0, 0, 0, 1] == pytest.approx(unit["activation"], rel=0.02)
    with pytest.raises(CnncliError, match="--unit is 'c'; expected a unit of head: 0 to 1, or a class"):
        maximize.draw(subject, Request(layers=(head,), units=("c",)))
