"""`cnncli draw`: formats, styles, what it prints, and lines that are wrong."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnncli
from cnncli.data.prepare import InputSpec, read_prepared
from cnncli.models.choice import architecture
from cnncli.nn import Network
from cnncli.nn.gradient import Gradient, of_cross_entropy

SAMPLES = Path(cnncli.__file__).parent.parent / "samples"


def test_a_figure_has_the_networks_name_and_says_it(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("draw", "resnet20:width=2")
    assert (done.code, done.lines) == (0, ["resnet20-width=2.svg"])
    root = ET.parse(tmp_path / "resnet20-width=2.svg").getroot()
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"resnet20:width=2", "BasicBlock A", "input"} <= set(texts)


@pytest.mark.parametrize(("name", "start"), [("x.svg", b"<?xml"), ("x.PNG", b"\x89PNG"), ("x.pdf", b"%PDF")])
def test_formats(run, tmp_path, name, start):
    done = run("draw", "lenet5", "--style", "flow", "-q", "-o", str(tmp_path / name))
    assert (done.code, done.out, done.err) == (0, b"", "")
    assert (tmp_path / name).read_bytes().startswith(start)


def test_svg_on_standard_output(shell):
    done = shell("cnncli draw 'conv8 relu pool fc' --size 32x24 --color -o -")
    assert done.code == 0
    assert ET.fromstring(done.out).tag.endswith("svg")
    assert b"24x32x3" in done.out


def test_json_says_what_was_drawn(run, tmp_path):
    done = run("draw", "lenet5", "--json", "-o", str(tmp_path / "x.svg"), "--classes", "7")
    about = json.loads(done.out)
    assert [card["parameters"] for card in about["cards"]] == [156, 0, 2416, 0, 48120, 10164, 595]
    assert about["cards"][0] == {
        "names": ["conv1", "relu1"],
        "layers": ["5x5 conv", "relu"],
        "block": None,
        "reads": ["input"],
        "shape": [28, 28, 6],
        "parameters": 156,
        "multiply_adds": 117600,
    }


def test_a_checkpoint_is_drawn(run, tmp_path):
    done = run("draw", "digits", "-o", str(tmp_path / "x.svg"))
    assert done.code == 0
    assert "72,506 parameters" in (tmp_path / "x.svg").read_text()


LINE = ["conv3 relu pool fc", "--size", "6", "--classes", "4", "--backprop"]


def forward(x, weights):
    """A 3x3 convolution with zeros around, ReLU, 2x2 max pooling and a fully connected layer, in float64."""
    kernels, bias, matrix, shift = weights
    size = len(x)
    padded = np.pad(x, 1)
    maps = np.empty((len(kernels), size, size))
    for k, kernel in enumerate(kernels):
        for row, column in np.ndindex(size, size):
            maps[k, row, column] = (padded[row : row + 3, column : column + 3] * kernel).sum() + bias[k]
    pooled = np.maximum(maps, 0).reshape(len(kernels), size // 2, 2, size // 2, 2).max(axis=(2, 4))
    outputs = matrix @ pooled.ravel() + shift
    return np.log(np.exp(outputs).sum()) - outputs  # losses, one for each true class


def test_norms_are_those_of_finite_differences(run, tmp_path):
    pixels = np.random.default_rng(4).integers(0, 256, (6, 6), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    out = str(tmp_path / "x.svg")
    done = run("draw", *LINE, "--image", str(tmp_path / "x.png"), "--target", "2", "--json", "-o", out)
    about = json.loads(done.out)
    network = Network(architecture(LINE[0], (6, 6, 1), 4).graph(), seed=0)
    weights = [network.array(name).astype(np.float64) for name in network.parameters]
    weights[0] = weights[0][:, 0]
    x = (pixels / 255 - 0.5) / 0.25
    assert about["example"]["weights"] == "random"
    assert about["example"]["true_class"] == "2"
    assert about["example"]["loss"] == pytest.approx(forward(x, weights)[2], rel=1e-4)
    conv, pool, fc = (card["gradient_norms"] for card in about["cards"])
    for norms, number in ((conv, 0), (fc, 2)):
        slopes = []
        for place in np.ndindex(weights[number].shape):
            step = np.zeros(weights[number].shape)
            step[place] = 1e-5
            ends = [
                forward(x, [*weights[:number], weights[number] + sign * step, *weights[number + 1 :]])[2]
                for sign in (1, -1)
            ]
            slopes.append((ends[0] - ends[1]) / 2e-5)
        assert norms["weights"] == pytest.approx(np.linalg.norm(slopes), rel=1e-3)
    shares = np.exp(-forward(x, weights))
    slopes = shares - np.eye(4)[2]
    assert fc["output"] == pytest.approx(np.linalg.norm(slopes), rel=1e-3)
    assert pool["output"] == pytest.approx(np.linalg.norm(weights[2].T @ slopes), rel=1e-3)
    assert pool["weights"] is None


def test_auxiliary_heads_send_three_tenths_of_their_loss_back(run, tmp_path):
    name, shape = "googlenet:aux,width=0.1", (64, 64, 3)
    out = str(tmp_path / "x.svg")
    words = ["draw", name, "--size", "64", "--classes", "4", "--backprop", "--target", "1", "--all"]
    words += ["--json", "-o", out]
    cards = json.loads(run(*words).out)["cards"]
    norms = {each: card["gradient_norms"] for card in cards for each in card["names"]}
    network = Network(architecture(name, shape, 4).graph(), seed=0)
    source = read_prepared((SAMPLES / "chelsea.png").read_bytes(), InputSpec(shape), name="chelsea.png")
    x = ((source.pixels[None] / 255 - 0.5) / 0.25).astype(np.float32)
    for role in ("aux1", "aux2"):
        head = network.graph.outputs[role]
        read = network.graph.nodes[head].inputs[0]
        found = Gradient(network, 1, of=head, wrt=(head,), keep=(read,)).run(x, of_cross_entropy([1]))
        shares = np.exp(found.outputs[0].astype(np.float64))
        slopes = 0.3 * (shares / shares.sum() - np.eye(4)[1])
        assert norms[head]["output"] == pytest.approx(np.linalg.norm(slopes), rel=1e-4)
        slopes = np.outer(slopes, found.activations[read])
        assert norms[head]["weights"] == pytest.approx(np.linalg.norm(slopes), rel=1e-3)


def test_json_has_the_insides_of_blocks(run, tmp_path):
    done = run(
        "draw", "resnet20:width=2", "--size", "16", "--backprop", "--json", "-o", str(tmp_path / "x.svg")
    )
    about = json.loads(done.out)
    blocks = [card for card in about["cards"] if card["block"]]
    assert {card["block"] for card in blocks} == set(about["insides"])
    for inside in about["insides"].values():
        assert [card["names"][0].rpartition(".")[2] for card in inside][:2] == ["conv1", "conv2"]
        assert inside[0]["gradient_norms"]["weights"] > 0
        assert any("doutput(x,y)/dw" in term for terms in inside[0]["terms"].values() for term in terms)


def test_a_picture_and_the_answer_are_drawn(run, tmp_path):
    out = tmp_path / "x.svg"
    done = run("draw", "digits", "--image", str(SAMPLES / "digits/3.png"), "--json", "-o", str(out))
    example = json.loads(done.out)["example"]
    assert example["predictions"][0]["label"] == "3"
    assert "true_class" not in example
    root = ET.fromstring(out.read_bytes())
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "answer" in texts
    assert "loss: cross-entropy" not in texts
    assert f"{example['predictions'][0]['probability']:.1%}" in texts
    assert len(list(root.iter("{http://www.w3.org/2000/svg}image"))) > 8


def test_a_network_without_weights_says_so(run, tmp_path):
    out = tmp_path / "x.svg"
    assert run("draw", *LINE, "-o", str(out)).code == 0
    assert "its weights are random (seed 0)" in out.read_text()
    assert "7.png" in out.read_text()


@pytest.mark.parametrize("name", ["x.gif", "x.png", "x.APNG"])
def test_animations(run, tmp_path, name):
    done = run("draw", *LINE, "--animate", "-q", "-o", str(tmp_path / name))
    assert (done.code, done.err) == (0, "")
    with Image.open(tmp_path / name) as film:
        assert film.n_frames == 10  # input, conv, pool, fc and the loss, forward and back
        assert film.info["loop"] == 0
        times = []
        for number in range(film.n_frames):
            film.seek(number)
            times.append(film.info["duration"])
    assert times == [450] * 4 + [1200] + [450] * 4 + [4000]
    assert (tmp_path / name).stat().st_size < 500_000


def test_hostile_names_stay_text(run, tmp_path):
    name = "<script>alert(1)</script>&#x41;\"'.png"
    (tmp_path / "in").mkdir()
    Image.new("L", (6, 6), 90).save(tmp_path / "plain.png")
    image = tmp_path / "in" / name.replace("/", "\u2215")
    (tmp_path / "plain.png").rename(image)
    for out in ("x.svg", "x.pdf"):
        assert run("draw", *LINE, "--image", str(image), "-o", str(tmp_path / out)).code == 0
    root = ET.fromstring((tmp_path / "x.svg").read_bytes())
    assert {each.tag.rpartition("}")[2] for each in root.iter()} <= {
        *("svg", "title", "desc", "rect", "g", "polygon", "polyline", "text", "image")
    }
    assert any(image.name in (each.text or "") for each in root.iter())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["lenet5", "--target", "3"], "--target is given without --backprop"),
        (["lenet5", "--backprop", "--target", "x"], "expected one of 10 classes: 0, 1"),
        (["lenet5", "-o", "x.gif"], "Add --animate"),
        (["lenet5", "--animate", "-o", "x.svg"], "expected a name that ends in .gif, .png, .apng"),
        (["textcnn", "--image", "x.png"], "which reads texts"),
        (["resnet81"], "Did you mean"),
        (["lenet5", "--style", "flwo"], "Did you mean flow?"),
        (["lenet5", "-o", "x.jpg"], "expected a name that ends in .svg, .png, .pdf"),
        (["lenet5", "--json", "-o", "-"], "both be on standard output"),
        (["lenet5", "--size", "4"], "--size"),
        (["digits", "--classes", "3"], "which is trained"),
        (["missing.safetensors"], "missing.safetensors"),
    ],
)
def test_wrong_lines_write_nothing(run, tmp_path, monkeypatch, line, said):
    monkeypatch.chdir(tmp_path)
    done = run("draw", *line)
    assert done.code == 2 or line == ["missing.safetensors"]
    assert said in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.iterdir())


def test_a_page_to_explore_needs_weights(run, tmp_path, two_lines):
    target = tmp_path / "x.html"
    done = run("draw", "digits", "-o", str(target))
    assert (done.code, done.lines) == (0, [str(target)])
    assert b'<script type="application/json" id="data">' in target.read_bytes()
    assert "lenet5 has no weights" in two_lines(run("draw", "lenet5", "-o", str(tmp_path / "y.html")), 2)
    words = ["draw", "digits", "--style", "flow", "-o", str(target)]
    assert "--style is 'flow' with a page" in two_lines(run(*words), 2)
