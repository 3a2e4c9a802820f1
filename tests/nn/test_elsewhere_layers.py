"""Layers of networks from elsewhere: against NumPy and SciPy in float64, forward and backward."""

import numpy as np
import pytest
from harness import check
from scipy import special

from cnncli.checked import Fields, MalformedError
from cnncli.errors import CnncliError
from cnncli.nn import Conv, Graph, Inference, Network
from cnncli.nn.exchange import FROM_ELSEWHERE, as_dict, from_dict
from cnncli.nn.layers.arithmetic import (
    Absolute,
    Affine,
    Clamp,
    Constant,
    Divide,
    Elu,
    ErrorFunction,
    Exponential,
    HardSigmoid,
    Logarithm,
    Maximum,
    Minimum,
    Multiply,
    Power,
    Softplus,
    SquareRoot,
    Subtract,
)
from cnncli.nn.layers.elsewhere import LAYERS
from cnncli.nn.layers.resize import Resize
from cnncli.nn.layers.views import Take, View

SHAPE = (4, 3, 5)
FUNCTIONS = {
    "absolute": (Absolute(), np.abs),
    "clamp": (Clamp(-0.6, 0.8), lambda x: np.clip(x, -0.6, 0.8)),
    "clamp below": (Clamp(low=0.1), lambda x: np.maximum(x, 0.1)),
    "elu": (Elu(0.7), lambda x: np.where(x > 0, x, 0.7 * np.expm1(x))),
    "error": (ErrorFunction(), special.erf),
    "exponential": (Exponential(), np.exp),
    "hard sigmoid": (HardSigmoid(0.3, 0.4), lambda x: np.clip(0.3 * x + 0.4, 0, 1)),
    "softplus": (Softplus(), lambda x: np.logaddexp(0, x)),
    "square": (Power(2.0), lambda x: x**2),
    "cube": (Power(3.0), lambda x: x**3),
}


@pytest.mark.parametrize("channels", [1, 5, 16, 35])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, channels):
    layer, reference = FUNCTIONS[name]
    check(layer, (2, 3, channels), lambda arrays: reference(arrays["x"]))


@pytest.mark.parametrize(
    ("layer", "reference"),
    [(Logarithm(), np.log), (SquareRoot(), np.sqrt), (Power(-1.5), lambda x: x**-1.5)],
    ids=["logarithm", "root", "power"],
)
def test_functions_of_positive_numbers(layer, reference):
    graph = Graph(SHAPE)
    graph.add(HardSigmoid(0.1, 0.6), Affine(), layer)  # from 0.1 to 1 or so
    check(graph, SHAPE, lambda arrays: reference(np.clip(0.1 * arrays["x"] + 0.6, 0, 1)))


def values_of(layer, x):
    graph = Graph((1, 1, len(x)))
    graph.add(layer)
    return Inference(Network(graph), 1).run(np.asarray(x, np.float32).reshape(1, 1, 1, -1))[0]


def test_edges_of_functions():
    nothing, all_ = np.float32(0), np.float32(np.inf)
    x = np.array([-1, 0, 1e-42, 1, all_, np.nan], np.float32)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(values_of(Logarithm(), x), np.log(x.astype(np.float64)), rtol=1e-6)
        np.testing.assert_allclose(values_of(Power(0.5), x[[1, 3, 4]]), [0, 1, np.inf])
    assert np.isnan(values_of(Power(0.5), [-1.0])[0])
    assert values_of(Clamp(2, 1), [nothing])[0] == 1  # the upper limit, as NumPy and ONNX have it
    assert np.isnan(values_of(Clamp(0, 1), [np.nan])[0])
    small = np.linspace(-0.5, 0.5, 101)
    np.testing.assert_allclose(values_of(ErrorFunction(), small), special.erf(small), rtol=3e-6, atol=1e-12)


TWO = {
    "multiply": (Multiply(), np.multiply),
    "subtract": (Subtract(), np.subtract),
    "divide": (Divide(), np.divide),
    "maximum": (Maximum(), np.maximum),
    "minimum": (Minimum(), np.minimum),
}


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("channels", [3, 16, 21])
def test_two_tensors(name, channels):
    layer, reference = TWO[name]
    graph = Graph((2, 3, channels))
    graph.add(Exponential(), name="other")
    graph.add(layer, inputs=["input", "other"])
    check(graph, (2, 3, channels), lambda arrays: reference(arrays["x"], np.exp(arrays["x"])))


def test_equal_ones_share_the_gradient():
    graph = Graph((1, 1, 3))
    graph.add(Maximum(), inputs=["input", "input"])
    check(graph, (1, 1, 3), lambda arrays: arrays["x"])


def test_two_of_different_shapes_are_refused():
    graph = Graph(SHAPE)
    graph.add(Take(rows=(0, 1)), name="less")
    with pytest.raises(CnncliError, match="expected two of the same shape"):
        graph.add(Subtract(), inputs=["input", "less"])


def strided(view, x):
    flat = x.reshape(len(x), -1)
    places = np.full((), view.start)
    for count, step in (*view.rows, *view.columns, *view.channels):
        places = places[..., None] + step * np.arange(count)
    return flat[:, places]


VIEWS = {
    "transposed": View(0, ((3, 5),), ((5, 1),), ((4, 15),)),
    "backwards": View(45 + 10 + 4, ((4, -15),), ((2, -10),), ((5, -1),)),
    "every other channel": View(1, ((4, 15),), ((3, 5),), ((2, 2),)),
    "repeated": View(0, ((4, 15),), ((3, 5), (2, 0)), ((5, 1), (2, 0))),
    "one row": View(7, (), ((5, 1),), ()),
    "in parts": View(0, ((2, 30),), ((3, 5),), ((5, 1), (2, 15))),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views(name):
    check(VIEWS[name], SHAPE, lambda arrays: strided(VIEWS[name], arrays["x"]))


def test_a_view_beside_padding():
    """Its input has zeros around it, which do not count."""
    graph = Graph((4, 5, 3))
    graph.add(Affine(), name="start")
    graph.add(Conv(2, 3, padding=1), name="convolution")
    graph.add(View(0, ((5, 3),), ((4, 15),), ((3, 1),)), inputs="start", name="turned")
    graph.add(Take(channels=(0, 1)), name="two")
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 3)).astype(np.float32)
    graph.set_output("convolution", "other")
    found = Inference(Network(graph), 2, outputs=("main", "other")).run_all(x)["main"]
    np.testing.assert_array_equal(found, x.transpose(0, 2, 1, 3)[..., :2])


def test_views_beyond_the_input_are_refused():
    graph = Graph(SHAPE)
    with pytest.raises(CnncliError, match="reads the places 1 to 60"):
        graph.add(View(1, ((60, 1),), (), ()))
    with pytest.raises(CnncliError, match="reads the places -1 to 3"):
        graph.add(View(3, ((5, -1),), (), ()))
    with pytest.raises(CnncliError, match="rows 0 to 4 are taken of 4"):
        graph.add(Take(rows=(0, 4)))


@pytest.mark.parametrize("channels", [1, 16, 19])
def test_lines_that_are_taken(channels):
    rows, columns, some = (3, -1, 0, 0), (2, 1), tuple(range(channels))[::-1]

    def reference(arrays):
        x = np.pad(arrays["x"], ((0, 0), (0, 1), (0, 0), (0, 0)), constant_values=0.25)[:, rows]
        return x[:, :, columns][..., some]

    check(Take(rows, columns, some, 0.25), (4, 3, channels), reference)


def test_a_constant_and_an_affine():
    graph = Graph(SHAPE)
    graph.add(Constant(2, 3, 5), name="constant")
    graph.add(Affine(), name="affine", inputs="input")
    graph.add(Take(rows=(0, 2)), name="part")
    graph.add(Multiply(), inputs=["constant", "part"])
    random = np.random.default_rng(1)
    value, scale, shift = (random.standard_normal(n).astype(np.float32) for n in (30, 5, 5))
    states = {"constant.value": value, "affine.scale": scale, "affine.shift": shift}

    def reference(arrays):
        return value.reshape(2, 3, 5) * (arrays["x"] * scale + shift)[:, [0, 2]]

    network = Network(graph)
    network.load(states)
    x = random.standard_normal((3, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(Inference(network, 3).run(x), reference({"x": x}), rtol=1e-5, atol=1e-6)


def test_gradient_of_an_affine():
    check(Affine(), SHAPE, lambda arrays: arrays["x"])


@pytest.mark.parametrize("name", ["linear", "cubic"])
def test_resizing(name):
    layer = Resize(7, 2, -0.2, 0.6, 0.3, 1.7, name, -0.5)

    def weight(distance):
        t = abs(distance)
        if name == "linear":
            return max(1 - t, 0)
        return 1.5 * t**3 - 2.5 * t**2 + 1 if t <= 1 else -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2 if t < 2 else 0

    def along(pixels, start, step, count):
        table = np.zeros((count, pixels))
        for out in range(count):
            for tap in range(-4, pixels + 4):
                table[out, min(max(tap, 0), pixels - 1)] += weight(tap - start - out * step)
        return table

    rows, columns = along(4, -0.2, 0.6, 7), along(3, 0.3, 1.7, 2)
    check(layer, SHAPE, lambda arrays: np.einsum("rh,nhwc,kw->nrkc", rows, arrays["x"], columns))


def test_as_data_and_back():
    graph = Graph(SHAPE)
    for layer in (VIEWS["transposed"], Take((0, -1), fill=-2.5), Resize(3, 4, 0.5), Clamp(0.5), Power(2.5)):
        graph.add(layer)
    layout = as_dict(graph)
    again = from_dict(Fields(layout))
    assert as_dict(again) == layout
    assert [node.layer for node in again.nodes.values()] == [node.layer for node in graph.nodes.values()]
    assert tuple(sorted(LAYERS)) == FROM_ELSEWHERE


@pytest.mark.parametrize("rows", [[[0, 1]], [[2]], 3, [[1, 1 << 50]], [[1.5, 2]]])
def test_damaged_views_are_refused(rows):
    graph = Graph(SHAPE)
    graph.add(VIEWS["transposed"])
    layout = as_dict(graph)
    layout["layers"][0]["rows"] = rows
    with pytest.raises(MalformedError):
        from_dict(Fields(layout))
