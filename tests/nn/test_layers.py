"""Poolings, activations, norms, branches and dropout against their definitions."""

import math

import numpy as np
import oracle
import pytest
from harness import check, passes

from cnncli import nn
from cnncli.errors import CnncliError
from cnncli.nn import (
    AdaptiveAvgPool,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Graph,
    Inference,
    Linear,
    LocalResponseNorm,
    MaxPool,
    Network,
    PadChannels,
    Relu,
    Relu6,
    ScaleChannels,
    Shape,
    Sigmoid,
    SoftmaxCrossEntropy,
    Term,
    TrainingStep,
)

CHANNELS = [1, 3, 7, 8, 9, 17]
POOLINGS = {
    "2": {"size": 2},
    "3": {"size": 3},
    "3, stride 2": {"size": 3, "stride": 2},
    "3, stride 2, padded": {"size": 3, "stride": 2, "padding": 1},
    "3, stride 1, padded": {"size": 3, "stride": 1, "padding": 1},
    "2, ceil": {"size": 2, "ceil": True},
    "3, stride 2, padded, ceil": {"size": 3, "stride": 2, "padding": 1, "ceil": True},
    "(1, 3)": {"size": (1, 3), "stride": (2, 1)},
    "3, stride 2, padded unevenly": {"size": 3, "stride": 2, "padding": ((0, 1), (1, 0))},
    "3, stride 2, padded unevenly, ceil": {"size": 3, "stride": 2, "padding": ((1, 0), (0, 1)), "ceil": True},
}


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("layer", [MaxPool, AvgPool])
@pytest.mark.parametrize("channels", [1, 8, 9])
def test_pooling(name, layer, channels):
    settings = POOLINGS[name]
    made = layer(**settings)
    window, stride, padding = (
        oracle.both([value, value] if isinstance(value, int) else value)
        for value in (settings["size"], settings.get("stride", settings["size"]), settings.get("padding", 0))
    )

    def reference(arrays):
        return oracle.pool(
            arrays["x"],
            window=[first for first, _ in window],
            stride=[first for first, _ in stride],
            padding=padding,
            ceil=settings.get("ceil", False),
            average=layer is AvgPool,
            count_padding=layer is AvgPool,
        )

    check(made, (7, 6, channels), reference)


def starts(size, window, stride, padding):
    """Where PyTorch's windows start with ceil_mode: one that would start behind the image is left out."""
    found = [-padding]
    while found[-1] + window < size + padding and found[-1] + stride < size:
        found.append(found[-1] + stride)
    return found


def test_windows_that_stick_out_start_inside():
    """All small sizes: how many windows there are, and the means and maxima of what they cover."""
    tried = 0
    for size in range(1, 10):
        x = np.random.default_rng(size).standard_normal((1, 1, size, 1)).astype(np.float32)
        for window in range(1, 5):
            for stride in range(1, 6):
                for padding in range(window // 2 + 1):
                    if size + 2 * padding < window:
                        continue
                    places = starts(size, window, stride, padding)
                    shape = {"size": (1, window), "stride": (1, stride), "padding": (0, padding)}
                    layer = MaxPool(**shape, ceil=True)
                    graph = graph_of((1, size, 1), layer)
                    assert graph.output_shape.width == len(places), (size, window, stride, padding)
                    tried += 1
                    if tried % 7:
                        continue
                    out = Inference(Network(graph), 1, threads=1).run(x).ravel()
                    covered = [x.ravel()[max(0, at) : at + window] for at in places]
                    assert out.tolist() == [max(each) for each in covered]
    assert tried > 300


@pytest.mark.parametrize("channels", [1, 3, 6, 9, 16, 32])
@pytest.mark.parametrize("size", [(2, 2), (6, 8), (4, 2)])
def test_pooling_that_halves(size, channels):
    graph = Graph((*size, 2))
    graph.add(Conv(channels, 3, padding=1), Relu(), MaxPool(2), name="pool")

    def reference(arrays):
        x = np.maximum(
            oracle.conv(arrays["x"], arrays["conv1.weight"], arrays["conv1.bias"], padding=(1, 1)), 0
        )
        return oracle.pool(
            x, window=(2, 2), stride=(2, 2), padding=(0, 0), ceil=False, average=False, count_padding=False
        )

    check(graph, (*size, 2), reference)


def test_an_average_need_not_count_padding():
    def reference(arrays):
        return oracle.pool(
            arrays["x"],
            window=(3, 3),
            stride=(2, 2),
            padding=(1, 1),
            ceil=False,
            average=True,
            count_padding=False,
        )

    check(AvgPool(3, stride=2, padding=1, count_padding=False), (5, 6, 3), reference)


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize(("before", "after"), [(8, 8), (1, 4), (0, 3), (9, 0), (0, 0)])
def test_channels_of_zeros(channels, before, after):
    def reference(arrays):
        return np.pad(arrays["x"], ((0, 0), (0, 0), (0, 0), (before, after)))

    check(PadChannels(before, after), (4, 3, channels), reference)


def test_a_shortcut_without_weights():
    """Option A: every second pixel, with zeros for the new channels; the input has another reader too."""
    graph = Graph((5, 6, 4))
    graph.add(Conv(8, 3, stride=2, padding=1, bias=False), name="main")
    short = graph.add(MaxPool(1, stride=2), PadChannels(2, 2), inputs="input")
    graph.add(Add(), inputs=("main", short))

    def reference(arrays):
        main = oracle.conv(arrays["x"], arrays["main.weight"], None, padding=(1, 1), stride=(2, 2))
        return main + np.pad(arrays["x"][:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (2, 2)))

    check(graph, (5, 6, 4), reference)


@pytest.mark.parametrize("channels", CHANNELS)
def test_global_average(channels):
    check(GlobalAvgPool(), (5, 3, channels), lambda arrays: arrays["x"].mean((1, 2)))


@pytest.mark.parametrize("channels", [1, 8, 9])
@pytest.mark.parametrize(
    ("shape", "size"),
    [((7, 7), 7), ((14, 21), 7), ((9, 5), (4, 3)), ((3, 2), (7, 5)), ((6, 8), (1, 3)), ((1, 1), 6)],
)
def test_adaptive_average(shape, size, channels):
    """Means of windows from floor(r H / h) to before ceil((r + 1) H / h), as PyTorch documents them."""
    rows, columns = size if isinstance(size, tuple) else (size, size)

    def window(place, count, pixels):
        return slice(math.floor(place * pixels / count), math.ceil((place + 1) * pixels / count))

    def reference(arrays):
        means = [
            [
                arrays["x"][:, window(r, rows, shape[0]), window(c, columns, shape[1])].mean((1, 2))
                for c in range(columns)
            ]
            for r in range(rows)
        ]
        return np.array(means).transpose(2, 0, 1, 3)

    layer = AdaptiveAvgPool(size)
    check(layer, (*shape, channels), reference)
    extents = [max(window(r, rows, shape[0]).stop - window(r, rows, shape[0]).start for r in range(rows))]
    assert [layer.window(Shape(*shape, channels))[0].size] == extents


def test_a_maximum_passes_a_nan_on():
    x = np.zeros((1, 4, 4, 9), np.float32)
    x[0, 1, 0, 3] = np.nan
    out, *_ = passes(graph_of((4, 4, 9), MaxPool(2)), x, np.ones((1, 2, 2, 9)))
    assert np.isnan(out[0, 0, 0, 3])
    assert np.isnan(out).sum() == 1


@pytest.mark.parametrize("name", oracle.ACTIVATIONS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 3), (2, 4, 8)])
def test_activations(name, shape):
    check(getattr(nn, name)(), shape, lambda arrays: oracle.ACTIVATIONS[name](arrays["x"]), scale=3)


@pytest.mark.parametrize("name", ["Sigmoid", "Tanh", "Silu", "Gelu"])
def test_activations_far_out(name):
    x = np.array([-1e30, -200, -90, -88, -20, -1e-6, 0, 1e-6, 20, 88, 90, 200, 1e30], np.float32).reshape(
        1, 1, 1, -1
    )
    out, *_ = passes(graph_of(x.shape[1:], getattr(nn, name)()), x, np.zeros_like(x))
    with np.errstate(over="ignore"):
        expected = oracle.ACTIVATIONS[name](x.astype(np.float64))
    np.testing.assert_allclose(out, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("samples", [1, 19])
def test_batch_norm(channels, samples):
    def reference(arrays):
        return oracle.batch_norm(arrays["x"], arrays["weight"], arrays["bias"])

    check(BatchNorm(), (3, 5, channels), reference, samples=samples, tolerance=1e-4)


def test_batch_norm_does_not_lose_digits_to_a_large_mean():
    random = np.random.default_rng(0)
    x = (1000 + random.standard_normal((17, 6, 6, 9))).astype(np.float32)
    out, *_ = passes(graph_of((6, 6, 9), BatchNorm()), x, np.ones_like(x))
    expected = oracle.batch_norm(x.astype(np.float64), 1, 0)
    np.testing.assert_allclose(out, expected, atol=2e-4)


RELU6 = {
    "convolution": ((6, 5, 3), [Conv(17, 3)]),
    "few channels": ((6, 5, 3), [Conv(5, 3)]),
    "pairs of pixels": ((6, 5, 1), [Conv(4, 3)]),
    "tiles": ((8, 8, 16), [Conv(32, 3, padding=1)]),
    "depthwise": ((6, 5, 9), [Conv(9, 3, padding=1, groups=9)]),
    "a long sum": ((1, 1, 700), [Linear(17)]),
    "sum": ((3, 4, 8), []),
    "before a pooling": ((6, 6, 3), [Conv(8, 3, padding=1)]),
}


@pytest.mark.parametrize("name", RELU6)
def test_relu6_is_computed_by_the_layer_before_it(name):
    """Values below 0, between and above 6, gradients of each."""
    shape, layers = RELU6[name]
    graph = Graph(shape)
    if layers:
        graph.add(*layers, name="c")
    else:
        graph.add(Add(), inputs=("input", "input"))
    graph.add(Relu6())
    if name == "before a pooling":
        graph.add(MaxPool(2))

    def reference(arrays):
        x = 2 * arrays["x"]
        if layers and isinstance(layers[0], Conv):
            padding, groups = oracle.both((layers[0].padding,) * 2), layers[0].groups
            x = oracle.conv(arrays["x"], arrays["c.weight"], arrays["c.bias"], padding=padding, groups=groups)
        elif layers:
            x = arrays["x"].reshape(-1, 700) @ arrays["c.weight"].T + arrays["c.bias"]
        y = np.clip(x, 0, 6)
        if name == "before a pooling":
            settings = {"window": (2, 2), "stride": (2, 2), "padding": (0, 0), "ceil": False}
            y = oracle.pool(y, **settings, average=False, count_padding=False)
        return y

    check(graph, shape, reference, samples=4, scale=2, tolerance=1e-4)


def test_relu6_keeps_what_is_not_a_number():
    x = np.full((1, 1, 1, 3), np.nan, np.float32)
    for before in (Conv(3, 1), BatchNorm(), Sigmoid()):
        network = Network(graph_of((1, 1, 3), before, Relu6()), seed=0)
        assert np.isnan(Inference(network, 1, threads=1).run(x)).all()


def test_batch_norm_and_relu6_in_training_and_at_inference():
    x = np.random.default_rng(0).standard_normal((7, 3, 3, 5), np.float32)
    scale = np.linspace(2, 9, 5, dtype=np.float32)
    graph = graph_of((3, 3, 5), BatchNorm(), Relu6())
    arrays = {"batchnorm1.weight": scale}
    out, *_, network = passes(graph, x, np.ones_like(x), arrays=arrays)
    expected = np.clip(oracle.batch_norm(x.astype(np.float64), scale, 0), 0, 6)
    assert (expected == 6).any()
    np.testing.assert_allclose(out, expected, atol=1e-5)
    network.load(network.export() | {"batchnorm1.running_mean": x.mean((0, 1, 2))})
    variance = {"batchnorm1.running_var": x.var((0, 1, 2))}
    network.load(network.export() | variance)
    np.testing.assert_allclose(Inference(network, 7, threads=1).run(x), expected, atol=1e-5)


def test_batch_norm_between_convolution_and_relu():
    graph = Graph((5, 5, 3))
    graph.add(Conv(9, 3, padding=1, bias=False), name="conv")
    graph.add(BatchNorm(), name="norm")
    graph.add(Relu(), Conv(4, 3, padding=1), name="last")

    def reference(arrays):
        y = oracle.conv(arrays["x"], arrays["conv.weight"], None, padding=(1, 1))
        y = np.maximum(oracle.batch_norm(y, arrays["norm.weight"], arrays["norm.bias"]), 0)
        return oracle.conv(y, arrays["last.weight"], arrays["last.bias"], padding=(1, 1))

    check(graph, (5, 5, 3), reference, samples=11, tolerance=1e-4)


@pytest.mark.parametrize("shape", [(5, 1, 3), (1, 5, 3), (4, 2, 3), (1, 1, 3)])
def test_pictures_as_lists(shape):
    """Their weights are stored by channel, then row, then column, as PyTorch has them."""
    graph = Graph(shape)
    graph.add(Flatten(), Linear(4))
    assert graph.shape_of("flatten1")[:3] == (1, 1, np.prod(shape))
    network = Network(graph, seed=1)
    x = np.random.default_rng(0).standard_normal((2, *shape), np.float32)
    arrays = network.export()
    expected = x.transpose(0, 3, 1, 2).reshape(2, -1) @ arrays["linear1.weight"].T + arrays["linear1.bias"]
    np.testing.assert_allclose(Inference(network, 2, threads=1).run(x).reshape(2, 4), expected, atol=1e-5)


def test_running_statistics_and_folding_agree_with_pytorch():
    torch = pytest.importorskip("torch")
    graph = Graph((6, 6, 3))
    graph.add(Conv(9, 3, padding=1), BatchNorm(), Relu(), MaxPool(2), BatchNorm(), Flatten(), Linear(4))
    network = Network(graph, seed=2)
    step = TrainingStep(
        network, 10, objective=[Term("main", SoftmaxCrossEntropy())], optimiser=nn.SGD(momentum=0), threads=2
    )
    layers = [
        torch.nn.Conv2d(3, 9, 3, padding=1),
        torch.nn.BatchNorm2d(9),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
    ]
    model = torch.nn.Sequential(*layers, torch.nn.BatchNorm2d(9), torch.nn.Flatten(), torch.nn.Linear(81, 4))
    places = {"conv1": 0, "batchnorm1": 1, "batchnorm2": 4, "linear1": 6}
    arrays = {key: torch.from_numpy(value) for key, value in network.export().items()}
    model.load_state_dict(
        {f"{places[k.split('.')[0]]}.{k.split('.')[1]}": v for k, v in arrays.items()}, strict=False
    )
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    random = np.random.default_rng(1)
    for samples in (10, 7, 10):
        images = random.standard_normal((samples, 6, 6, 3), np.float32)
        labels = random.integers(0, 4, samples)
        step.run(images, labels, rate=0.1)
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(
            model(torch.from_numpy(images).permute(0, 3, 1, 2)), torch.from_numpy(labels)
        )
        loss.backward()
        optimiser.step()
    theirs = model.state_dict()
    for key, value in network.export().items():
        layer, short = key.split(".")
        np.testing.assert_allclose(value, theirs[f"{places[layer]}.{short}"].numpy(), rtol=1e-3, atol=1e-4)
    model.eval()
    images = random.standard_normal((13, 6, 6, 3), np.float32)
    wanted = model(torch.from_numpy(images).permute(0, 3, 1, 2)).detach().numpy()
    for keep in ((), ("conv1", "batchnorm1"), ("conv1", network.graph.output)):
        inference = Inference(network, 5, threads=2, keep=keep)
        np.testing.assert_allclose(inference.run(images), wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 5, 8, 17])
@pytest.mark.parametrize("size", [1, 4, 5])
def test_response_norm(channels, size):
    settings = {"size": size, "alpha": 0.5, "beta": 0.75, "bias": 1.5}
    check(
        LocalResponseNorm(**settings),
        (2, 3, channels),
        lambda arrays: oracle.response_norm(arrays["x"], **settings),
    )


@pytest.mark.parametrize("channels", CHANNELS)
def test_sum_of_branches(channels):
    graph = Graph((4, 5, 3))
    first = graph.add(Conv(channels, 3, padding=1), name="a")
    graph.add(Conv(channels, 3, padding=1), name="b")
    graph.add(Add(), inputs=(first, "b"))
    graph.add(Relu())

    def reference(arrays):
        a = oracle.conv(arrays["x"], arrays["a.weight"], arrays["a.bias"], padding=(1, 1))
        return np.maximum(a + oracle.conv(a, arrays["b.weight"], arrays["b.bias"], padding=(1, 1)), 0)

    check(graph, (4, 5, 3), reference)


def test_a_layer_with_many_readers_of_all_kinds():
    graph = Graph((4, 4, 9))
    graph.add(Conv(9, 1), name="c")
    graph.add(BatchNorm(), inputs="c", name="n")
    graph.add(MaxPool(3, stride=1, padding=1), inputs="c", name="m")
    graph.add(AvgPool(3, stride=1, padding=1), inputs="c", name="p")
    graph.add(Conv(9, 2, stride=1, padding=1, groups=3), AvgPool(2, stride=1), inputs="c", name="g")
    graph.add(Sigmoid(), inputs="c", name="s")
    graph.add(Concat(), inputs=("n", "m", "c", "p", "g", "s"))

    def reference(arrays):
        c = oracle.conv(arrays["x"], arrays["c.weight"], arrays["c.bias"])
        parts = {"window": (3, 3), "stride": (1, 1), "padding": (1, 1), "ceil": False, "count_padding": True}
        grouped = oracle.conv(c, arrays["conv1.weight"], arrays["conv1.bias"], padding=(1, 1), groups=3)
        small = {"window": (2, 2), "stride": (1, 1), "padding": (0, 0), "ceil": False, "count_padding": False}
        branches = [
            oracle.batch_norm(c, arrays["n.weight"], arrays["n.bias"]),
            oracle.pool(c, average=False, **parts),
            c,
            oracle.pool(c, average=True, **parts),
            oracle.pool(grouped, average=True, **small),
            1 / (1 + np.exp(-c)),
        ]
        return np.concatenate(branches, 3)

    check(graph, (4, 4, 9), reference, samples=9, tolerance=2e-4)


@pytest.mark.parametrize("channels", CHANNELS)
def test_squeeze_and_excitation(channels):
    graph = Graph((3, 4, 2))
    graph.add(Conv(channels, 1), name="c")
    graph.add(GlobalAvgPool(), Linear(4), name="squeeze")
    graph.add(Relu(), Linear(channels), name="excite")
    graph.add(Sigmoid(), name="gate")
    graph.add(ScaleChannels(), inputs=("c", "gate"))

    def reference(arrays):
        c = oracle.conv(arrays["x"], arrays["c.weight"], arrays["c.bias"])
        h = np.maximum(c.mean((1, 2)) @ arrays["squeeze.weight"].T + arrays["squeeze.bias"], 0)
        gate = 1 / (1 + np.exp(-(h @ arrays["excite.weight"].T + arrays["excite.bias"])))
        return c * gate[:, None, None]

    check(graph, (3, 4, 2), reference, tolerance=1e-4)


def test_dropout_drops_its_share_and_is_undone_alike():
    graph = graph_of((9, 7, 5), Dropout(0.3))
    x = np.ones((64, 9, 7, 5), np.float32)
    out, dx, *_ = passes(graph, x, np.ones_like(x))
    assert set(np.unique(out)) == {np.float32(0), np.float32(1) / np.float32(1 - np.float32(0.3))}
    assert abs((out == 0).mean() - 0.3) < 0.01
    assert (dx == out).all()
    assert len({sample.tobytes() for sample in out}) == 64
    again, *_ = passes(graph, x, np.ones_like(x), threads=3)
    assert again.tobytes() == out.tobytes()
    other, *_ = passes(graph_of((9, 7, 5), Dropout(0.3, seed=1)), x, np.ones_like(x))
    assert abs(((other == 0) & (out == 0)).mean() - 0.09) < 0.01


def test_dropout_does_nothing_at_inference():
    graph = graph_of((1, 1, 6), Linear(5), Dropout(0.5), Linear(3))
    plain = graph_of((1, 1, 6), Linear(5), Linear(3))
    x = np.random.default_rng(0).standard_normal((4, 1, 1, 6), np.float32)
    networks = [Network(each, seed=1) for each in (graph, plain)]
    networks[1].load(networks[0].export())
    first, second = (Inference(each, 4, threads=1).run(x) for each in networks)
    assert (first == second).all()


def graph_of(shape, *layers):
    graph = Graph(shape)
    graph.add(*layers)
    return graph


@pytest.mark.parametrize(
    ("shape", "layer", "message"),
    [
        ((4, 4, 2), MaxPool(5), "window of 5 does not fit into 4 pixels"),
        ((4, 4, 2), MaxPool(2, padding=2), "0 to half the window"),
        ((4, 4, 2), Dropout(1.0), "dropout rate is 1.0"),
        ((4, 4, 2), LocalResponseNorm(size=0), "size 0"),
        ((4, 4, 2), Add(), "reads 1 inputs; expected 2 to 2"),
    ],
)
def test_what_does_not_fit_is_refused(shape, layer, message):
    with pytest.raises(CnncliError, match=message):
        graph_of(shape, layer)


def test_branches_that_do_not_fit_are_refused():
    graph = graph_of((4, 4, 2), Conv(3, 3))
    for layer, message in (
        (Add(), "a sum of"),
        (Concat(), "do not fit"),
        (ScaleChannels(), "expected 3 factors"),
    ):
        with pytest.raises(CnncliError, match=message):
            graph.add(layer, inputs=("conv1", "input"))
    with pytest.raises(CnncliError, match="there is no layer 'conv9'"):
        graph.add(Relu(), inputs="conv9")
    with pytest.raises(CnncliError, match="two layers are named"):
        graph.add(Relu(), name="conv1")
