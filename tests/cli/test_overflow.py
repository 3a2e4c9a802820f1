"""Networks whose values overflow: such an image is a failed one, and no number in JSON is none."""

import json

import numpy as np
import pytest
from PIL import Image

from cnncli.models.choice import architecture
from cnncli.nn import Network
from cnncli.tasks.classification import Classification
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.training.checkpoint import Checkpoint, save_checkpoint


@pytest.fixture
def overflowing(tmp_path):
    """A network that answers for black images, and for no others: 1e25 times 1e25 is beyond float32."""
    model = architecture("conv1k1 conv1k1 fc", (4, 4, 1), 2)
    arrays = {name: np.zeros_like(each) for name, each in Network(model.graph()).export().items()}
    for name in ("conv1.weight", "conv2.weight"):
        arrays[name][...] = 1e25
    arrays["head.weight"][0] = 1.0
    arrays["head.weight"][1] = -1.0
    path = tmp_path / "large.safetensors"
    save_checkpoint(
        path, Checkpoint(arrays, Classification(("a", "b")), Preprocessing((4, 4), 1, (0.0,), (1.0,)), model)
    )
    for name, level in (("black", 0), ("white", 255)):
        Image.new("L", (4, 4), level).save(tmp_path / f"{name}.png")
    return path


def strict(text):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_images_that_overflow_have_failed_and_the_others_have_not(run, overflowing):
    done = run("predict", "black.png", "white.png", "black.png", "-m", overflowing, "--json")
    assert done.code == 1
    first, second, third = map(strict, done.lines)
    assert first["predictions"] == third["predictions"]
    assert sum(each["probability"] for each in first["predictions"]) == pytest.approx(1)
    assert "white.png: the outputs of the network are not numbers" in second["error"]
    assert "predictions" not in second


def test_one_that_overflows_is_an_error_in_text(run, overflowing, two_lines):
    done = run("predict", "white.png", "-m", overflowing)
    assert "white.png: the outputs of the network are not numbers" in two_lines(done, 1)
    assert b"nan" not in done.out.lower()


def test_no_scores_are_made_of_them(run, overflowing, tmp_path, two_lines):
    for label in "ab":
        (tmp_path / "set" / label).mkdir(parents=True)
        for number in range(8):
            Image.new("L", (4, 4), 10 * number + ord(label)).save(tmp_path / "set" / label / f"{number}.png")
    done = run("evaluate", "set", "-m", overflowing, "--json")
    assert "images are not numbers" in done.err
    assert done.code == 1
    assert done.out == b""


def test_no_page_is_drawn_of_them(run, overflowing, tmp_path, two_lines):
    done = run("featuremaps", "white.png", "-m", overflowing, "-o", "page.png", "--json")
    assert "white.png: the outputs of the network are not numbers" in two_lines(done, 1)
    assert done.out == b""
    assert not (tmp_path / "page.png").exists()


def test_a_network_that_no_memory_holds(run, overflowing, two_lines, tmp_path):
    """Its weights fit, its images do not: nothing is begun that cannot end."""
    model = architecture("conv200k1 conv200k1 conv1k1 gap fc", (4000, 4000, 1), 2)
    arrays = Network(model.graph()).export()
    path = tmp_path / "wide.safetensors"
    pre = Preprocessing((4000, 4000), 1, (0.0,), (1.0,))
    save_checkpoint(path, Checkpoint(arrays, Classification(("a", "b")), pre, model))
    done = run("predict", "white.png", "-m", path, "--threads", "1")
    assert "for one image; expected at most the " in two_lines(done, 1)
