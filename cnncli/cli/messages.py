"""Lines on standard error: for people to read, and of no harm to a terminal."""

import contextlib
import os
import sys

from cnncli.errors import CnncliError


def report_error(error: CnncliError) -> None:
    """Two lines on standard error: what happened, and what to do next."""
    report(f"error: {error.message}", f"hint: {error.hint}")


def report(*lines: str, exactly: bool = False) -> None:
    """Printable lines on standard error; if nobody can read them, the work goes on.

    Parameters
    ----------
    *lines : str
        What is said.
    exactly : bool
        For other programs: words of any length stay whole.
    """
    from cnncli.files.faults import shown
    from cnncli.text import with_short_words

    try:
        texts = [shown(line) if exactly else with_short_words(shown(line)) for line in lines]
        # In one piece, so that a signal, which is told of in a line, comes between lines.
        sys.stderr.write("".join(f"{text}\n" for text in texts))
        sys.stderr.flush()
    except OSError:
        silence(2)


def silence(number: int) -> None:
    """Let what stream 1 or 2 still holds back go nowhere, which else would fail once more at exit."""
    with contextlib.suppress(OSError, ValueError):
        stream = sys.stdout if number == 1 else sys.stderr
        if stream.fileno() == number:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, number)
            os.close(null)
