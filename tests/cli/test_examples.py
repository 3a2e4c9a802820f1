"""Every example in the README and at the end of a help page runs, offline, in a folder like a user's."""

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from safetensors.numpy import save_file

from cnncli.cli.app import app
from cnncli.cli.examples import EXAMPLES
from cnncli.models.choice import build
from cnncli.nn import Network
from cnncli.onnx.model import network_model
from cnncli.training.weights.compare import shapes_of

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [
    [line for line in block.splitlines() if line.strip() and not line.startswith("#")]
    for block in re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
]
#: Lines that are not run, by what they contain, and why.
NOT_RUN = {
    "pip install": "it sets up an environment, from the network",
    "pytest": "it runs this test",
    "tests.benchmarks": "it measures for minutes, beside peers that are not installed",
    "--install-completion": "it writes to a home; test_completion does so in one of its own",
    "man cnncli": "it opens a pager; test_manual reads the pages",
}
GROUP = typer.main.get_command(app)


@pytest.fixture
def folder(tmp_path, rng):
    """What the examples name: photographs, classes of them, scans, clips, weights, boxes of others."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    (tmp_path / "scans").mkdir()
    shutil.copy(ROOT / "samples/digits/7.png", tmp_path / "scans/page.png")
    picture = Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    for name in ("photo.jpg", "photo.png"):
        picture.save(tmp_path / name)
    shapes = shapes_of(build("resnet18", (224, 224, 3), 1000))
    image, box = {"id": 1, "file_name": "photo.jpg", "width": 64, "height": 48}, [3, 4, 20, 30]
    objects = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": box, "area": 600, "iscrowd": 0}]
    truth = {"images": [image], "annotations": objects, "categories": [{"id": 1, "name": "cat"}]}
    for name in ("annotations.json", "truth.json"):
        (tmp_path / name).write_text(json.dumps(truth))
    results = [{"image_id": 1, "category_id": 1, "bbox": box, "score": 0.9}]
    (tmp_path / "results.json").write_text(json.dumps(results))
    write_instances(tmp_path, rng)
    write_clips(tmp_path, rng)
    arrays = {name: np.zeros(shape, np.float16) for name, shape in shapes.items()}
    save_file(arrays, tmp_path / "w.safetensors")
    small = Network(build("lenet5", (28, 28, 1), 10))
    (tmp_path / "net.onnx").write_bytes(network_model(small, name="lenet5"))
    for level, name in ((60, "cat"), (190, "dog")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(20):
            pixels = np.clip(rng.normal(level, 20, (24, 24, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.jpg")
    return tmp_path


def write_instances(root, rng):
    """Twelve pictures with a polygon each."""
    images, objects = [], []
    for number in range(1, 13):
        name = f"picture{number}.png"
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(root / name)
        images.append({"id": number, "file_name": name, "width": 32, "height": 32})
        shape = {"bbox": [4, 4, 20, 20], "area": 400, "segmentation": [[4, 4, 24, 4, 24, 24, 4, 24]]}
        objects.append({"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, **shape})
    truth = {"images": images, "annotations": objects, "categories": [{"id": 1, "name": "cat"}]}
    (root / "instances.json").write_text(json.dumps(truth))


def write_clips(root, rng):
    """Eight clips of each of two classes, as animations and as folders of frames, and one more."""
    for at, (number, label) in enumerate((number, label) for number in range(8) for label in ("up", "down")):
        frames = [Image.fromarray(each) for each in rng.integers(0, 256, (6, 16, 16), dtype=np.uint8)]
        clip = root / "clips" / label / f"{number}.gif"
        inner = root / "frames" / label / f"clip{number}"
        inner.mkdir(parents=True)
        clip.parent.mkdir(parents=True, exist_ok=True)
        frames[0].save(clip, save_all=True, append_images=frames[1:], duration=100)
        for place, frame in enumerate(frames):
            frame.save(inner / f"{place:04}.png")
        if not at:
            shutil.copy(clip, root / "clip.gif")


def reason(line):
    """Why a line is not run; None where it is."""
    return next((why for word, why in NOT_RUN.items() if word in line), None)


def shortened(line):
    """The same with little of the data that ship, where it would train or measure for long, or download."""
    words = re.sub(r"\s+#.*", "", line)
    if re.search(r"cnncli (train|evaluate) (fashion-)?mnist", words):
        words += " --offline"
    if "cnncli train" in words and "--epochs" not in words:
        words += " --epochs 1"
    if "--attributions" in words:
        words += " --images 2"
    return re.sub(r"--epochs (?!1\b|2\b)\d+", "--epochs 1", words)


@pytest.mark.parametrize("block", [block for block in BLOCKS if not all(map(reason, block))])
def test_blocks_of_the_readme_run(shell, folder, block):
    for line in block:
        if reason(line) is None:
            done = shell(f"set -o pipefail; {shortened(line)}", env={"COLUMNS": "80"}, timeout=300)
            assert done.code == 0, (line, done.err)


def test_what_is_not_run_is_there():
    """The table of exceptions names only what occurs."""
    lines = [line for block in BLOCKS for line in block]
    assert {word for word in NOT_RUN if not any(word in line for line in lines)} == set()


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_help_run(shell, folder, name):
    if name == "samples":
        shutil.rmtree(folder / "samples")
    for example in EXAMPLES[name]:
        done = shell(example.line, timeout=300)
        assert done.code == 0, (example.line, done.err)


def test_every_command_has_examples():
    assert set(EXAMPLES) == {"", *GROUP.commands}


def mentioned():
    """Commands in the running text and the tables of the README."""
    text = re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)
    return sorted({span for span in re.findall(r"`(cnncli [a-z][^`…]*)`", text) if "COMMAND" not in span})


@pytest.mark.parametrize("line", mentioned())
def test_commands_in_the_text_are_read(line):
    """Parsed only: they train for minutes, or are named for what they are."""
    name, *words = shlex.split(line)[1:]
    assert name in GROUP.commands
    if words not in (["--help"], []):
        GROUP.commands[name].make_context(name, words)
