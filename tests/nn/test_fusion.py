"""Which layers are computed along with which."""

import numpy as np
import pytest

from cnncli.nn import (
    Add,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Graph,
    Inference,
    LeakyRelu,
    Linear,
    MaxPool,
    Network,
    Relu,
    Relu6,
    ScaleChannels,
    Sigmoid,
    Tanh,
)
from cnncli.nn.fusion import fuse
from cnncli.nn.layer import BLOCK, LANES
from cnncli.nn.layers.text import BoundedLinear


def chain(*layers):
    """A graph of layers, named by their kinds; a sum adds the input to what is before it."""
    graph = Graph((6, 6, 3))
    for layer in layers:
        sources = (graph.output, "input") if isinstance(layer, Add) else graph.output
        graph.add(layer, inputs=sources)
    return graph


def fused(graph, *, training=False, frozen=(), keep=()):
    """Each stage as the names of the layers that it computes."""
    trained = {name for name in graph.nodes if name not in frozen} if training else ()
    made = fuse(graph, training=training, trained=trained, keep=keep)
    owned = {name: [] for name in made.stages}
    for layer, stage in made.owners.items():
        owned.get(stage, []).append(layer)
    return list(owned.values()), made


@pytest.mark.parametrize(
    ("first", "then", "joined"),
    [
        (Conv(3, 1), Relu(), True),
        (Conv(3, 1), Relu6(), True),
        (Conv(3, 1), LeakyRelu(), False),
        (Conv(3, 1), Sigmoid(), False),
        (Conv(3, 1), BatchNorm(), True),
        (Conv(3, 1), Conv(3, 1), False),
        (BatchNorm(), Relu(), True),
        (BatchNorm(), Relu6(), True),
        (BatchNorm(), BatchNorm(), False),
        (Add(), Relu(), True),
        (Add(), Relu6(), False),
        (Add(), BatchNorm(), False),
        (Relu(), Relu(), False),
        (Relu(), BatchNorm(), False),
        (MaxPool(2), Relu(), False),
        (MaxPool(2), BatchNorm(), False),
    ],
)
def test_what_is_computed_along_with_what(first, then, joined):
    stages, made = fused(chain(first, then))
    assert len(stages) == 2 - joined
    (stage, *_) = made.stages.values()
    assert (stage.relu, stage.norm is not None) == (
        then.kind if joined and isinstance(then, Relu) else "",
        joined and isinstance(then, BatchNorm),
    )


def test_a_fully_connected_layer_takes_in_norm_and_relu():
    stages, made = fused(chain(Flatten(), Linear(4), BatchNorm(), Relu6(), Linear(2)))
    assert stages == [["flatten1"], ["linear1", "batchnorm1", "relu6_1"], ["linear2"]]
    assert made.stages["linear2"].inputs == ("linear1",)
    assert made.stages["linear1"].norm.name == "batchnorm1"


def test_a_kind_of_a_layer_is_fused_as_the_layer_is():
    stages, _ = fused(chain(Flatten(), BoundedLinear(4), BatchNorm(), Relu()))
    assert stages == [["flatten1"], ["boundedlinear1", "batchnorm1", "relu1"]]


def test_a_norm_is_folded_where_its_statistics_are_fixed():
    graph = chain(Conv(4, 3), BatchNorm(), Relu(), Conv(4, 1), BatchNorm())
    whole = [["conv1", "batchnorm1", "relu1"], ["conv2", "batchnorm2"]]
    assert fused(graph)[0] == whole
    assert fused(graph, training=True)[0] == [["conv1"], ["batchnorm1", "relu1"], ["conv2"], ["batchnorm2"]]
    frozen = ("conv1", "batchnorm1", "relu1")
    assert fused(graph, training=True, frozen=frozen)[0] == [whole[0], ["conv2"], ["batchnorm2"]]


def test_what_is_needed_by_itself_is_computed_by_itself():
    graph = chain(Conv(4, 3), BatchNorm(), Relu())
    assert fused(graph, keep=["batchnorm1"])[0] == [["conv1", "batchnorm1"], ["relu1"]]
    graph.add(Conv(4, 1), inputs="conv1")
    assert fused(graph)[0] == [["conv1"], ["batchnorm1", "relu1"], ["conv2"]]


def test_dropout_is_a_stage_in_training_only():
    graph = chain(Conv(4, 3), Dropout(), BatchNorm(), MaxPool(2))
    assert fused(graph, training=True)[0] == [["conv1"], ["dropout1"], ["batchnorm1"], ["maxpool1"]]
    stages, made = fused(graph)
    assert stages == [["conv1", "dropout1"], ["batchnorm1"], ["maxpool1"]]
    assert made.stages["batchnorm1"].inputs == ("conv1",)
    assert [reader.name for reader in made.readers("conv1")] == ["batchnorm1"]


@pytest.mark.parametrize(
    ("relu", "pool", "masks"),
    [(Relu(), MaxPool(2), True), (Relu6(), MaxPool(2), False), (Relu(), AvgPool(2), False)],
)
def test_max_pooling_applies_the_gradient_of_a_relu(relu, pool, masks):
    graph = chain(Conv(4, 3), relu, pool)
    _, made = fused(graph, training=True)
    assert (made.stages["conv1"].masked, list(made.stages.values())[-1].masks) == (masks, masks)
    _, inferred = fused(graph)
    assert not any(stage.masks or stage.masked for stage in inferred.stages.values())


def test_a_gradient_from_elsewhere_too_is_masked_by_the_relu_itself():
    graph = chain(Conv(4, 3), Relu(), MaxPool(2))
    twice = chain(Conv(4, 3), Relu(), MaxPool(2))
    twice.add(Conv(4, 1), inputs="relu1")
    for _, made in (fused(graph, training=True, keep=["relu1"]), fused(twice, training=True)):
        assert not made.stages["conv1"].masked
        assert not made.stages["maxpool1"].masks


RELU = (Relu(),)


def residual(branch, *, skip=(), after=RELU):
    """A graph whose sum joins a branch and its skip connection, which may have layers of its own."""
    graph = Graph((6, 6, 3))
    graph.add(Conv(4, 3, padding=1), Relu(), names=("start", "block"))
    source = graph.add(*skip, inputs="block") if skip else "block"
    graph.add(*branch, inputs="block", name="end")
    graph.add(Add(), inputs=("end", source), name="sum")
    graph.add(*after)
    return graph


BRANCH = Conv(4, 3, padding=1), Conv(4, 1)
ONTO = {
    "the block": (residual(BRANCH), "start"),
    "a norm of its own before it": (residual((*BRANCH, BatchNorm())), "start"),
    "a convolution": (residual(BRANCH, skip=(Conv(4, 1), BatchNorm())), "conv1"),
    "a pooling": (residual(BRANCH, skip=(MaxPool(3, stride=1, padding=1),)), "maxpool1"),
    "what the convolution reads": (residual((Conv(4, 1),)), ""),
    "other kernels": (residual((Conv(4, 1), Conv(4, 3, padding=1))), ""),
    "a ReLU before the sum": (residual((*BRANCH, Relu())), ""),
    "another layer at the end": (residual((*BRANCH, Sigmoid())), ""),
}


@pytest.mark.parametrize("name", ONTO)
def test_a_convolution_adds_onto_the_other_summand(name):
    graph, onto = ONTO[name]
    stages, made = fused(graph)
    added = {stage.adds: stage.relu for stage in made.stages.values() if stage.adds}
    assert added == ({onto: "relu"} if onto else {})
    assert any({"end", "sum"} <= {*each} for each in stages) == bool(onto)
    _, trained = fused(graph, training=True)
    derived = fuse(graph, training=False, trained=set(graph.nodes), keep=())
    assert not any(stage.adds for each in (trained, derived) for stage in each.stages.values())


@pytest.mark.parametrize("keep", ["block", "end", "sum"])
def test_summands_that_are_needed_are_not_added_to(keep):
    _, made = fused(residual(BRANCH), keep=[keep])
    assert any(stage.adds for stage in made.stages.values()) == (keep == "sum")


@pytest.mark.parametrize("reader", [Conv(4, 3), Flatten()])
def test_summands_that_are_read_later_are_not_added_to(reader):
    graph = residual(BRANCH)
    graph.add(reader, inputs="block")
    assert not any(stage.adds for stage in fused(graph)[1].stages.values())


def test_a_view_of_a_summand_is_not_added_to():
    graph = Graph((6, 6, 3))
    graph.add(Conv(4, 1), Flatten(), names=("block", "flat"))
    graph.add(*BRANCH, inputs="block", name="end")
    graph.add(Add(), inputs=("block", "end"))
    graph.add(Linear(2), inputs="flat")
    assert not any(stage.adds for stage in fused(graph)[1].stages.values())


def test_a_norm_after_a_sum_is_not_folded_into_one_summand():
    stages, made = fused(residual(BRANCH, after=(BatchNorm(), Relu())))
    assert [stage.adds for stage in made.stages.values() if stage.layer == BatchNorm()] == [""]
    assert ["batchnorm1", "relu1"] in stages


@pytest.mark.parametrize("channels", [1, LANES, LANES + 1, BLOCK, BLOCK + 3])
@pytest.mark.parametrize("after", [(), (Relu(),), (Relu6(),)])
def test_a_scale_is_added_onto_the_other_summand(channels, after):
    graph = Graph((9, 7, 3))
    graph.add(Conv(channels, 1), Tanh(), name="block")
    graph.add(Conv(channels, 3, padding=1), name="maps")
    graph.add(GlobalAvgPool(), Conv(channels, 1), name="gate")
    graph.add(ScaleChannels(), inputs=("maps", "gate"), name="scale")
    graph.add(Add(), inputs=("scale", "block"), name="sum")
    if after:
        graph.add(*after)
    network = Network(graph, seed=3)
    x = np.random.default_rng(0).standard_normal((2, 9, 7, 3), np.float32)
    apart = Inference(network, 2, threads=1, keep=["block", "maps", "gate"])
    values = {name: array.astype(np.float64) for name, array in apart.activations(x).items()}
    expected = values["maps"] * values["gate"] + values["block"]
    if after:
        expected = np.clip(expected, 0, 6 if after == (Relu6(),) else None)
    found = Inference(network, 2, threads=1)
    stages = found._schedule.fused.stages
    assert stages["scale"].adds == "block"
    assert stages["scale"].relu == ("relu" if after == (Relu(),) else "")
    np.testing.assert_allclose(found.run(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [1, LANES, BLOCK, BLOCK + 3])
@pytest.mark.parametrize("batch", [1, 3, 9])
def test_sums_in_place_are_sums(channels, batch):
    """Two residual blocks in one memory, with a halo for what reads it; sums of several parts."""
    graph = Graph((9, 7, 3))
    graph.add(Conv(channels, 3, padding=1), name="block0")
    for at in (1, 2):
        graph.add(Conv(224, 1), Relu(), Conv(channels, 1), BatchNorm(), name=f"branch{at}")
        graph.add(Add(), inputs=(f"block{at - 1}", f"branch{at}"))
        graph.add(*((Relu(),) if at == 1 else (Relu6(), Conv(5, 3, padding=1))), name=f"block{at}")
    network = Network(graph, seed=3)
    x = np.random.default_rng(0).standard_normal((batch, 9, 7, 3), np.float32)
    apart = Inference(network, batch, threads=1, keep=[each for each in graph.nodes if "block" in each])
    assert not any(stage.adds for stage in apart._schedule.fused.stages.values())
    found = [Inference(network, batch, threads=threads) for threads in (1, 2, 3)]
    assert sum(bool(stage.adds) for stage in found[0]._schedule.fused.stages.values()) == 2
    first = found[0].run(x)
    np.testing.assert_allclose(first, apart.run(x), rtol=1e-4, atol=1e-4)
    for other in found[1:]:
        np.testing.assert_array_equal(other.run(x), first)
