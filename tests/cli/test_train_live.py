"""The live display: curves in braille dots, and what stands below them."""

import io
import re

import numpy as np
import pytest
from rich.console import Console

from cnncli.cli.train_display import clock, epoch_line
from cnncli.cli.train_live import LiveDisplay, braille
from cnncli.tasks.task import Metric
from cnncli.training.options import TrainOptions
from cnncli.training.session import begin

ACCURACY = Metric("accuracy")


def dots(lines):
    """(rows, columns) of bool from braille characters, by the order in which Unicode numbers the dots."""
    order = ((0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1))
    grid = np.zeros((4 * len(lines), 2 * len(lines[0])), bool)
    for i, line in enumerate(lines):
        for j, character in enumerate(line):
            for bit, (y, x) in enumerate(order):
                grid[4 * i + y, 2 * j + x] = (ord(character) - 0x2800) >> bit & 1
    return grid


def test_a_rising_line_rises():
    grid = dots(braille(range(8), 4, 2, low=0, high=7))
    assert (grid == np.eye(8, dtype=bool)[::-1]).all()


@pytest.mark.parametrize("count", [1, 7, 8, 100, 1001])
def test_every_column_has_its_mean(count):
    values = np.random.default_rng(0).random(count)
    grid = dots(braille(list(values), 4, 3, low=0, high=1))
    columns = min(8, count)
    for column in range(columns):
        part = values[column * count // columns : (column + 1) * count // columns]
        assert grid[round((1 - part.mean()) * 11), column]
    assert not grid[:, columns:].any()


def test_jumps_are_joined_and_what_is_outside_stays_at_the_edge():
    grid = dots(braille([0, 9, -9], 2, 1, low=0, high=1))
    assert grid[:, 1].sum() + grid[:, 0].sum() >= 4
    assert grid[0, 1]
    assert grid[3, 2]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (125, "2 min 5 s"), (4800, "1 h 20 min")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_a_line_an_epoch():
    row = {
        "epoch": 3,
        "train_loss": 0.5,
        "train_accuracy": 0.875,
        "lr": 0.01,
        "seconds": 3,
        "images_per_second": 1234.5,
    }
    assert epoch_line(row, 20, ACCURACY, best=True) == (
        "epoch  3/20  loss 0.5000  accuracy 87.50%  lr 0.01  1,234 images/s  3.0 s"
    )
    assert "validation 0.2500 90.00% *" in epoch_line(
        row | {"val_loss": 0.25, "val_accuracy": 0.9}, 20, ACCURACY, best=True
    )


@pytest.mark.parametrize("validated", [True, False])
def test_a_line_is_narrower_by_whole_numbers(validated):
    row = {"epoch": 3, "train_loss": 0.5, "train_accuracy": 0.875, "lr": 0.01, "seconds": 3}
    row |= {"images_per_second": 1234.5} | ({"val_loss": 0.25, "val_accuracy": 0.9} if validated else {})
    whole = epoch_line(row, 20, ACCURACY, best=True).split()
    for columns in range(24, 120):
        line = epoch_line(row, 20, ACCURACY, best=True, columns=columns)
        assert len(line) <= columns
        assert set(line.split()) <= {*whole, "val"}
        assert "loss 0.5000" in line
        assert re.search(r"0.2500 +90.00% \*", line) or not validated or columns < 46
    assert line.split() == whole


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (80, "epoch 18/20  loss 0.5000  accuracy 87.50%  validation 0.2500 90.00%    3.0 s"),
        (60, "18/20  loss 0.5000  87.50%  val 0.2500  90.00%    3.0 s"),
        (54, "18/20  loss 0.5000  87.50%  val 0.2500  90.00%  "),
    ],
)
def test_losses_and_accuracies_fit_60_columns(columns, line):
    row = {"epoch": 18, "train_loss": 0.5, "train_accuracy": 0.875, "lr": 0.01, "seconds": 3}
    row |= {"images_per_second": 1234.5, "val_loss": 0.25, "val_accuracy": 0.9}
    assert epoch_line(row, 20, ACCURACY, best=False, columns=columns) == line


@pytest.mark.parametrize(("width", "height"), [(100, 40), (60, 24), (40, 40), (80, 10)])
def test_it_fits_the_terminal(tmp_path, width, height):
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "d.npz", x=rng.integers(0, 255, (60, 8, 8)).astype(np.uint8), y=np.arange(60) % 2)
    load_options = TrainOptions(dataset=str(tmp_path / "d.npz"), model="gap fc", epochs=3, batch_size=8)
    session = begin(load_options, output=str(tmp_path / "run"))
    stream = io.StringIO()
    console = Console(file=stream, width=width, height=height, force_terminal=True, color_system=None)
    display = LiveDisplay(session, console)
    console.print(display)
    assert "0.00%" not in stream.getvalue()  # nothing is known before the first step
    session.trainer.run(display, lambda: False)
    session.folder.unlock()
    console.print(display)
    lines = stream.getvalue().splitlines()
    assert [line for line in lines if line.startswith(("epoch 3/3  loss", "3/3  loss"))]
    assert all(len(line) <= width for line in lines)
    assert "…" not in stream.getvalue()
    assert "3/3" in stream.getvalue()
    assert "images/s" in lines[-1] or width < 80
    assert ("\u2800" in stream.getvalue()) == (height > 16)


def test_a_signal_gives_the_cursor_back(python):
    code = (
        "import io, os, signal\n"
        "from cnncli import ending\n"
        "from cnncli.cli.train_display import loading_bar\n"
        "ending.handle_signals(ending.end_at_once)\n"
        "with loading_bar() as told:\n"
        "    told('reading [red]\\x1b[31m', 1, 2)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    done = python(code, check=False, env={"TERM": "xterm"})
    assert done.returncode == 143
    assert done.stderr.endswith("\x1b[K\x1b[?25hterminated\n")
    assert "\x1b[31m" not in done.stderr
