"""Names, shapes and counts of published networks, as torchvision 0.28 and timm 1.0 have them.

``state_dicts.json.gz`` was written by those packages (the networks for 28x28 and 32x32 by common code in
PyTorch): of each network its parameters, multiply-adds at its usual size, and the shape of each key.
"""

import gzip
import json
from pathlib import Path

import pytest

from cnncli.models.choice import build
from cnncli.models.summary import summary
from cnncli.nn.blocks import Block, outline

PUBLISHED = json.loads(gzip.decompress(Path(__file__).with_name("state_dicts.json.gz").read_bytes()))
PHOTOGRAPH = ((224, 224, 3), 1000)
OURS = {
    "tv/alexnet": ("alexnet", *PHOTOGRAPH),
    **{f"tv/vgg{n}": (f"vgg{n}", *PHOTOGRAPH) for n in (11, 13, 16, 19)},
    **{f"tv/vgg{n}_bn": (f"vgg{n}-bn", *PHOTOGRAPH) for n in (11, 13, 16, 19)},
    "tv/googlenet(aux)": ("googlenet:aux", *PHOTOGRAPH),
    "tv/googlenet(noaux)": ("googlenet", *PHOTOGRAPH),
    **{f"tv/resnet{n}": (f"resnet{n}", *PHOTOGRAPH) for n in (18, 34, 50, 101)},
    **{f"timm/seresnet{n}": (f"seresnet{n}", *PHOTOGRAPH) for n in (18, 34, 50)},
    **{f"cifar resnet{n} (opt A)": (f"resnet{n}", (32, 32, 3), 10) for n in (20, 32, 56)},
    "lenet5 28x28 pad2": ("lenet5", (28, 28, 1), 10),
    "lenet5 3x32x32": ("lenet5", (32, 32, 3), 10),
}
LEGACY = {name for name in PUBLISHED if "legacy" in name}  # other names and strides: not built here


def test_every_published_network_is_compared():
    assert PUBLISHED.keys() - LEGACY == OURS.keys()


@pytest.mark.parametrize("name", OURS)
def test_names_shapes_and_counts(name):
    graph = build(*OURS[name])
    found = {
        f"{node.name}.{array.name}": list(array.shape)
        for node in graph.nodes.values()
        for array in (*node.layer.parameters(node.input_shapes), *node.layer.state(node.input_shapes))
    }
    published = PUBLISHED[name]
    counters = ".num_batches_tracked"  # which PyTorch adds where a state dict has none
    assert found == {key: shape for key, shape in published["shapes"].items() if not key.endswith(counters)}
    assert summary(graph).parameters == published["params"]
    main = graph.pruned([graph.output])
    assert summary(main).multiply_adds == published["macs"]


def test_alexnet_of_2012():
    """60,965,224 parameters, as in the model zoo of Caffe, whose author reproduced the paper's network."""
    graph = build("alexnet:lrn", (227, 227, 3), 1000)
    assert summary(graph).parameters == 60_965_224


def test_blocks_are_what_papers_draw():
    whole = outline(build("seresnet50", *PHOTOGRAPH))
    names = [member.name for member in whole.members]
    stages = ["layer1", "layer2", "layer3", "layer4"]
    assert names == ["conv1", "bn1", "relu1", "maxpool", *stages, "avgpool", "fc"]
    stage = next(member for member in whole.members if member.name == "layer3")
    assert isinstance(stage, Block)
    kinds = [member.kind for member in stage.members if isinstance(member, Block)]
    assert kinds == ["Bottleneck"] * 6
