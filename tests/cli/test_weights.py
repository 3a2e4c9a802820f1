"""``--weights``: every command that takes a network takes weights of torchvision and timm."""

import json

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from cnncli.models.choice import build
from cnncli.nn import Inference, Network

SIDE, MEAN, STD = 64, 0.4, 0.25
MODEL = "resnet18:width=0.05"
PICTURE = ("-m", MODEL, "--weights", "w.safetensors", "--crop", SIDE, "--resize", 70)
GIVEN = (*PICTURE, "--mean", MEAN, "--std", "0.25,0.25,0.25", "--interpolation", "bicubic")


@pytest.fixture
def network(tmp_path):
    """A narrow network for photographs, and its weights in w.safetensors as PyTorch's users have them."""
    made = Network(build(MODEL, (SIDE, SIDE, 3), 3), seed=2)
    save_file({f"module.{name}": array for name, array in made.export().items()}, tmp_path / "w.safetensors")
    (tmp_path / "names.txt").write_text("ant\nbee\ncat\n")
    return made


def shares_of(network, path):
    """Probabilities for a picture, prepared by Pillow: short side to 70, bicubic, the middle 64."""
    with Image.open(path) as picture:
        wide, high = picture.size
        scale = 70 / min(wide, high)
        size = (70, int(70 * high / wide)) if wide <= high else (int(70 * wide / high), 70)
        assert scale < 1
        small = picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    left, top = round((size[0] - SIDE) / 2), round((size[1] - SIDE) / 2)
    pixels = np.asarray(small.crop((left, top, left + SIDE, top + SIDE)), np.float64)
    outputs = Inference(network, 1).run(((pixels / 255 - MEAN) / STD).astype(np.float32)[None])[0]
    shares = np.exp(outputs - outputs.max())
    return shares / shares.sum()


def test_predict(run, photo, network):
    photo("a.png", (90, 131, 3))
    done = run("predict", "a.png", *GIVEN, "--classes", "names.txt", "--json")
    assert done.code == 0
    assert done.err == (
        "note: w.safetensors: pictures are prepared as by torchvision, but for the options: short side to 70 "
        "(bicubic), middle 64x64, mean 0.4, deviation 0.25\n"
        "note: a.png was resized and cropped from 131x90 to 64x64, as the network expects it\n"
    )
    found = {each["label"]: each["probability"] for each in done.results[0]["predictions"]}
    wanted = dict(zip(("ant", "bee", "cat"), shares_of(network, "a.png"), strict=True))
    assert found == pytest.approx(wanted, abs=2e-6)


def test_classes_without_names_are_numbers_and_that_is_said(run, photo, network):
    photo("a.png", (90, 131, 3))
    done = run("predict", "a.png", *GIVEN, "--json")
    assert "its 3 classes go by their numbers; --classes FILE names them" in done.err
    assert {each["label"] for each in done.results[0]["predictions"]} == {"0", "1", "2"}
    assert run("predict", "a.png", *GIVEN, "--json", "-q").err == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--classes", "names.txt"), "--classes is given without --weights"),
        (("--crop", "32", "-m", MODEL), "--crop is given without --weights"),
        ((*PICTURE, "--interpolation", "cubic"), "--interpolation is 'cubic'; expected bilinear"),
        ((*PICTURE, "--mean", "dark"), "--mean is 'dark'; expected a number"),
        ((*PICTURE, "--classes", "missing.txt"), "cannot read missing.txt"),
        (("-m", "resnet81", "--weights", "w.safetensors"), "there is no model 'resnet81'"),
        (("-m", "resnet34:width=0.05", "--weights", "w.safetensors"), "does not fit resnet34"),
        (("--weights", "w.safetensors"), "does not say which network it is of"),
    ],
)
def test_what_cannot_be(run, photo, network, two_lines, words, said):
    photo("a.png", (90, 131, 3))
    assert said in two_lines(run("predict", "a.png", *words), 2)


def test_evaluate_and_featuremaps(run, photo, network, tmp_path):
    true = ("ant", "ant", "bee", "cat")
    for number, name in enumerate(true):
        (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
        photo(f"photos/{name}/{number}.png", (90, 100, 3))
    done = run("evaluate", "photos", *GIVEN, "--classes", "names.txt", "--json")
    paths = [f"photos/{name}/{number}.png" for number, name in enumerate(true)]
    likeliest = [("ant", "bee", "cat")[int(shares_of(network, path).argmax())] for path in paths]
    right = sum(each == name for each, name in zip(likeliest, true, strict=True))
    assert json.loads(done.out)["accuracy"] == pytest.approx(right / 4)
    done = run("featuremaps", paths[0], *GIVEN, "-o", "maps.png", "--layer", "conv1", "--raw", "raw")
    assert done.code == 0
    assert np.load("raw/conv1.npy").shape == (SIDE // 2, SIDE // 2, 8)


def test_train_from_them(run, photo, network, tmp_path):
    for number in range(12):
        name = ("left", "right")[number % 2]
        (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
        photo(f"photos/{name}/{number}.png", (SIDE, SIDE, 3))
    words = (
        "--init",
        "w.safetensors",
        "--size",
        SIDE,
        "--epochs",
        1,
        "--freeze",
        "-o",
        "run",
        "--threads",
        1,
    )
    assert run("train", "photos", "-m", MODEL, *words).code == 0
    from cnncli.training.checkpoint import load_checkpoint

    trained = load_checkpoint(tmp_path / "run").arrays
    assert np.array_equal(trained["layer4.1.conv2.weight"], network.export()["layer4.1.conv2.weight"])
    assert trained["fc.weight"].shape == (2, 24)


def test_written_once_and_used_by_its_name_alone(run, photo, network):
    photo("a.png", (90, 131, 3))
    words = [str(word) for word in (*GIVEN, "--classes", "names.txt")]
    direct = run("predict", "a.png", *words, "--json").out
    named = [word for word in words if word not in ("--weights", "w.safetensors")]
    done = run("weights", "w.safetensors", *named, "-o", "net.safetensors", "--json")
    (told,) = done.results
    found = [told[name] for name in ("model", "classes", "named", "resize", "crop")]
    assert found == [MODEL, 3, True, 70, 64]
    assert run("predict", "a.png", "-m", "net.safetensors", "--json").out == direct
    assert "knows its network" in run("weights", "net.safetensors", "-m", MODEL).err


def test_what_is_read_is_not_written_over(run, network, tmp_path, two_lines):
    before = (tmp_path / "w.safetensors").read_bytes()
    words = ("w.safetensors", "-m", MODEL, "-q", "-o", "w.safetensors")
    assert "is also read" in two_lines(run("weights", *words), 2)
    assert (tmp_path / "w.safetensors").read_bytes() == before


def test_lines_that_convert_a_pickle_stand_alone(run, tmp_path):
    (tmp_path / "r.pth").write_bytes(b"PK\x03\x04 and so on")
    done = run("weights", "r.pth", "-m", "resnet18")
    *_, load, save = done.err.splitlines()
    assert done.code == 1
    assert load == "  weights = torch.load('r.pth', weights_only=True)"
    assert save == "  safetensors.torch.save_file(weights, 'r.safetensors')"
