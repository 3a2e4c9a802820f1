"""That the entrants compute the same: twins against ours, layer by layer kinds, and a difference is seen."""

import time

import numpy as np
import pytest

from cnncli.data.class_labels import ClassLabels
from cnncli.data.model import Arrays, Dataset
from cnncli.nn import (
    AdaptiveAvgPool,
    Add,
    BatchNorm,
    Concat,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Graph,
    Inference,
    Linear,
    MaxPool,
    Network,
    PadChannels,
    Relu,
    Relu6,
    ScaleChannels,
    Sigmoid,
)
from cnncli.training.options import TrainOptions

from . import networks, peers, recipe, report, twins
from .model import Case, Contest, Cost, Goal
from .timing import measure_case, timed_block

MEGABYTE = 1 << 20


def branched():
    """A network with every kind of layer that the benchmarks use, and sides that do not divide evenly."""
    graph = Graph((13, 11, 2))
    graph.add(
        Conv(6, 3, stride=2, padding=1, bias=False), BatchNorm(), Relu(), MaxPool(3, stride=2, padding=1)
    )
    skip = graph.output
    main = graph.add(Conv(6, 3, padding=1, groups=2), BatchNorm())
    graph.add(Add(), inputs=(main, skip))
    graph.add(Relu(), MaxPool(2, ceil=True), Conv(5, (2, 1)), Flatten(), Linear(7), Relu(), Linear(3))
    return graph


def pooled():
    graph = Graph((6, 6, 3))
    graph.add(Conv(4, 3), Relu(), GlobalAvgPool(), Linear(3))
    return graph


def squeezed():
    """Layers of squeeze-and-excitation, of inception modules and of shortcuts without weights."""
    graph = Graph((8, 6, 3))
    with graph.scope("block.0"):
        x = graph.add(Conv(4, 3, padding=1), name="conv")
        gate = graph.add(GlobalAvgPool(), Conv(4, 1), Sigmoid(), names=("mean", "fc", "gate"))
        scaled = graph.add(ScaleChannels(), inputs=(x, gate), name="scale")
        short = graph.add(MaxPool(1, stride=2), PadChannels(1, 2), inputs=x)
        graph.add(MaxPool(2), inputs=scaled)
        graph.add(Concat(), inputs=(short, graph.output))
    graph.add(AdaptiveAvgPool((2, 1)), Flatten(), Dropout(0.0), Linear(3))
    return graph


def inverted():
    """An inverted residual, of TensorFlow's uneven padding."""
    graph = Graph((9, 8, 3))
    graph.add(Conv(18, 1), BatchNorm(), Relu6())
    graph.add(Conv(18, 3, stride=2, padding="same", groups=18), BatchNorm(), Relu6())
    graph.add(Conv(18, 3, padding=2, dilation=2, groups=18), GlobalAvgPool(), Linear(3))
    return graph


@pytest.fixture(params=[branched, pooled, squeezed, inverted], ids=lambda builder: builder.__name__)
def network(request):
    made = Network(request.param(), seed=3)
    rng = np.random.default_rng(0)
    arrays = made.export()
    for name, array in arrays.items():  # norms that do something
        if "running" in name or "norm" in name:
            arrays[name] = rng.uniform(0.5, 1.5, array.shape).astype(np.float32)
    made.load(arrays)
    return made


@pytest.fixture
def images(network):
    shape = network.graph.input_shape[:3]
    return np.random.default_rng(1).standard_normal((4, *shape), np.float32)


def test_pytorch_has_our_twin(network, images):
    torch = pytest.importorskip("torch")
    module = twins.torch_twin(network).eval()
    with torch.inference_mode():
        theirs = module(twins.as_torch(images)).numpy()
    np.testing.assert_allclose(Inference(network, 4, threads=1).run(images), theirs, rtol=1e-4, atol=1e-5)


def test_onnx_has_our_twin(network, images):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    run = peers.onnxruntime(twins.onnx_twin(network), 1)
    theirs = run(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(Inference(network, 4, threads=1).run(images), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("work", networks.WORKS.values(), ids=list(networks.WORKS))
def test_pytorch_has_every_network_of_the_table(work):
    torch = pytest.importorskip("torch")
    with torch.device("meta"):  # without memory
        module = twins.torch_module(work.graph())
    sizes = [p.size for node in work.graph().nodes.values() for p in node.layer.parameters(node.input_shapes)]
    assert sum(parameter.numel() for parameter in module.parameters()) == sum(sizes)


def test_the_table_has_the_two_convolutions_that_it_names():
    # 3x3x1x32 + 32, 3x3x32x64 + 64, 12x12x64x128 + 128, 128x10 + 10
    work = networks.WORKS["two convolutions"]
    assert work.network().size == 320 + 18_496 + 1_179_776 + 1_290


def test_steps_are_compared_before_they_are_timed(monkeypatch):
    torch = pytest.importorskip("torch")
    work = networks.Work("conv4 bn relu pool fc", (8, 8, 1), 6, 1.0)
    contest = networks._training(work, 1)
    assert set(contest.peers) == set(networks.LAYOUTS)
    assert contest.ours().wall > 0
    plain = torch.nn.functional.cross_entropy
    monkeypatch.setattr(torch.nn.functional, "cross_entropy", lambda x, y: 1.01 * plain(x, y))
    with pytest.raises(ArithmeticError, match="the loss of PyTorch differs"):
        networks._training(work, 1)


@pytest.mark.parametrize("theirs", [[1.0, 2.02], [1.0, float("nan")]])
def test_what_differs_is_refused(theirs):
    networks._agree("this", np.array([1.0, 2.0]), np.array([1.0, 2.001]))
    with pytest.raises(ArithmeticError, match="this differs from ours"):
        networks._agree("this", np.array([1.0, 2.0]), np.array(theirs))


def test_a_block_is_counted_by_the_call():
    calls = []
    measure = timed_block(lambda: calls.append(time.sleep(0.01)), seconds=0.04)
    assert measure().wall >= 0.01
    begun = len(calls)
    assert begun >= 3  # one that wakes, one that tells how many, and those that count
    measure()
    assert len(calls) == 2 * begun - 1


def rows():
    """A row that goes by memory and one that counts images."""
    contest = Contest(
        lambda: Cost(0.5, 0.5, 100 * MEGABYTE), {"PyTorch": lambda: Cost(0.25, 1, 300 * MEGABYTE)}
    )
    return [
        measure_case(case, seconds=0, least=3)
        for case in (
            Case("training", "net", "step", Goal(2), lambda: contest, images=64),
            Case("training", "net", "peak memory", Goal(1), lambda: contest, clock="memory"),
        )
    ]


def test_memory_is_compared_where_a_row_says_so():
    step, memory = rows()
    assert (step.fastest.ratio, step.verdict) == (0.5, "short")
    assert (memory.fastest.ratio, memory.verdict) == (3, "ok")


def test_the_table_counts_images_and_megabytes():
    text = report.as_markdown(rows(), {"machine": {"processor": "abacus"}})
    assert "| training | step | peak memory | goal |" in text
    assert "| net | 0.5x PyTorch (128/s) | 3.0x PyTorch (100 MB) | 2x; 1x |" in text


def test_a_table_without_variants_has_one_column():
    row = measure_case(
        Case("cold", "predict", "", Goal(seconds=5), lambda: Contest(lambda: Cost(1.5, 1), {})),
        seconds=0,
        least=1,
    )
    assert "| cold | ours | goal |\n| --- | --- | --- |\n| predict | 1.50 s | 5 s |" in report.as_markdown(
        [row], {}
    )


@pytest.fixture
def run_of_clothes():
    """A run of the recipe on a few random pictures that are augmented as Fashion-MNIST is."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    split = Arrays(
        rng.integers(1, 256, (70, 8, 8, 1)).astype(np.uint8), ClassLabels(np.arange(70) % 3, ("a", "b", "c"))
    )
    dataset = Dataset(name="fashion-mnist", train=split, val=split, test=split, provenance="here")
    options = TrainOptions(dataset="fashion-mnist", model="conv4 bn relu gap fc", epochs=2).settled(70)
    return recipe.Run(torch, dataset, options, "contiguous_format")


def test_the_recipe_shifts_and_mirrors_whole_pictures(run_of_clothes):
    run = run_of_clothes
    black = np.float32(-run.mean[0] / run.std[0])
    changed = run._changed(run.images).numpy()
    seen = set()
    for before, after in zip(run.images.numpy()[:, 0], changed[:, 0], strict=True):
        padded = np.pad(before, 1, constant_values=black)
        draws = [
            (y, x, mirrored)
            for y in range(3)
            for x in range(3)
            for mirrored in (False, True)
            if np.allclose(_mirrored(padded[y : y + 8, x : x + 8], mirrored), after)
        ]
        assert len(draws) == 1
        seen.update(draws)
    assert len(seen) > 12  # of 18


def _mirrored(pixels, mirrored):
    return pixels[:, ::-1] if mirrored else pixels


def test_the_recipe_steps_as_often_as_ours(run_of_clothes):
    assert run_of_clothes.batches == 9  # 70 images in batches of 8: the rest of 6 counts, as ours does
    run_of_clothes.train_epoch(0)
    assert run_of_clothes.seconds > 0
    assert 0 <= run_of_clothes.accuracy(run_of_clothes.dataset.val) <= 1
