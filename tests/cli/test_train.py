"""The train command: what it leaves, what it says where, and what it refuses."""

import csv
import json
import signal
import time

import numpy as np
import pytest
from PIL import Image

MODEL = "conv4 bn relu pool gap fc"
FILES = {
    "best.safetensors",
    "last.safetensors",
    "state.safetensors",
    "config.json",
    "metrics.jsonl",
    "curves.png",
    "confusion_matrix.png",
    "misclassified.csv",
    "misclassified.png",
}


@pytest.fixture
def bars(tmp_path):
    """Pictures with a bar that lies or stands, in the test's folder."""
    rng = np.random.default_rng(5)
    images = rng.integers(0, 60, (80, 8, 8)).astype(np.uint8)
    labels = np.arange(80) % 2
    for image, label in zip(images, labels, strict=True):
        at = int(rng.integers(1, 6))
        if label:
            image[:, at : at + 2] += 150
        else:
            image[at : at + 2] += 150
    np.savez(
        tmp_path / "bars.npz",
        x_train=images[:60],
        y_train=labels[:60],
        x_test=images[60:],
        y_test=labels[60:],
    )
    return "bars.npz"


@pytest.fixture
def train(run, bars):
    return lambda *words: run("train", bars, "-m", MODEL, "--epochs", 2, "-b", 16, *words)


def test_a_run_and_what_it_leaves(train, tmp_path):
    done = train("--json")
    assert done.code == 0, done.err
    (result,) = done.results
    assert result["run"] == "runs/bars-custom"
    assert (result["model"], result["dataset"], result["images"], result["epochs"]) == (
        "custom",
        "bars",
        54,
        2,
    )
    assert 0 <= result["test_accuracy"] <= 1
    assert result["seconds"] > 0
    folder = tmp_path / result["run"]
    assert {path.name for path in folder.iterdir()} == FILES
    wrong = round((1 - result["test_accuracy"]) * 20)
    with (folder / "misclassified.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == wrong
    assert all(row["label"] != row["predicted"] for row in rows)
    for name in ("curves", "confusion_matrix", "misclassified"):
        Image.open(folder / f"{name}.png").verify()


def test_what_is_said_where(train):
    done = train()
    assert done.lines == ["runs/bars-custom"]
    assert "conv1 " in done.err
    assert "parameters" in done.err
    assert "epoch 2/2  loss" in done.err
    assert "test images right" in done.err


def test_quiet(train):
    done = train("--quiet", "--json")
    assert done.err == ""
    assert len(done.results) == 1
    assert train("--quiet").out == b""


def test_runs_are_numbered(train, tmp_path):
    assert [train("--json").results[0]["run"] for _ in range(3)] == [
        "runs/bars-custom",
        "runs/bars-custom-2",
        "runs/bars-custom-3",
    ]


def test_a_finished_run_says_so_again(train, run, tmp_path):
    first = train("-o", "r", "--json").results
    before = {path: path.read_bytes() for path in (tmp_path / "r").iterdir()}
    done = run("train", "--resume", "r", "--json")
    assert done.results == first
    assert "trained to its end already" in done.err
    assert {path: path.read_bytes() for path in (tmp_path / "r").iterdir()} == before


def test_finding_a_rate(train, tmp_path):
    done = train("--find-lr", "--json", "-o", "r")
    assert done.code == 0, done.err
    (result,) = done.results
    assert 1e-5 < result["suggested_lr"] < 10
    Image.open(tmp_path / result["curve"]).verify()
    assert not (tmp_path / "r" / "config.json").exists()
    assert train("-o", "r").code == 0


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        ([], 2, "no DATASET is given"),
        (["nowhere"], 1, "neither a known data set nor a file"),
        (["bars.npz", "-m", "lenet6"], 1, "no model 'lenet6'"),
        (["bars.npz", "-m", "conv8 rleu fc"], 1, "»rleu«"),
        (["bars.npz", "--opt", "sdg"], 2, "--opt is 'sdg'"),
        (["bars.npz", "--epochs", "0"], 2, "--epochs is 0"),
        (["bars.npz", "--threads", "0"], 2, "--threads is 0"),
        (["bars.npz", "--augment", "spin"], 1, "unknown word 'spin'"),
        (["bars.npz", "--init", "none.safetensors"], 1, "no such file"),
        (["bars.npz", "--resume", "r"], 2, "a DATASET stands beside it"),
        (["--resume", "r", "--lr", "1"], 2, "--lr stands beside it"),
        (["--resume", "r", "-o", "s"], 2, "--output stands beside it"),
        (["--resume", "r"], 1, "r does not exist"),
        (["--resume", "bars.npz"], 1, "holds no config.json"),
    ],
)
def test_what_is_refused(run, bars, two_lines, tmp_path, words, code, what):
    assert what in two_lines(run("train", *words), code)
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_holds_a_run(train, two_lines):
    train("-o", "r")
    assert "holds a run already" in two_lines(train("-o", "r"), 1)


def test_data_that_have_changed(train, run, two_lines, tmp_path):
    train("-o", "r")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "bars.npz", x=rng.integers(0, 255, (50, 8, 8)).astype(np.uint8), y=np.arange(50) % 2)
    assert "the data of r have changed" in two_lines(run("train", "--resume", "r"), 1)


@pytest.mark.parametrize("name", ["config.json", "state.safetensors"])
def test_a_damaged_run(train, run, two_lines, tmp_path, name):
    train("-o", "r")
    (tmp_path / "r" / name).write_bytes(b'{"format"')
    assert name in two_lines(run("train", "--resume", "r"), 1)


def test_interrupted_it_says_how_to_go_on(start, bars, tmp_path, run):
    process = start("train", bars, "-m", MODEL, "--epochs", "100000", "-b", "8", "-o", "my run")
    metrics = tmp_path / "my run" / "metrics.jsonl"
    until = time.monotonic() + 60
    while not metrics.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    another = run("train", "--resume", "my run")
    assert "another process is training" in another.err
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == b""
    last = err.decode().splitlines()[-1]
    assert last.startswith("interrupted: saved after step ")
    assert last.endswith("go on with: cnncli train --resume 'my run'")
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert steps[-1] <= int(last.split("step ")[1].split(",  in")[0].split(", in")[0].replace(",", ""))
