"""The train command: what it leaves, what it says where, and what it refuses."""

import csv
import json
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.cli.train import _untested
from cnncli.training.session import resume

MODEL = "conv4 bn relu pool gap fc"
FILES = {
    "best.safetensors",
    "last.safetensors",
    "state.safetensors",
    "config.json",
    "splits.csv",
    "metrics.jsonl",
    "curves.png",
    "confusion_matrix.png",
    "reliability.png",
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
    assert (result["model"], result["dataset"], result["epochs"]) == ("custom", "bars", 2)
    with (tmp_path / result["run"] / "splits.csv").open(newline="") as file:
        splits = [row["split"] for row in csv.DictReader(file)]
    assert result["images"] == splits.count("train")
    assert splits.count("train") + splits.count("val") == 60
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
    assert re.search(r"test accuracy \d+\.\d\d% \(\d+ of \d+\)", done.err)


def test_sizes_are_rows_then_columns(run, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 9, 3)).astype(np.uint8)
    np.savez(tmp_path / "wide.npz", x=images, y=np.arange(40) % 2)
    done = run("train", "wide.npz", "-m", "conv4-5 gap fc", "--epochs", 1)
    assert "2 classes; 6x9x3" in done.err
    rows = {line.split()[0]: line.split()[1:] for line in done.err.splitlines() if line.startswith("  ")}
    assert rows["conv1"][:3] == ["5x5", "conv", "6x9x4"]
    assert rows["head"][-1] == "6x9"


def test_stopping_early_is_said(train):
    done = train("--epochs", 50, "--patience", 2, "--lr", "1e-9")
    assert "stopped early, after epoch 3: no higher validation accuracy for 2 epochs" in done.err
    assert "stopped" not in train("--epochs", 50, "--patience", 2, "--lr", "1e-9", "--quiet").err


def test_quiet(train):
    done = train("--quiet", "--json")
    assert done.err == ""
    assert len(done.results) == 1
    done = train("--quiet")
    assert (done.out, done.err) == (b"runs/bars-custom-2\n", "")


def test_a_dry_run_says_what_would_be_trained(train, tmp_path):
    (said,) = train("--dry-run", "--json").results
    before = {path.name for path in tmp_path.iterdir()}
    (result,) = train("--json").results
    assert before == {"bars.npz"}  # no folder either
    assert {name: said[name] for name in ("run", "model", "dataset", "images", "skipped", "test_images")} == {
        name: result[name] for name in ("run", "model", "dataset", "images", "skipped", "test_images")
    }
    rows = (tmp_path / result["run"] / "metrics.jsonl").read_text().splitlines()
    assert said["steps"] == json.loads(rows[-1])["step"]
    config = json.loads((tmp_path / result["run"] / "config.json").read_text())
    assert said["options"] == config["options"]
    done = train("--dry-run")
    assert done.err == ""
    assert f"{said['parameters']:,} parameters" in done.out.decode()
    assert "runs/bars-custom-2" in done.out.decode()


def test_a_dry_run_stands_alone(train, run):
    assert "--dry-run stands beside it" in run("train", "--resume", "runs/x", "--dry-run").err
    assert "--dry-run stands beside --find-lr" in train("--find-lr", "--dry-run").err
    done = run("train", "bars.npz", "--epochs", 0)
    assert done.code == 2
    assert "hint: Use --dry-run" in done.err


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
    assert "has already finished" in done.err
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
        (["bars.npz", "-m", "lenet6"], 2, "no model 'lenet6'"),
        (["bars.npz", "-m", "conv8 rleu fc"], 2, "»rleu«"),
        (["nowhere", "-m", "conv8 relu"], 2, "the last word is 'relu'"),
        (["bars.npz", "-m", "pool pool pool pool fc"], 2, "does not fit into"),
        (["bars.npz", "--opt", "sdg"], 2, "--opt is 'sdg'"),
        (["bars.npz", "--epochs", "0"], 2, "--epochs is 0"),
        (["bars.npz", "--threads", "0"], 2, "--threads is 0"),
        (["bars.npz", "-m", "conv8192k255 conv8192k255 fc"], 2, "GB of memory; expected at most"),
        (["bars.npz", "--augment", "spin"], 2, "unknown word 'spin'"),
        (["nowhere", "--augment", "spin"], 2, "unknown word 'spin'"),
        (["bars.npz", "--augment", "saturation=0.2"], 2, "saturation needs colour images"),
        (["bars.npz", "--momentum", "0.5"], 2, "--momentum is 0.5 without --opt"),
        (["bars.npz", "--momentum", "0.5", "--opt", "adamw"], 2, "--opt adamw, which has none"),
        (["bars.npz", "--init", "none.safetensors"], 2, "no such file"),
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


@pytest.mark.parametrize("init", ["w/best.safetensors", "w", "link.safetensors"])
def test_what_it_starts_from_is_not_written_over(train, two_lines, tmp_path, init):
    train("-o", "r", "--epochs", 1)
    (tmp_path / "w").mkdir()
    kept = (tmp_path / "r" / "best.safetensors").replace(tmp_path / "w" / "best.safetensors")
    (tmp_path / "link.safetensors").symlink_to(kept)
    before = kept.read_bytes()
    assert "would write over w/best.safetensors" in two_lines(train("--init", init, "-o", "w"), 2)
    assert kept.read_bytes() == before
    assert [path.name for path in kept.parent.iterdir()] == ["best.safetensors"]
    assert train("--init", init, "-o", "another").code == 0


def test_images_that_cannot_be_read_are_counted_and_told(run, photo, tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(8):
            photo(tmp_path / "data" / label / f"{number}.png", (8, 8))
    (tmp_path / "data" / "cat" / "bad.png").write_text("junk")
    done = run("train", "data", "-m", MODEL, "--epochs", 1, "--val-split", 0, "--json")
    (result,) = done.results
    assert (done.code, result["skipped"], result["images"] + result["test_images"]) == (0, 1, 16)
    assert done.err.count("left out: data/cat/bad.png is not an image") == 1


def test_data_are_not_written_over(run, two_lines, tmp_path, photo):
    for label in ("cat", "dog"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for name in ("a", "b", "curves"):
            photo(tmp_path / "data" / label / f"{name}.png")
    table = tmp_path / "run" / "misclassified.csv"
    table.parent.mkdir()
    rows = [f"../data/{label}/{name}.png,{label}\n" for label in ("cat", "dog") for name in ("a", "b")]
    table.write_text("image,label\n" + "".join(rows))
    for dataset, folder in (("data", "data/cat"), ("run/misclassified.csv", "run")):
        assert "which it reads" in two_lines(run("train", dataset, "-o", folder), 2)
        assert not (tmp_path / folder / "config.json").exists()


def test_data_that_have_changed(train, run, two_lines, tmp_path):
    train("-o", "r")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "bars.npz", x=rng.integers(0, 255, (50, 8, 8)).astype(np.uint8), y=np.arange(50) % 2)
    assert "the data of r have changed" in two_lines(run("train", "--resume", "r"), 1)


def test_a_run_whose_data_have_moved_is_prolonged(train, run, tmp_path):
    assert "mult-adds" in train("-o", "r").err  # the table of layers
    (tmp_path / "bars.npz").rename(tmp_path / "poles.npz")
    done = run("train", "--resume", "r", "--data", "poles.npz", "--epochs", 4, "--json")
    assert done.code == 0, done.err
    assert done.results[0]["epochs"] == 4
    assert "made longer: 2 epochs were planned before" in done.err
    assert "epoch 4/4" in done.err
    assert "mult-adds" not in done.err
    assert "multiply-adds per image" in done.err
    again = run("train", "--resume", "r")
    assert "r has already finished" in again.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--resume", "r", "--epochs", 1),
            "--epochs is 1 for a run of 2, 2 of them done; expected more than 2",
        ),
        (("bars.npz", "--data", "b.npz"), "--data is b.npz without --resume"),
        (("bars.npz", "-m", "flatten fc4 bn fc", "-b", 1, "-o", "s"), "a batch of 1 image gives batchnorm1"),
    ],
)
def test_what_a_run_is_not_told(train, run, two_lines, words, said):
    train("-o", "r")
    assert said in two_lines(run("train", *words), 2)


def test_images_that_an_epoch_leaves_out_are_said(train, run):
    whole = train("--json", "-b", 60)
    assert "each epoch leaves out" not in whole.err
    count = whole.results[0]["images"]
    assert f"each epoch leaves out {count - 50} images, too few for a batch" in train("-b", 50).err


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
    assert last.endswith("continue with: cnncli train --resume 'my run'")
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert steps[-1] <= int(last.split("step ")[1].split(",  in")[0].split(", in")[0].replace(",", ""))


def test_interrupted_in_the_test_it_says_how_to_go_on(train):
    train("-o", "my run")
    words = _untested(resume("my run"))
    assert words == (
        "all epochs are trained, the evaluation on the test set is left; "
        "continue with: cnncli train --resume 'my run'"
    )


def test_an_output_that_takes_nothing(start, bars):
    with Path("/dev/full").open("w") as full:
        process = start("train", bars, "-m", MODEL, "--epochs", "1", stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"error: cannot write standard output: the disk is full" in err


def test_columns_of_a_table(run, two_lines, tmp_path):
    rng = np.random.default_rng(4)
    rows = ["file,size,breed"]
    for number in range(12):
        Image.fromarray(rng.integers(0, 256, (8, 8)).astype(np.uint8)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{number % 3},{'ab'[number % 2]}")
    (tmp_path / "t.csv").write_text("\n".join(rows))
    words = ("train", "t.csv", "-m", MODEL, "--epochs", 1, "-o", "run")
    error = two_lines(run(*words), 1)
    assert "column 2 (size) and column 3 (breed) of t.csv could all be the class; expected one" in error
    done = run(*words, "--label-column", "breed", "--path-column", "1")
    assert done.code == 0, done.err
    said = "12 images of 2 classes listed in t.csv: images by column 1 (file), classes by column 3 (breed)"
    assert said in done.err
    assert run("train", "--resume", "run").code == 0
    assert "could all be the class" in two_lines(run("evaluate", "t.csv", "-m", "run"), 2)
    judged = run("evaluate", "t.csv", "-m", "run", "--label-column", "breed", "--split", "all", "--json")
    assert (judged.results[0]["images"], judged.results[0]["provenance"]) == (12, said)
    assert "is not a table" in two_lines(run("evaluate", "run", "--label-column", "breed", "-m", "run"), 2)


def test_folders_that_could_be_classes_or_splits(run, two_lines, tmp_path):
    rng = np.random.default_rng(3)
    for name in ("bus", "car", "train/steam", "train/diesel"):
        for number in range(4):
            (tmp_path / "roads" / name).mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (8, 8)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "roads" / name / f"{number}.png")
    words = ("train", "roads", "-m", MODEL, "--epochs", 1, "-o", "run")
    assert "two ways" in two_lines(run(*words), 1)
    done = run(*words, "--no-splits")
    assert done.code == 0, done.err
    options = json.loads((tmp_path / "run" / "config.json").read_text())["options"]
    assert options["splits"] is False
    assert run("train", "--resume", "run").code == 0
    judged = run("evaluate", "roads", "-m", "run", "--no-splits", "--json").results[0]
    assert [each["label"] for each in judged["classes"]] == ["bus", "car", "train"]
    assert "16 images in 3 class folders" in judged["provenance"]
    assert "two ways" in two_lines(run("evaluate", "roads", "-m", "run"), 2)
    assert "is empty" in two_lines(run("train", ""), 1)


@pytest.mark.parametrize("columns", [60, 80])
def test_the_summary_fits_a_terminal(columns, bars, run, monkeypatch):
    """No line is longer, but for one long word; none ends within a word; a layer has one row."""
    whole = run("train", "bars.npz", "--epochs", 2, "--dry-run").out.decode()
    monkeypatch.setattr("cnncli.cli.messages.columns_of", lambda stream: columns)
    lines = run("train", "bars.npz", "--epochs", 2, "--dry-run").out.decode().splitlines()
    assert all(len(line) <= columns or len(line.split()) == 1 for line in lines)
    assert {word for line in lines for word in line.split()} <= {*whole.split()}
    assert sum(line.split()[:1] == ["conv1"] for line in lines) == 1


def test_the_summary_has_a_line_for_blocks_that_are_alike(bars, run):
    lines = run("train", "bars.npz", "-m", "resnet20", "--dry-run").out.decode().splitlines()
    (blocks,) = (line.split() for line in lines if "3 x BasicBlock" in line)
    assert blocks[0] == "0-2"
    assert "14,016" in blocks  # 3 times 2 convolutions of 2,304 and 2 norms of 32
    assert len(lines) < 25
