"""The tree of a network: sums of blocks, blocks that are alike, and layers in words."""

import pytest

from cnncli.models.choice import build
from cnncli.models.summary import summary
from cnncli.models.tree import tree
from cnncli.models.words import words_of
from cnncli.nn import Conv, Graph


def tree_of(name, shape=(32, 32, 3), classes=10, *, fold=True):
    graph = build(name, shape, classes)
    return tree(graph, summary(graph), fold=fold)


def flat(parts):
    """All parts, those within blocks too."""
    for part in parts:
        yield part
        yield from flat(part.parts)


def find(parts, name):
    return next(part for part in flat(parts) if part.name == name)


def test_resnet20_has_three_stages_of_three_blocks():
    """Where a stage begins anew, its first block has a shortcut that changes the shape: section 4.2."""
    parts = tree_of("resnet20")
    assert [part.name for part in parts] == ["conv1", "bn1", "relu1", "l", "avgpool", "linear"]
    blocks = find(parts, "l").parts
    assert [part.names for part in blocks] == [
        ("l.0", "l.1", "l.2"),
        ("l.3",),
        ("l.4", "l.5"),
        ("l.6",),
        ("l.7", "l.8"),
    ]
    assert {part.kind for part in blocks} == {"BasicBlock"}


def test_a_part_sums_up_all_blocks_that_it_stands_for():
    """A block of 16 maps: two 3x3 convolutions and two batch norms; 32x32 pixels."""
    first = find(tree_of("resnet20"), "l.0")
    assert first.parameters == 3 * 2 * (9 * 16 * 16 + 2 * 16)
    assert first.multiply_adds == 3 * 2 * 9 * 16 * 16 * 32 * 32
    assert [each.parameters for each in first.parts if each.name.startswith("l.0.conv")] == [2304, 2304]
    assert first.receptive_field == (15, 15)  # 3 of the stem, and 6 times 2


@pytest.mark.parametrize(
    "name", ["resnet20", "seresnet50", "googlenet:aux", "vgg16-bn", "efficientnet-lite0"]
)
@pytest.mark.parametrize("fold", [True, False])
def test_sums_are_those_of_all_layers(name, fold):
    graph = build(name, (64, 64, 3), 10)
    table = summary(graph)
    parts = tree(graph, table, fold=fold)
    assert sum(part.parameters for part in parts) == table.parameters
    assert sum(part.multiply_adds for part in parts) == sum(row.multiply_adds for row in table.layers)


def test_nothing_is_left_out_where_nothing_is_folded():
    graph = build("googlenet:aux", (64, 64, 3), 10)
    leaves = [part.name for part in flat(tree(graph, summary(graph), fold=False)) if not part.parts]
    assert sorted(leaves) == sorted(graph.nodes)


def test_blocks_that_differ_in_a_setting_are_not_alike():
    graph = Graph((8, 8, 4))
    for number, kernel in enumerate((3, 3, 5)):
        with graph.scope(f"block.{number}", kind="Block"):
            graph.add(Conv(4, kernel, padding=kernel // 2), name="conv")
    (block,) = tree(graph, summary(graph))
    assert [part.names for part in block.parts] == [("block.0", "block.1"), ("block.2",)]


def test_blocks_of_other_inputs_are_not_alike():
    graph = Graph((8, 8, 2))
    for number in range(3):
        with graph.scope(f"{number}", kind="Block"):
            graph.add(Conv(4, 1), name="conv")
    parts = tree(graph, summary(graph))
    assert [part.names for part in parts] == [("0",), ("1", "2")]
    assert [part.parameters for part in parts] == [2 * 4 + 4, 2 * (4 * 4 + 4)]


def test_blocks_that_read_differently_are_not_alike():
    """In the second the last layer reads the first, not the one before it."""
    graph = Graph((8, 8, 4))
    for number, skips in enumerate((False, True)):
        with graph.scope(f"{number}", kind="Block"):
            first = graph.add(Conv(4, 1), name="a")
            graph.add(Conv(4, 1), name="b")
            graph.add(Conv(4, 1), name="c", inputs=first if skips else None)
    assert [part.names for part in tree(graph, summary(graph))] == [("0",), ("1",)]


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("conv8-7s2 bn relu fc", ["7x7 conv, /2", "batch norm", "relu", "flatten", "fc"]),
        ("dwconvk5 leaky fc", ["5x5 depthwise", "leaky relu", "flatten", "fc"]),
        ("conv8g2d2 pool3s2 fc", ["3x3 conv, dilation 2, 2 groups", "3x3 max pool, /2", "flatten", "fc"]),
        ("avgpool gap dropout0.2 fc", ["2x2 avg pool, /2", "global avg pool", "dropout 0.2", "fc"]),
    ],
)
def test_words(network, words):
    graph = build(network, (32, 32, 4), 3)
    assert [words_of(node) for node in graph.nodes.values()] == words
