"""Memory: what a run takes, and what is refused."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from cnncli.errors import OptionError
from cnncli.models.choice import build
from cnncli.training.capacity import check_weights, run_memory


def test_weights_that_no_machine_holds():
    graph = build("conv8192k255 conv8192k255 fc", (28, 28, 1), 10)
    with pytest.raises(OptionError, match=r"batches of 64 takes .* GB of memory; expected at most the .* GB"):
        check_weights(graph, 64)
    check_weights(build("compact", (28, 28, 1), 10), 64)


def test_a_run_takes_its_pictures_and_its_batches(session, tmp_path):
    small, large = (
        session(output=tmp_path / str(size), batch_size=size, model="conv64 bn relu gap fc")
        for size in (1, 32)
    )
    kept = 10 * 10 * 64 * 4 * 31  # a batch norm wants the whole batch in memory
    taken = [run_memory(each.trainer, each.dataset) for each in (small, large)]
    assert taken[1] > taken[0] + 2 * kept
    assert taken[0] > sum(split.images.nbytes for split in (small.dataset.train, small.dataset.test))


def test_memory_grows_with_the_pictures(session, tmp_path):
    taken = []
    for side in (10, 40):
        images = np.zeros((60, side, side), np.uint8)
        np.savez(tmp_path / f"{side}.npz", x=images, y=np.arange(60) % 2)
        run = session(output=tmp_path / str(side), dataset=str(tmp_path / f"{side}.npz"))
        taken.append(run_memory(run.trainer, run.dataset))
    assert taken[1] - taken[0] > 60 * (40 * 40 - 10 * 10)


def test_what_is_taken_is_the_sum_of_its_parts(session, tmp_path):
    """A tiny network: hardly more than the process, the pictures and 4 MiB for each split."""
    run = session(model="conv4 gap fc", batch_size=1)
    taken = run_memory(run.trainer, run.dataset)
    assert 6e7 + 3 * 2**22 < taken < 6e7 + 3 * 2**22 + 2**20


# A process counts as its own peak what the one that starts it takes; this one takes little.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


WIDE = ("-m", "pool conv8 relu pool flatten fc1024 relu fc1024 relu fc")


@pytest.mark.parametrize(
    ("options", "frozen"),
    [
        (("-m", "conv32 bn relu conv32 bn relu conv32 bn relu gap fc", "-b", "64"), False),  # activations
        (WIDE, False),  # weights
        (WIDE, True),  # which are not trained
    ],
)
def test_the_peak_is_what_was_stated(options, frozen, tmp_path):
    """Of the whole process, through training, validation, saving and the test."""
    images = np.random.default_rng(3).integers(0, 255, (96, 64, 64, 3), np.uint8)
    np.savez(tmp_path / "d.npz", x=images, y=np.arange(96) % 4)
    command = [sys.executable, "-m", "cnncli", "train", tmp_path / "d.npz", "--epochs", "2", "--threads", "2"]
    command += [*options, "-o", tmp_path / "run", "-q"]
    subprocess.run([*command, "-o", tmp_path / "first"], check=True, capture_output=True)  # compiles
    command += ["--init", tmp_path / "first", "--freeze"] if frozen else []
    dry = subprocess.run([*command, "--dry-run", "--json"], check=True, capture_output=True)
    stated = json.loads(dry.stdout)["memory"]
    measured = subprocess.run([sys.executable, "-c", PEAK, *command], check=True, capture_output=True)
    assert int(measured.stdout) * 1024 == pytest.approx(stated, rel=0.15)


def test_the_error_says_how_much_is_left():
    graph = build("conv8192k255 conv8192k255 fc", (28, 28, 1), 10)
    with pytest.raises(OptionError) as caught:
        check_weights(graph, 64)
    needed, left = map(float, re.findall(r"([\d.e+]+) GB", str(caught.value)))
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    assert needed > 10 * 4 * 8192 * 8192 * 255**2 / 1e9
    assert 0 <= left <= 1.01 * machine
