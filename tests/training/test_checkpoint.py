"""Checkpoints: names and layouts as PyTorch has them, the way there and back, and metadata that lie."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from cnncli.data.assemble import LoadOptions
from cnncli.data.load import load_dataset
from cnncli.data.shipped import sample_path
from cnncli.errors import CnncliError
from cnncli.models import catalog
from cnncli.models.choice import architecture
from cnncli.nn import Inference, Network
from cnncli.tasks.classification import Classification
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from cnncli.training.evaluation import evaluate
from cnncli.training.tensors import read_tensors, write_tensors

TEXT = "conv4-5 bn relu pool conv6 relu fc"


@pytest.fixture
def network():
    return Network(architecture(TEXT, (8, 8, 3), 2).graph(), seed=4)


@pytest.fixture
def path(tmp_path, network):
    path = tmp_path / "best.safetensors"
    pre = Preprocessing((8, 8), 3, (0.1, 0.2, 0.3), (0.5, 0.25, 1.0))
    model = architecture(TEXT, (8, 8, 3), 2)
    save_checkpoint(path, Checkpoint(network.export(), Classification(("Ä", "b")), pre, model, {"epoch": 3}))
    return path


def test_there_and_back(path, network):
    held = load_checkpoint(path)
    assert held.task.classes == ("Ä", "b")
    assert held.preprocessing == Preprocessing((8, 8), 3, (0.1, 0.2, 0.3), (0.5, 0.25, 1.0))
    assert held.architecture == architecture(TEXT, (8, 8, 3), 2)
    assert held.training == {"epoch": 3}
    assert held.network().weights.tobytes() == network.weights.tobytes()
    assert held.network().state.tobytes() == network.state.tobytes()


def test_a_folder_stands_for_its_best(path):
    assert load_checkpoint(path.parent).path == path


def test_names_and_shapes_are_pytorchs(path):
    shapes = {name: array.shape for name, array in load_file(path).items()}
    assert shapes == {
        "conv1.weight": (4, 3, 5, 5),
        "batchnorm1.weight": (4,),
        "batchnorm1.bias": (4,),
        "batchnorm1.running_mean": (4,),
        "batchnorm1.running_var": (4,),
        "conv2.weight": (6, 4, 3, 3),
        "conv2.bias": (6,),
        "head.weight": (2, 96),
        "head.bias": (2,),
    }


def test_the_weights_mean_what_pytorch_means(path, rng):
    """The whole network in float64 loops, channels first, from the arrays of the file."""
    w = {name: array.astype(float) for name, array in load_file(path).items()}
    image = rng.random((8, 8, 3))
    x = image.transpose(2, 0, 1)
    x = correlate(x, w["conv1.weight"], 2)
    assert (w["batchnorm1.running_var"] == 1).all()
    x = np.maximum(x / np.sqrt(1 + 1e-5), 0).reshape(4, 4, 2, 4, 2).max(axis=(2, 4))
    x = np.maximum(correlate(x, w["conv2.weight"], 1) + w["conv2.bias"][:, None, None], 0)
    expected = w["head.weight"] @ x.reshape(-1) + w["head.bias"]
    got = Inference(load_checkpoint(path).network(), 1, threads=1).run(image[None].astype(np.float32))
    assert got[0] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def correlate(x, weight, pad):
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    k, _, kh, kw = weight.shape
    out = np.zeros((k, x.shape[1] - kh + 1, x.shape[2] - kw + 1))
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            out[:, i, j] = (weight * x[:, i : i + kh, j : j + kw]).sum(axis=(1, 2, 3))
    return out


def test_normalising():
    pre = Preprocessing((1, 2), 1, (0.5,), (0.25,))
    got = pre.normalise(np.array([[[[0], [255]]]], np.uint8))
    assert got.ravel() == pytest.approx([-2, 2])
    assert got.dtype == np.float32


PLAIN = {"size": [8, 8], "channels": 3, "mean": [0] * 3, "std": [1] * 3, "digits": False}


def changed(path, **texts):
    arrays, metadata = read_tensors(path)
    write_tensors(path, arrays, metadata | {name: json.dumps(value) for name, value in texts.items()})


@pytest.mark.parametrize(
    "texts",
    [
        {"classes": ["a", "b", "c"]},
        {"classes": 3},
        {"preprocessing": {"size": [8, 8]}},
        {
            "preprocessing": {
                "size": [10**9, 8],
                "channels": 3,
                "mean": [0] * 3,
                "std": [1] * 3,
                "digits": False,
            }
        },
        {"preprocessing": {"size": [8, 8], "channels": 3, "mean": [0] * 3, "std": [0] * 3, "digits": False}},
        {"preprocessing": {"size": [8, 8], "channels": 3, "mean": [0, 0], "std": [1] * 3, "digits": False}},
        {"architecture": "conv"},
        {"training": "text"},
        {"classes": []},
        {"classes": ["a", 2]},
        {"preprocessing": PLAIN | {"mean": [10**400, 0, 0]}},
        {"preprocessing": PLAIN | {"mean": [1e30, 0, 0]}},
        {"preprocessing": PLAIN | {"std": [1e-50, 1, 1]}},
        {"preprocessing": PLAIN | {"size": [True, 8]}},
        {"preprocessing": PLAIN | {"size": [8.0, 8]}},
        {"preprocessing": PLAIN | {"digits": "no"}},
        {"preprocessing": [[[]]] * 3},
        {"architecture": {"name": 7, "layers": None, "input_shape": [8, 8, 3], "classes": 2}},
        {"architecture": {"name": "custom", "layers": "fc", "input_shape": [8, 8, 3], "classes": 10**400}},
    ],
)
def test_metadata_that_lie(path, texts):
    changed(path, **texts)
    with pytest.raises(CnncliError, match="its metadata cannot be understood"):
        load_checkpoint(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 10_000, "1e999", "[NaN", "\\ud800", ""])
def test_metadata_that_are_no_json(path, text):
    arrays, metadata = read_tensors(path)
    write_tensors(path, arrays, metadata | {"preprocessing": text})
    with pytest.raises(CnncliError, match="its metadata cannot be understood"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "offsets", ["[]", "[0]", "[0, 1e999]", "[0, -8]", "[0, true]", '"0"', "[0, 10" + "0" * 30 + "]", "{}"]
)
def test_places_of_arrays_that_lie(tmp_path, offsets):
    text = f'{{"w": {{"dtype": "F32", "shape": [2], "data_offsets": {offsets}}}}}'.encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    with pytest.raises(CnncliError, match="is damaged or cut short"):
        read_tensors(path)


def test_another_architecture(path):
    model = {"name": "custom", "layers": "conv9 gap fc", "input_shape": [8, 8, 3], "classes": 2}
    changed(path, architecture=model)
    with pytest.raises(CnncliError, match=r"best.safetensors: conv1.weight has shape"):
        load_checkpoint(path).network()


def test_an_architecture_that_cannot_be_built(path):
    model = {"name": "skynet", "layers": None, "input_shape": [8, 8, 3], "classes": 2}
    changed(path, architecture=model)
    with pytest.raises(CnncliError, match="no model 'skynet'"):
        load_checkpoint(path).network()


def test_a_checkpoint_needs_no_program_that_builds_its_network(path, network, monkeypatch):
    model = architecture(TEXT, (8, 8, 3), 2)
    changed(path, architecture={**asdict(model), "name": "of next year", "layers": None})
    monkeypatch.setattr(catalog, "MODELS", {})
    assert load_checkpoint(path).network().weights.tobytes() == network.weights.tobytes()


@pytest.mark.parametrize("name", ["resnet20", "compact"])
def test_checkpoints_of_the_first_release_have_no_layers(tmp_path, name):
    """They name what builds them, as that release built it: its residual networks had other skips."""
    model = architecture(name, (28, 28, 1), 2)
    network = Network(replace(model, layout=None).graph(), seed=1)
    names = network.export().keys()
    assert ("conv21.weight" in names) == (name == "resnet20")
    pre = Preprocessing((28, 28), 1, (0.1,), (0.5,))
    path = tmp_path / "first.safetensors"
    save_checkpoint(path, Checkpoint(network.export(), Classification(("a", "b")), pre, model))
    arrays, metadata = read_tensors(path)
    first = json.loads(metadata["architecture"])
    del first["layout"]
    write_tensors(path, arrays, {**metadata, "architecture": json.dumps(first)})
    held = load_checkpoint(path)
    assert held.architecture.layout is None
    assert held.network().weights.tobytes() == network.weights.tobytes()


def test_a_checkpoint_whose_layers_are_of_version_1():
    """Written by ``cnncli train``, with the outputs that its `Inference` computed."""
    held = load_checkpoint(Path(__file__).parent / "version1.safetensors")
    assert held.architecture.layout["version"] == 1
    x = (np.arange(72).reshape(2, 6, 6, 1) % 17 / 17).astype(np.float32)
    expected = [[0.2214449, 0.02017471, 0.18803939], [0.24969336, 0.002097927, 0.19948032]]
    np.testing.assert_allclose(Inference(held.network(), 2, threads=1).run(x), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": [9, 8, 3]}, "input or output of"),
        ({"outputs": {"main": "conv2"}}, "input or output of"),
        ({"layers": 3}, "expected a list"),
        ({"layers": []}, "0 layers"),
    ],
)
def test_damaged_layers(path, change, message):
    model = asdict(architecture(TEXT, (8, 8, 3), 2))
    model["layout"] |= change
    changed(path, architecture=model)
    with pytest.raises(CnncliError, match=f"is damaged: .*{message}"):
        load_checkpoint(path).network()


def test_norms_larger_than_the_file_are_refused_before_allocation(path):
    """Four concatenations of 64 times their input: 3 * 64^4 channels, with four values each in a norm."""
    model = asdict(architecture(TEXT, (8, 8, 3), 2))
    wide = [
        {"name": name, "kind": "concat", "inputs": [source] * 64}
        for source, name in (("input", "c1"), ("c1", "c2"), ("c2", "c3"), ("c3", "c4"))
    ]
    norm = {"name": "norm", "kind": "batchnorm", "inputs": ["c4"], "momentum": 0.1, "epsilon": 1e-5}
    model["layout"]["layers"] = [*wide, norm, *model["layout"]["layers"]]
    changed(path, architecture=model)
    with pytest.raises(CnncliError, match=r"its architecture takes 201,[0-9,]* weights or more"):
        load_checkpoint(path).network()


def test_weights_that_are_no_numbers(path):
    arrays, metadata = read_tensors(path)
    arrays["conv2.bias"] = np.full_like(arrays["conv2.bias"], np.nan)
    write_tensors(path, arrays, metadata)
    with pytest.raises(CnncliError, match=r"not numbers, in conv2.bias"):
        load_checkpoint(path)


def typed(path, name, type_):
    """Say in the header that a tensor is of another type, as long as F32."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header[name]["dtype"] = type_
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


@pytest.mark.parametrize("type_", ["I32", "U32"])
def test_weights_of_a_foreign_type(path, type_):
    typed(path, "conv1.weight", type_)
    with pytest.raises(CnncliError, match=f"holds conv1.weight as {type_}; expected F32, F16, BF16 or F64"):
        load_checkpoint(path)


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_weights_of_other_widths(path, kind):
    arrays, metadata = read_tensors(path)
    other = {name: array.astype(kind) for name, array in arrays.items()}
    write_tensors(path, other, metadata)
    for name, array in load_checkpoint(path).arrays.items():
        assert array.dtype == np.float32
        assert np.array_equal(array, other[name].astype(np.float32))


def test_weights_too_large_for_float32(path):
    arrays, metadata = read_tensors(path)
    arrays["conv2.bias"] = np.full(arrays["conv2.bias"].shape, 1e300)
    write_tensors(path, arrays, metadata)
    with pytest.raises(CnncliError, match=r"not numbers, in conv2.bias"):
        load_checkpoint(path)


def test_someone_elses_safetensors(tmp_path):
    path = tmp_path / "bert.safetensors"
    save_file({"a": np.zeros(3, np.float32)}, path)
    with pytest.raises(CnncliError, match="no network of cnncli"):
        load_checkpoint(path)


def test_the_model_that_ships():
    path = sample_path("digits.safetensors")
    assert path.stat().st_size < 400_000
    held = load_checkpoint(path)
    assert held.task.classes == tuple("0123456789")
    assert held.preprocessing.digits
    assert held.architecture.layout is None  # it is older than stored layers
    assert held.training["command"].startswith("cnncli train mnist --epochs 60 ")
    digits = load_dataset("mnist", LoadOptions(val_split=0.0, offline=True))
    if len(digits.test) == 1000:  # the digits that ship, of which these were held out
        assert evaluate(held.network(), digits.test, held.preprocessing, held.task).accuracy == pytest.approx(
            0.994, abs=0.0011
        )
