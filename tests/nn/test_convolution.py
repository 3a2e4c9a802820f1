"""Convolution and fully connected layers against their definition."""

import numpy as np
import oracle
import pytest
from harness import check, passes

from cnncli.errors import CnncliError
from cnncli.nn import (
    Add,
    BatchNorm,
    Conv,
    Flatten,
    GlobalAvgPool,
    Graph,
    Inference,
    Linear,
    LocalResponseNorm,
    MaxPool,
    Network,
    Relu,
)
from cnncli.nn.algorithms import pairs
from cnncli.nn.graph import Shape
from cnncli.nn.layer import BLOCK, LANES, vector_parameter
from cnncli.nn.window import pair

# Height, width, channels in; channels out, kernel, and what else.
SHAPES = {
    "1 to 1": ((5, 4, 1), Conv(1, 3)),
    "3 to 7": ((6, 5, 3), Conv(7, 3, padding=1)),
    "7 to 8": ((6, 7, 7), Conv(8, 2)),
    "8 to 9": ((5, 5, 8), Conv(9, 3, padding=1)),
    "9 to 17": ((4, 5, 9), Conv(17, 3, padding="same")),
    "17 to 33": ((4, 4, 17), Conv(33, 3, padding=1)),
    "16 to 16": ((7, 8, 16), Conv(16, 3, padding=1, bias=False)),
    "one pixel": ((1, 1, 5), Conv(6, 1)),
    "one pixel, padded": ((1, 1, 1), Conv(1, 1, padding=1)),
    "one pixel, padded, 16": ((1, 1, 8), Conv(16, 1, padding=(0, 2))),
    "one pixel, which no output sees": ((1, 1, 3), Conv(4, 1, padding=1, stride=2)),
    "1x1": ((5, 6, 9), Conv(20, 1)),
    "5x5": ((9, 8, 3), Conv(6, 5, padding=2)),
    "stride 2": ((9, 8, 3), Conv(5, 3, stride=2, padding=1)),
    "stride 2, 16": ((8, 9, 16), Conv(16, 3, stride=2, padding=1)),
    "stride 2, 1x1": ((7, 8, 8), Conv(16, 1, stride=2)),
    "stride 3": ((10, 11, 2), Conv(9, 3, stride=3)),
    "stride 3, kernel 2": ((11, 10, 16), Conv(3, 2, stride=3, padding=1)),
    "stride (1, 2)": ((6, 9, 5), Conv(4, 3, stride=(1, 2), padding=1)),
    "stride above size": ((2, 2, 3), Conv(4, 1, stride=3)),
    "dilation 2": ((9, 8, 3), Conv(9, 3, dilation=2, padding=2)),
    "dilation, stride": ((10, 9, 4), Conv(8, 3, stride=2, dilation=(2, 3), padding=(1, 3))),
    "padding above kernel": ((4, 3, 2), Conv(3, 2, padding=4)),
    "padding above kernel, stride": ((4, 3, 2), Conv(3, 2, padding=4, stride=2)),
    "uneven padding": ((6, 5, 3), Conv(7, 3, padding=((0, 1), (2, 0)))),
    "uneven padding, stride": ((8, 9, 16), Conv(16, 3, stride=2, padding=((0, 1), (0, 1)))),
    "uneven padding, 5x5, stride": ((9, 8, 5), Conv(8, 5, stride=2, padding=((1, 2), (2, 1)))),
    "uneven padding above kernel": ((4, 3, 2), Conv(3, 2, padding=((0, 4), (3, 0)))),
    "uneven padding, depthwise, stride": (
        (7, 6, 17),
        Conv(17, 3, padding=((0, 1), (1, 0)), groups=17, stride=2),
    ),
    "uneven padding, tiles": ((7, 10, 16), Conv(32, 3, padding=((0, 2), (2, 1)))),
    "uneven padding, pairs": ((9, 8, 1), Conv(6, 5, padding=((1, 2), (0, 4)))),
    "uneven padding, one pixel": ((1, 1, 8), Conv(16, 1, padding=((0, 1), (0, 0)))),
    "2 groups": ((6, 5, 6), Conv(8, 3, padding=1, groups=2)),
    "2 groups of 16": ((5, 4, 32), Conv(32, 3, padding=1, groups=2)),
    "3 groups, stride": ((7, 7, 9), Conv(6, 3, padding=1, groups=3, stride=2)),
    "depthwise": ((6, 7, 9), Conv(9, 3, padding=1, groups=9)),
    "depthwise, stride": ((7, 6, 17), Conv(17, 3, padding=1, groups=17, stride=2)),
    "depthwise, whole vectors": ((9, 16, 32), Conv(32, 3, padding=1, groups=32)),
    "depthwise, 5x5": ((8, 9, 33), Conv(33, 5, padding=2, groups=33, bias=False)),
    "depthwise, 5x5, stride": ((6, 15, 18), Conv(18, 5, padding=2, groups=18, stride=2)),
    "depthwise, same, stride": ((5, 16, 48), Conv(48, 3, groups=48, stride=2, padding="same")),
    "depthwise, dilation": ((9, 10, 16), Conv(16, 3, padding=2, groups=16, dilation=2)),
    "depthwise, dilation, stride": (
        (9, 17, 3),
        Conv(3, (3, 4), padding=3, groups=3, stride=(2, 3), dilation=2),
    ),
    "depthwise, kernel below stride": ((7, 24, 17), Conv(17, (1, 2), groups=17, stride=3)),
    "depthwise, narrow images": ((5, 3, 20), Conv(20, 3, padding=1, groups=20)),
    "depthwise, one row": ((1, 9, 7), Conv(7, (1, 7), padding=(0, 3), groups=7)),
    "1-D in x": ((1, 19, 5), Conv(7, (1, 5), padding=(0, 2))),
    "1-D in y": ((19, 1, 5), Conv(7, (4, 1), stride=(2, 1))),
    "tiles": ((8, 8, 16), Conv(32, 3, padding=1)),
    "tiles cut off": ((7, 10, 9), Conv(16, 3, padding=1)),
    "tiles without padding": ((9, 6, 32), Conv(16, 3)),
    "tiles, wide padding": ((5, 6, 16), Conv(16, 3, padding=2)),
    "by kernel rows": ((9, 12, 6), Conv(16, 5)),
    "by kernel rows, stride": ((11, 10, 3), Conv(17, (4, 5), stride=(1, 2))),
    "by kernel rows, dilation": ((12, 8, 2), Conv(9, 5, dilation=(2, 1))),
    "by kernel rows, one column": ((10, 5, 1), Conv(12, 5)),
    "whole image": ((5, 4, 3), Conv(10, (5, 4))),
    "same": ((4, 7, 3), Conv(5, (2, 4), padding="same")),
    "same, stride": ((8, 7, 3), Conv(16, 3, stride=2, padding="same")),
    "same, stride and dilation": (
        (9, 10, 4),
        Conv(6, (3, 5), stride=(2, 3), dilation=(2, 1), padding="same"),
    ),
    "same, stride, depthwise": ((6, 9, 9), Conv(9, 5, stride=2, groups=9, padding="same")),
    "same, stride wider than the kernel": ((7, 5, 2), Conv(3, 1, stride=3, padding="same")),
    "pairs": ((9, 8, 1), Conv(6, 5, padding=2)),
    "pairs, as many as fit": ((6, 34, 1), Conv(8, 3, padding=1)),
    "pairs, odd width": ((7, 11, 1), Conv(3, 3)),
    "pairs, two columns": ((6, 4, 1), Conv(4, 3, bias=False)),
    "pairs, dilation": ((9, 12, 1), Conv(3, 3, dilation=(1, 2))),
    "pairs, stride": ((10, 9, 1), Conv(4, (3, 4), stride=(2, 1), dilation=(2, 1))),
}


def reference(layer):
    def compute(arrays):
        padding = layer.padding
        if padding == "same":
            settings = zip(*map(pair, (layer.kernel, layer.stride, layer.dilation)), strict=True)
            sizes = arrays["x"].shape[1:3]
            padding = [oracle.same_padding(n, *each) for n, each in zip(sizes, settings, strict=True)]
        return oracle.conv(
            arrays["x"],
            arrays["weight"],
            arrays.get("bias"),
            stride=pair(layer.stride),
            padding=pair(padding),
            dilation=pair(layer.dilation),
            groups=layer.groups,
        )

    return compute


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("samples", [1, 5])
def test_convolution(name, samples):
    shape, layer = SHAPES[name]
    check(layer, shape, reference(layer), samples=samples)


@pytest.mark.parametrize("name", [name for name in SHAPES if "depthwise" in name])
def test_channels_with_their_own_kernels_fill_the_lanes(name):
    shape, layer = SHAPES[name]
    (weight, *_) = layer.parameters([Shape(*shape)])
    assert (weight.groups, weight.rows) == (1, -(-shape[2] // BLOCK) * np.prod(pair(layer.kernel)))


@pytest.mark.parametrize("name", [name for name in SHAPES if name.startswith("pairs")])
def test_few_channels_of_gray_pictures_are_taken_in_pairs_of_pixels(name):
    shape, layer = SHAPES[name]
    takes = pairs.is_faster(Shape(*shape), layer.shape([Shape(*shape)]), pair(layer.stride))
    assert takes == (LANES // 8 < layer.out_channels <= LANES // 2)


def test_kernel_rows_are_spread_where_few_channels_come_in():
    shape, layer = SHAPES["by kernel rows"]
    assert layer._scatters(Shape(*shape), layer.shape([Shape(*shape)]))
    wide = Shape(40, 40, 64)
    assert not layer._scatters(wide, layer.shape([wide]))


@pytest.mark.parametrize("samples", [21, 72, 128])
@pytest.mark.parametrize(
    ("shape", "layer"),
    [
        ((9, 12, 6), Conv(16, 5)),
        ((12, 7, 3), Conv(100, 5)),  # more than one sum for a line
        ((13, 9, 3), Conv(6, (5, 4), stride=(2, 1))),
        ((22, 10, 2), Conv(9, 5, stride=(2, 1), dilation=(3, 1))),
        ((24, 10, 3), Conv(9, 5, stride=(4, 1), dilation=(2, 1))),  # lines of dx that no kernel row reaches
    ],
)
def test_all_kernel_rows_that_reach_a_line_are_spread_at_once(shape, layer, samples):
    graph = Graph(shape)
    graph.add(layer, name="layer")
    y = layer.shape([Shape(*shape)])
    assert layer._scatters(Shape(*shape), y)
    random = np.random.default_rng(samples)
    x, dout = (random.standard_normal((samples, *each)).astype(np.float32) for each in (shape, tuple(y)[:3]))
    weight = random.standard_normal((layer.out_channels, shape[2], *pair(layer.kernel))).astype(np.float32)
    arrays = {"layer.weight": weight, "layer.bias": np.zeros(layer.out_channels, np.float32)}
    runs = [passes(graph, x, dout, threads=threads, arrays=arrays)[1] for threads in (1, 3)]
    assert runs[0].tobytes() == runs[1].tobytes()
    expected = np.zeros(x.shape)
    (stride_y, stride_x), (apart_y, apart_x) = pair(layer.stride), pair(layer.dilation)
    for i, j in np.ndindex(pair(layer.kernel)):
        rows = slice(i * apart_y, i * apart_y + (y.height - 1) * stride_y + 1, stride_y)
        columns = slice(j * apart_x, j * apart_x + (y.width - 1) * stride_x + 1, stride_x)
        expected[:, rows, columns] += dout.astype(np.float64) @ weight[:, :, i, j].astype(np.float64)
    np.testing.assert_allclose(runs[0], expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("outputs", [1, 10, 16, 17, 40])
def test_fully_connected_with_relu(outputs):
    graph = Graph((1, 1, 700))  # more than one block of a sum
    graph.add(Linear(outputs), name="layer")
    graph.add(Relu())
    check(
        graph,
        (1, 1, 700),
        lambda arrays: np.maximum(arrays["x"].reshape(-1, 700) @ arrays["weight"].T + arrays["bias"], 0),
        samples=19,
        tolerance=1e-4,
    )


def _sums(inputs, outputs, samples):
    """Outputs of a fully connected layer with positive numbers, whose rounding adds up, and exact ones."""
    graph = Graph((1, 1, inputs))
    graph.add(Linear(outputs, bias=False), name="layer")
    network = Network(graph)
    random = np.random.default_rng(0)
    weight = random.random((outputs, inputs), np.float32)
    network.load({"layer.weight": weight})
    x = random.random((samples, 1, 1, inputs), np.float32)
    exact = x.reshape(samples, -1).astype(np.float64) @ weight.T.astype(np.float64)
    return Inference(network, samples, threads=1).run(x), exact


@pytest.mark.parametrize("samples", [1, 33])
@pytest.mark.parametrize("outputs", [10, 33])
def test_a_long_sum_is_made_of_short_ones(samples, outputs):
    """One after the other, 36,777 products are off by 1e-5 of their sum; PyTorch's by 3e-7."""
    got, exact = _sums(36_777, outputs, samples)
    np.testing.assert_allclose(got, exact, rtol=1.2e-6)


@pytest.mark.parametrize("inputs", [1, 3, 255, 257, 700])
@pytest.mark.parametrize("outputs", [1, 8 * BLOCK, 8 * BLOCK + 1, 9 * BLOCK + LANES + 1, 17 * BLOCK - 1])
def test_a_single_row_of_any_length_and_number_of_outputs(inputs, outputs):
    got, exact = _sums(inputs, outputs, 1)
    np.testing.assert_allclose(got, exact, rtol=1.2e-6)


def test_gradients_over_many_pixels_are_made_of_short_sums():
    """The bias of a convolution, and a mean, of 90,000 positive values."""
    graph = Graph((300, 300, 1))
    graph.add(Conv(3, 1), name="layer")
    x = np.random.default_rng(0).random((1, 300, 300, 1), np.float32)
    dout = np.random.default_rng(1).random((1, 300, 300, 3), np.float32)
    _, _, gradients, _ = passes(graph, x, dout)
    np.testing.assert_allclose(gradients["layer.bias"], dout.sum((0, 1, 2), dtype=np.float64), rtol=1.2e-6)
    wanted = np.einsum("nijc,nijk->kc", x.astype(np.float64), dout.astype(np.float64))
    np.testing.assert_allclose(gradients["layer.weight"].reshape(3, 1), wanted, rtol=1.2e-6)
    graph = Graph((300, 300, 3))
    graph.add(GlobalAvgPool())
    out, *_ = passes(graph, dout, np.ones((1, 1, 1, 3)))
    np.testing.assert_allclose(out.reshape(1, 3), dout.mean((1, 2), dtype=np.float64), rtol=1.2e-6)


def test_a_flattened_picture_keeps_pytorchs_order():
    graph = Graph((3, 4, 5))
    graph.add(Flatten())
    graph.add(Linear(6), name="layer")

    def compute(arrays):
        flat = arrays["x"].transpose(0, 3, 1, 2).reshape(len(arrays["x"]), -1)
        return flat @ arrays["weight"].T + arrays["bias"]

    check(graph, (3, 4, 5), compute, samples=5)


def test_flatten_behind_a_convolution_with_padding():
    graph = Graph((4, 4, 3))
    graph.add(Conv(5, 3, padding=1), name="layer")
    graph.add(Relu(), Flatten())
    order = reference(Conv(5, 3, padding=1))
    check(graph, (4, 4, 3), lambda arrays: np.maximum(order(arrays), 0), samples=4)


def in_pytorchs_order(x):
    """A flattened image as one pixel."""
    return x.transpose(0, 3, 1, 2).reshape(len(x), 1, 1, -1)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 1, 9), (2, 2, 1)])
def test_a_convolution_of_a_flattened_picture(shape, kernel):
    """With a kernel of more than one pixel, the list of features needs a halo of zeros."""
    graph = Graph(shape)
    graph.add(Flatten())
    graph.add(Conv(7, kernel, padding=kernel // 2), name="layer")
    graph.add(Relu(), Linear(3))
    name = graph.output

    def compute(arrays):
        y = oracle.conv(
            in_pytorchs_order(arrays["x"]), arrays["weight"], arrays["bias"], padding=(kernel // 2,) * 2
        )
        y = np.maximum(y, 0).reshape(len(y), -1)
        return y @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"]

    check(graph, shape, compute, samples=5)


def test_a_picture_with_a_halo_becomes_a_list_with_one():
    """The image is read by a convolution with padding as well, and the list by another."""
    graph = Graph((3, 4, 2))
    start = graph.add(Conv(2, 3, padding=1), name="layer")
    graph.add(Conv(5, 3, padding=1), name="beside", inputs=start)
    beside = graph.add(Flatten(), Linear(4), name="one")
    flat = graph.add(Flatten(), inputs=start)
    graph.add(Conv(4, 3, padding=1), name="two", inputs=flat)
    graph.add(Add(), inputs=(beside, graph.output))

    def compute(arrays):
        def conv(x, name):
            return oracle.conv(x, arrays[f"{name}weight"], arrays[f"{name}bias"], padding=(1, 1))

        start = conv(arrays["x"], "")
        features = in_pytorchs_order(conv(start, "beside.")).reshape(len(start), -1)
        one = features @ arrays["one.weight"].T + arrays["one.bias"]
        return one.reshape(len(one), 1, 1, -1) + conv(in_pytorchs_order(start), "two.")

    check(graph, (3, 4, 2), compute, samples=5)


@pytest.mark.parametrize("between", [[], [MaxPool(1)], [GlobalAvgPool()], [Relu()]])
def test_a_norm_of_a_flattened_picture_keeps_pytorchs_order(between):
    graph = Graph((2, 3, 4))
    graph.add(Flatten(), *between)
    graph.add(BatchNorm(), name="layer")
    graph.add(Linear(5))
    name = graph.output

    def compute(arrays):
        x = in_pytorchs_order(arrays["x"])
        x = np.maximum(x, 0) if between == [Relu()] else x
        y = oracle.batch_norm(x, arrays["weight"], arrays["bias"]).reshape(len(x), -1)
        return y @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"]

    check(graph, (2, 3, 4), compute, samples=7)


def test_running_statistics_of_a_flattened_picture_keep_pytorchs_order():
    graph = Graph((2, 2, 3))
    graph.add(Flatten(), BatchNorm())
    network = Network(graph)
    given = {name: np.arange(12, dtype=np.float32) for name in network.export()}
    network.load(given)
    order = [(pixel * 3 + channel) for channel in range(3) for pixel in range(4)]
    for each in (network.parameters, network.states):
        for parameter in each.values():
            assert parameter.offsets().tolist() == vector_parameter("", 12).offsets()[order].tolist()
    for name, values in network.export().items():
        assert np.array_equal(values, given[name])


@pytest.mark.parametrize(
    "layers",
    [[LocalResponseNorm()], [Conv(4, 1, groups=2)], [MaxPool(2, stride=1, padding=1)]],
)
def test_where_the_order_of_features_counts_a_flattened_picture_is_refused(layers):
    graph = Graph((2, 2, 4))
    graph.add(Flatten())
    with pytest.raises(CnncliError, match="got flattened feature maps of 2x2x4"):
        graph.add(*layers)


def test_relu_and_pooling_share_a_pass():
    graph = Graph((6, 6, 3))
    graph.add(Conv(9, 3, padding=1), name="layer")
    graph.add(Relu(), MaxPool(2))
    order = reference(Conv(9, 3, padding=1))

    def compute(arrays):
        y = np.maximum(order(arrays), 0)
        return y.reshape(len(y), 3, 2, 3, 2, 9).max((2, 4))

    check(graph, (6, 6, 3), compute, samples=4)


def test_weights_come_and_go_as_pytorch_has_them():
    network = Network(graph_of(Conv(17, 3)), seed=1)
    arrays = network.export()
    assert arrays["conv1.weight"].shape == (17, 2, 3, 3)
    other = Network(graph_of(Conv(17, 3)), seed=2)
    other.load(arrays)
    assert other.weights.tobytes() == network.weights.tobytes()


def graph_of(*layers):
    graph = Graph((8, 8, 2))
    graph.add(*layers)
    return graph


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Conv(4, 9), "kernel of 9 does not fit into 8 pixels"),
        (Conv(4, 3, groups=3), "do not divide into 3 groups"),
        (Conv(4, 2, padding="full"), "padding is 'full'; expected numbers, or 'same'"),
        (Conv(0, 2), "size below 1"),
        (Linear(4), "expected a vector of features"),
    ],
)
def test_what_does_not_fit_is_refused(layer, message):
    with pytest.raises(CnncliError, match=message):
        graph_of(layer)


@pytest.mark.parametrize(
    ("kernel", "dilation", "padding"),
    [(3, 1, (1, 1)), ((1, 7), 1, (0, 3)), ((5, 3), (1, 2), (2, 2)), ((3, 5), (4, 3), (4, 6))],
)
def test_same_keeps_the_size(kernel, dilation, padding):
    """By half of what the kernel reaches, on each side."""
    layer = Conv(4, kernel, padding="same", dilation=dilation)
    assert layer.paddings(Shape(9, 13, 2)) == tuple((each, each) for each in padding)
    graph = Graph((9, 13, 2))
    graph.add(layer)
    assert graph.output_shape[:3] == (9, 13, 4)


@pytest.mark.parametrize(
    ("size", "rows"), [(224, (0, 1)), (225, (1, 1)), (1, (1, 1)), (2, (0, 1)), (112, (0, 1)), (113, (1, 1))]
)
def test_zeros_of_same_depend_on_the_size(size, rows):
    """As TensorFlow's SAME for the stem of EfficientNet-Lite, 3x3 with stride 2."""
    layer = Conv(4, 3, stride=2, padding="same")
    assert layer.paddings(Shape(size, size, 3)) == (rows, rows)
    assert layer.shape([Shape(size, size, 3)])[:2] == (-(-size // 2),) * 2
