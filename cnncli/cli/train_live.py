"""The live display of a run: bars, curves of loss and the watched metric, speed, time left. Imports Rich."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from cnncli import ending
from cnncli.cli.progress import fitting_parts
from cnncli.cli.train_display import CURSOR_BACK, clock, epoch_line

if TYPE_CHECKING:
    from cnncli.training.loop import StepReport
    from cnncli.training.session import Session

_NARROWEST = 12  # of a plot, in columns
_ROWS = 5  # of a plot, in lines; a braille cell is 2 dots wide and 4 high
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_SMOOTHED = 0.97  # of the loss that is shown


def braille(values: Sequence[float], width: int, rows: int, *, low: float, high: float) -> list[str]:
    """Draw a curve with braille dots.

    Parameters
    ----------
    values : sequence of float
        Evenly spaced, the last one at the right edge; more than fit are averaged.
    width, rows : int
        In characters.
    low, high : float
        Values at the bottom and top.

    Returns
    -------
    list of str
        ``rows`` lines of ``width`` characters.
    """
    cells = [[0] * width for _ in range(rows)]
    columns, span = 2 * width, (high - low) or 1.0
    before: int | None = None
    for column in range(min(columns, len(values))):
        count = min(columns, len(values))
        first, last = column * len(values) // count, (column + 1) * len(values) // count
        mean = sum(values[first:last]) / (last - first)
        share = min(1.0, max(0.0, (mean - low) / span))
        y = round((1 - share) * (4 * rows - 1))
        for dot in range(
            min(y, y if before is None else before), max(y, y if before is None else before) + 1
        ):
            if dot != before or dot == y:
                cells[dot // 4][column // 2] |= _DOTS[dot % 4][column % 2]
        before = y
    return ["".join(chr(0x2800 + cell) for cell in row) for row in cells]


def _drawn_out(values: Sequence[float], count: int) -> list[float]:
    """The same curve in more points, straight between those that are known."""
    out = []
    for i in range(count):
        before, share = divmod(i * (len(values) - 1) / (count - 1), 1.0)
        first, second = values[int(before)], values[min(int(before) + 1, len(values) - 1)]
        out.append(first + share * (second - first))
    return out


class LiveDisplay:
    """Follows a run on a terminal.

    Parameters
    ----------
    session : Session
        What runs.
    console : Console
        Where to.
    """

    def __init__(self, session: Session, console: Console) -> None:
        trainer = session.trainer
        self.epochs, self.batches = trainer.epochs, len(trainer.inputs.train)
        self.history = trainer.progress.history
        self.losses: list[float] = []
        self.console = console
        self._loss: float | None = None
        self.watched, self.noun = trainer.inputs.task.watched, trainer.inputs.task.noun
        self._done: StepReport | None = None
        self._rate = 0.0
        self._begun = time.monotonic()
        self._first = trainer.progress.step
        self._images, self._step = 0, trainer.progress.step
        self.bars = Progress(
            TextColumn("{task.description:<6}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            console=console,
        )
        self._epoch: TaskID = self.bars.add_task("epoch", total=self.epochs, completed=trainer.progress.epoch)
        self._batch: TaskID = self.bars.add_task("step", total=self.batches)
        self.live: Live | None = None

    def on_step(self, done: StepReport) -> None:
        """Take note; the screen follows a few times a second."""
        held = done.loss if self._loss is None else self._loss
        self._loss = _SMOOTHED * held + (1 - _SMOOTHED) * done.loss
        self.losses.append(self._loss)
        if len(self.losses) > 4000:  # the plot has fewer columns than that
            self.losses = [sum(pair) / 2 for pair in zip(self.losses[::2], self.losses[1::2], strict=False)]
        self._done = done
        self._rate, self._step = done.rate, done.step
        self._images += done.images
        share = done.batch / done.batches
        self.bars.update(self._epoch, completed=done.epoch - 1 + share)
        self.bars.update(self._batch, completed=done.batch)

    def on_epoch(self, row: dict[str, Any], *, best: bool) -> None:
        """Print the epoch's line above the display."""
        columns = self.console.width
        line = epoch_line(row, self.epochs, self.watched, best=best, columns=columns, noun=self.noun)
        self.console.print(Text(line), no_wrap=True, overflow="ellipsis")

    def __rich__(self) -> RenderableType:
        """Draw the display as it stands."""
        return Group(*self._plots(), self.bars, self._numbers())

    def _plots(self) -> list[RenderableType]:
        half = (self.console.width - 28) // 2
        width = max(_NARROWEST, half)
        if len(self.losses) < 2 or self.console.height < 16:
            return []
        grid = Table.grid(padding=(0, 1))
        cells: list[RenderableType] = []
        top = max(self.losses)
        cells += self._plot("loss", self.losses, (0.0, top), marks=(f"{top:.3g}", "0"), width=width)
        name = self.watched.name
        values = [row.get(f"val_{name}", row[f"train_{name}"]) for row in self.history]
        if len(values) > 1 and half >= _NARROWEST:
            low, high = min(values), max(values)
            bounds = (low, max(high, low + 1e-6))
            marks = (self._mark(high), self._mark(low))
            cells += self._plot(name, values, bounds, marks=marks, width=width)
        grid.add_row(*cells)
        return [grid]

    def _mark(self, value: float) -> str:
        """The value of the watched metric at an end of its axis."""
        return f"{value:.1%}" if self.watched.is_share else f"{value:.3g}"

    def _plot(
        self,
        name: str,
        values: Sequence[float],
        bounds: tuple[float, float],
        *,
        marks: tuple[str, str],
        width: int,
    ) -> list[RenderableType]:
        stretched = values if len(values) >= 2 * width else _drawn_out(values, 2 * width)
        lines = braille(stretched, width, _ROWS, low=bounds[0], high=bounds[1])
        side = [f"{marks[0]:>9}", *[" " * 9] * (_ROWS - 2), f"{marks[1]:>9}"]
        side[_ROWS // 2] = f"{name:>9}"
        return [
            Text("\n".join(side), style="dim"),
            Text("\n".join(lines), style="cyan" if name == "loss" else "green"),
        ]

    def _numbers(self) -> Text:
        if self._loss is None or self._done is None:
            return Text("starting", style="dim")
        seconds = max(1e-6, time.monotonic() - self._begun)
        done = self._step - self._first
        left = (self.epochs * self.batches - self._step) * seconds / done if done else 0.0
        parts = [
            f"loss {self._loss:.4f}",
            f"{self.watched.name} {self.watched.text(self._done.metrics[self.watched.name])}",
            f"lr {self._rate:.2g}",
            f"{self._images / seconds:,.0f} {self.noun}/s",
            f"{clock(left)} left",
        ]
        return Text(fitting_parts(parts, [2, 3, 1, 4], columns=self.console.width))


@contextmanager
def live_display(session: Session) -> Iterator[LiveDisplay]:
    """Show a run on standard error while the context lasts."""
    console = Console(stderr=True)
    display = LiveDisplay(session, console)
    live = Live(display, console=console, refresh_per_second=8, transient=True, redirect_stdout=False)
    with ending.screen(CURSOR_BACK), live:
        yield display
