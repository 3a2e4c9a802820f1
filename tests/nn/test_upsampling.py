"""Layers that enlarge: against plain loops in float64, and against PyTorch."""

import numpy as np
import pytest
from harness import check

from cnncli.checked import Fields
from cnncli.errors import CnncliError
from cnncli.models.fields import receptive_fields
from cnncli.nn import Add, Concat, Conv, ConvTranspose, Graph, Inference, MaxPool, Network, Relu, Upsample
from cnncli.nn.exchange import as_dict, from_dict

TRANSPOSED = {
    "2, stride 2": {"kernel": 2, "stride": 2},
    "3": {"kernel": 3},
    "3, stride 2, padded": {"kernel": 3, "stride": 2, "padding": 1},
    "4, stride 2, padded": {"kernel": 4, "stride": 2, "padding": 1},
    "2, stride 3": {"kernel": 2, "stride": 3},
    "(1, 3), stride (2, 1)": {"kernel": (1, 3), "stride": (2, 1), "padding": (0, 1)},
}


def two(value):
    return (value, value) if isinstance(value, int) else value


def lines(pixels, factor, position):
    """(line, weight) of the input lines that an output line is the mean of, half a pixel from the edge."""
    place = max(0.0, (position + 0.5) / factor - 0.5)
    below = int(place)
    return [(below, 1 - (place - below)), (min(below + 1, pixels - 1), place - below)]


def bilinear(x, rows, columns):
    """The definition, pixel by pixel."""
    n, height, width, channels = x.shape
    out = np.zeros((n, height * rows, width * columns, channels))
    for r in range(height * rows):
        for c in range(width * columns):
            for i, a in lines(height, rows, r):
                for j, b in lines(width, columns, c):
                    out[:, r, c] += a * b * x[:, i, j]
    return out


def transposed(x, weight, bias, *, kernel, stride=1, padding=0):
    """Each pixel adds its kernel."""
    (kh, kw), (sy, sx), (py, px) = two(kernel), two(stride), two(padding)
    n, height, width, _ = x.shape
    out = np.zeros((n, (height - 1) * sy + kh, (width - 1) * sx + kw, weight.shape[1]))
    for i in range(height):
        for j in range(width):
            each = np.einsum("nc,ckyx->nyxk", x[:, i, j], weight)
            out[:, i * sy : i * sy + kh, j * sx : j * sx + kw] += each
    return out[:, py : out.shape[1] - py, px : out.shape[2] - px] + bias


@pytest.mark.parametrize("channels", [1, 8, 16, 19, 35])
@pytest.mark.parametrize("factor", [1, 2, 3, (1, 4)])
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_upsampling(channels, factor, mode):
    rows, columns = two(factor)

    def reference(arrays):
        if mode == "bilinear":
            return bilinear(arrays["x"], rows, columns)
        return arrays["x"].repeat(rows, axis=1).repeat(columns, axis=2)

    check(Upsample(factor, mode), (3, 4, channels), reference)


@pytest.mark.parametrize("name", TRANSPOSED)
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (3, 5), (16, 32), (9, 33)])
def test_transposed_convolution(name, inputs, outputs):
    settings = TRANSPOSED[name]

    def reference(arrays):
        return transposed(arrays["x"], arrays["weight"], arrays["bias"], **settings)

    check(ConvTranspose(outputs, **settings), (3, 4, inputs), reference)


def test_without_a_bias():
    def reference(arrays):
        return transposed(arrays["x"], arrays["weight"], 0, kernel=3, stride=2)

    check(ConvTranspose(5, 3, 2, bias=False), (2, 3, 4), reference)


def network():
    """A small U-Net: each layer's output has two readers, and others with halos before and after it."""
    graph = Graph((8, 6, 3))
    skip = graph.add(Conv(5, 3, padding=1), Relu())
    deep = graph.add(MaxPool(2), Conv(7, 3, padding=1), Relu())
    up = graph.add(ConvTranspose(5, 2, 2))
    graph.add(Add(), inputs=(skip, up))
    both = graph.output
    graph.add(Upsample(2, "bilinear"), inputs=(deep,))
    graph.add(Concat(), inputs=(both, graph.output, up))
    graph.add(Conv(4, 3, padding=1), name="head")
    return graph


def theirs(torch, graph, arrays, x):
    """The same in PyTorch."""
    of = torch.nn.functional
    names = [name.removesuffix(".weight") for name in arrays if name.endswith(".weight")]
    first, second, up, head = ((arrays[f"{n}.weight"], arrays[f"{n}.bias"]) for n in names)
    skip = of.relu(of.conv2d(x, *first, padding=1))
    deep = of.relu(of.conv2d(of.max_pool2d(skip, 2), *second, padding=1))
    wide = of.conv_transpose2d(deep, *up, stride=2)
    smooth = of.interpolate(deep, scale_factor=2, mode="bilinear", align_corners=False)
    return of.conv2d(torch.cat([skip + wide, smooth, wide], 1), *head, padding=1)


def test_within_a_network_against_pytorch():
    torch = pytest.importorskip("torch")
    graph = network()

    def reference(arrays):
        x = torch.tensor(arrays["x"]).permute(0, 3, 1, 2)
        tensors = {name: torch.tensor(value) for name, value in arrays.items() if name != "x"}
        return theirs(torch, graph, tensors, x).permute(0, 2, 3, 1).numpy()

    check(graph, (8, 6, 3), reference)


def test_one_image_on_two_threads_has_the_same_bits():
    graph = Graph((64, 64, 8))
    graph.add(Conv(64, 3, padding=1), Upsample(2, "bilinear"), Relu(), Conv(32, 3, padding=1))
    made = Network(graph, seed=3)
    x = np.random.default_rng(0).standard_normal((1, 64, 64, 8)).astype(np.float32)
    one, two_threads = (Inference(made, 1, threads=threads).run(x) for threads in (1, 2))
    assert one.tobytes() == two_threads.tobytes()


def test_json_holds_their_settings():
    graph = network()
    again = from_dict(Fields(as_dict(graph)))
    assert [node.layer for node in again.nodes.values()] == [node.layer for node in graph.nodes.values()]


@pytest.mark.parametrize(
    "up",
    [
        Upsample(2),
        Upsample(2, "bilinear"),
        ConvTranspose(1, 2, 2),
        ConvTranspose(1, 3, 2),
        ConvTranspose(1, 4, 2, 1),
    ],
)
def test_receptive_fields_hold_what_an_output_depends_on(up):
    """Every pixel that changes an output lies in its field."""
    graph = Graph((16, 16, 1))
    graph.add(Conv(1, 3, stride=2, padding=1), up, Conv(1, 3, padding=1))
    made = Network(graph, seed=1)
    field = receptive_fields(graph)[graph.output][0]
    assert field.step == 1
    size = graph.output_shape.height
    impulses = np.zeros((16, 16, 16, 1), np.float32)
    impulses[np.arange(16), np.arange(16), :] = 1
    still = Inference(made, 1).run(np.zeros((1, 16, 16, 1), np.float32))
    moved = (np.abs(Inference(made, 16).run(impulses) - still).max(axis=(2, 3)) > 1e-7).T
    for row in range(2, size - 2):
        low, high = (each * 16 for each in field.span(row, 16))
        reached = np.flatnonzero(moved[row])
        assert low <= reached.min() + 0.5
        assert reached.max() + 0.5 <= high


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Upsample(0), "an upsampling by 0x0"),
        (Upsample(2, "cubic"), "an upsampling is 'cubic'"),
        (ConvTranspose(3, 0), "a size that is too small"),
        (ConvTranspose(3, 1, 1, 2), "leaves -1x-1 pixels"),
    ],
)
def test_wrong_settings(layer, words):
    with pytest.raises(CnncliError, match=words):
        Graph((3, 3, 2)).add(layer)
