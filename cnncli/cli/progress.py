"""Progress on a terminal: one line on standard error, out of the way whenever something else is printed."""

import contextlib
import os
import stat
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import TextIO

from cnncli import ending

_RECENT = 32  # items over which the rate is taken
_WIDEST = 40  # cells of the bar itself
_ERASE = "\r\x1b[K"


class Bar:
    """A bar with the number of items done, the rate and the time left.

    Parameters
    ----------
    count : int
        Items in all.
    unit : str
        What they are, in the plural.
    stream : text stream or None
        A terminal; None: nothing is drawn.
    """

    def __init__(self, count: int, unit: str, stream: TextIO | None) -> None:
        self.count, self.unit, self.stream = count, unit, stream
        self.ends: deque[float] = deque([monotonic()], maxlen=_RECENT)
        self.drawn = False

    def draw(self, done: int) -> None:
        """Show that so many items are done; called once for each."""
        self.ends.append(monotonic())
        if self.stream is None:
            return
        rate = (len(self.ends) - 1) / max(1e-9, self.ends[-1] - self.ends[0])
        with contextlib.suppress(OSError):  # the terminal is gone
            columns = os.get_terminal_size(self.stream.fileno()).columns or 80
            line = progress_line(done, self.count, rate, unit=self.unit, columns=columns - 1)
            self.stream.write(_ERASE + line)
            self.stream.flush()
            self.drawn = True

    def clear(self) -> None:
        """Take the line away, so that something can be printed in its place."""
        if self.drawn and self.stream is not None:
            self.drawn = False
            with contextlib.suppress(OSError):
                self.stream.write(_ERASE)
                self.stream.flush()


def progress_line(done: int, count: int, rate: float, *, unit: str, columns: int) -> str:
    """Write a line that says how far the work is.

    Parameters
    ----------
    done, count : int
        Items.
    rate : float
        Items a second.
    unit : str
        What they are, in the plural.
    columns : int
        The most characters that the line may have.

    Returns
    -------
    str
        The bar as wide as there is room, down to none; then whole numbers, as many as there is room for.
    """
    left = round((count - done) / rate) if rate > 0 else 0
    minutes, seconds = divmod(left, 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    speed = f"{rate:.1f}" if rate < 100 else f"{rate:.0f}"
    parts = [f"{done:{len(str(count))}}/{count}", f"{speed} {unit}/s", f"{clock} left"]
    text = fitting_parts(parts, [1, 2, 0], columns=columns)
    room = min(_WIDEST, columns - len(text) - 4)
    if room < 5 or not text.endswith("left"):
        return text
    full = room * done // count
    return f"[{'#' * full}{'-' * (room - full)}]  {text}"


def fitting_parts(parts: Sequence[str], first_to_go: Sequence[int], *, columns: int) -> str:
    """Join parts of a line with two spaces, without those that there is no room for.

    Parameters
    ----------
    parts : sequence of str
        In their order. None is cut or broken: half a number is a wrong number.
    first_to_go : sequence of int
        Places of the parts that may be left out, the most dispensable first.
    columns : int
        The most characters that the line may have, as far as parts may be left out.

    Returns
    -------
    str
    """
    gone: set[int] = set()
    for place in (None, *first_to_go):
        gone |= {place} if place is not None else set()
        text = "  ".join(part for i, part in enumerate(parts) if i not in gone)
        if len(text) <= columns:
            break
    return text


def redraws(stream: TextIO) -> bool:
    """Whether a stream is a terminal on which a line can be taken away again."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _is_piped(stream: TextIO) -> bool:
    """Whether another program reads a stream as it is written."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except OSError:  # closed, or no file of the system
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


@contextlib.contextmanager
def progress_bar(count: int, *, unit: str, quiet: bool) -> Iterator[Bar]:
    """Show a bar while the context lasts, if there is a terminal to show it on.

    What this process prints goes where the bar was: ``clear`` comes first. Nobody knows when the reader of a
    pipe prints (``--json | jq``, ``| head``), usually on the same terminal and while the bar stands there. So
    there is none where standard output is a pipe.

    Parameters
    ----------
    count : int
        Items in all.
    unit : str
        What they are, in the plural.
    quiet : bool
        Show none.

    Yields
    ------
    Bar
        Its ``clear`` goes before anything else is printed.
    """
    shown = not quiet and redraws(sys.stderr) and not _is_piped(sys.stdout)
    bar = Bar(count, unit, sys.stderr if shown else None)
    with ending.screen(_ERASE if shown else ""):
        try:
            yield bar
        finally:
            bar.clear()
