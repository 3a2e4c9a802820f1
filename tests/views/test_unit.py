"""One unit of a network worked out: its sums are those of plain loops, and lead to the network's values."""

import numpy as np
import pytest

from cnncli.nn import (
    AvgPool,
    BatchNorm,
    Conv,
    Flatten,
    Graph,
    LeakyRelu,
    Linear,
    MaxPool,
    Network,
    Relu,
    Relu6,
)
from cnncli.views.featuremaps.model import Seen, Subject
from cnncli.views.featuremaps.unit import unit_at
from cnncli.views.featuremaps.unit_sections import CHANNELS, draw_unit

SHAPE = (11, 9, 6)
CASES = {
    "batch norm, ReLU and pooling": [Conv(7, 3, padding=1, bias=False), BatchNorm(), Relu(), MaxPool(2)],
    "strided, dilated, in groups": [
        Conv(6, (3, 2), stride=2, dilation=2, padding=2, groups=3),
        LeakyRelu(0.1),
    ],
    "one weight a channel": [Conv(5, 1), Relu6(), AvgPool(3, stride=2, padding=1)],
    "large, alone": [Conv(4, 5, padding="same")],
}


def subject_of(layers, rng):
    graph = Graph(SHAPE)
    graph.add(*layers)
    graph.add(Flatten(), Linear(3), name="head")
    network = Network(graph, seed=5)
    arrays = network.export()
    for name in arrays:  # so that norms and biases are none that change nothing
        if name.endswith(("running_mean", "bias")):
            arrays[name] = arrays[name] + rng.normal(0, 0.3, arrays[name].shape).astype(np.float32)
        if name.endswith(("running_var", "1.weight")) and arrays[name].ndim == 1:
            arrays[name] = arrays[name] * rng.uniform(0.5, 2, arrays[name].shape).astype(np.float32)
    network.load(arrays)
    x = rng.normal(0, 1, SHAPE).astype(np.float32)
    image = np.zeros((*SHAPE[:2], 3), np.uint8)
    return Subject(None, network, 1, Seen("a.png", image, image, x))


def by_loops(x, weight, layer, node, number, at):
    """One value in float64: sums of each channel of the input."""
    (rows, columns), (channels, kh, kw) = layer.window(node.input_shapes[0]), weight.shape
    first = number // (layer.out_channels // layer.groups) * channels
    sums = np.zeros(channels)
    for c in range(channels):
        for i in range(kh):
            for j in range(kw):
                y = at[1] * rows.stride - rows.before + i * rows.dilation
                z = at[0] * columns.stride - columns.before + j * columns.dilation
                if 0 <= y < x.shape[0] and 0 <= z < x.shape[1]:
                    sums[c] += float(x[y, z, first + c]) * float(weight[c, i, j])
    return sums


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("number", "at"), [(None, None), (3, (0, 0)), (2, (3, 4))])
def test_the_numbers_add_up_to_what_the_network_computes(rng, name, number, at):
    subject = subject_of(CASES[name], rng)
    node = subject.graph.nodes["conv1"]
    unit = unit_at(subject, "conv1", number, at)
    weight = subject.network.export()["conv1.weight"][unit.number]
    sums = by_loops(subject.seen.x, weight, node.layer, node, unit.number, unit.at)
    assert np.allclose(unit.sums, sums, rtol=1e-12, atol=1e-12)
    chosen, rest = unit.strongest(2)
    assert unit.sums[chosen].sum() + rest + (unit.bias or 0) == pytest.approx(unit.value, abs=1e-12)
    found = subject.activations([each for each in subject.graph.nodes if each not in ("flatten1", "head")])
    x, y = unit.at
    assert unit.value == pytest.approx(found["conv1"][y, x, unit.number], abs=2e-5)
    for step in unit.steps:
        values = found[step.layer][:, :, unit.number]
        inside = values.shape == found["conv1"].shape[:2]
        assert any(abs(step.value - value) < 2e-5 for value in ([values[y, x]] if inside else values.ravel()))
    assert len(unit.steps) == len(CASES[name]) - 1


def test_without_a_place_the_strongest_response_is_shown(rng):
    subject = subject_of(CASES["batch norm, ReLU and pooling"], rng)
    unit = unit_at(subject, "conv1")
    values = subject.activations(["batchnorm1"])["batchnorm1"]
    assert values[unit.at[1], unit.at[0], unit.number] == values.max()
    assert unit.steps[-1].value == pytest.approx(float(values.max()), abs=2e-5)


@pytest.mark.parametrize("name", CASES)
def test_sections_show_the_strongest_channels_and_the_record_adds_up(rng, name):
    subject = subject_of(CASES[name], rng)
    unit = unit_at(subject, "conv1")
    drawing = draw_unit(subject, unit)
    found = drawing.record
    assert len(found["channels"]) == min(CHANNELS, unit.kernel.shape[2])
    total = sum(each["sum"] for each in found["channels"]) + found["others"]["sum"] + (found["bias"] or 0)
    assert total == pytest.approx(found["value"], abs=1e-12)
    assert np.allclose(drawing.arrays["patch"] * drawing.arrays["kernel"], drawing.arrays["products"])
