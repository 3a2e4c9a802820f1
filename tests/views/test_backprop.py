"""Backprop: gradients of weights equal central differences of the loss."""

import numpy as np
import pytest

from cnncli.models.architecture import Architecture
from cnncli.nn import (
    Add,
    BatchNorm,
    Conv,
    Flatten,
    Graph,
    Inference,
    Linear,
    MaxPool,
    Network,
    Relu,
    exchange,
)
from cnncli.tasks.classification import Classification
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.training.checkpoint import Checkpoint
from cnncli.views.featuremaps import backprop
from cnncli.views.featuremaps.model import Request, Seen, Subject

SHAPE = (9, 8, 2)


@pytest.fixture(scope="module")
def subject():
    graph = Graph(SHAPE)
    skip = graph.add(Conv(4, 3, padding=1, stride=(1, 2)), BatchNorm(), Relu())
    graph.add(Conv(4, 3, padding="same", groups=2, dilation=2), Relu())
    graph.add(Add(), inputs=(skip, graph.output))
    graph.add(
        MaxPool(2), Conv(3, (2, 1), padding=((1, 0), (0, 0))), Relu(), Flatten(), Linear(3), name="head"
    )
    network = Network(graph, seed=2)
    architecture = Architecture("custom", None, SHAPE, 3, exchange.as_dict(graph))
    checkpoint = Checkpoint(
        network.export(),
        Classification(("a", "b", "c")),
        Preprocessing(SHAPE[:2], 2, (0.5, 0.5), (0.25, 0.25)),
        architecture,
    )
    pixels = np.random.default_rng(1).integers(0, 256, SHAPE).astype(np.uint8)
    x = checkpoint.preprocessing.normalise(pixels[None])[0]
    return Subject(checkpoint, network, 1, Seen("a.png", pixels[..., :1].repeat(3, 2), pixels, x))


def loss_of(network, x, label):
    """Cross-entropy in float64."""
    outputs = Inference(network, 1, threads=1).run(np.ascontiguousarray(x[None]))[0].astype(np.float64)
    return np.log(np.exp(outputs - outputs.max()).sum()) + outputs.max() - outputs[label]


def test_gradients_equal_central_differences(subject):
    layers = ("conv1", "conv2", "conv3", "head")
    drawing = backprop.draw(subject, Request(layers=layers, named=True))
    label = subject.classes.index(drawing.record["class"])
    assert drawing.record["loss"] == pytest.approx(loss_of(subject.network, subject.seen.x, label), rel=1e-4)
    arrays = subject.network.export()
    rng = np.random.default_rng(5)
    for layer in layers:
        found = drawing.arrays[f"{layer}.weight"].astype(np.float64)
        if layer == "head":  # its columns follow PyTorch's order in files: channels first
            found = (
                found.reshape(3, *subject.graph.shape_of("relu3")[:3]).transpose(0, 3, 1, 2).reshape(3, -1)
            )
        for direction in (found / np.linalg.norm(found), *rng.normal(0, 0.1, (3, *found.shape))):
            step = 2e-3
            losses = []
            for sign in (1, -1):
                changed = arrays | {f"{layer}.weight": (arrays[f"{layer}.weight"] + sign * step * direction)}
                other = Network(subject.graph, scheme=None)
                other.load({name: np.asarray(each, np.float32) for name, each in changed.items()})
                losses.append(loss_of(other, subject.seen.x, label))
            slope = (losses[0] - losses[1]) / (2 * step)
            assert slope == pytest.approx(float((found * direction).sum()), rel=0.02, abs=2e-3), layer
        (about,) = (each for each in drawing.record["layers"] if each["name"] == layer)
        assert about["weight_gradient"] == pytest.approx(np.linalg.norm(found), rel=1e-4)


def test_stages_sum_over_their_layers(subject):
    drawing = backprop.draw(subject, Request(layers=("add1", "relu3")))
    first, second = drawing.record["layers"]
    assert list(first["weights"]) == ["conv1", "conv2"]
    assert list(second["weights"]) == ["conv3"]
    assert first["weight_gradient"] == pytest.approx(np.hypot(*first["weights"].values()), rel=1e-4)
    assert first["output_gradient"] == pytest.approx(np.linalg.norm(drawing.arrays["add1"]), rel=1e-4)
    assert [tile.rows for tile in drawing.sections[0].tiles] == [("output", "dL/doutput", "dL/dw")]
    assert [bar.name for bar in drawing.sections[-1].bars] == ["add1", "relu3"]
