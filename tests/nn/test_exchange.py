"""Graphs as JSON: the same network comes back, and what is no graph is refused at the door."""

import json

import numpy as np
import pytest

from cnncli.checked import Fields, MalformedError
from cnncli.models.choice import build
from cnncli.nn import (
    AdaptiveAvgPool,
    Add,
    AvgPool,
    BatchNorm,
    Clip,
    Concat,
    Conv,
    ConvTranspose,
    Dropout,
    Flatten,
    Frames,
    Gelu,
    GlobalAvgPool,
    Graph,
    Inference,
    LeakyRelu,
    Linear,
    LocalResponseNorm,
    MaxPool,
    Network,
    PadChannels,
    Relu,
    Relu6,
    ScaleChannels,
    Sigmoid,
    Silu,
    Tanh,
    Upsample,
)
from cnncli.nn.exchange import LAYERS, as_dict, from_dict


def every_layer():
    graph = Graph((16, 17, 3))
    stem = graph.add(Conv(8, (3, 5), stride=(2, 1), padding=((0, 1), (2, 2)), bias=False), name="stem.conv")
    graph.add(BatchNorm(momentum=0.2, epsilon=1e-3), LeakyRelu(0.2), LocalResponseNorm(3, 1e-3, 0.5, 2.0))
    left = graph.add(Conv(8, 3, padding="same", dilation=(1, 2), groups=2), Silu(), name="left")
    right = graph.add(MaxPool(3, 1, 1), Gelu(), inputs=stem, name="right")
    graph.add(Add(), Tanh(), inputs=(left, right), name="sum")
    with graph.scope("squeeze", kind="SqueezeExcite"):
        graph.add(GlobalAvgPool(), Linear(8, bias=False), names=("pool", "fc"))
    gate = graph.add(Relu6(), Sigmoid(), name="gate")
    graph.add(ScaleChannels(), inputs=("sum", gate))
    graph.add(Concat(), inputs=(graph.output, stem))
    graph.add(AvgPool((2, 3), None, 0, ceil=True, count_padding=False), Relu(), Dropout(0.25, 2**63 + 1))
    graph.add(ConvTranspose(3, (2, 1), (2, 1)), Upsample((1, 2), "bilinear"))
    graph.add(AdaptiveAvgPool((2, 3)), PadChannels(1, 2))
    graph.add(Frames(2), GlobalAvgPool(), Clip())
    graph.add(Flatten(), Linear(4), name="head")
    return graph


def again(graph):
    return from_dict(Fields(json.loads(json.dumps(as_dict(graph)))))


def test_every_layer_comes_back():
    graph = every_layer()
    graph.set_output("gate", role="gate")
    assert {type(node.layer) for node in graph.nodes.values()} == set(LAYERS.values())
    back = again(graph)
    assert list(back.nodes.values()) == list(graph.nodes.values())
    assert back.outputs == {"main": "head", "gate": "gate"}
    assert back.scopes == {"stem": "", "squeeze": "SqueezeExcite"}


@pytest.mark.parametrize("name", ["lenet5", "resnet20", "vgg-small"])
def test_the_same_numbers_come_out(name):
    graph = build(name, (28, 28, 1), 5)
    network = Network(graph, seed=3)
    other = Network(again(graph), scheme=None)
    other.load(network.export())
    x = np.random.default_rng(0).random((2, 28, 28, 1), np.float32)
    np.testing.assert_array_equal(
        Inference(network, 2, threads=1).run(x), Inference(other, 2, threads=1).run(x)
    )


def test_an_output_within_comes_back():
    graph = every_layer()
    graph.set_output("gate")
    assert again(graph).output == "gate"


def damaged(change):
    value = json.loads(json.dumps(as_dict(every_layer())))
    change(value, value["layers"])
    return Fields(value)


FAULTS = {
    "a later version": (lambda g, _: g.update(version=3), "version 3"),
    "the output of version 1": (lambda g, _: g.update(output="head"), "output"),
    "no main output": (lambda g, _: g.update(outputs={"aux": "head"}), "1 outputs; .* main among them"),
    "many outputs": (lambda g, _: g["outputs"].update({f"o{n}": "head" for n in range(100)}), "101 outputs"),
    "escapes in a role": (lambda g, _: g["outputs"].update({"\x1b[2J": "head"}), "other characters"),
    "a role with empty parts": (lambda g, _: g["outputs"].update({"a..b": "head"}), "no name"),
    "an output that is no text": (lambda g, _: g["outputs"].update(aux=["head"]), "outputs.aux"),
    "outputs in a list": (lambda g, _: g.update(outputs=["head"]), "outputs"),
    "the kind of a layer": (lambda g, _: g["blocks"].update(head="Head"), "block that has no layers"),
    "escapes in a kind": (lambda g, _: g["blocks"].update(stem="\x1b[2J"), "kind of a block"),
    "a kind that is no text": (lambda g, _: g["blocks"].update(stem=7), "blocks.stem"),
    "scopes without end": (lambda _, layers: layers[0].update(name=".".join("a" * 90)), "89 scopes"),
    "a layer named as a scope": (
        lambda _, layers: layers[-1].update(name="stem"),
        "of a layer and of a scope",
    ),
    "a name with empty parts": (lambda _, layers: layers[-1].update(name="stem..a"), "no name"),
    "no layers": (lambda g, _: g.update(layers=[]), "0 layers"),
    "too many layers": (lambda g, _: g.update(layers=[{}] * 10_001), "10,001 layers"),
    "an unknown kind": (lambda _, layers: layers[0].update(kind="attention"), "no layer of kind 'attention'"),
    "an unknown setting": (lambda _, layers: layers[0].update(speed=3), "speed"),
    "a setting less": (lambda _, layers: layers[0].pop("groups"), "groups"),
    "a source that comes later": (lambda _, layers: layers[0].update(inputs=["head"]), "no layer 'head'"),
    "a name twice": (lambda _, layers: layers[1].update(name="stem.conv"), "two layers"),
    "escapes in a name": (lambda _, layers: layers[0].update(name="\x1b[2J"), "other characters"),
    "a huge name": (lambda _, layers: layers[0].update(name="a" * 201), "other characters"),
    "no output": (lambda g, _: g["outputs"].update(main="nowhere"), "no layer 'nowhere'"),
    "a kernel of texts": (lambda _, layers: layers[0].update(kernel=["3", "5"]), "kernel"),
    "a kernel of 0": (lambda _, layers: layers[0].update(kernel=0), "below 1"),
    "a negative stride": (lambda _, layers: layers[0].update(stride=-1), "stride"),
    "three paddings": (lambda _, layers: layers[0].update(padding=[[1, 1]] * 3), "padding"),
    "deep paddings": (lambda _, layers: layers[0].update(padding=[[1, [1]], 1]), "padding"),
    "more outputs than an address holds": (
        lambda _, layers: layers[0].update(out_channels=1 << 60),
        "out_channels",
    ),
    "an epsilon of 0": (lambda _, layers: layers[1].update(epsilon=0), "epsilon"),
    "a rate of 1": (lambda _, layers: layers[-3].update(rate=1.0), "rate"),
    "shapes that do not fit": (lambda g, _: g.update(input=[1, 1, 3]), "does not fit"),
    "an input of no size": (lambda g, _: g.update(input=[0, 1, 3]), "input"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_no_graph_is_refused(name):
    change, message = FAULTS[name]
    with pytest.raises(MalformedError, match=message):
        from_dict(damaged(change))


def test_version_1_has_one_output_and_no_blocks():
    graph = Graph((5, 4, 1))
    graph.add(Flatten(), Linear(3), Relu(), Linear(2), name="head")
    graph.set_output("relu1")
    first = as_dict(graph)
    del first["outputs"], first["blocks"]
    back = from_dict(Fields({**first, "version": 1, "output": "relu1"}))
    assert back.nodes == graph.nodes
    assert back.outputs == {"main": "relu1"}
    with pytest.raises(MalformedError, match="blocks"):
        from_dict(Fields({**first, "version": 1, "output": "relu1", "blocks": {}}))


def test_a_long_chain_of_dropouts_needs_no_deep_recursion():
    graph = Graph((4, 4, 1))
    graph.add(*[Dropout()] * 2000, Conv(2, 3, padding=1))
    x = np.random.default_rng(0).random((1, 4, 4, 1), np.float32)
    network = Network(graph, seed=0)
    plain = Graph((4, 4, 1))
    plain.add(Conv(2, 3, padding=1))
    expected = Network(plain, seed=0)
    expected.load(network.export())
    np.testing.assert_array_equal(
        Inference(network, 1, threads=1).run(x), Inference(expected, 1, threads=1).run(x)
    )
