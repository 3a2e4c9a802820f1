"""`cnncli models`: the list, one network as a tree, checkpoints, JSON, narrow terminals, wrong lines."""

from pathlib import Path

import pytest

from cnncli.data.shipped import MODELS as SHIPPED
from cnncli.models.catalog import MODELS

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def show(run, monkeypatch):
    """Run the command on a terminal of some columns, and return its lines."""

    def lines(*words, columns=80):
        monkeypatch.setenv("COLUMNS", str(columns))
        done = run("models", *words)
        assert done.code == 0, done.err
        assert not done.err
        return done.lines

    return lines


def cells(lines, name):
    """The cells of the first line that begins with a name."""
    return next(line.split() for line in lines if line.split()[:1] == [name])


@pytest.mark.parametrize("columns", [80, 60])
def test_the_list_has_every_network_and_fits(show, columns):
    lines = show(columns=columns)
    named = {line.split()[0] for line in lines if line.startswith("  ")}
    assert {*MODELS, *SHIPPED} <= named
    assert max(map(len, lines)) <= columns
    assert cells(lines, "resnet50")[:3] == ["resnet50", "25,557,032", "4.09"]
    assert ("224x224x3" in cells(lines, "resnet50")) == (columns == 80)
    folded = " ".join(" ".join(lines).split())
    assert ("rec. field: receptive field" in folded) == (columns == 80)
    assert all(f"{model.paper}, {model.year}" in folded for model in MODELS.values() if model.paper)


def test_the_list_as_json(run):
    found = {each["name"]: each for each in run("models", "--json").results}
    assert list(found) == [*MODELS, *SHIPPED]
    vgg = found["vgg16"]
    assert (vgg["parameters"], vgg["multiply_adds"], vgg["receptive_field"]) == (
        138357544,
        15470264320,
        [212, 212],
    )
    assert (vgg["input"], vgg["classes"], vgg["year"]) == ([224, 224, 3], 1000, 2014)
    assert (vgg["options"], vgg["checkpoint"]) == ({"width": [0.05, 4.0]}, None)
    assert found["imagenet"]["architecture"] == "efficientnet-lite0"
    assert Path(found["digits"]["checkpoint"]).name == "digits.safetensors"
    assert found["seresnet20"]["receptive_field"] is None


@pytest.mark.parametrize("columns", [80, 60])
def test_a_tree_of_blocks(show, columns):
    lines = show("resnet20", columns=columns)
    assert max(map(len, lines)) <= columns
    assert "  4-5" in [line[:5] for line in lines]
    assert ("2 x BasicBlock" in "\n".join(lines)) == (columns == 80)
    head, _, rest = "\n".join(lines).partition("\n\n")
    assert head.startswith("resnet20: residual network of 20 layers")
    for word in (
        "Paper   He, Zhang",
        "Form    What these forms changed",
        "Options width=0.05 to 4",
        "Input   32x32",
    ):
        assert word in head
    assert "Sum     269,722 parameters, 40.6 M multiply-adds" in rest
    assert "1-2" not in [line.split()[0] for line in show("resnet20", "--all") if line]


def test_images_and_classes(show):
    lines = show("googlenet:aux", "--size", "96x64", "--gray", "--classes", "7")
    assert "Input   64x96 gray, 7 classes" in lines
    assert cells(lines, "aux1")[1] == "InceptionAux"
    assert "aux1 and aux2 serve training alone" in " ".join(lines)
    assert "Input   28x28 in colour, 10 classes" in show("conv8 relu fc", "--color")


def test_layers_of_ones_own(show):
    lines = show("conv8-5 relu pool fc")
    assert lines[0] == "conv8-5 relu pool fc: layers of your own"
    assert cells(lines, "conv1") == ["conv1", "5x5", "conv", "28x28x8", "208", "157", "k", "5x5"]
    assert lines[-1] == "Try     cnncli train photos/ -m 'conv8-5 relu pool fc' --size 28"


def test_the_readme_shows_what_is_printed(show):
    readme = (SAMPLES.parent / "README.md").read_text(encoding="utf-8")
    shown = readme.partition("```text\n$ cnncli models lenet5\n")[2].partition("```")[0]
    assert show("lenet5") == shown.splitlines()


def test_networks_for_texts(run, show):
    lines = show("textcnn:channels=both")
    assert "Input   texts of up to 64 words, 2 classes" in lines
    assert "Options channels=tuned or static or both, dim=1 to 2000" in lines
    assert cells(lines, "conv4")[1:4] == ["4-word", "conv,", "max"]
    (found,) = run("models", "textcnn", "--json").results
    assert found["options"] == {"channels": ["tuned", "static", "both"], "dim": [1, 2000]}
    assert (found["input"], found["receptive_field"]) == ([1, 64, 1], None)
    assert "which reads texts" in run("models", "textcnn", "--size", 9).err


def test_json_has_the_same_tree(run):
    (found,) = run("models", "resnet20", "--json").results
    stem, *_, blocks, _, head = found["layers"]
    assert (stem["kind"], stem["shape"], stem["parameters"]) == ("3x3 conv", [32, 32, 16], 432)
    first = blocks["layers"][0]
    assert (first["name"], first["alike"], first["kind"]) == ("l.0", ["l.1", "l.2"], "BasicBlock")
    assert first["parameters"] == 3 * sum(each["parameters"] for each in first["layers"])
    assert head["name"] == "linear"
    assert found["changes"].startswith("What these forms changed")
    (whole,) = run("models", "resnet20", "--json", "--all").results
    assert len(next(each for each in whole["layers"] if each["name"] == "l")["layers"]) == 9


def test_trained_networks(run, show):
    assert "Trained EfficientNet-Lite0 by Google" in "\n".join(show("imagenet"))
    (named,) = run("models", "digits", "--json").results
    path = SAMPLES / "digits.safetensors"
    (given,) = run("models", path, "--json").results
    assert given | {"name": "digits"} == named
    assert (given["parameters"], given["classes"], given["input"]) == (72506, 10, [28, 28, 1])


def test_weights_are_not_looked_at(run, tmp_path):
    """Those of a diverged training are no reason not to show its layers; fewer than it has are one."""
    data = bytearray((SAMPLES / "digits.safetensors").read_bytes())
    data[-4:] = b"\xff" * 4
    (tmp_path / "a.safetensors").write_bytes(data)
    assert run("models", "a.safetensors").code == 0
    (tmp_path / "b.safetensors").write_bytes(data[:-4])
    assert "cut short" in run("models", "b.safetensors").err


@pytest.mark.parametrize(
    ("words", "what", "hint"),
    [
        (("resnt18",), "there is no model 'resnt18'", "Did you mean resnet18?"),
        (("imagnet",), "there is no model 'imagnet'", "Did you mean imagenet?"),
        (("conv8 rlu fc",), "'rlu' is not a layer", "Did you mean relu?"),
        (("conv8,relu,fc",), "'conv8,relu,fc'", 'Did you mean cnncli models "conv8 relu fc"?'),
        (("vgg11:width=9",), "width of vgg11 is '9'", "cnncli models vgg11:width=0.5"),
        (("vgg16", "--size", "20"), "vgg16 does not fit images of 20x20x3", "--size 32"),
        (("vgg16", "--classes", "0"), "--classes is 0; expected 1 to 1000000", ""),
        (("digits", "--size", "9"), "--size is given with digits, which is trained", ""),
        (("--gray",), "--gray or --color is given without a network", "cnncli models vgg16"),
        (("missing.safetensors",), "cannot read missing.safetensors", ""),
        (("runs/missing",), "cannot read runs/missing", ""),
        (("",), "no layers are given", ""),
    ],
)
def test_wrong_lines(run, words, what, hint):
    done = run("models", *words)
    assert done.code == 2
    assert not done.out
    error, advice = done.err.splitlines()
    assert what in error
    assert "--model" not in error
    assert hint in advice
