"""Names, shapes and counts of published networks, key by key."""

import pytest
from published import LEGACY, OURS, PHOTOGRAPH, PUBLISHED

from cnncli.models.choice import build
from cnncli.models.summary import summary
from cnncli.nn.blocks import Block, outline


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
    assert summary(graph).multiply_adds == published["macs"]


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
