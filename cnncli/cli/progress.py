"""Progress on a terminal. Imported only where there is one, because it imports Rich."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text


class _Rate(ProgressColumn):
    """Items a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        """The rate so far."""
        speed = task.finished_speed or task.speed
        return Text(
            f"{speed:.1f} {self.unit}/s" if speed else f"– {self.unit}/s", style="progress.data.speed"
        )


@contextmanager
def progress_bar(count: int, *, unit: str) -> Iterator[Callable[[], None]]:
    """Show a bar on standard error while the context lasts.

    Parameters
    ----------
    count : int
        Items in all.
    unit : str
        What they are, in the plural.

    Yields
    ------
    callable
        To be called when an item is done.
    """
    columns = (
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeRemainingColumn(compact=True),
    )
    # Lines on standard error are printed above the bar; standard output is data and left alone.
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False, transient=True) as bar:
        task = bar.add_task("", total=count)
        yield lambda: bar.advance(task)
