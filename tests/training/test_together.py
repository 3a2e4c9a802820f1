"""One run by several processes under mpiexec: the bits of one process, whoever ends, and whoever resumes."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

pytest.importorskip("mpi4py")

from tests.conftest import ROOT

PLACES = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
MPIEXEC = shutil.which("mpiexec", path=PLACES) or ""
if not MPIEXEC:
    pytest.skip("no mpiexec here", allow_module_level=True)
OPEN_MPI = b"Open MPI" in subprocess.run([MPIEXEC, "--version"], capture_output=True, check=True).stdout
OPTIONS = ("--oversubscribe", "--allow-run-as-root") if OPEN_MPI else ()
VARIABLES = {**os.environ, "PYTHONPATH": str(ROOT)}
USUAL = (
    "-m",
    "conv8 bn relu pool conv12 relu fc",
    "-b",
    "32",
    "--augment",
    "shift=2",
    "--clip",
    "1",
    "--quiet",
)


def together(count, *words, module="cnncli", cwd=None):
    """Several processes, started by mpiexec."""
    command = [MPIEXEC, *OPTIONS, "-n", str(count), sys.executable, "-m", module, *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=cwd, env=VARIABLES, stdout=pipe, stderr=pipe, text=True)


def alone(*words, module="cnncli", cwd=None):
    """What one process says."""
    command = [sys.executable, "-m", module, *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=VARIABLES, check=True, capture_output=True, text=True).stdout


def ended(process):
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three classes of small pictures."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(2)
    for number, level in enumerate((60, 130, 200)):
        (folder / f"c{number}").mkdir()
        for each in range(50):
            pixels = np.clip(rng.normal(level, 40, (12, 12)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"c{number}" / f"{each}.png")
    return folder


def same(run, other):
    """Whether runs have ended with the same bits."""
    for name in ("state", "best", "last"):
        ours, theirs = (load_file(each / f"{name}.safetensors") for each in (run, other))
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert ours[key].tobytes() == theirs[key].tobytes(), key
    clocks = ("seconds", "images_per_second")
    rows = [
        [
            {key: value for key, value in json.loads(line).items() if key not in clocks}
            for line in (each / "metrics.jsonl").read_text().splitlines()
        ]
        for each in (run, other)
    ]
    assert rows[0] == rows[1]
    return len(rows[0])


@pytest.mark.parametrize("count", [2, 3, 4])
def test_steps_have_the_bits_of_one_process(count, steps_of_one):
    """Norms, shared, private and whole gradients, texts, masks, clips, batches that are not full."""
    lines = [
        line for line in steps_of_one.splitlines() if count == 3 or line.split()[0] in ("plain", "large")
    ]
    names = [line.split()[0] for line in lines]
    code, out, err = ended(together(count, *names, module="tests.nn.shared_steps", cwd=ROOT))
    assert (code, out.splitlines()) == (0, lines), err


@pytest.fixture(scope="module")
def steps_of_one(native_cache):
    found = alone(module="tests.nn.shared_steps", cwd=ROOT)
    assert len({line.split()[1] for line in found.splitlines()}) == 9
    return found


def test_a_run_of_three_goes_on_with_two_and_is_that_of_one(data, tmp_path):
    one, several = tmp_path / "one", tmp_path / "several"
    first = ("train", data, *USUAL, "--epochs", "2", "-o")
    code, out, err = ended(together(3, *first, several))
    assert (code, out, err) == (0, f"{several}\n", "")
    assert alone(*first, one) == f"{one}\n"
    assert same(several, one) == 2
    then = ("--epochs", "3", "--quiet")
    code, out, err = ended(together(2, "train", "--resume", several, *then))
    assert (code, err) == (0, "")
    alone("train", "--resume", one, *then)
    assert same(several, one) == 3
    assert sorted(each.name for each in several.iterdir()) == sorted(each.name for each in one.iterdir())


def begun(process, run, rows=1):
    """Wait until a run has so many epochs."""
    end = time.monotonic() + 120
    while (
        not (run / "metrics.jsonl").exists() or len((run / "metrics.jsonl").read_text().splitlines()) < rows
    ):
        assert time.monotonic() < end
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def ranks_of(process):
    """Processes below mpiexec that train."""
    found = []
    for each in Path("/proc").iterdir():
        try:
            line = (each / "cmdline").read_bytes().split(b"\0")
            variables = (each / "environ").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        rank = next((word[21:] for word in variables if word.startswith(b"OMPI_COMM_WORLD_RANK=")), None)
        if rank is not None and b"train" in line and str(process.marker).encode() in line:
            found.append((int(rank), int(each.name)))
    return dict(found)


@pytest.fixture(scope="module")
def run_of_one(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("one") / "run"
    alone("train", data, *USUAL, "--epochs", "40", "-o", folder)
    return folder


@pytest.mark.parametrize("victim", ["one", "mpiexec"])
def test_whoever_is_ended_the_state_is_saved_and_goes_on(data, run_of_one, tmp_path, victim):
    run = tmp_path / "run"
    process = together(3, "train", data, *USUAL, "--epochs", "40", "-o", run)
    process.marker = run
    begun(process, run)
    ranks = ranks_of(process)
    assert sorted(ranks) == [0, 1, 2]
    killed = time.time()
    if victim == "one":
        os.kill(ranks[2], signal.SIGKILL)
    else:
        process.send_signal(signal.SIGTERM)
    code, out, err = ended(process)
    assert code != 0
    assert out == ""
    end = time.monotonic() + 20
    while ranks_of(process):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert (run / "state.safetensors").stat().st_mtime > killed - 0.1, err
    rows = len((run / "metrics.jsonl").read_text().splitlines())
    assert rows < 40
    alone("train", "--resume", run, "--quiet")
    assert same(run, run_of_one) == 40


def test_errors_are_told_once(data, tmp_path):
    code, _, err = ended(together(3, "train", data, "-b", "2", "-o", tmp_path / "x"))
    assert code == 1
    assert re.findall("^error: .*", err, re.MULTILINE) == [
        "error: mpiexec has started 3 processes for a batch of 2, which has 2 parts; expected 2 at most"
    ], err
    assert not (tmp_path / "x").exists()
