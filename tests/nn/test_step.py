"""Whole steps: the same bits for any number of threads, agreement with PyTorch, learning."""

from itertools import pairwise

import numpy as np
import pytest

from cnncli.core.program import Program
from cnncli.errors import CnncliError
from cnncli.models.choice import build
from cnncli.nn import (
    SGD,
    Adam,
    AdamW,
    Add,
    AvgPool,
    Concat,
    Conv,
    ConvTranspose,
    Flatten,
    GlobalAvgPool,
    Graph,
    Inference,
    Linear,
    MaxPool,
    Muon,
    Network,
    Relu,
    Relu6,
    RMSprop,
    ScaleChannels,
    Sigmoid,
    Silu,
    SoftmaxCrossEntropy,
    Term,
    TrainingStep,
    Upsample,
)
from cnncli.nn.calls import tasks_of
from cnncli.nn.layer import LANES


def small_graph():
    graph = Graph((12, 12, 1))
    graph.add(
        Conv(6, 3, padding=1),
        Relu(),
        MaxPool(2),
        Conv(9, 3),
        Relu(),
        Flatten(),
        Linear(20),
        Relu(),
        Linear(4),
    )
    return graph


def batch(samples=21, seed=0):
    random = np.random.default_rng(seed)
    return random.standard_normal((samples, 12, 12, 1), np.float32), random.integers(0, 4, samples)


def trained(threads, *, steps=3, samples=21, size=21, **settings):
    network = Network(small_graph(), seed=3)
    step = TrainingStep(
        network,
        size,
        objective=[Term("main", SoftmaxCrossEntropy())],
        optimiser=SGD(),
        threads=threads,
        **settings,
    )
    losses = [step.run(*batch(samples, seed), rate=0.05) for seed in range(steps)]
    return network, losses, step


@pytest.mark.parametrize("samples", [21, 20, 5, 1])
def test_threads_change_no_bit(samples):
    one = trained(1, samples=samples)
    for threads in (2, 3):
        more = trained(threads, samples=samples)
        assert more[0].weights.tobytes() == one[0].weights.tobytes()
        assert more[1] == one[1]


def test_a_large_batch_has_work_for_more_than_eight_threads_and_changes_no_bit():
    assert trained(13, steps=0, size=256)[2]._program.threads == 13
    one, two = (trained(threads, steps=1, samples=250, size=256) for threads in (1, 2))
    assert two[0].weights.tobytes() == one[0].weights.tobytes()
    assert two[1] == one[1]


def gradient(size, images, labels):
    """That of a step of at most so many samples, which moves nothing."""
    network = Network(small_graph(), seed=3)
    step = TrainingStep(
        network, size, objective=[Term("main", SoftmaxCrossEntropy())], optimiser=SGD(), threads=2
    )
    step.run(images, labels, rate=0.0)
    return network.gradient.astype(np.float64)


@pytest.mark.parametrize("samples", [160, 137, 20, 3])
def test_the_gradient_of_a_large_batch_is_the_mean_over_its_samples(samples):
    """Of 160 samples each slot sums over several chunks, and of fewer some slots stay empty."""
    images, labels = batch(samples)
    cut = [slice(at, at + 10) for at in range(0, samples, 10)]
    sums = [gradient(10, images[part], labels[part]) * len(labels[part]) for part in cut]
    expected = np.sum(sums, axis=0) / samples
    got = gradient(160, images, labels)
    assert np.abs(got - expected).max() <= 3e-6 * np.abs(expected).max()


def test_large_gradients_share_their_memory(monkeypatch):
    apart = trained(2)
    monkeypatch.setattr("cnncli.nn.slots.LARGE_GRADIENT", 1)
    together = trained(2)
    assert together[0].weights.tobytes() == apart[0].weights.tobytes()
    assert together[2].gradient_norm == apart[2].gradient_norm
    assert together[2]._schedule.slot_pitch < apart[2]._schedule.slot_pitch


def test_a_branch_that_nobody_reads_has_no_gradient(monkeypatch):
    monkeypatch.setattr("cnncli.nn.slots.LARGE_GRADIENT", 1)
    graph = small_graph()
    read = graph.output
    graph.add(Linear(30), inputs=read, name="unread")
    graph.add(Linear(4), inputs=read, name="last")
    network = Network(graph, seed=3)
    step = TrainingStep(network, 5, objective=[Term("main", SoftmaxCrossEntropy())], optimiser=SGD())
    step.run(*batch(5), rate=0.05)
    gradients = dict(network.unpack(network.gradient))
    assert gradients["last.weight"].any()
    assert not gradients["unread.weight"].any()
    assert not gradients["unread.bias"].any()


def test_threads_that_share_one_picture_change_no_bit(monkeypatch):
    monkeypatch.setattr("cnncli.nn.inference.MIN_SHARED_WORK", 0)
    graph = Graph((21, 20, 3))
    graph.add(Conv(32, 3, padding=1), Relu())  # in bands of lines, by tiles
    graph.add(Conv(24, 5, stride=2), Relu())  # in bands of lines, the last block half full
    graph.add(Conv(20, 3, padding=1), Relu(), Flatten())  # whole: its stores overlap
    graph.add(Linear(500), Relu(), Linear(1200), Linear(4))  # in blocks of channels
    network = Network(graph, seed=1)
    images = np.random.default_rng(0).standard_normal((3, 21, 20, 3), np.float32)
    inferences = [Inference(network, 1, threads=threads) for threads in (1, 2, 3)]
    assert len(inferences[0]._program._phases) == 1
    assert len(inferences[1]._program._phases) > 4
    one, two, three = (each.run(images) for each in inferences)
    assert one.tobytes() == two.tobytes() == three.tobytes()
    np.testing.assert_allclose(Inference(network, 3, threads=1).run(images), one, rtol=1e-3, atol=1e-4)


def test_threads_go_on_with_their_own_lines(monkeypatch):
    monkeypatch.setattr("cnncli.nn.inference.MIN_SHARED_WORK", 0)
    monkeypatch.setattr("cnncli.nn.calls.MIN_PART_WORK", 1)
    network = Network(build("resnet20", (19, 16, 3), 4), seed=1)
    images = np.random.default_rng(0).standard_normal((2, 19, 16, 3), np.float32)
    one, three = (Inference(network, 1, threads=threads) for threads in (1, 3))
    assert one.run(images).tobytes() == three.run(images).tobytes()
    shared = [phase for phase in three._schedule.phases if phase and phase[0].band is not None]
    assert {"elementwise", "frame"} <= {op.loop for phase in shared for op in phase}
    for phase in shared:  # all its tasks run at the same time, so no two tensors may share memory
        tensors = {id(tensor): tensor for op in phase for tensor, _ in op.tensors.values()}
        spans = sorted((t.address - t.lead, t.address - t.lead + t.image) for t in tensors.values())
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))


@pytest.mark.parametrize(
    "pool", [MaxPool(3, stride=2, padding=1), MaxPool(2, ceil=True), MaxPool((5, 3), stride=1), AvgPool(3, 2)]
)
def test_threads_that_pool_one_picture_change_no_bit(monkeypatch, pool):
    monkeypatch.setattr("cnncli.nn.inference.MIN_SHARED_WORK", 0)
    monkeypatch.setattr("cnncli.nn.calls.MIN_PART_WORK", 1)
    graph = Graph((21, 20, 3))
    graph.add(Conv(32, 3, padding=1), pool)
    network = Network(graph, seed=1)
    images = np.random.default_rng(0).standard_normal((2, 21, 20, 3), np.float32)
    one, *more = (Inference(network, 1, threads=threads) for threads in (1, 2, 3))
    expected = one.run(images)
    for each in more:
        assert each.run(images).tobytes() == expected.tobytes()
        shared = [op for phase in each._schedule.phases for op in phase if op.band is not None]
        assert "pooling" in {op.loop for op in shared}


@pytest.mark.parametrize("size", [(21, 20), (5, 4)])  # in bands of lines, and in blocks of channels
def test_threads_that_share_a_depthwise_convolution_change_no_bit(monkeypatch, size):
    monkeypatch.setattr("cnncli.nn.inference.MIN_SHARED_WORK", 0)
    monkeypatch.setattr("cnncli.nn.calls.MIN_PART_WORK", 1)
    graph = Graph((*size, 3))
    graph.add(Conv(96, 1), Conv(96, 5, padding="same", stride=2, groups=96), Relu6(), Conv(7, 1))
    network = Network(graph, seed=1)
    images = np.random.default_rng(0).standard_normal((2, *size, 3), np.float32)
    one, *more = (Inference(network, 1, threads=threads) for threads in (1, 2, 3))
    expected = one.run(images)
    for each in more:
        assert each.run(images).tobytes() == expected.tobytes()
        shared = [op for phase in each._schedule.phases for op in phase if op.band is not None]
        assert "depthwise" in {op.loop for op in shared}


def in_another_order(inference, image):
    """The output where the last part of each layer is computed first."""
    phases, chunks = [phase for phase in inference._schedule.phases if phase], inference._schedule.chunks
    tasks = [tasks_of(phase, chunks, range(chunks.slots))[::-1] for phase in phases]
    program = Program(tasks, threads=1, scratch_bytes=len(inference._program._scratch[0]))
    inference._schedule.start(image[None], 1, 0)
    program.run(1)
    return next(iter(inference._kept.values()))[0].copy()


@pytest.mark.parametrize("channels", [7, 24, 31, 33, 40, 56])
def test_threads_that_share_lines_spill_over_no_pixel_of_another(monkeypatch, channels):
    """Stores of whole vectors reach beyond the last pixel of a thread's lines, where the next one's begin."""
    monkeypatch.setattr("cnncli.nn.inference.MIN_SHARED_WORK", 0)
    monkeypatch.setattr("cnncli.nn.calls.MIN_PART_WORK", 1)
    graph = Graph((21, 5, 3))
    graph.add(Conv(channels, 1), Relu(), name="block")
    graph.add(Conv(48, 1), Conv(channels, 1), name="branch")
    graph.add(Add(), inputs=("branch", "block"))
    network = Network(graph, seed=1)
    image = np.random.default_rng(0).standard_normal((21, 5, 3), np.float32)
    expected = Inference(network, 1, threads=1).run(image[None])[0]
    for threads in (2, 3, 5):
        shared = Inference(network, 1, threads=threads)
        assert shared.run(image[None])[0].tobytes() == expected.tobytes()
        assert in_another_order(shared, image).tobytes() == expected.tobytes()
        ops = [op for phase in shared._schedule.phases for op in phase if op.loop == "conv_forward"]
        assert channels != 31 or any(op.job["edge_floats"][0] for op in ops)  # spills on any processor


@pytest.mark.parametrize("channels", [1, 11, 16, 33])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (4, 2, 1), (3, 2, 0), (3, 1, 1)])
def test_threads_that_enlarge_one_picture_change_no_bit(monkeypatch, channels, kernel, stride, padding):
    monkeypatch.setattr("cnncli.nn.inference.MIN_SHARED_WORK", 0)
    monkeypatch.setattr("cnncli.nn.calls.MIN_PART_WORK", 1)
    graph = Graph((21, 6, 5))
    start = graph.add(Conv(12, 3, padding=1))
    up = graph.add(ConvTranspose(channels, kernel, stride, padding), inputs=start, name="up")
    wide = graph.add(Upsample(stride, "bilinear"), inputs=start, name="wide")
    if graph.shape_of(up)[:2] == graph.shape_of(wide)[:2]:
        graph.add(Concat(), inputs=(wide, up), name="joined")
    network = Network(graph, seed=1)
    image = np.random.default_rng(0).standard_normal((21, 6, 5), np.float32)
    expected = Inference(network, 1, threads=1).run(image[None])[0]
    for threads in (2, 3, 5):
        shared = Inference(network, 1, threads=threads)
        assert shared.run(image[None])[0].tobytes() == expected.tobytes()
        assert in_another_order(shared, image).tobytes() == expected.tobytes()
        bands = [op.loop for phase in shared._schedule.phases for op in phase if op.band == 1]
        if channels == 16 and stride**2 * bands.count("slices"):
            assert bands.count("conv_forward") == 1 + stride**2


@pytest.mark.parametrize("channels", [32, 40])
def test_threads_that_squeeze_and_excite_one_picture_change_no_bit(monkeypatch, channels):
    monkeypatch.setattr("cnncli.nn.inference.MIN_SHARED_WORK", 0)
    monkeypatch.setattr("cnncli.nn.calls.MIN_PART_WORK", 1)
    graph = Graph((13, 9, 3))
    graph.add(Conv(channels, 3, padding=1), Relu(), name="block")
    graph.add(Conv(channels, 3, padding=1), name="maps")
    graph.add(GlobalAvgPool(), Conv(16, 1), Relu(), Conv(channels, 1), Sigmoid(), name="gate")
    graph.add(ScaleChannels(), inputs=("maps", "gate"), name="scale")
    graph.add(Add(), inputs=("scale", "block"))
    graph.add(Relu(), Conv(5, 3, padding=1))
    network = Network(graph, seed=1)
    image = np.random.default_rng(0).standard_normal((13, 9, 3), np.float32)
    expected = Inference(network, 1, threads=1).run(image[None])[0]
    for threads in (2, 3):
        shared = Inference(network, 1, threads=threads)
        assert shared.run(image[None])[0].tobytes() == expected.tobytes()
        assert in_another_order(shared, image).tobytes() == expected.tobytes()
        loops = {op.loop for phase in shared._schedule.phases for op in phase if op.band is not None}
        assert {"scale_channels", "pooling"} <= loops or channels % LANES


def test_a_layer_after_blocks_of_channels_takes_all_lines(monkeypatch):
    """Threads that make channels of all lines do not go on with lines of their own."""
    monkeypatch.setattr("cnncli.nn.inference.MIN_SHARED_WORK", 0)
    monkeypatch.setattr("cnncli.nn.calls.MIN_PART_WORK", 1)
    graph = Graph((4, 4, 16))
    graph.add(Conv(96, 1), Silu(), Conv(96, 3, padding=1), Silu())
    network = Network(graph, seed=1)
    images = np.random.default_rng(0).standard_normal((2, 4, 4, 16), np.float32)
    one, *more = (Inference(network, 1, threads=threads).run(images) for threads in (1, 2, 3))
    assert all(each.tobytes() == one.tobytes() for each in more)


def test_it_learns_a_batch_by_heart():
    network = Network(small_graph(), seed=0)
    step = TrainingStep(
        network, 21, objective=[Term("main", SoftmaxCrossEntropy())], optimiser=Adam(), threads=2
    )
    images, labels = batch()
    losses = [step.run(images, labels, rate=0.01) for _ in range(60)]
    assert losses[0] > 0.8
    assert losses[-1] < 0.01
    outputs = Inference(network, 8, threads=1).run(images)
    assert (outputs.argmax(axis=1) == labels).all()


def test_frozen_parameters_stay():
    network, _, _ = trained(1, frozen={"conv1.weight"})
    start, end = Network(small_graph(), seed=3).export(), network.export()
    assert (start["conv1.weight"] == end["conv1.weight"]).all()
    assert (start["conv2.weight"] != end["conv2.weight"]).any()


@pytest.mark.parametrize("threads", [1, 3])
def test_a_frozen_batch_norm_trains_as_it_infers(threads):
    """Its statistics stay and are used; before them nothing is trained, so the head's step is exact."""
    graph = build("conv5 bn relu pool conv9 bn silu gap fc", (12, 12, 1), 4)
    network = Network(graph, seed=3)
    measured = TrainingStep(
        network, 21, objective=[Term("main", SoftmaxCrossEntropy())], optimiser=SGD(), threads=threads
    )
    for seed in range(3):  # so that the statistics are none that a batch could have by chance
        measured.run(*batch(seed=seed), rate=0.05)
    before = network.export()
    images, labels = batch(seed=9)
    outputs = Inference(network, 21, threads=threads).run(images)
    frozen = [name for name in network.parameters if not name.startswith("head")]
    step = TrainingStep(
        network,
        21,
        objective=[Term("main", SoftmaxCrossEntropy())],
        optimiser=SGD(),
        threads=threads,
        frozen=frozen,
        clip=1e-3,
    )
    step.run(images, labels, rate=0.05)
    np.testing.assert_allclose(step.outputs, outputs, rtol=1e-4, atol=1e-5)
    after = network.export()
    assert {name for name in after if (after[name] != before[name]).any()} == {"head.weight", "head.bias"}
    moved = [np.linalg.norm(after[name] - before[name]) for name in ("head.weight", "head.bias")]
    assert np.hypot(*moved) == pytest.approx(0.05 * 1e-3, rel=0.01)  # clipped by the head's gradient alone


def test_frozen_layers_follow_weights_that_are_loaded():
    """Their batch norms are folded, so a step has to be told."""
    graph = build("conv5 bn relu gap fc", (12, 12, 1), 4)
    network = Network(graph, seed=3)
    step = TrainingStep(
        network,
        21,
        objective=[Term("main", SoftmaxCrossEntropy())],
        optimiser=SGD(),
        frozen=[name for name in network.parameters if not name.startswith("head")],
    )
    network.load(Network(graph, seed=4).export())
    step.refresh()
    images, labels = batch()
    step.run(images, labels, rate=0.0)
    np.testing.assert_allclose(step.outputs, Inference(network, 21).run(images), rtol=1e-4, atol=1e-5)


def test_a_resumed_run_ends_with_the_same_bits():
    whole, _, _ = trained(2, steps=4)
    half, _, step = trained(2, steps=2)
    again = Network(small_graph(), seed=9)
    again.load(half.export())
    resumed = TrainingStep(
        again, 21, objective=[Term("main", SoftmaxCrossEntropy())], optimiser=SGD(), threads=1
    )
    resumed.load_optimiser_state(step.optimiser_state(), steps=step.steps)
    for seed in (2, 3):
        resumed.run(*batch(21, seed), rate=0.05)
    assert again.weights.tobytes() == whole.weights.tobytes()


def test_wrong_images_are_refused():
    _, _, step = trained(1, steps=0)
    images, labels = batch()
    with pytest.raises(CnncliError, match="expected 1 to 21 images"):
        step.run(images.astype(np.float64), labels, rate=0.1)
    with pytest.raises(CnncliError, match="labels run from 0 to 4; expected 0 to 3"):
        step.run(images, np.arange(21) % 5, rate=0.1)


OPTIMISERS = {
    "sgd": (SGD(momentum=0.9, weight_decay=0.01), "SGD", {"momentum": 0.9}),
    "nesterov": (SGD(momentum=0.8, nesterov=True), "SGD", {"momentum": 0.8, "nesterov": True}),
    "dampened": (SGD(momentum=0.8, dampening=0.5), "SGD", {"momentum": 0.8, "dampening": 0.5}),
    "adam": (Adam(weight_decay=0.01), "Adam", {}),
    "adamw": (AdamW(weight_decay=0.1), "AdamW", {}),
    "rmsprop": (RMSprop(momentum=0.5), "RMSprop", {"momentum": 0.5}),
}


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_steps_agree_with_pytorch(name, clip):
    torch = pytest.importorskip("torch")
    ours, theirs, settings = OPTIMISERS[name]
    network = Network(small_graph(), seed=3)
    parameters = {key: torch.nn.Parameter(torch.from_numpy(value)) for key, value in network.export().items()}
    weights = [value for key, value in parameters.items() if key.endswith("weight")]
    biases = [value for key, value in parameters.items() if key.endswith("bias")]
    optimiser = getattr(torch.optim, theirs)(
        [{"params": weights, "weight_decay": ours.weight_decay}, {"params": biases, "weight_decay": 0.0}],
        lr=0.003,
        **settings,
    )
    step = TrainingStep(
        network,
        21,
        objective=[Term("main", SoftmaxCrossEntropy(smoothing=0.1))],
        optimiser=ours,
        threads=2,
        clip=clip,
    )
    functional = torch.nn.functional
    for seed in range(4):
        images, labels = batch(seed=seed)
        p = parameters
        x = torch.from_numpy(images).permute(0, 3, 1, 2)
        x = functional.max_pool2d(
            functional.conv2d(x, p["conv1.weight"], p["conv1.bias"], padding=1).relu(), 2
        )
        x = functional.conv2d(x, p["conv2.weight"], p["conv2.bias"]).relu().flatten(1)
        x = functional.linear(x, p["linear1.weight"], p["linear1.bias"]).relu()
        x = functional.linear(x, p["linear2.weight"], p["linear2.bias"])
        loss = functional.cross_entropy(x, torch.from_numpy(labels), label_smoothing=0.1)
        optimiser.zero_grad()
        loss.backward()
        if clip:
            norm = torch.nn.utils.clip_grad_norm_(parameters.values(), clip)
        optimiser.step()
        assert step.run(images, labels, rate=0.003) == pytest.approx(loss.item(), rel=1e-4)
        np.testing.assert_allclose(step.outputs, x.detach().numpy(), rtol=2e-3, atol=2e-3)
        if clip:
            assert step.gradient_norm == pytest.approx(norm.item(), rel=1e-3)
    for key, value in network.export().items():
        np.testing.assert_allclose(value, parameters[key].detach().numpy(), rtol=5e-3, atol=1e-3)


def test_muon_moves_matrices_as_pytorchs_does():
    """PyTorch's takes matrices alone, and iterates in bfloat16: its steps are near ours, not the same."""
    torch = pytest.importorskip("torch")
    network = Network(small_graph(), seed=3)
    names = ["conv1.weight", "conv2.weight"]
    matrices = {name: torch.nn.Parameter(torch.tensor(network.array(name)).flatten(1)) for name in names}
    theirs = torch.optim.Muon(
        matrices.values(), lr=0.003, weight_decay=0.1, momentum=0.9, adjust_lr_fn="match_rms_adamw"
    )
    objective = [Term("main", SoftmaxCrossEntropy())]
    step = TrainingStep(network, 21, objective=objective, optimiser=Muon(momentum=0.9, weight_decay=0.1))
    for seed in range(4):
        before = {name: network.array(name) for name in names}
        step.run(*batch(seed=seed), rate=0.003)
        gradients = dict(network.unpack(network.gradient))
        for name, matrix in matrices.items():
            matrix.data = torch.tensor(before[name]).flatten(1)
            matrix.grad = torch.tensor(gradients[name]).flatten(1)
        theirs.step()
        for name, matrix in matrices.items():
            moved = network.array(name) - before[name]
            wanted = matrix.detach().numpy().reshape(moved.shape) - before[name]
            assert np.linalg.norm(moved - wanted) <= 0.05 * np.linalg.norm(wanted), name
