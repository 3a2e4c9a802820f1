"""Gradients in inference mode against central differences of the same network by definition, in float64."""

import numpy as np
import oracle
import pytest

from cnncli.errors import CnncliError
from cnncli.nn import (
    INPUT,
    AdaptiveAvgPool,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dropout,
    Flatten,
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
)
from cnncli.nn.gradient import Gradient, of_class, of_cross_entropy, of_unit
from cnncli.nn.layers.text import ConvOverTime, Embedding
from cnncli.nn.window import pair

# The oracle: a graph, layer by layer


def computed(layer, arrays, *inputs):
    """A layer in inference mode, by definition; ``arrays`` are its parameters and buffers."""
    x = inputs[0]
    name = type(layer).__name__
    if name in oracle.ACTIVATIONS:
        return oracle.ACTIVATIONS[name](x)
    match layer:
        case Conv():
            geometry = {key: pair(getattr(layer, key)) for key in ("stride", "padding", "dilation")}
            return oracle.conv(x, arrays["weight"], arrays.get("bias"), groups=layer.groups, **geometry)
        case Linear():
            maps = np.moveaxis(x, 3, 1).reshape(len(x), -1)
            return (maps @ arrays["weight"].T + arrays["bias"])[:, None, None]
        case BatchNorm():
            scale = arrays["weight"] / np.sqrt(arrays["running_var"] + layer.epsilon)
            return (x - arrays["running_mean"]) * scale + arrays["bias"]
        case MaxPool() | AvgPool():
            window, stride, padding = layer.size, layer.stride or layer.size, layer.padding
            sizes = {"window": pair(window), "stride": pair(stride), "padding": pair(padding)}
            average = isinstance(layer, AvgPool)
            return oracle.pool(x, **sizes, ceil=False, average=average, count_padding=average)
        case GlobalAvgPool():
            return x.mean((1, 2), keepdims=True)
        case AdaptiveAvgPool():  # of halves
            h, w = x.shape[1] // 2, x.shape[2] // 2
            return x.reshape(len(x), 2, h, 2, w, -1).mean((2, 4))
        case LocalResponseNorm():
            settings = {key: getattr(layer, key) for key in ("size", "alpha", "beta", "bias")}
            return oracle.response_norm(x, **settings)
        case PadChannels():
            return np.pad(x, ((0, 0),) * 3 + ((layer.before, layer.after),))
    plain = {
        "Flatten": lambda x: x,
        "Dropout": lambda x: x,
        "Add": lambda a, b: a + b,
        "Concat": lambda *each: np.concatenate(each, 3),
        "ScaleChannels": lambda x, scale: x * scale,
    }
    return plain[name](*inputs)


def values_of(network, x, shift=None):
    """Each node's output in float64, with what ``shift`` has for a node added to it."""
    arrays, shift, values = network.export(), shift or {}, {}

    def put(name, value):
        values[name] = value + shift.get(name, 0)

    put(INPUT, x.astype(np.float64))
    for node in network.graph.nodes.values():
        prefix = f"{node.name}."
        own = {n.removeprefix(prefix): a.astype(float) for n, a in arrays.items() if n.startswith(prefix)}
        put(node.name, computed(node.layer, own, *(values[each] for each in node.inputs)))
    return values


def differences(network, x, dout, name, direction):
    """Central difference of the sum of ``dout`` times the output, along a direction of a node's output."""

    def scalar(arrays):
        out = values_of(network, x, {name: arrays["shift"]})[network.graph.output]
        return float((out.reshape(dout.shape) * dout).sum())

    return oracle.slope(scalar, {"shift": np.zeros(direction.shape)}, "shift", direction)


def everything():
    """Every kind of layer, with batch norms that can be folded into a convolution, and some that cannot."""
    graph = Graph((12, 10, 3))
    add = graph.add
    add(Conv(8, 3, padding=1), BatchNorm(), Relu(), LocalResponseNorm(alpha=0.5), MaxPool(2))
    skip = graph.output
    add(Conv(16, 3, padding=1, bias=False), BatchNorm(), Relu())
    add(Conv(16, 3, padding=1, groups=16), BatchNorm(), Relu6())
    maps = graph.output
    add(GlobalAvgPool(), Linear(4), Silu(), Linear(16), Sigmoid())
    add(ScaleChannels(), inputs=(maps, graph.output))
    main = graph.output
    short = add(PadChannels(3, 5), inputs=skip)
    block = add(Add(), Relu(), inputs=(main, short))
    left = add(Conv(5, 1), Tanh(), inputs=block)
    right = add(AvgPool(3, 1, 1), Gelu(), inputs=block)
    norm = add(BatchNorm(), inputs=block)
    add(Concat(), BatchNorm(), Dropout(0.5), inputs=(left, right, norm))
    add(Conv(6, 3, stride=(2, 1), padding=2, dilation=2), LeakyRelu(), Relu(), MaxPool(3, 1, 1))
    add(AdaptiveAvgPool(2), inputs=add(Conv(6, 1), Conv(6, 2)))
    add(Flatten(), Linear(9), BatchNorm(), Relu(), Dropout(0.3), Linear(4), name="head")
    return graph


def network_of(graph, seed=3):
    """With running statistics that are not those of a start."""
    network = Network(graph, seed=seed)
    random = np.random.default_rng(seed)
    arrays = network.export()
    for name, value in arrays.items():
        if name.endswith(("running_var", "bias")) or (name.startswith("batchnorm") and "weight" in name):
            arrays[name] = random.uniform(0.5, 1.5, value.shape).astype(np.float32)
        elif name.endswith("running_mean"):
            arrays[name] = random.normal(0, 0.5, value.shape).astype(np.float32)
    network.load(arrays)
    return network


@pytest.fixture(scope="module")
def network():
    return network_of(everything())


@pytest.fixture(scope="module")
def images(network):
    return np.random.default_rng(0).standard_normal((3, *network.graph.input_shape[:3]), np.float32)


@pytest.fixture(scope="module")
def dout():
    return np.random.default_rng(1).standard_normal((3, 4), np.float32)


def test_the_outputs_are_those_by_definition(network, images, dout):
    flow = Gradient(network, 3, keep=list(network.graph.nodes)).run(images, lambda _: dout)
    wanted = values_of(network, images)
    for name, found in flow.activations.items():
        np.testing.assert_allclose(found.ravel(), wanted[name].ravel(), rtol=2e-4, atol=2e-5, err_msg=name)
    np.testing.assert_allclose(flow.outputs, Inference(network, 3).run(images), rtol=1e-4, atol=1e-5)


def test_gradients_are_central_differences(network, images, dout):
    """With respect to the input and to every node's output, asked for alone and together.

    Values of exactly 0 stay as they are: a pooling after a ReLU may have several maxima of 0.
    """
    names = [INPUT, *network.graph.nodes]
    together = Gradient(network, 3, wrt=names).run(images, lambda _: dout).gradients
    random = np.random.default_rng(2)
    for name in names:
        gradient = Gradient(network, 3, wrt=(name,)).run(images, lambda _: dout).gradients[name]
        size = np.linalg.norm(gradient)
        assert size > 0
        assert np.linalg.norm(gradient - together[name]) <= 1e-5 * size, name
        value = values_of(network, images)[name]
        shape = value.shape
        for _ in range(3):
            direction = random.standard_normal(shape) * (value != 0)
            direction /= np.linalg.norm(direction)
            wanted = differences(network, images, dout, name, direction)
            got = float((gradient.reshape(shape).astype(np.float64) * direction).sum())
            assert abs(got - wanted) <= 1e-5 * size, (name, got, wanted)


def test_a_layer_is_differentiated_as_the_output_is(network, images):
    """A node before the end, with activations that only other nodes need; what follows it has no gradient."""
    name = "relu3"
    gradient = Gradient(network, 3, of=name, wrt=(INPUT, "conv3", "head"), keep=("head",))
    flow = gradient.run(images, of_unit(2, (1, 3)))
    direction = np.random.default_rng(3).standard_normal(images.shape)

    def scalar(arrays):
        return float(values_of(network, arrays["x"])[name][:, 1, 3, 2].sum())

    wanted = oracle.slope(scalar, {"x": images.astype(np.float64)}, "x", direction)
    assert (flow.gradients[INPUT] * direction).sum() == pytest.approx(wanted, rel=1e-3)
    assert flow.outputs.shape == (3, 6, 5, 16)
    assert not flow.gradients["head"].any()
    np.testing.assert_allclose(
        flow.activations["head"].reshape(3, -1), Inference(network, 3).run(images), rtol=1e-4, atol=1e-5
    )


def test_what_is_differentiated(network, images):
    """Classes, units and the cross-entropy are sums of a function of the outputs, by central differences."""
    labels = np.array([1, 0, 3])

    def loss(out):
        return float((np.log(np.exp(out).sum(1)) - out[[0, 1, 2], labels]).sum())

    cases = [
        (of_class(2), lambda out: out[:, 2].sum()),
        (of_class(labels), lambda out: out[[0, 1, 2], labels].sum()),
        (of_class(), lambda out: out.max(1).sum()),
        (of_unit(1), lambda out: out[:, 1].sum()),
        (of_cross_entropy(labels), loss),
    ]
    outputs = np.random.default_rng(4).standard_normal((3, 4))
    for start, scalar in cases:
        given = start(outputs.astype(np.float32))
        assert given.dtype == np.float32
        for place in range(outputs.size):
            direction = np.eye(1, outputs.size, place).reshape(outputs.shape)
            wanted = oracle.slope(lambda a, f=scalar: float(f(a["out"])), {"out": outputs}, "out", direction)
            assert given.ravel()[place] == pytest.approx(wanted, abs=1e-6)
    maps = of_unit(1)(np.zeros((2, 3, 5, 4), np.float32))
    assert maps[..., 1] == pytest.approx(1 / 15)
    assert maps.sum() == pytest.approx(2)


def test_threads_batches_and_repetitions_change_no_bit(network, images, dout):
    one = Gradient(network, 3, threads=1)
    first = one.run(images, lambda _: dout).gradients[INPUT]
    other = np.flip(images).copy()
    two = Gradient(network, 3, threads=2)
    for gradient in (one, two):
        gradient.run(other[:2], lambda _: dout[:2])
        assert gradient.run(images, lambda _: dout).gradients[INPUT].tobytes() == first.tobytes()
    part = one.run(images[:2], lambda _: dout[:2]).gradients[INPUT]
    assert part.tobytes() == first[:2].tobytes()


def test_threads_share_the_work_on_one_image():
    graph = Graph((64, 64, 3))
    graph.add(Conv(32, 3, padding=1), BatchNorm(), Relu(), Conv(32, 3, padding=1), Relu(), MaxPool(2))
    graph.add(Conv(32, 3, stride=2, padding=1), Relu(), GlobalAvgPool(), Linear(3))
    network = network_of(graph)
    image = np.random.default_rng(0).standard_normal((1, 64, 64, 3), np.float32)
    found = [Gradient(network, 1, threads=n).run(image, of_class(1)).gradients[INPUT] for n in (1, 2, 3)]
    assert found[0].any()
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-4, atol=1e-7)


def test_other_weights_are_loaded(network, images):
    graph = everything()
    changing = network_of(graph, seed=9)
    gradient = Gradient(changing, 3)
    changing.load(network.export())
    gradient.refresh()
    found = gradient.run(images, of_class(0)).gradients[INPUT]
    assert found.tobytes() == Gradient(network, 3).run(images, of_class(0)).gradients[INPUT].tobytes()


@pytest.mark.parametrize("relus", [Relu, Relu6])
def test_guided_backpropagation_holds_back_what_is_negative(relus):
    """By definition, ReLU by ReLU: one that is fused, one before a pooling, one that stands by itself."""
    graph = Graph((6, 6, 2))
    graph.add(Conv(8, 3, padding=1), relus(), MaxPool(2), relus(), Flatten(), Linear(6), relus(), Linear(3))
    network = Network(graph, seed=1)
    x = 3 * np.random.default_rng(0).standard_normal((2, 6, 6, 2)).astype(np.float32)
    names = list(network.graph.nodes)
    plain = Gradient(network, 2, wrt=[INPUT, *names], keep=names)
    slope = np.eye(3, dtype=np.float32)[[1, 1]].reshape(2, 1, 1, 3)
    for name in reversed(names):
        source = network.graph.nodes[name].inputs[0]
        wrt = Gradient(network, 2, of=name, wrt=(source,))
        if isinstance(network.graph.nodes[name].layer, Relu):
            slope = np.maximum(slope, 0)
        slope = wrt.run(x, lambda out, given=slope: given.reshape(out.shape)).gradients[source]
    found = Gradient(network, 2, guided=True).run(x, of_class(1)).gradients[INPUT]
    np.testing.assert_allclose(found, slope, rtol=1e-4, atol=1e-6)
    assert np.abs(found - plain.run(x, of_class(1)).gradients[INPUT]).max() > 0.01


def test_word_vectors_of_texts_have_a_gradient():
    graph = Graph((1, 9, 1))
    words = graph.add(Embedding(20, 6))
    graph.add(ConvOverTime(5, 3), inputs=(words, INPUT))
    graph.add(Linear(2))
    network = Network(graph, seed=2)
    text = np.array([[3, 7, 7, 12, 5, 0, 0, 0, 0]], np.float32).reshape(1, 1, 9, 1)
    flow = Gradient(network, 1, wrt=(INPUT, words), keep=(words,)).run(text, of_class(1))
    slope = flow.gradients[words][0, 0]
    assert slope[:5].any()
    assert not flow.gradients[INPUT].any()
    arrays = network.export()

    def logit(vectors):
        weight, bias = arrays["convovertime1.weight"], arrays["convovertime1.bias"]
        padded = np.pad(vectors[:5], ((2, 2), (0, 0)))
        maps = [np.tensordot(padded[at : at + 3].T, weight, ([0, 1], [1, 2])) for at in range(7)]
        return float(np.maximum(np.max(maps, 0) + bias, 0) @ arrays["linear1.weight"][1])

    vectors = flow.activations[words][0, 0].astype(np.float64)
    direction = np.random.default_rng(0).standard_normal(vectors.shape) * (np.arange(9) < 5)[:, None]
    wanted = oracle.slope(lambda a: logit(a["v"]), {"v": vectors}, "v", direction)
    assert (slope * direction).sum() == pytest.approx(wanted, rel=1e-3)


def test_what_is_not_there_is_refused(network, images):
    with pytest.raises(CnncliError, match="there is no layer 'conv77'; expected one of input, conv1"):
        Gradient(network, 3, wrt=("conv77",))
    gradient = Gradient(network, 3)
    with pytest.raises(CnncliError, match="class 4 of 4; expected 0 to 3"):
        gradient.run(images, of_class(4))
    with pytest.raises(CnncliError, match="unit 4 at row 0, column 0 of 1x1x4 values"):
        gradient.run(images, of_unit(4))
    with pytest.raises(CnncliError, match="expected 1 to 3 images"):
        gradient.run(np.zeros((4, 12, 10, 3), np.float32), of_class())
