"""Real processes, killed at random moments: a resumed run leaves the same bits as one never stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file
from training_helpers import Watcher, never

import cnncli
from cnncli.errors import CnncliError
from cnncli.training.options import TrainOptions
from cnncli.training.session import begin

ROOT = Path(cnncli.__file__).parent.parent
OPTIONS = (
    *("--model", "conv4 bn relu pool dropout0.1 gap fc", "--epochs", "80", "--batch-size", "8"),
    *("--augment", "shift=1,erase", "--val-split", "0.2", "--ema", "0.9", "--opt", "adam", "--threads", "2"),
)
WALL_CLOCK = ("seconds", "images_per_second")


def process(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "cnncli", "train", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stopped(begun, run, number, delay):
    """Wait until the process trains, then a random while, and send it a signal; its exit code and words."""
    state = run / "state.safetensors"
    before = state.stat().st_mtime_ns if state.exists() else 0
    until = time.monotonic() + 60
    while begun.poll() is None and time.monotonic() < until:
        if (run / "config.json").exists() and state.stat().st_mtime_ns != before:
            time.sleep(delay)
            begun.send_signal(number)
            break
        time.sleep(0.001)
    _, words = begun.communicate(timeout=60)
    return begun.returncode, words


def without_wall_clock(value):
    if isinstance(value, dict):
        return {k: without_wall_clock(v) for k, v in value.items() if k not in WALL_CLOCK}
    return [without_wall_clock(v) for v in value] if isinstance(value, list) else value


def content(path):
    """A file's content less what is wall-clock time."""
    data = path.read_bytes()
    if path.name == "metrics.jsonl":
        return [without_wall_clock(json.loads(line)) for line in data.splitlines()]
    if path.name == "state.safetensors":
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        progress = without_wall_clock(json.loads(header["__metadata__"]["progress"]))
        return progress, {name: array.tobytes() for name, array in load_file(path).items()}
    return data


def test_killed_and_resumed_runs_end_with_the_same_bits(bars, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    done = process(bars, *OPTIONS, "-o", whole, "--json")
    out, words = done.communicate(timeout=120)
    assert done.returncode == 0, words
    assert json.loads(out)["epochs"] == 80

    random = np.random.default_rng(11)
    arguments = [bars, *OPTIONS, "-o", parts]
    codes = []
    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL, signal.SIGTERM):
        code, words = stopped(process(*arguments), parts, number, float(random.uniform(0, 0.25)))
        codes.append(code)
        if code in (130, 143):
            assert "continue with: cnncli train --resume" in words
            assert "Traceback" not in words
        arguments = ["--resume", parts]
    assert codes.count(0) < 4, "the runs ended before they were stopped"
    assert set(codes) <= {-signal.SIGKILL, 130, 143, 0}

    last = process("--resume", parts, "--json")
    out, words = last.communicate(timeout=120)
    assert last.returncode == 0, words
    assert json.loads(out)["epochs"] == 80
    names = {path.name for path in whole.iterdir()}
    assert {"best.safetensors", "state.safetensors", "misclassified.csv", "curves.png"} <= names
    assert {path.name for path in parts.iterdir()} == names
    for name in sorted(names):
        assert content(parts / name) == content(whole / name), name


@pytest.mark.parametrize("gone", ["best.safetensors", "last.safetensors", "metrics.jsonl"])
def test_a_kill_between_the_state_and_what_follows_from_it(session, again, tmp_path, gone):
    """The state comes first; a process that dies right after it leaves older files, or none."""
    run = session(epochs=2)
    run.trainer.run(Watcher(), never)
    run.folder.unlock()
    kept = (tmp_path / "run" / gone).read_bytes()
    (tmp_path / "run" / gone).write_bytes(b"older")
    again(tmp_path / "run")
    assert (tmp_path / "run" / gone).read_bytes() == kept


def test_data_keep_the_name_that_they_were_given(again, tmp_path, monkeypatch):
    """Gone on with from another folder, a run calls its data as the user first wrote them."""
    rng = np.random.default_rng(3)
    for label in ("cat", "dog"):
        (tmp_path / "home" / "photos" / label).mkdir(parents=True)
        for at in range(10):
            pixels = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "home" / "photos" / label / f"{at}.png")
    monkeypatch.chdir(tmp_path / "home")
    options = TrainOptions(dataset="../home/photos", model="conv4 gap fc", epochs=2)
    files = []
    for name, stops in (("whole", False), ("parts", True)):
        run = begin(options, output=str(tmp_path / name))
        if stops:
            assert not run.trainer.run(Watcher(), lambda: True)
            run.folder.unlock()
            monkeypatch.chdir("/")
            run = again(tmp_path / name)
        assert run.trainer.run(Watcher(), never)
        assert all(run.dataset.test.name(at).startswith("../home/photos/") for at in range(4))
        files.append([(tmp_path / name / f"{kind}.safetensors").read_bytes() for kind in ("best", "last")])
    assert files[0] == files[1]


BEGUN = """
import os, signal, sys
from cnncli import ending
from cnncli.training.folder import RunFolder

ending.handle_signals(ending.end_at_once)
folder = RunFolder.create(sys.argv[1], dataset="d", model="m")
(folder / "state.safetensors").write_bytes(b"state")
if sys.argv[2] == "described":
    folder.write_config({})
os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.parametrize(
    ("there", "described", "left"),
    [
        (False, "not yet", []),
        (True, "not yet", ["run", "run/state.safetensors"]),
        (False, "described", ["run", "run/config.json", "run/state.safetensors"]),
    ],
)
def test_a_run_that_has_not_begun_leaves_no_folder(python, tmp_path, there, described, left):
    if there:
        (tmp_path / "run").mkdir()
    assert python(BEGUN, tmp_path / "run", described, check=False).returncode == 143
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == left


@pytest.mark.parametrize("other", [{"model": "conv5 bn gap fc"}, {"opt": "adam"}, {"ema": 0.0}])
def test_the_state_of_another_run_is_none_of_this(session, again, tmp_path, other):
    for name, options in (("this", {"ema": 0.9}), ("other", {"ema": 0.9} | other)):
        run = session(output=tmp_path / name, **options)
        run.trainer.run(Watcher(), lambda: True)
        run.folder.unlock()
    state = (tmp_path / "other" / "state.safetensors").read_bytes()
    (tmp_path / "this" / "state.safetensors").write_bytes(state)
    with pytest.raises(CnncliError, match=r"state\.safetensors is no state of this run: ") as caught:
        again(tmp_path / "this")
    assert "Restore it from a copy" in caught.value.hint
    assert (tmp_path / "this" / "state.safetensors").read_bytes() == state
