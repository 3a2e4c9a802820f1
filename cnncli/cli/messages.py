"""Lines on standard error: for people to read, and of no harm to a terminal."""

import contextlib
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from cnncli.errors import CnncliError

if TYPE_CHECKING:
    from rich.console import Console

_KINDS = ("error: ", "hint: ", "note: ", "warning: ")


def report_error(error: CnncliError) -> None:
    """Two lines on standard error: what happened, and what to do next; after a hint, lines that it gives."""
    report(f"error: {error.message}", *f"hint: {error.hint}".split("\n"))


def report(*lines: str, exactly: bool = False) -> None:
    """Printable lines on standard error; if nobody can read them, the work goes on.

    Parameters
    ----------
    *lines : str
        What is said. On a terminal, lines that are too long for it break between words.
    exactly : bool
        For other programs: lines of any length stay whole, and so do words and tabs.
    """
    from cnncli.files.faults import shown
    from cnncli.text import with_short_words

    try:
        if exactly:
            texts = ["\t".join(map(shown, line.split("\t"))) for line in lines]
        else:
            texts = [shown(line) for line in lines]
            columns = columns_of(sys.stderr)
            whole = [with_short_words(text) for text in texts]
            texts = [part for text in whole for part in wrapped([text], columns, _hang(text))]
        # In one piece, so that a signal, which is told of in a line, comes between lines.
        sys.stderr.write("".join(f"{text}\n" for text in texts))
        sys.stderr.flush()
    except OSError:
        silence(2)


def _hang(text: str) -> str:
    """What follows ``error: `` stands below its message."""
    return " " * (len(text.split(" ", 1)[0]) + 1) if text.startswith(_KINDS) else ""


def columns_of(stream: TextIO) -> int | None:
    """Columns of a terminal; None where a stream is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None if stream.isatty() else None
    except (OSError, ValueError):
        return None


def console_of_stdout() -> "Console":
    """Rich's console, as wide as the terminal; Rich itself takes those called dumb for 80 columns."""
    from rich.console import Console

    columns = columns_of(sys.stdout) if os.environ.get("TERM") in ("dumb", "unknown") else None
    return Console(highlight=False, width=columns, height=None if columns is None else 25)


def wrapped(lines: Iterable[str], columns: int | None, indent: str = "") -> list[str]:
    """Break lines that are longer than a terminal between words; ``indent`` stands before what follows."""
    found: list[str] = []
    for line in lines:
        if columns is None or len(line) <= columns:
            found.append(line)
            continue
        from textwrap import wrap

        found += wrap(line, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return found


def silence(number: int) -> None:
    """Let what stream 1 or 2 still holds back go nowhere, which else would fail once more at exit."""
    with contextlib.suppress(OSError, ValueError):
        stream = sys.stdout if number == 1 else sys.stderr
        if stream.fileno() == number:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, number)
            os.close(null)
