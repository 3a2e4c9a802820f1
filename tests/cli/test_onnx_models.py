"""Models of ONNX as the network that a command takes."""

import json
import logging
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from cnncli.data.shipped import sample_path  # noqa: E402
from cnncli.training.checkpoint import load_checkpoint  # noqa: E402


def small(path):
    """A convolution and a mean of each of its five channels."""
    weights = np.random.default_rng(0).standard_normal((5, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("GlobalAveragePool", ["a"], ["b"]),
        helper.make_node("Flatten", ["b"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("N", 3, 8, 8))]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())


def test_predictions_of_the_digits_are_the_same(run, tmp_path):
    assert run("export", "digits", "-o", "d.onnx").code == 0
    pictures = [str(sample_path(f"digits/{n}.png")) for n in (2, 5)]
    mine, theirs_ = (
        run("predict", *pictures, "-m", name, "--json", "-q").results for name in ("d.onnx", "digits")
    )
    for a, b in zip(mine, theirs_, strict=True):
        assert [each["label"] for each in a["predictions"]] == [each["label"] for each in b["predictions"]]
        assert a["predictions"][0]["probability"] == pytest.approx(
            b["predictions"][0]["probability"], abs=2e-5
        )


def test_every_command_takes_one(run, tmp_path):
    run("export", "digits", "-o", "d.onnx")
    picture = str(sample_path("digits/4.png"))
    assert "a model of ONNX" in run("models", "d.onnx").out.decode()
    assert run("draw", "d.onnx", "-o", "d.svg").code == 0
    assert run("draw", "d.onnx", "-o", "d.html").code == 0
    assert run("featuremaps", picture, "-m", "d.onnx", "-o", "maps").code == 0
    assert run("export", "d.onnx", "-o", "again.onnx", "--verify").code == 0
    assert run("weights", "d.onnx", "-o", "d.safetensors").code == 0
    assert load_checkpoint(tmp_path / "d.safetensors").task.outputs == tuple("0123456789")
    refused = run("export", "d.onnx")
    assert refused.code == 2
    assert "is also read" in refused.err


def test_training_starts_from_one(run, tmp_path):
    run("export", "digits", "-o", "d.onnx")
    picks = np.load(sample_path("mnist_5k.npz"))
    first = next(name for name in picks.files if picks[name].ndim == 3)
    labels = next(
        name for name in picks.files if picks[name].ndim == 1 and len(picks[name]) == len(picks[first])
    )
    few = np.isin(picks[labels], (3, 5))
    kept = np.flatnonzero(few)[::5]
    np.savez(tmp_path / "few.npz", images=picks[first][kept], labels=picks[labels][kept])
    judged = run("evaluate", "few.npz", "-m", "d.onnx", "--json")
    assert json.loads(judged.out)["accuracy"] > 0.9
    done = run("train", "few.npz", "--init", "d.onnx", "--epochs", 1, "-o", "run", "-b", 32, "--json", "-q")
    assert done.code == 0, done.err
    made = load_checkpoint(tmp_path / "run" / "best.safetensors")
    assert made.architecture.classes == 2
    assert run("train", "--resume", "run", "--epochs", 2, "-q").code == 0


def test_classes_and_pictures_have_to_be_said(run, tmp_path):
    small(tmp_path / "m.onnx")
    picture = str(sample_path("chelsea.png"))
    refused = run("predict", picture, "-m", "m.onnx")
    assert (refused.code, len(refused.err.splitlines())) == (2, 2)
    assert "does not say how pictures are prepared for it; expected --mean and --std" in refused.err
    done = run("predict", picture, "-m", "m.onnx", "--mean", "0.5", "--std", "0.25", "--json")
    assert "its 5 classes go by their numbers" in done.err
    (tmp_path / "names.txt").write_text("a\nb\nc\nd\ne\n")
    named = run(
        "predict",
        picture,
        "-m",
        "m.onnx",
        "--mean",
        "0.5",
        "--std",
        "0.25",
        "--classes",
        "names.txt",
        "--json",
    )
    assert {each["label"] for each in named.results[0]["predictions"]} <= set("abcde")
    assert run("models", "m.onnx").code == 0


def test_without_the_package_there_is_a_hint(monkeypatch, run, tmp_path):
    small(tmp_path / "m.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    done = run("models", "m.onnx")
    assert done.code == 2
    assert "the package onnx is not installed; expected it to read ONNX models" in done.err
    assert "pip install 'cnncli[onnx]'" in done.err


def test_acceptance_pytorch_to_onnx_to_cnncli_to_onnx_to_onnxruntime(run, tmp_path):
    """What the issue on reach asks for: one network and picture, all the way, the same answers everywhere."""
    torch = pytest.importorskip("torch")
    onnxruntime = pytest.importorskip("onnxruntime")
    import peers

    torch.manual_seed(0)
    net = peers.ResNet(5, (64, 128, 256, 512), (2, 2, 2, 2), small=True).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    scaled = (pixels / np.float32(255) - np.float32(0.5)) / np.float32(0.25)
    x = torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1)[None]))
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (x,), tmp_path / "theirs.onnx", dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}}
        )
        wanted = net(x).numpy()
    logging.disable(logging.NOTSET)

    said = ("--mean", "0.5", "--std", "0.25")
    shares = np.exp(wanted[0] - wanted.max()) / np.exp(wanted[0] - wanted.max()).sum()
    (told,) = run("predict", "picture.png", "-m", "theirs.onnx", *said, "--json", "-q", "--top", "5").results
    assert [int(each["label"]) for each in told["predictions"]] == np.argsort(-shares).tolist()
    found = [each["probability"] for each in told["predictions"]]
    np.testing.assert_allclose(found, np.sort(shares)[::-1], atol=1e-6)

    assert run("weights", "theirs.onnx", *said, "-o", "ours.safetensors").code == 0
    assert run("export", "ours.safetensors", "-o", "ours.onnx", "--verify").code == 0
    session = onnxruntime.InferenceSession(tmp_path / "ours.onnx", providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.testing.assert_allclose(got, wanted, atol=5e-6 * np.abs(wanted).max())
