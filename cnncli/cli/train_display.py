"""How a run is followed without a live display: a line an epoch; and a bar while data are loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cnncli import ending
from cnncli.cli.messages import report
from cnncli.files.faults import shown

if TYPE_CHECKING:
    from cnncli.tasks.task import Metric
    from cnncli.training.loop import StepReport


_METRIC = len("100.00%")  # so that the short lines of all epochs are of one width

CURSOR_BACK = "\r\x1b[K\x1b[?25h"
"""What a display of Rich takes back where a signal ends the process: its last line, a hidden cursor."""


class Silent:
    """Says nothing."""

    def on_step(self, done: StepReport) -> None:
        """Nothing."""

    def on_epoch(self, row: dict[str, Any], *, best: bool) -> None:
        """Nothing."""


class Lines(Silent):
    """Says a line an epoch on standard error; on a terminal, what there is room for.

    Parameters
    ----------
    epochs : int
        Of the whole run.
    watched : Metric
        What stands beside the losses.
    noun : str
        What is trained on, such as ``images``.
    """

    def __init__(self, epochs: int, watched: Metric, noun: str = "images") -> None:
        self.epochs, self.watched, self.noun = epochs, watched, noun

    def on_epoch(self, row: dict[str, Any], *, best: bool) -> None:
        """The line."""
        import os
        import sys

        columns = os.get_terminal_size(2).columns if sys.stderr.isatty() else None
        line = epoch_line(row, self.epochs, self.watched, best=best, columns=columns or None, noun=self.noun)
        report(line)


def epoch_line(
    row: dict[str, Any],
    epochs: int,
    watched: Metric,
    *,
    best: bool,
    columns: int | None = None,
    noun: str = "images",
) -> str:
    """Describe an epoch in a line: losses, the watched metric, rate, speed; a star marks the best so far.

    Where there are too few columns, speed and rate go first, then words are shortened, then the time goes;
    then the metric in training, and what was found in validation.
    """
    number, time = f"{row['epoch']:>{len(str(epochs))}}/{epochs}", clock(row["seconds"])
    epoch = f"epoch {number}"
    loss, metric = f"loss {row['train_loss']:.4f}", watched.text(row[f"train_{watched.name}"])
    short, long = [f"{loss} {metric:>{_METRIC}}"], [loss, f"{watched.name} {metric}"]
    validated: list[str] = []
    if "val_loss" in row:
        value = watched.text(row[f"val_{watched.name}"])
        star = " *" if best else "  "
        validated = [f"val {row['val_loss']:.4f} {value:>{_METRIC}}{star}"]
        short, long = [*short, *validated], [*long, f"validation {row['val_loss']:.4f} {value}{star}"]
    rate, speed = f"lr {row['lr']:.2g}", f"{row['images_per_second']:,.0f} {noun}/s"
    forms = (
        [epoch, *long, rate, speed, time],
        [epoch, *long, rate, time],
        [epoch, *long, time],
        [number, *short, time],
        [number, *short],
        [number, loss, *validated],
    )
    lines = ("  ".join(form) for form in forms)
    return next((line for line in lines if columns is None or len(line) <= columns), f"{number}  {loss}")


def clock(seconds: float) -> str:
    """Seconds as people say them: 7.3 s, 2 min 5 s, 1 h 20 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@contextmanager
def loading_bar() -> Iterator[Callable[[str, int, int | None], None]]:
    """Show what loading is at; nothing appears for what takes a moment only.

    Yields
    ------
    callable
        Told what is done, how much of it, and how much there is.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(None),
        TimeRemainingColumn(compact=True),
    )
    tasks: dict[str, TaskID] = {}
    progress = Progress(*columns, console=Console(stderr=True), redirect_stdout=False, transient=True)
    with ending.screen(CURSOR_BACK), progress as bar:

        def told(what: str, done: int, count: int | None) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(shown(what), total=count)
            bar.update(tasks[what], completed=done, total=count)

        yield told
