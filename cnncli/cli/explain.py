"""``cnncli explain``: a guided tour of convolutional networks."""

import os
import sys
from pathlib import Path
from shutil import get_terminal_size

from cnncli.cli.exit_codes import DONE, UsageError
from cnncli.cli.options.explain import Settings
from cnncli.cli.streams import write_line, write_stdout
from cnncli.core.threads import thread_count
from cnncli.files.atomic import is_device, write_atomic
from cnncli.nearest import did_you_mean
from cnncli.text import printable
from cnncli.views.tour.lessons import LESSONS, Tour

_PIPED = 80  # columns where nothing is a terminal
_TITLE = "How a convolutional network works"
_NOTE = "Six steps, from a kernel to gradients. Every number was computed by cnncli when it wrote this page."


def run(settings: Settings) -> int:
    """Show the tour, or a step of it, and return the exit code.

    Raises
    ------
    UsageError
        There is no such step, or the page's name has another ending.
    """
    names = list(LESSONS) if settings.step is None else [_step_named(settings.step)]
    tour = Tour(thread_count(settings.threads))
    if settings.output is not None:
        return _write_page(names, tour, settings.output, quiet=settings.quiet)
    interactive = sys.stdout.isatty() and sys.stdin is not None and sys.stdin.isatty()
    for name in names:
        write_stdout(_text(name, tour).encode(sys.stdout.encoding or "utf-8", "replace"))
        if interactive and name != names[-1] and not _goes_on():
            break
    return DONE


def _step_named(step: str) -> str:
    """The step with a name, or with a number from 1."""
    if step.isascii() and step.isdigit() and 1 <= int(step) <= len(LESSONS):
        return list(LESSONS)[int(step) - 1]
    if step.casefold() in LESSONS:
        return step.casefold()
    raise UsageError(
        f"--step is {step!r}; expected {', '.join(LESSONS)}, or 1 to {len(LESSONS)}",
        did_you_mean(step, LESSONS) or "Name one of them.",
    )


def _write_page(names: list[str], tour: Tour, target: str, *, quiet: bool) -> int:
    if not target.lower().endswith((".html", ".htm")) and not is_device(target):
        raise UsageError(
            f"the page's file is {target!r}; expected a name that ends in .html", "Give -o tour.html."
        )
    from cnncli.views.tour.document import page

    text = page(_TITLE, _NOTE, [LESSONS[name](tour) for name in names])
    write_atomic(Path(target), text.encode())
    if not quiet:
        write_line(printable(target))
    return DONE


def _text(name: str, tour: Tour) -> str:
    """A step for the terminal, or for what is not one."""
    from cnncli.views.tour.terminal import lines_of

    columns = get_terminal_size((_PIPED, 24)).columns if sys.stdout.isatty() else _PIPED
    number = list(LESSONS).index(name) + 1
    lines = lines_of(LESSONS[name](tour), number, len(LESSONS), columns=columns, color=_has_color())
    return "\n".join([*lines, ""])


def _has_color() -> bool:
    """Whether half blocks in colours can be shown."""
    dull = "NO_COLOR" in os.environ or os.environ.get("TERM", "dumb") == "dumb"
    return sys.stdout.isatty() and not dull and "utf" in (sys.stdout.encoding or "").lower()


def _goes_on() -> bool:
    """Wait for Enter; q or the end of input ends the tour."""
    sys.stdout.write("Enter: next step, q: end ")
    sys.stdout.flush()
    answer = sys.stdin.readline()
    write_line("")
    return bool(answer) and not answer.strip().lower().startswith("q")
