"""Models by name: parameters as published or counted by hand, and what auto picks."""

import numpy as np
import pytest

from cnncli.errors import CnncliError
from cnncli.models import MODELS, architecture, build, summary
from cnncli.nn import Inference, Network


def parameters(name, shape=(28, 28, 1), classes=10):
    return summary(build(name, shape, classes)).parameters


# LeNet-5 with a dense C3: 156 + 2,416 + 48,120 + 10,164 + 850. ResNet-18: torchvision's 11,689,512.
# ResNet-20: 269,722 in common implementations of option A, and 2 (1x1 convolution with its norm) more.
@pytest.mark.parametrize(
    ("name", "shape", "classes", "count"),
    [
        ("lenet5", (28, 28, 1), 10, 61_706),
        ("resnet18", (224, 224, 3), 1000, 11_689_512),
        ("resnet20", (32, 32, 3), 10, 269_722 + 16 * 32 + 64 + 32 * 64 + 128),
        ("2conv", (28, 28, 1), 10, 320 + 18_496 + 9216 * 128 + 128 + 1290),
        ("compact", (28, 28, 1), 10, 432 + 4672 + 9280 + 18_560 + 36_992 + 2570),
    ],
)
def test_parameters(name, shape, classes, count):
    assert parameters(name, shape, classes) == count


def test_multiply_adds_as_published():
    # 1.81 G for ResNet-18 at 224; 41 M for ResNet-20 at 32, here with 1x1 convolutions in two skips.
    assert summary(build("resnet18", (224, 224, 3), 1000)).multiply_adds == pytest.approx(1.814e9, rel=0.005)
    assert summary(build("resnet20", (32, 32, 3), 10)).multiply_adds == pytest.approx(41e6, rel=0.02)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "resnet18"])
def test_every_model_answers(name, rng):
    network = Network(build(name, (32, 32, 3), 7), seed=0)
    outputs = Inference(network, 2, threads=1).run(rng.standard_normal((2, 32, 32, 3), np.float32))
    assert outputs.shape == (2, 7)
    assert np.isfinite(outputs).all()


def test_compact_grows_with_the_picture():
    depths = [len(build("compact", (side, side, 3), 5).nodes) for side in (7, 14, 28, 32, 64, 128)]
    assert depths == sorted(depths)
    assert depths[0] < depths[2] < depths[-1]
    assert build("compact", (1, 1, 1), 2).output_shape.size == 2


@pytest.mark.parametrize(
    ("shape", "picked"), [((28, 28, 1), "compact"), ((64, 64, 3), "compact"), ((224, 224, 3), "resnet18")]
)
def test_auto_picks_by_the_picture(shape, picked):
    assert architecture("auto", shape, 10).name == picked


def test_an_architecture_keeps_its_string():
    plan = architecture(" Compact ", (28, 28, 1), 10)
    assert plan.layers.startswith("conv16-5 bn relu pool conv32")
    assert plan.graph().nodes.keys() == build(plan.layers, (28, 28, 1), 10).nodes.keys()
    assert architecture("conv8  relu fc", (28, 28, 1), 10).name == "custom"
    assert architecture("resnet20", (32, 32, 3), 10).layers is None


@pytest.mark.parametrize(
    ("text", "near"), [("lenet", "lenet5"), ("resnet-20", "resnet20"), ("Autto", "auto")]
)
def test_an_unknown_name(text, near):
    with pytest.raises(CnncliError, match=f"no model {text!r}") as caught:
        build(text, (28, 28, 1), 10)
    assert f"Did you mean {near}?" in caught.value.hint


def test_a_picture_too_small():
    with pytest.raises(CnncliError, match=r"does not fit.*word 4"):
        build("lenet5", (4, 4, 1), 10)
