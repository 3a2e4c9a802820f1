"""Names and scopes, blocks as things of their own, and several outputs."""

import numpy as np
import pytest

from cnncli.errors import CnncliError
from cnncli.nn import Add, BatchNorm, Conv, Flatten, GlobalAvgPool, Graph, Inference, Linear, Network, Relu
from cnncli.nn.blocks import Block, folded, outline


def basic_block(graph, channels, *, projects=False):
    skip = start = graph.output
    graph.add(Conv(channels, 3, padding=1), BatchNorm(), Relu(), names=("conv1", "bn1", "relu"))
    main = graph.add(Conv(channels, 3, padding=1), BatchNorm(), names=("conv2", "bn2"))
    if projects:
        with graph.scope("downsample"):
            skip = graph.add(Conv(channels, 1), BatchNorm(), inputs=start, names=("0", "1"))
    graph.add(Add(), inputs=(main, skip))
    graph.add(Relu())


def two_blocks():
    graph = Graph((6, 6, 3))
    graph.add(Conv(4, 3, padding=1), name="conv1")
    with graph.scope("layer1"):
        with graph.scope("0", kind="BasicBlock"):
            basic_block(graph, 4)
        with graph.scope("1", kind="BasicBlock"):
            basic_block(graph, 8, projects=True)
    with graph.scope("aux"):
        graph.add(GlobalAvgPool(), Linear(5), inputs="layer1.0.relu1", names=("avgpool", "fc"))
    graph.set_output("aux.fc", "aux")
    graph.add(GlobalAvgPool(), Linear(5), inputs="layer1.1.relu1", name="fc")
    return graph


def test_names_carry_their_scopes():
    assert list(two_blocks().nodes) == [
        "conv1",
        *(f"layer1.0.{name}" for name in ("conv1", "bn1", "relu", "conv2", "bn2", "add1", "relu1")),
        *(f"layer1.1.{name}" for name in ("conv1", "bn1", "relu", "conv2", "bn2")),
        "layer1.1.downsample.0",
        "layer1.1.downsample.1",
        "layer1.1.add1",
        "layer1.1.relu1",
        "aux.avgpool",
        "aux.fc",
        "globalavgpool1",
        "fc",
    ]
    assert "layer1.1.downsample.0.weight" in Network(two_blocks()).export()


def test_a_fault_within_a_scope_leaves_it():
    graph = Graph((4, 4, 1))
    with pytest.raises(CnncliError), graph.scope("deep"):
        graph.add(Conv(2, 9))
    assert graph.add(Relu()) == "relu1"


@pytest.mark.parametrize("name", ["", "a..b", ".a", "a.", "-a", "a b", "a\n", "ä"])
def test_what_is_no_name_is_refused(name):
    graph = Graph((4, 4, 1))
    graph.add(Relu(), name="known")
    with pytest.raises(CnncliError, match="is no name"):
        graph.add(Relu(), name=name)
    with pytest.raises(CnncliError, match="is no name"), graph.scope(name):
        pass
    with pytest.raises(CnncliError, match="is no name"):
        graph.set_output("known", name)


def test_a_layer_is_no_scope():
    graph = Graph((4, 4, 1))
    graph.add(Relu(), name="a.b")
    with pytest.raises(CnncliError, match="'a' is the name of a layer and of a scope"):
        graph.add(Relu(), name="a")
    with pytest.raises(CnncliError, match=r"'a.b' is the name of a layer and of a scope"):
        graph.add(Relu(), name="a.b.c")
    assert list(graph.nodes) == ["a.b"]


def test_each_layer_gets_its_name():
    graph = Graph((4, 4, 1))
    with pytest.raises(CnncliError, match="2 layers have 1 names"):
        graph.add(Relu(), Relu(), names=("a",))


def test_a_block_knows_its_layers_and_its_ends():
    root = outline(two_blocks())
    assert (root.inputs, root.outputs) == (("input",), ("aux.fc", "fc"))
    assert [node.name for node in root.nodes] == list(two_blocks().nodes)
    assert [member.name for member in root.members] == ["conv1", "layer1", "aux", "globalavgpool1", "fc"]
    layer = root.members[1]
    assert (layer.kind, layer.inputs, layer.outputs) == (
        "",
        ("conv1",),
        ("layer1.0.relu1", "layer1.1.relu1"),
    )
    first, second = layer.members
    assert (first.kind, first.inputs, first.outputs) == ("BasicBlock", ("conv1",), ("layer1.0.relu1",))
    assert (second.inputs, second.outputs) == (("layer1.0.relu1",), ("layer1.1.relu1",))
    within = next(member for member in second.members if isinstance(member, Block))
    assert (within.name, within.outputs) == ("layer1.1.downsample", ("layer1.1.downsample.1",))
    sizes = {
        member.name: sum(p.size for node in member.nodes for p in node.layer.parameters(node.input_shapes))
        for member in (first, within)
    }
    assert sizes == {"layer1.0": 2 * (4 * 4 * 9 + 4 + 8), "layer1.1.downsample": 4 * 8 + 8 + 16}


def test_blocks_are_folded_to_one_thing_each():
    root = outline(two_blocks())
    assert {name: sources for name, (_, sources) in folded(root).items()} == {
        "conv1": ("input",),
        "layer1": ("conv1",),
        "aux": ("layer1",),
        "globalavgpool1": ("layer1",),
        "fc": ("globalavgpool1",),
    }
    opened = folded(root, frozenset({"layer1", "aux"}))
    assert opened["layer1.1"][1] == ("layer1.0",)
    assert opened["aux.avgpool"][1] == ("layer1.0",)
    assert "layer1.1.conv1" not in opened


def test_outputs_have_roles():
    graph = two_blocks()
    assert graph.outputs == {"main": "fc", "aux": "aux.fc"}
    graph.set_output("aux.fc")
    assert graph.outputs == {"main": "aux.fc", "aux": "aux.fc"}
    with pytest.raises(CnncliError, match="there is no output 'box'; expected main, aux"):
        graph.output_of("box")
    with pytest.raises(CnncliError, match="there is no layer 'box'"):
        graph.set_output("box", "box")


def outputs(graph, x, **settings):
    network = Network(graph, seed=2)
    return Inference(network, 2, threads=1, **settings)


def test_the_head_is_the_last_layer_with_parameters():
    """A mean over its maps may follow, as in SqueezeNet: it changes with the classes all the same."""
    assert two_blocks().head() == "fc"
    assert two_blocks().head("aux") == "aux.fc"
    graph = Graph((4, 4, 1))
    assert graph.add(GlobalAvgPool()) == graph.head()
    graph = Graph((4, 4, 1))
    graph.add(Conv(2, 3), Conv(5, 1), Relu(), GlobalAvgPool(), names=("stem", "maps", "relu", "mean"))
    assert graph.head() == "maps"


def test_inference_leaves_out_what_the_output_does_not_need():
    """As many native calls, and the same bits, as without the other head; also its fusions."""
    graph = two_blocks()
    plain = Graph((6, 6, 3))
    for node in graph.nodes.values():
        if not node.name.startswith("aux"):
            plain.add(node.layer, inputs=node.inputs, name=node.name)
    x = np.random.default_rng(0).standard_normal((3, 6, 6, 3), np.float32)
    pruned, expected = outputs(graph, x), outputs(plain, x)
    assert pruned.run(x).tobytes() == expected.run(x).tobytes()
    assert pruned.memory == expected.memory
    ops = [[op.loop for phase in each._schedule.phases for op in phase] for each in (pruned, expected)]
    assert ops[0] == ops[1]


def test_any_output_can_be_asked_for():
    graph = two_blocks()
    x = np.random.default_rng(0).standard_normal((5, 6, 6, 3), np.float32)
    both = outputs(graph, x, outputs=("main", "aux")).run_all(x)
    assert list(both) == ["main", "aux"]
    aux = outputs(graph, x, outputs=("aux",))
    np.testing.assert_array_equal(aux.run(x), both["aux"])
    np.testing.assert_allclose(outputs(graph, x).run(x), both["main"], rtol=1e-5)
    inner = outputs(graph, x, outputs=("aux",), keep=("layer1.0.relu",)).activations(x[:2])
    assert inner.keys() == {"layer1.0.relu", "aux.fc"}
    np.testing.assert_array_equal(inner["aux.fc"].reshape(2, 5), both["aux"][:2])
    with pytest.raises(CnncliError, match="there is no output 'box'"):
        outputs(graph, x, outputs=("box",))


def test_an_output_may_be_the_input_of_another():
    graph = Graph((2, 2, 1))
    features = graph.add(Flatten(), Linear(3), name="features")
    graph.add(Relu(), Linear(2), name="head")
    graph.set_output(features, "features")
    x = np.random.default_rng(0).standard_normal((2, 2, 2, 1), np.float32)
    found = outputs(graph, x, outputs=("features", "main")).run_all(x)
    weights = Network(graph, seed=2).export()
    hidden = x.reshape(2, 4) @ weights["features.weight"].T + weights["features.bias"]
    np.testing.assert_allclose(found["features"], hidden, rtol=1e-5, atol=1e-6)
    expected = np.maximum(hidden, 0) @ weights["head.weight"].T + weights["head.bias"]
    np.testing.assert_allclose(found["main"], expected, rtol=1e-5, atol=1e-6)
