"""A model of ONNX as a network of ours: the same outputs, commands, and what is refused."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from cnncli.data.shipped import model_path  # noqa: E402
from cnncli.errors import CnncliError, OptionError  # noqa: E402
from cnncli.models.architecture import for_classes  # noqa: E402
from cnncli.models.catalog import MODELS  # noqa: E402
from cnncli.models.choice import architecture  # noqa: E402
from cnncli.nn import SGD, Inference, Network, SoftmaxCrossEntropy, Term, TrainingStep  # noqa: E402
from cnncli.onnx.imported import load_onnx  # noqa: E402
from cnncli.onnx.model import difference, onnx_model  # noqa: E402
from cnncli.tasks.classification import Classification  # noqa: E402
from cnncli.tasks.preprocessing import Preprocessing  # noqa: E402
from cnncli.tasks.segmentation import Segmentation  # noqa: E402
from cnncli.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint  # noqa: E402
from cnncli.training.weights.pixels import Choices  # noqa: E402

MOST = 5e-6  # of the largest output
SAID = Choices(mean=(0.5,), std=(0.25,))
random = np.random.default_rng(0)


def written(
    path,
    nodes,
    constants=(),
    dims=("N", 3, 8, 8),
    *,
    outputs=("y",),
    opset=17,
    kind=TensorProto.FLOAT,
    **props,
):
    """A model of these operators, from x to y."""
    arrays = [numpy_helper.from_array(np.asarray(array), name) for name, array in dict(constants).items()]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", kind, dims)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        arrays,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    helper.set_model_props(model, props)
    path.write_bytes(model.SerializeToString())
    return path


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs.split(" "), output.split(" "), **attributes)


def small(path, *, end=(), last="h", **settings):
    """A convolution, a mean and a fully connected layer."""
    weights = {
        "conv.weight": random.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "fc.weight": random.standard_normal((5, 4)).astype(np.float32),
    }
    nodes = [
        node("Conv", "x conv.weight", "a", pads=(1, 1, 1, 1)),
        node("Relu", "a", "b"),
        node("GlobalAveragePool", "b", "c"),
        node("Flatten", "c", "d"),
        node("Gemm", "d fc.weight", last, transB=1),
        *end,
    ]
    return written(path, nodes, weights, **settings)


def ours(path, x, choices=SAID):
    """Our outputs for (N, C, H, W)."""
    network = load_onnx(path, choices=choices).checkpoint.network()
    found = Inference(network, len(x)).run(np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
    return found if found.ndim == 2 else found.transpose(0, 3, 1, 2)


def theirs(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def agree(path, shape=(3, 8, 8)):
    x = np.random.default_rng(1).standard_normal((2, *shape)).astype(np.float32)
    wanted = theirs(path, x)
    np.testing.assert_allclose(
        ours(path, x), wanted.reshape(len(x), *wanted.shape[1:]), atol=MOST * np.abs(wanted).max()
    )


# Round trips


@pytest.mark.parametrize(
    "name", ["lenet5", "resnet20", "seresnet20", "squeezenet1.1", "unet:width=0.25", "googlenet:width=0.25"]
)
def test_what_we_export_comes_back(tmp_path, name):
    side, pixels = (
        (64 if "net1" in name or "google" in name else 32),
        MODELS[name.partition(":")[0]].of == "pixels",
    )
    made = architecture(name, (side, side, 3), 4, of="pixels" if pixels else "images")
    task = (Segmentation if pixels else Classification)(tuple("abcd"))
    pictures = Preprocessing((side, side), 3, (0.4, 0.5, 0.6), (0.2,) * 3)
    graph = made.graph()
    net = Checkpoint(Network(graph, seed=1).export(), task, pictures, made)
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_model(net))
    again = load_onnx(path).checkpoint
    assert (again.task, again.preprocessing) == (task, pictures)
    x = random.standard_normal((2, side, side, 3)).astype(np.float32)
    before, after = (Inference(each.network(), 2).run(x) for each in (net, again))
    np.testing.assert_allclose(after, before, atol=MOST * np.abs(before).max())
    assert difference(onnx_model(again), again) < MOST
    layers = [node.layer for node in graph.pruned([graph.output]).nodes.values()]
    assert len(again.graph().nodes) <= len(layers)


@pytest.mark.parametrize("resize", [None, 40])
def test_a_model_that_prepares_pictures_itself_comes_back_as_its_network(tmp_path, resize):
    made = architecture("lenet5", (28, 28, 3), 4, of="images")
    pictures = Preprocessing((28, 28), 3, (0.4, 0.5, 0.6), (0.2,) * 3, resize=resize)
    net = Checkpoint(Network(made.graph(), seed=1).export(), Classification(tuple("abcd")), pictures, made)
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_model(net, with_preprocessing=True))
    assert onnx.load(path).graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8
    again = load_onnx(path).checkpoint
    assert (again.task, again.preprocessing) == (net.task, pictures)
    x = random.standard_normal((2, 28, 28, 3)).astype(np.float32)
    before, after = (Inference(each.network(), 2).run(x) for each in (net, again))
    np.testing.assert_allclose(after, before, atol=MOST * np.abs(before).max())


def test_a_note_of_a_value_that_is_not_there_changes_nothing(tmp_path):
    path = small(tmp_path / "m.onnx", last="y", **{"cnncli.prepared": "h2"})
    agree(path)


def test_a_classifier_of_text_lines_of_another_maker():
    path = Path(__file__).parent / "text_angle" / "model.onnx"
    x = random.standard_normal((2, 3, 48, 192)).astype(np.float32)
    powers = np.exp(ours(path, x, replace(SAID, size=(48, 192))))
    np.testing.assert_allclose(powers / powers.sum(axis=1, keepdims=True), theirs(path, x), atol=MOST)


# What it says of itself


def test_a_softmax_at_the_end_is_left_to_us(tmp_path):
    path = small(tmp_path / "m.onnx", end=[node("Softmax", "h", "s"), node("Identity", "s", "y")])
    x = np.random.default_rng(1).standard_normal((2, 3, 8, 8)).astype(np.float32)
    logits = ours(path, x)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(powers / powers.sum(axis=1, keepdims=True), theirs(path, x), atol=1e-6)
    assert not {"exponential", "divide"} & {
        each["kind"] for each in load_onnx(path, choices=SAID).checkpoint.architecture.layout["layers"]
    }


def test_shares_by_other_operators_are_found(tmp_path):
    """As older converters write a softmax."""
    end = [node("Exp", "h", "e"), node("ReduceSum", "e axes", "s"), node("Div", "e s", "y")]
    path = small(tmp_path / "m.onnx", end=end)
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.array([1]), "axes"))
    onnx.save(model, path)
    x = np.random.default_rng(1).standard_normal((2, 3, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(np.exp(ours(path, x)), theirs(path, x), rtol=1e-5)
    assert "shares of 1" in " ".join(load_onnx(path, choices=SAID).notes)


def test_a_softmax_of_pixels_is_left_to_us(tmp_path):
    weights = {"w": random.standard_normal((4, 3, 3, 3)).astype(np.float32)}
    nodes = [node("Conv", "x w", "a", pads=(1, 1, 1, 1)), node("Softmax", "a", "y", axis=1)]
    path = written(tmp_path / "m.onnx", nodes, weights)
    made = load_onnx(path, choices=SAID).checkpoint
    assert [each["kind"] for each in made.architecture.layout["layers"]] == ["conv"]
    assert isinstance(made.task, Segmentation)


def test_a_sigmoid_at_the_end_is_told(tmp_path):
    path = small(tmp_path / "m.onnx", end=[node("Sigmoid", "h", "y")])
    assert "judges each class by itself" in " ".join(load_onnx(path, choices=SAID).notes)


def test_any_size_is_asked_for(tmp_path):
    path = small(tmp_path / "m.onnx", last="y", dims=("N", 3, "H", "W"))
    with pytest.raises(OptionError, match="takes pictures of any size; expected --crop"):
        load_onnx(path, choices=SAID)
    wide = Choices(mean=(0.5,), std=(0.25,), size=(6, 10))
    assert load_onnx(path, choices=wide).checkpoint.preprocessing.size == (6, 10)
    with pytest.raises(OptionError, match="--crop is 10x6; expected 8x8"):
        load_onnx(small(tmp_path / "fixed.onnx", last="y"), choices=wide)


def test_bytes_are_taken_as_they_are(tmp_path):
    nodes = [
        node("Cast", "x", "f", to=1),
        node("Transpose", "f", "t", perm=(0, 3, 1, 2)),
        node("Conv", "t w", "a"),
        node("GlobalAveragePool", "a", "b"),
        node("Flatten", "b", "y"),
    ]
    weights = {"w": random.standard_normal((4, 3, 3, 3)).astype(np.float32)}
    path = written(tmp_path / "m.onnx", nodes, weights, dims=("N", 8, 8, 3), kind=TensorProto.UINT8)
    picture = random.integers(0, 256, (1, 8, 8, 3), np.uint8)
    found = load_onnx(path).checkpoint
    out = Inference(found.network(), 1).run(found.preprocessing.normalise(picture))
    wanted = theirs(path, picture)
    np.testing.assert_allclose(out, wanted, atol=MOST * np.abs(wanted).max())


# Layouts


def test_channels_last_costs_no_copies(tmp_path):
    """As tf2onnx writes them: a transposition at each end, and paddings of their own."""
    weights = {
        "w": random.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "v": random.standard_normal((4 * 4 * 4, 5)).astype(np.float32),
        "pads": np.array([0, 0, 0, 0, 0, 1, 1, 0]),
        "shape": np.array([-1, 64]),
        "mean": np.array([0.1, 0.2, 0.3], np.float32),
    }
    nodes = [
        node("Sub", "x mean", "less"),
        node("Pad", "less pads", "wide"),
        node("Transpose", "wide", "t", perm=(0, 3, 1, 2)),
        node("Conv", "t w", "a", strides=(2, 2)),
        node("Transpose", "a", "back", perm=(0, 2, 3, 1)),
        node("Relu", "back", "r"),
        node("Reshape", "r shape", "flat"),
        node("MatMul", "flat v", "y"),
    ]
    path = written(tmp_path / "m.onnx", nodes, weights, dims=("N", 8, 8, 3))
    x = random.standard_normal((2, 8, 8, 3)).astype(np.float32)
    checkpoint = load_onnx(path, choices=SAID).checkpoint
    out = Inference(checkpoint.network(), 2).run(x)
    wanted = theirs(path, x)
    np.testing.assert_allclose(out, wanted, atol=MOST * np.abs(wanted).max())
    kinds = [each["kind"] for each in checkpoint.architecture.layout["layers"]]
    assert kinds == ["affine", "conv", "relu", "flatten", "linear"]


def test_shuffled_channels_take_one_copy(tmp_path):
    weights = {
        "apart": np.array([1, 2, 3, 8, 8]),
        "joined": np.array([1, 6, 8, 8]),
        "w": random.standard_normal((6, 3, 3, 3)).astype(np.float32),
        "v": random.standard_normal((4, 3, 3, 3)).astype(np.float32),
    }
    nodes = [
        node("Conv", "x w", "a", pads=(1, 1, 1, 1)),
        node("Reshape", "a apart", "b"),
        node("Transpose", "b", "c", perm=(0, 2, 1, 3, 4)),
        node("Reshape", "c joined", "d"),
        node("Slice", "d first last axis", "e0"),
        node("Conv", "e0 v", "e"),
        node("GlobalAveragePool", "e", "f"),
        node("Flatten", "f", "y"),
    ]
    weights |= {"first": np.array([1]), "last": np.array([4]), "axis": np.array([1])}
    path = written(tmp_path / "m.onnx", nodes, weights, dims=(1, 3, 8, 8))
    x = random.standard_normal((1, 3, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(ours(path, x), theirs(path, x), atol=1e-5)
    # One picture at a time in the model, many in ours.
    many = random.standard_normal((3, 3, 8, 8)).astype(np.float32)
    each = np.concatenate([theirs(path, one[None]) for one in many])
    np.testing.assert_allclose(ours(path, many), each, atol=1e-5)


def test_numbers_go_into_weights(tmp_path):
    weights = {
        "w": random.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "scale": random.standard_normal((4, 1, 1)).astype(np.float32),
        "shift": random.standard_normal((1, 4, 1, 1)).astype(np.float32),
    }
    nodes = [
        node("Conv", "x w", "a"),
        node("Mul", "a scale", "b"),
        node("Add", "shift b", "c"),
        node("Sigmoid", "c", "gate"),
        node("Mul", "c gate", "d"),
        node("ReduceMean", "d", "y", axes=(2, 3), keepdims=0),
    ]
    path = written(tmp_path / "m.onnx", nodes, weights)
    agree(path)
    layers = load_onnx(path, choices=SAID).checkpoint.architecture.layout["layers"]
    assert [each["kind"] for each in layers] == ["conv", "silu", "globalavgpool"]


def test_scopes_are_blocks(tmp_path):
    """PyTorch's newer exporter names convolutions by their modules, and what is between them otherwise."""
    weights = {f"a.{n}.weight": random.standard_normal((3, 3, 1, 1)).astype(np.float32) for n in (0, 1)}
    weights |= {f"b.{n}.weight": random.standard_normal((3, 3, 1, 1)).astype(np.float32) for n in (0, 1)}
    nodes = [
        node("Conv", "x a.0.weight", "p"),
        helper.make_node("Relu", ["p"], ["q"], "between"),
        node("Conv", "q a.1.weight", "r"),
        node("Conv", "r b.0.weight", "s"),
        node("Conv", "s b.1.weight", "t"),
        node("GlobalAveragePool", "t", "u"),
        node("Flatten", "u", "y"),
    ]
    path = written(tmp_path / "m.onnx", nodes, weights)
    graph = load_onnx(path, choices=SAID).checkpoint.graph()
    assert [*graph.nodes][:5] == ["a_0", "between", "a_1", "b.0", "b.1"]
    assert [*graph.scopes] == ["b"]
    agree(path)


def test_gradients_reach_all_weights_of_an_imported_network(tmp_path):
    """It trains: the loss of a few samples falls, for another number of classes."""
    path = small(
        tmp_path / "m.onnx",
        end=[node("Mul", "h two", "k"), node("Softmax", "k", "y")],
    )
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.full(5, 2, np.float32), "two"))
    onnx.save(model, path)
    known = load_onnx(path, choices=SAID).checkpoint
    made = for_classes(known.architecture, (8, 8, 3), 3)
    network = Network(made.graph(), seed=0)
    step = TrainingStep(network, 6, objective=[Term("main", SoftmaxCrossEntropy())], optimiser=SGD())
    x, labels = random.standard_normal((6, 8, 8, 3)).astype(np.float32), np.arange(6) % 3
    losses = [step.run(x, labels, rate=0.1) for _ in range(40)]
    assert losses[-1] < 0.7 * losses[0]


# What is refused

BAD = {
    "unknown": (
        [node("Conv", "x w", "a"), node("STFT", "a", "y")],
        "STFT y is an operator that is not known",
    ),
    "another's": (
        [helper.make_node("Fused", ["x"], ["y"], "fused", domain="com.example")],
        "com.example.Fused fused is an operator that is not known",
    ),
    "missing": ([node("Relu", "nothing", "y")], "Relu y reads 'nothing', which nothing before it gives"),
    "circle": ([node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b", "y")], "Add a reads 'b'"),
    "twice": ([node("Relu", "x", "y"), node("Relu", "x", "y")], "gives 'y', which is there already"),
    "no output": ([node("Relu", "x", "a")], "its output y is given by nothing"),
    "two computed": (
        [node("Relu", "x", "a"), node("Conv", "x a", "y")],
        "computes its input 'a' of the image",
    ),
    "wrong channels": ([node("Conv", "x five", "y")], "has weights of 5 channels; its input has 3"),
    "wide window": ([node("MaxPool", "x", "y", kernel_shape=(9, 9))], "does not fit"),
    "odd reshape": ([node("Reshape", "x seven", "y")], "expected dims that divide it"),
    "huge constant": ([node("ConstantOfShape", "huge", "c"), node("Add", "x c", "y")], "would make"),
    "huge tile": ([node("Tile", "x huge", "y")], "expected at most"),
    "many constants": (
        [
            *(node("ConstantOfShape", "large", f"c{n}") for n in range(8)),
            *(node("Add", "x c0" if not n else f"d{n} c{n}", f"d{n + 1}") for n in range(8)),
            node("Relu", "d8", "y"),
        ],
        "values of constants, with those before it",
    ),
    "maps": (
        [node("MaxPool", "x", "y", kernel_shape=(2, 2))],
        "expected one number for each of 2 or more classes",
    ),
    "constant": ([node("Identity", "w", "y")], "does not depend on its picture"),
    "random": ([node("RandomNormal", "", "r", shape=(8,)), node("Add", "x r", "y")], "reads constants alone"),
    "a loop": (
        [node("Loop", "w w x", "y", body=helper.make_graph([], "g", [], []))],
        "Loop y is an operator",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_models_that_are_refused(tmp_path, name):
    nodes, told = BAD[name]
    weights = {
        "w": random.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "five": np.ones((4, 5, 3, 3), np.float32),
        "seven": np.array([7, -1]),
        "large": np.array([1 << 26]),
        "huge": np.array([1 << 20, 1 << 20, 1 << 20, 1 << 20]),
    }
    written(tmp_path / "m.onnx", nodes, weights)
    with pytest.raises(CnncliError) as fault:
        load_onnx(tmp_path / "m.onnx", choices=SAID)
    assert told in fault.value.message
    assert "m.onnx" in fault.value.message
    assert "\n" not in fault.value.message + fault.value.hint


def test_a_fixed_batch_of_several_pictures_is_refused(tmp_path):
    written(tmp_path / "m.onnx", [node("Relu", "x", "y")], dims=(4, 3, 8, 8))
    with pytest.raises(CnncliError, match="takes 4 pictures at a time; expected 1, or any number") as fault:
        load_onnx(tmp_path / "m.onnx", choices=SAID)
    assert "dynamic_axes" in fault.value.hint


def test_damaged_files_are_refused(tmp_path):
    small(tmp_path / "m.onnx", last="y")
    data = (tmp_path / "m.onnx").read_bytes()
    cases = {"empty": b"", "text": b"not a model", "cut": data[: len(data) // 2], "zeros": bytes(100)}
    for name, content in cases.items():
        (tmp_path / f"{name}.onnx").write_bytes(content)
        with pytest.raises(CnncliError, match="can be read"):
            load_onnx(tmp_path / f"{name}.onnx", described=True)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_bytes_never_end_in_a_traceback(tmp_path, seed):
    data = bytearray(small(tmp_path / "m.onnx", last="y").read_bytes())
    noise = np.random.default_rng(seed)
    for turn in range(60):
        changed = bytearray(data)
        for _ in range(noise.integers(1, 6)):
            changed[noise.integers(len(data))] = noise.integers(256)
        path = tmp_path / f"{turn}.onnx"
        path.write_bytes(changed)
        with contextlib.suppress(CnncliError):
            load_onnx(path, choices=SAID)
        path.unlink()


# External data


def outside(path, **place):
    """A model whose first weights lie elsewhere, as said."""
    model = onnx.load(small(path, last="y"))
    tensor = model.graph.initializer[0]
    size = len(tensor.raw_data)
    (path.parent / "weights.bin").write_bytes(b"\0" * 16 + tensor.raw_data)
    values = numpy_helper.to_array(tensor)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": "weights.bin", "offset": "16", "length": str(size), **place}
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
    return values


def test_data_in_the_models_folder_are_read(tmp_path):
    values = outside(tmp_path / "m.onnx")
    found = load_onnx(tmp_path / "m.onnx", choices=SAID).checkpoint
    np.testing.assert_array_equal(found.arrays["conv.weight"], values)
    (tmp_path / "sub").mkdir()
    (tmp_path / "weights.bin").replace(tmp_path / "sub/w.bin")
    outside(tmp_path / "m.onnx", location="sub/w.bin")
    assert load_onnx(tmp_path / "m.onnx", choices=SAID)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({"location": "../weights.bin"}, "expected a file of the model's folder"),
        ({"location": "sub/../../weights.bin"}, "expected a file of the model's folder"),
        ({"location": "/etc/hostname"}, "expected a file of the model's folder"),
        ({"location": "..\\weights.bin"}, "expected a file of the model's folder"),
        ({"location": "C:\\weights.bin"}, "expected a file of the model's folder"),
        ({"location": ""}, "expected a file of the model's folder"),
        ({"location": "."}, "expected a file of the model's folder"),
        ({"location": "inner"}, "is no file"),
        ({"location": "missing.bin"}, "no such file"),
        ({"location": "link.bin"}, "leads out of the model's folder"),
        ({"location": "folder/secret.bin"}, "leads out of the model's folder"),
        ({"offset": "100"}, "takes 432 bytes and lies in 432 from 100 on"),
        ({"offset": "-1"}, "from -1 on"),
        ({"length": "431"}, "takes 432 bytes and lies in 431"),
        ({"length": str(1 << 62)}, "takes 432 bytes"),
        ({"offset": "many"}, "is no number"),
    ],
)
def test_data_elsewhere_are_refused(tmp_path, place, told):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(1000))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "folder").symlink_to(tmp_path)
    (folder / "inner").mkdir()
    outside(folder / "m.onnx", **place)
    with pytest.raises(CnncliError, match=told):
        load_onnx(folder / "m.onnx", choices=SAID)


def test_a_checkpoint_of_one_needs_no_package(tmp_path):
    small(tmp_path / "m.onnx", last="y")
    found = load_onnx(tmp_path / "m.onnx", choices=SAID).checkpoint
    save_checkpoint(tmp_path / "m.safetensors", found)
    again = load_checkpoint(tmp_path / "m.safetensors")
    x = random.standard_normal((1, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(Inference(again.network(), 1).run(x), Inference(found.network(), 1).run(x))


def test_the_model_that_ships_is_the_same(tmp_path):
    net = load_checkpoint(model_path("imagenet"))
    path = tmp_path / "im.onnx"
    path.write_bytes(onnx_model(net))
    again = load_onnx(path).checkpoint
    assert json.dumps(again.preprocessing.__dict__, default=list) == json.dumps(
        net.preprocessing.__dict__, default=list
    )
    x = random.standard_normal((1, *net.preprocessing.shape)).astype(np.float32)
    before, after = (Inference(each.network(), 1).run(x) for each in (net, again))
    np.testing.assert_allclose(after, before, atol=MOST * np.abs(before).max())
