"""`cnncli draw`: formats, styles, what it prints, and lines that are wrong."""

import json
import xml.etree.ElementTree as ET

import pytest


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
        "reads": ["input"],
        "shape": [28, 28, 6],
        "parameters": 156,
        "multiply_adds": 117600,
    }


def test_a_checkpoint_is_drawn(run, tmp_path):
    done = run("draw", "digits", "-o", str(tmp_path / "x.svg"))
    assert done.code == 0
    assert "72,506 parameters" in (tmp_path / "x.svg").read_text()


@pytest.mark.parametrize(
    ("line", "said"),
    [
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
