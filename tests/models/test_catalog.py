"""Models by name: parameters as published or counted by hand, and what auto picks."""

from itertools import cycle

import numpy as np
import pytest

from cnncli.errors import CnncliError, OptionError
from cnncli.models.catalog import MODELS
from cnncli.models.choice import architecture, build, check_model
from cnncli.models.summary import summary
from cnncli.nn import Inference, Network


def parameters(name, shape=(28, 28, 1), classes=10):
    return summary(build(name, shape, classes)).parameters


# LeNet-5 with a dense C3: 156 + 2,416 + 48,120 + 10,164 + 850.
@pytest.mark.parametrize(
    ("name", "shape", "classes", "count"),
    [
        ("lenet5", (28, 28, 1), 10, 61_706),
        ("2conv", (28, 28, 1), 10, 320 + 18_496 + 9216 * 128 + 128 + 1290),
        ("compact", (28, 28, 1), 10, 432 + 4672 + 9280 + 18_560 + 36_992 + 2570),
    ],
)
def test_parameters(name, shape, classes, count):
    assert parameters(name, shape, classes) == count


NARROW = {"alexnet": 0.1, "googlenet": 0.25, "resnet50": 0.25, "resnet101": 0.25}


OF_IMAGES = [name for name, model in MODELS.items() if model.of == "images"]


@pytest.mark.parametrize(("name", "channels"), list(zip(OF_IMAGES, cycle((1, 3)), strict=False)))
def test_every_model_answers(name, channels, rng):
    """For small images, gray or in colour, of any number of classes."""
    width = 0.05 if name.startswith("vgg1") else NARROW.get(name)
    graph = build(f"{name}:width={width}" if width else name, (32, 32, channels), 7)
    outputs = Inference(Network(graph, seed=0), 2, threads=1).run(
        rng.standard_normal((2, 32, 32, channels), np.float32)
    )
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


def test_what_each_form_changed_is_said():
    for name, model in MODELS.items():
        assert bool(model.changes) == bool(model.paper) == bool(model.year), name
        assert not model.changes or model.changes.startswith(
            ("What this form", "What these forms", "What the Lite")
        )
    assert "max pooling for a mean" in MODELS["lenet5"].changes


def test_an_architecture_keeps_its_string():
    plan = architecture(" Compact ", (28, 28, 1), 10)
    assert plan.layers.startswith("conv16-5 bn relu pool conv32")
    assert plan.graph().nodes.keys() == build(plan.layers, (28, 28, 1), 10).nodes.keys()
    assert architecture("conv8  relu fc", (28, 28, 1), 10).name == "custom"
    assert architecture("resnet20", (32, 32, 3), 10).layers is None
    assert architecture("GoogLeNet:width=0.5,aux", (64, 64, 3), 10).name == "googlenet:width=0.5,aux"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("vgg16_bn", "vgg16-bn"),
        ("ResNet-20", "resnet20"),
        ("SE-ResNet-20", "seresnet20"),
        ("squeezenet1_1", "squeezenet1.1"),
    ],
)
def test_spellings_of_others(text, name):
    assert architecture(text, (32, 32, 3), 10).name == name


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        (
            "resnet20:aux",
            "resnet20 has no option 'aux'; expected one of its options: width",
            "resnet20:width",
        ),
        ("compact:width=2", "compact has no option 'width'", "-m compact alone"),
        ("vgg11:width=9", "width of vgg11 is '9'; expected a number from 0.05 to 4", "vgg11:width=0.5"),
        ("vgg11:width", "width of vgg11 is ''", "vgg11:width=0.5"),
        ("vgg11:width=nan", "width of vgg11 is 'nan'", ""),
        ("alexnet:lrn=1", "lrn of alexnet is '1'; expected lrn alone", "alexnet:lrn"),
        ("skynet:aux", "there is no model 'skynet'", ""),
    ],
)
def test_options_that_a_model_has_not(text, what, hint):
    with pytest.raises(OptionError) as caught:
        check_model(text)
    assert what in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "near"), [("lenet", "lenet5"), ("resnet-19", "resnet18"), ("Autto", "auto")]
)
def test_an_unknown_name(text, near):
    with pytest.raises(CnncliError, match=f"no model {text!r}") as caught:
        build(text, (28, 28, 1), 10)
    assert f"Did you mean {near}?" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "side", "layer", "enough"),
    [
        ("lenet5", 4, "conv2: a kernel of 5 does not fit into 2 pixels", 12),
        ("vgg16", 28, "features.30: a pooling window of 2 does not fit into 1 pixels", 32),
        ("googlenet", 3, "maxpool3", 8),
    ],
)
def test_a_picture_too_small(name, side, layer, enough):
    """It says which layer ran out, and a size that does."""
    with pytest.raises(OptionError, match=f"{name} does not fit images of {side}x{side}x1") as caught:
        build(name, (side, side, 1), 10)
    assert layer in caught.value.message
    assert f"--size {enough} " in caught.value.hint
    assert build(name, (enough, enough, 1), 10).output_shape.size == 10


def test_a_picture_too_small_for_words():
    with pytest.raises(OptionError, match="word 3"):
        build("2conv", (4, 4, 1), 10)
