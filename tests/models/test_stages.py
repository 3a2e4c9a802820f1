"""Stages: few, coarser from one to the next, and what stands for each is what the rest is computed from."""

import pytest

from cnncli.models.choice import build
from cnncli.models.fields import receptive_fields
from cnncli.models.stages import features, stages
from cnncli.nn import INPUT

PHOTO, DIGIT = (224, 224, 3), (28, 28, 1)
NETWORKS = [
    ("lenet5", DIGIT, ["relu1", "relu2"], "relu4"),
    ("resnet20", (32, 32, 3), ["relu1", "l.2.relu", "l.5.relu", "l.8.relu"], "avgpool"),
    (
        "resnet18",
        PHOTO,
        ["relu1", "layer1.1.relu", "layer2.1.relu", "layer3.1.relu", "layer4.1.relu"],
        "avgpool",
    ),
    (
        "vgg16",
        PHOTO,
        ["features.3", "features.8", "features.15", "features.22", "features.29"],
        "classifier.4",
    ),
    (
        "googlenet",
        PHOTO,
        ["conv1.relu", "conv3.relu", "inception3b.concat", "inception4e.concat", "inception5b.concat"],
        "avgpool",
    ),
    ("conv4 relu conv4 relu pool conv8 relu fc", DIGIT, ["relu2", "relu3"], None),
    ("fc16 relu fc", DIGIT, [], "relu1"),
]


@pytest.mark.parametrize(("text", "shape", "outputs", "last"), NETWORKS, ids=[each[0] for each in NETWORKS])
def test_stages_of_networks(text, shape, outputs, last):
    graph = build(text, shape, 10)
    found = stages(graph)
    assert [stage.output for stage in found] == outputs
    assert features(graph) == last


def test_names_are_scopes_where_a_stage_has_one():
    names = [stage.name for stage in stages(build("efficientnet-lite0", PHOTO, 10))]
    assert names == ["act1", *(f"blocks.{number}" for number in range(7)), "act2"]
    assert [stage.name for stage in stages(build("resnet18", PHOTO, 10))][1:] == [
        f"layer{number}" for number in range(1, 5)
    ]


@pytest.mark.parametrize("text", ["resnet50", "googlenet", "squeezenet1_1", "seresnet50"])
def test_everything_later_depends_on_the_output_alone(text):
    graph = build(text, PHOTO, 10)
    found = stages(graph)
    for stage in found:
        reached = {INPUT}  # without the output of the stage
        for name, node in graph.pruned([graph.output]).nodes.items():
            if name != stage.output and reached & set(node.inputs):
                reached.add(name)
        assert graph.output not in reached, stage
    steps = [receptive_fields(graph)[stage.output][0].step for stage in found]
    assert steps == sorted(steps)
    held = [name for stage in found for name in stage.layers]
    assert len(held) == len(set(held))


def test_each_level_of_a_unet_is_a_stage_though_skips_pass_by_it():
    found = stages(build("unet:width=0.25", (64, 64, 3), 5))
    levels = [f"{way}{level}" for way in ("down", "up") for level in range(1, 5)]
    assert [stage.name for stage in found] == ["inc", *levels, "outc"]
    assert found[1].output == "down1.maxpool_conv.1.double_conv.5"
    assert found[-1].layers == ("outc.conv",)
