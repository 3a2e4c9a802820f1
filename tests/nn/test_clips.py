"""Networks that compute the frames of a clip one by one, against PyTorch in double precision."""

import numpy as np
import pytest
from harness import passes

from cnncli.checked import Fields
from cnncli.errors import CnncliError
from cnncli.nn import (
    SGD,
    BatchNorm,
    Clip,
    Conv,
    Dropout,
    Flatten,
    Frames,
    GlobalAvgPool,
    Graph,
    Inference,
    Linear,
    MaxPool,
    Network,
    Relu,
    SoftmaxCrossEntropy,
    Term,
    TrainingStep,
    exchange,
)

T, H, W, C = 5, 9, 7, 3


def graph_of(*, flat=False):
    """Convolutions of frames, then over time; features of a frame are pooled, or flattened maps."""
    graph = Graph((T * H, W, C))
    graph.add(Frames(T), Conv(18, 3, padding="same"), BatchNorm(), Relu(), MaxPool(2))
    graph.add(*([Flatten(), Linear(11)] if flat else [Conv(11, 3, padding="same"), Relu(), GlobalAvgPool()]))
    graph.add(Clip(), Conv(20, (1, 3), padding="same"), Relu(), MaxPool((1, T)), Linear(4), name="head")
    return graph


def clips_of(count, seed=3):
    random = np.random.default_rng(seed)
    return random.standard_normal((count, T * H, W, C)).astype(np.float32), random.integers(0, 4, count)


def peer(torch, arrays, x, *, training, flat=False):
    """The same in PyTorch: outputs, the input and the weights, all with gradients to come."""
    f = torch.nn.functional
    w = {k: torch.tensor(v, dtype=torch.float64, requires_grad="running" not in k) for k, v in arrays.items()}
    given = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    t = given.permute(0, 3, 1, 2).unflatten(2, (T, -1)).transpose(1, 2).flatten(0, 1)
    t = f.conv2d(t, w["conv1.weight"], w["conv1.bias"], padding=1)
    running = w["batchnorm1.running_mean"].clone(), w["batchnorm1.running_var"].clone()
    t = f.batch_norm(t, *running, w["batchnorm1.weight"], w["batchnorm1.bias"], training=training)
    t = f.max_pool2d(t.relu(), 2)
    if flat:
        t = f.linear(t.flatten(1), w["linear1.weight"], w["linear1.bias"])
    else:
        t = f.conv2d(t, w["conv2.weight"], w["conv2.bias"], padding=1).relu().mean((2, 3))
    over_time = "conv2" if flat else "conv3"
    t = t.unflatten(0, (-1, T)).transpose(1, 2)
    t = f.conv1d(t, w[f"{over_time}.weight"].squeeze(2), w[f"{over_time}.bias"], padding=1).relu().amax(2)
    return f.linear(t, w["head.weight"], w["head.bias"]), given, w


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("count", [1, 3, 19])
def test_outputs_and_gradients_are_those_of_pytorch(count, flat):
    torch = pytest.importorskip("torch")
    x, _ = clips_of(count)
    dout = np.random.default_rng(4).standard_normal((count, 1, 1, 4)).astype(np.float32)
    out, dx, gradients, network = passes(graph_of(flat=flat), x, dout, threads=2)
    theirs, given, weights = peer(torch, network.export(), x, training=True, flat=flat)
    theirs.backward(torch.tensor(dout.reshape(count, 4), dtype=torch.float64))
    np.testing.assert_allclose(out.reshape(count, 4), theirs.detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(dx, given.grad.numpy(), rtol=1e-3, atol=1e-5)
    for name, found in gradients.items():
        np.testing.assert_allclose(found, weights[name].grad.numpy(), rtol=1e-3, atol=5e-5, err_msg=name)


def test_inference_is_that_of_pytorch_and_keeps_strips():
    torch = pytest.importorskip("torch")
    network, (x, _) = Network(graph_of(), seed=2), clips_of(7)
    theirs = peer(torch, network.export(), x, training=False)[0].detach().numpy()
    for batch, threads in ((7, 2), (3, 1), (1, 2)):
        plan = Inference(network, batch, threads=threads)
        np.testing.assert_allclose(plan.run(x), theirs, rtol=1e-4, atol=1e-5)
    kept = Inference(network, 7, keep=("conv1", "globalavgpool1", "clip1")).activations(x)
    assert kept["conv1"].shape == (7, T * H, W, 18)
    assert kept["globalavgpool1"].shape == (7, T, 1, 11)
    np.testing.assert_array_equal(kept["clip1"][:, 0], kept["globalavgpool1"][:, :, 0])


def test_a_frame_does_not_see_its_neighbours():
    network, (x, _) = Network(graph_of(), seed=2), clips_of(1)
    plan = Inference(network, 1, keep=("globalavgpool1",))
    before = plan.activations(x)["globalavgpool1"]
    x[0, 2 * H : 3 * H] += 1
    changed = (plan.activations(x)["globalavgpool1"] != before).any(axis=(0, 2, 3))
    assert changed.tolist() == [False, False, True, False, False]


def test_a_step_of_fewer_clips_leaves_the_others_out():
    """Batch norm and the loss count frames of clips that are there; threads change no bit."""
    x, labels = clips_of(9)
    found = []
    for batch, threads in ((9, 1), (9, 3), (20, 2)):
        network = Network(graph_of(), seed=1)
        objective = [Term("main", SoftmaxCrossEntropy())]
        step = TrainingStep(network, batch, objective=objective, optimiser=SGD(), threads=threads)
        step.run(np.full_like(x, 7), labels, rate=0.0)  # what is left in memory
        found.append((step.run(x[:6], labels[:6], rate=0.1), network.export()))
    assert found[0][0] == found[1][0]
    for name, array in found[0][1].items():
        assert array.tobytes() == found[1][1][name].tobytes()
        np.testing.assert_allclose(array, found[2][1][name], rtol=1e-3, atol=1e-5)


def test_dropout_of_frames_differs_from_frame_to_frame():
    graph = Graph((T * 4, 4, 1))
    graph.add(Frames(T), Dropout(0.5, 1), GlobalAvgPool(), Clip())
    out, *_ = passes(graph, np.ones((2, T * 4, 4, 1), np.float32), np.ones((2, 1, T, 1)))
    first, second = out.reshape(2, T)
    assert len(set(first.tolist())) > 1
    assert first.tolist() != second.tolist()


def test_work_counts_every_frame():
    graph = graph_of()
    one = graph.nodes["conv1"]
    assert one.multiply_adds == T * H * W * 18 * 9 * C
    assert graph.nodes["conv3"].multiply_adds == T * 20 * 3 * 11
    assert str(one.shape) == "5 frames of 9x7x18"


def test_layers_are_read_back():
    value = exchange.as_dict(graph_of())
    assert exchange.as_dict(exchange.from_dict(Fields(value))) == value


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        ([Frames(4)], "45x7x3 divided into 4 frames"),
        ([Frames(0)], "divided into 0 frames"),
        ([Frames(5), Frames(3)], "5 frames of 9x7x3 divided into 3"),
        ([Frames(5), Clip()], "frames of 9x7 maps joined"),
    ],
)
def test_what_does_not_fit_is_refused(layers, match):
    with pytest.raises(CnncliError, match=match):
        Graph((T * H, W, C)).add(*layers)


def test_an_answer_for_each_frame_is_no_answer_for_a_clip():
    graph = Graph((T * H, W, C))
    graph.add(Frames(T), GlobalAvgPool(), Linear(4))
    with pytest.raises(CnncliError, match="expected one answer for each clip"):
        TrainingStep(Network(graph), 2, objective=[Term("main", SoftmaxCrossEntropy())], optimiser=SGD())
