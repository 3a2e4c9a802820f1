"""The seam: a task of boxes trains, resumes, evaluates and predicts; nothing but it knows what a box is."""

import json
from pathlib import Path

import numpy as np
import pytest
from boxes import Box, rectangles
from PIL import Image

from cnncli.cli.run import run
from cnncli.data.augment import Augment
from cnncli.data.load import NAMED, load_dataset
from cnncli.data.loader import Loader
from cnncli.tasks import TASKS
from cnncli.training.checkpoint import load_checkpoint
from cnncli.training.state import load_state

TRAIN = [
    "--model",
    "conv8 bn relu pool conv16 bn relu flatten fc64 relu fc",
    "-b",
    "16",
    "--threads",
    "1",
    "-q",
]


@pytest.fixture(autouse=True)
def boxes_are_known(monkeypatch, tmp_path):
    monkeypatch.setitem(TASKS, "box", lambda: Box)
    monkeypatch.setitem(NAMED, "rectangles", rectangles)
    monkeypatch.chdir(tmp_path)


def train(*words):
    assert run(["train", *map(str, words), *TRAIN]) == 0


def test_boxes_move_with_the_pixels():
    """The box that training is told of is where the bright pixels are, however the image was moved."""
    dataset = load_dataset("rectangles")
    augment = Augment(flip=0.5, vflip=0.5, shift=2, border="black")
    seen = set()
    for batch in Loader(dataset.train, 20, augment=augment, shuffle=True).epoch(0):
        for image, edges in zip(batch.x[..., 0] > 0.5, 16 * Box().encode(batch)["main"], strict=True):
            rows, columns = np.nonzero(image)
            bright = [columns.min(), rows.min(), columns.max(), rows.max()]
            np.testing.assert_allclose(edges.clip(0, 15), bright, atol=1e-3)
        seen |= {tuple(np.sign(move[:, :2]).ravel()) for move in batch.moves}
    assert len(seen) == 4  # each way of mirroring


def test_it_learns_and_the_best_epoch_has_the_least_error(capfd):
    train("rectangles", "-o", "run", "--epochs", "8", "--augment", "flip")
    capfd.readouterr()
    held, state = load_checkpoint(Path("run")), load_state(Path("run/state.safetensors"))
    errors = [row["val_error"] for row in state.progress.history]
    assert held.task.name == "box"
    assert held.training["val_error"] <= 1.1 * min(errors)
    assert state.progress.result["error"] < 0.6  # of 16 pixels; always saying the middle errs by 1.6
    assert state.progress.history[-1]["train_error"] < 0.8  # measured beside boxes that moved along
    assert run(["evaluate", "rectangles", "-m", "run", "--json", "-q"]) == 0
    assert json.loads(capfd.readouterr().out)["error"] == round(state.progress.result["error"], 6)


def test_a_prolonged_run_and_a_whole_one_have_their_bits(capfd):
    plan = ["--sched", "constant", "--augment", "flip,shift=1"]
    train("rectangles", "-o", "whole", "--epochs", "3", *plan)
    train("rectangles", "-o", "parts", "--epochs", "2", *plan)
    assert run(["train", "--resume", "parts", "--epochs", "3", "--threads", "1", "-q"]) == 0
    whole, parts = (load_checkpoint(Path(name, "last.safetensors")) for name in ("whole", "parts"))
    for name, array in whole.arrays.items():
        assert np.array_equal(array, parts.arrays[name]), name


def test_it_predicts_in_its_own_columns(capfd):
    train("rectangles", "-o", "run", "--epochs", "1")
    Image.fromarray(np.zeros((16, 16), np.uint8)).save("dark.png")
    capfd.readouterr()
    assert run(["predict", "dark.png", "-m", "run", "--csv", "-q"]) == 0
    head, row = capfd.readouterr().out.splitlines()
    assert head == "input,left,top,right,bottom,error"
    assert run(["predict", "dark.png", "-m", "run", "--json", "-q"]) == 0
    box = json.loads(capfd.readouterr().out)["box"]
    assert row.split(",")[1:5] == [str(edge) for edge in box]
