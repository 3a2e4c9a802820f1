"""Exported models, run by ONNX Runtime: the same outputs for every layer, network, task and preprocessing."""

import json
from dataclasses import replace

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from cnncli.data.clips import Window  # noqa: E402
from cnncli.data.prepare import prepared  # noqa: E402
from cnncli.data.shipped import model_path  # noqa: E402
from cnncli.errors import CnncliError  # noqa: E402
from cnncli.images.picture import Picture  # noqa: E402
from cnncli.models.architecture import Architecture  # noqa: E402
from cnncli.models.catalog import MODELS  # noqa: E402
from cnncli.models.choice import architecture  # noqa: E402
from cnncli.models.grammar import parse  # noqa: E402
from cnncli.nn import (  # noqa: E402
    AdaptiveAvgPool,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
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
    Relu6,
    ScaleChannels,
    Sigmoid,
    Silu,
    Tanh,
    Upsample,
)
from cnncli.nn.exchange import as_dict  # noqa: E402
from cnncli.onnx.model import FIRST_OPSET, LAST_OPSET, difference, name_of, onnx_model  # noqa: E402
from cnncli.onnx.operators import OPERATORS  # noqa: E402
from cnncli.tasks.classification import Classification  # noqa: E402
from cnncli.tasks.detection import Detection  # noqa: E402
from cnncli.tasks.localization import Localization  # noqa: E402
from cnncli.tasks.preprocessing import Preprocessing  # noqa: E402
from cnncli.tasks.segmentation import Segmentation  # noqa: E402
from cnncli.tasks.text import TextClassification, TextInput  # noqa: E402
from cnncli.tasks.video import ClipInput, VideoClassification  # noqa: E402
from cnncli.training.checkpoint import Checkpoint, load_checkpoint  # noqa: E402

MOST = 5e-6  # of the largest output
SHAPE = (13, 10, 4)
LAYERS = {
    "convolution, uneven": (Conv(6, (3, 2), (2, 1), ((1, 0), (0, 2)), (1, 2), 2, bias=False),),
    "transposed": (ConvTranspose(5, (3, 2), (2, 1), (1, 0)),),
    "transposed without bias": (ConvTranspose(5, 2, 2, bias=False),),
    "nearest": (Upsample((2, 3)),),
    "bilinear": (Upsample((3, 2), "bilinear"),),
    "maximum": (MaxPool(3, 2, 1),),
    "maximum, ceil": (MaxPool(3, 2, ceil=True),),
    "maximum, ceil and padding": (MaxPool((2, 4), (3, 3), (1, 2), ceil=True),),
    "mean": (AvgPool(3, 2, 1),),
    "mean without padding": (AvgPool(3, 2, 1, count_padding=False),),
    "mean, ceil": (AvgPool(3, 2, 1, ceil=True),),
    "mean, ceil without padding": (AvgPool((2, 3), (3, 2), 1, ceil=True, count_padding=False),),
    "adaptive": (AdaptiveAvgPool((4, 3)),),
    "adaptive, even": (AdaptiveAvgPool((1, 5)),),
    "adaptive, larger": (AdaptiveAvgPool((14, 11)),),
    "odd response norm": (LocalResponseNorm(3, 0.7, 0.6, 2.0),),
    "even response norm": (LocalResponseNorm(4, 0.7, 0.6, 2.0),),
    "activations": (Gelu(), Silu(), Tanh(), LeakyRelu(0.2), Sigmoid(), Relu6()),
    "channels": (PadChannels(2, 3),),
    "flat": (Flatten(), Linear(9), BatchNorm(), Gelu(), Silu(), LeakyRelu(), Relu6(), Linear(3, bias=False)),
    "pooled": (GlobalAvgPool(), Linear(7), Tanh(), Linear(2)),
}


def checkpoint(graph, task=None, pictures=None, name="net"):
    """An untrained network as a checkpoint, with statistics that are not those of an untrained one."""
    network = Network(graph, seed=3)
    random = np.random.default_rng(0)
    arrays = {
        key: random.uniform(0.5, 2, value.shape).astype(np.float32) if "running" in key else value
        for key, value in network.export().items()
    }
    shape, outputs = graph.input_shape[:3], graph.output_shape.channels
    task = task or Classification(tuple(map(str, range(outputs))))
    pictures = pictures or Preprocessing(shape[:2], shape[2], (0.4,) * shape[2], (0.2,) * shape[2])
    return Checkpoint(arrays, task, pictures, Architecture(name, None, shape, outputs, as_dict(graph)))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("opset", [FIRST_OPSET, 17, LAST_OPSET])
def test_layers(name, opset):
    graph = Graph(SHAPE)
    graph.add(*LAYERS[name], Flatten())  # so that each position counts
    net = checkpoint(graph)
    assert difference(onnx_model(net, opset=opset), net) < MOST


def test_branches_of_maps_and_of_vectors():
    graph = Graph(SHAPE)
    stem = graph.add(Conv(6, 3, padding=1), name="stem")
    gate = graph.add(GlobalAvgPool(), Linear(6), Sigmoid(), name="gate")
    scaled = graph.add(ScaleChannels(), inputs=[stem, gate], name="scaled")
    graph.add(Add(), inputs=[scaled, stem], name="sum")
    graph.add(Concat(), inputs=["sum", stem], name="both")
    pooled = graph.add(GlobalAvgPool(), name="pooled")
    flat = graph.add(Flatten(), Linear(12), name="flat")
    graph.add(Add(), inputs=[pooled, flat], name="mixed")
    graph.add(Conv(5, 1), Flatten(), names=("last", "flatten"))
    net = checkpoint(graph)
    assert difference(onnx_model(net), net) < MOST


@pytest.mark.parametrize("seed", range(12))
def test_random_networks(seed):
    draw = pytest.importorskip("tests.nn.differential.draw")
    recipe = draw.draw(seed)
    net = checkpoint(parse(recipe.text, recipe.shape, recipe.classes, seed=seed))
    assert difference(onnx_model(net), net) < MOST


NARROW = {
    "alexnet": ":width=0.1",
    "vgg11": ":width=0.1",
    "vgg16-bn": ":width=0.1",
    "googlenet": ":width=0.25",
}


@pytest.mark.parametrize("name", ["lenet5", "resnet20", "seresnet20", "squeezenet1.1", "unet", *NARROW])
def test_networks_of_the_catalog(name):
    size = 64 if name in NARROW or "net1" in name else 32
    made = architecture(name + NARROW.get(name, ""), (size, size, 3), 5, of=MODELS[name].of)
    task = Segmentation(tuple("abcde")) if MODELS[name].of == "pixels" else Classification(tuple("abcde"))
    graph = made.graph()
    pictures = Preprocessing((size, size), 3, (0.5,) * 3, (0.2,) * 3)
    net = Checkpoint(Network(graph, seed=1).export(), task, pictures, made)
    assert difference(onnx_model(net), net) < MOST


@pytest.mark.parametrize("name", ["digits", "imagenet"])
def test_models_that_ship(name):
    net = load_checkpoint(model_path(name))
    data = onnx_model(net)
    assert difference(data, net) < MOST
    about = onnxruntime.InferenceSession(data).get_modelmeta().custom_metadata_map
    assert json.loads(about["cnncli.outputs"]) == list(net.task.outputs)
    assert json.loads(about["cnncli.preprocessing"])["size"] == list(net.preprocessing.size)


@pytest.mark.parametrize(
    ("model", "of", "task", "roles"),
    [
        ("detector:neck=8", "boxes", Detection, {"classes8", "boxes8", "classes16", "boxes16"}),
        ("localizer", "box", Localization, {"output", "box"}),
    ],
)
def test_boxes(model, of, task, roles):
    """All outputs that boxes are read from, and from them the same things at the same places."""
    graph = architecture(model, (64, 64, 3), 3, of=of).graph()
    net = checkpoint(graph, task(("a", "b", "c")))
    sure = {name: array + name.endswith(("classes.bias", "boxes.bias")) for name, array in net.arrays.items()}
    net = replace(net, arrays=sure)
    data = onnx_model(net)
    assert difference(data, net) < MOST
    session = onnxruntime.InferenceSession(data)
    assert {each.name for each in session.get_outputs()} == roles
    random = np.random.default_rng(1)
    x = net.preprocessing.normalise(random.integers(0, 256, (2, 64, 64, 3)).astype(np.uint8))
    names = net.task.read(tuple(graph.outputs))
    fed = {session.get_inputs()[0].name: x.transpose(0, 3, 1, 2)}
    theirs = session.run([name_of(name) for name in names], fed)
    theirs = [each.transpose(0, 2, 3, 1) if each.ndim == 4 else each for each in theirs]
    ours = Inference(net.network(), 2, outputs=names).run_all(x)
    decoded = (net.task.decode(outputs, top=3) for outputs in (ours, dict(zip(names, theirs, strict=True))))
    for one, other in zip(*decoded, strict=True):
        assert one.things
        for a, b in zip(one.things, other.things, strict=True):
            assert a.label == b.label
            np.testing.assert_allclose((a.score, *a.box), (b.score, *b.box), atol=1e-3)


def test_clips():
    made = architecture("clipcnn", (4 * 12, 12, 1), 3, frames=4, of="clips")
    given = ClipInput.of(Preprocessing((12, 12), 1, (0.5,), (0.2,)), Window(4))
    weights = Network(made.graph(), seed=1).export()
    net = Checkpoint(weights, VideoClassification(tuple("abc")), given, made)
    assert difference(onnx_model(net), net) < MOST
    with pytest.raises(CnncliError, match="for a network that reads clips"):
        onnx_model(net, with_preprocessing=True)


@pytest.mark.parametrize("channels", ["tuned", "both"])
def test_texts_of_any_length(channels):
    words = tuple(f"word{number}" for number in range(40))
    made = architecture(f"textcnn:channels={channels}", (1, 9, 1), 3, words=len(words) + 2, of="texts")
    net = Checkpoint(
        Network(made.graph(), seed=1).export(), TextClassification(tuple("abc")), TextInput.of(words, 9), made
    )
    data = onnx_model(net)
    assert difference(data, net) < MOST
    session = onnxruntime.InferenceSession(data)
    text = np.array([[5, 7, 9]], np.int64)
    room = np.pad(text, [(0, 0), (0, 20)])
    alone, padded = (session.run(None, {"input": each})[0] for each in (text, room))
    np.testing.assert_allclose(alone, padded, rtol=0, atol=1e-6)
    empty = session.run(None, {"input": np.zeros((1, 4), np.int64)})[0]
    from cnncli.nn import Inference

    np.testing.assert_allclose(
        empty, Inference(net.network(), 1).run(np.zeros((1, 1, 9, 1), np.float32)), atol=1e-6
    )


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos", "nearest"])
@pytest.mark.parametrize("long_side", ["truncated", "rounded"])
@pytest.mark.parametrize("sides", [(40, 61), (75, 33), (29, 29)])
def test_pictures_are_prepared_as_predict_does(interpolation, long_side, sides):
    graph = Graph((24, 24, 3))
    graph.add(Conv(3, 1), name="same")  # made an identity: what comes out is what was prepared
    pictures = Preprocessing(
        (24, 24),
        3,
        (0.4, 0.5, 0.6),
        (0.2, 0.25, 0.3),
        resize=29,
        interpolation=interpolation,
        long_side=long_side,
    )
    net = checkpoint(graph, Segmentation(tuple("abc")), pictures)
    net.arrays["same.weight"] = np.eye(3, dtype=np.float32)[:, :, None, None]
    net.arrays["same.bias"] = np.zeros(3, np.float32)
    waves = np.sin(np.arange(sides[0])[:, None, None] / 5 + np.arange(sides[1])[:, None] / 7 + np.arange(3))
    picture = (127.5 + 127.5 * waves).astype(np.uint8)
    session = onnxruntime.InferenceSession(onnx_model(net, opset=13, with_preprocessing=True))
    out = session.run(None, {"input": picture[None]})[0].transpose(0, 2, 3, 1)
    as_ours = prepared(Picture((picture,), False, "PNG"), pictures.input_spec).pixels
    wanted = pictures.normalise(as_ours[None])
    levels = np.abs(out - wanted) * 255 * np.asarray(pictures.std)
    # Pillow rounds after each direction, and which comes first depends on its version and the sides.
    assert levels.max() < 2.01
    assert levels.mean() < 0.25


def test_pictures_of_the_networks_own_size_are_only_scaled():
    graph = Graph((8, 9, 3))
    graph.add(Flatten(), Linear(4))
    net = checkpoint(graph)
    data = onnx_model(net, with_preprocessing=True)
    assert difference(data, net, with_preprocessing=True) < MOST


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("digits", {"with_preprocessing": True}, "prepared as digits are"),
        ("digits", {"opset": 12}, "--opset is 12; expected 13 to 20"),
        ("digits", {"opset": 21}, "--opset is 21; expected 13 to 20"),
    ],
)
def test_what_there_are_no_operators_for(name, options, message):
    with pytest.raises(CnncliError, match=message):
        onnx_model(load_checkpoint(model_path(name)), **options)


def test_every_layer_has_an_operator():
    from cnncli.nn import exchange
    from cnncli.nn.layers import text

    assert set(OPERATORS) == {*exchange.LAYERS.values(), *text.LAYERS.values()}
