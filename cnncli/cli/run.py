"""The one place that turns what happened into an exit code and lines on standard error."""

import contextlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from cnncli import ending
from cnncli.errors import CnncliError

COMPLETING = "_CNNCLI_COMPLETE"  # the shells' scripts ask for what can follow the words
DONE, SOME_FAILED, WRONG_USAGE, INTERRUPTED, READER_GONE = 0, 1, 2, 130, 141


class UsageError(CnncliError):
    """The command itself is wrong, so nothing was started: exit code 2."""


class Stopped(KeyboardInterrupt):
    """A signal asked the command to end; ``number`` says which."""

    def __init__(self, number: int, done: str = "") -> None:
        super().__init__(done)
        self.number = number


def prepare_process() -> None:
    """Make a process safe to write files from: streams that are open, signals that clean up.

    A stream that was closed would otherwise give its number to the next file that is opened, and
    messages would end up in that file.
    """
    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is None:
            # Opened the wrong way round, so that using it fails instead of losing data.
            taken = os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_WRONLY)
            if taken != number:
                os.dup2(taken, number)
                os.close(taken)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    ending.handle_signals(ending.end_at_once)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # remarks of libraries are for developers: python -W default


def run(arguments: Sequence[str]) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str
        As after the program's name.

    Returns
    -------
    int
        0 all done, 1 some input failed, 2 wrong usage, 130 interrupted, 141 reader gone.
    """
    # NumPy's linear algebra would start threads that spin; the core has its own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # no letter is a reason to fail
    debug = "--debug" in arguments
    try:
        if COMPLETING in os.environ:
            from cnncli.cli.complete import complete

            return carry_out(lambda: complete(arguments, os.environ[COMPLETING]), debug=debug)
        from cnncli.cli.plain import read_plainly, work_of

        given = read_plainly(arguments)
        if given is not None:
            work = work_of(arguments[0], given)
            return carry_out(lambda: work(**given), debug=debug)
        from cnncli.cli.app import WrongCommand, app
    except BaseException as error:  # noqa: BLE001 - an interruption, or an installation that is broken
        return settle(error, debug=debug)
    try:
        code = app(args=list(arguments), prog_name="cnncli", standalone_mode=False)
        sys.stdout.flush()
    except WrongCommand as error:
        from cnncli.cli.wrong import explained

        return settle(explained(arguments, error), debug=debug)
    except BaseException as error:  # noqa: BLE001 - help, or the parser itself; commands settle their own
        return settle(error, debug=debug)
    return code if isinstance(code, int) else DONE


def carry_out(work: Callable[[], int], *, debug: bool = False) -> int:
    """Do the work of a command and turn the fault that ends it, if one does, into an exit code.

    Parameters
    ----------
    work : callable
        Returns the exit code when it comes to its end.
    debug : bool
        Show the traceback of a fault.

    Returns
    -------
    int
        The exit code.
    """
    try:
        code = work()
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - nobody else is left to handle it
        return settle(error, debug=debug)
    finally:
        from cnncli.images.decoding_limits import set_max_pixels

        set_max_pixels(None)
    return code


def settle(error: BaseException, *, debug: bool = False, about: str = "") -> int:
    """Say what went wrong in two lines, and give the exit code for it.

    Parameters
    ----------
    error : BaseException
        Anything: a user's fault, an interruption, a reader that is gone, or an internal error.
    debug : bool
        Show its traceback first.
    about : str
        The input that it is about, for faults that do not name it themselves.

    Returns
    -------
    int
    """
    if debug:
        from traceback import format_exception

        report(*"".join(format_exception(error)).rstrip().splitlines())
    name = f"{about}: " if about else ""
    match error:
        case UsageError():
            report_error(error)
            return WRONG_USAGE
        case CnncliError():
            report_error(error)
            return SOME_FAILED
        case KeyboardInterrupt():
            number = error.number if isinstance(error, Stopped) else signal.SIGINT
            what = "interrupted" if number == signal.SIGINT else "terminated"
            report(": ".join(text for text in (what, str(error)) if text))
            return 128 + number
        case BrokenPipeError():
            silence(1)
            return READER_GONE
        case SystemExit():  # how Typer and Rich leave, for example when the reader of a help page is gone
            if isinstance(error.__context__, BrokenPipeError):
                return settle(error.__context__)
            return error.code if isinstance(error.code, int) else DONE
        case MemoryError():
            report_error(CnncliError(f"{name}out of memory", "Use smaller images, or --threads 1."))
        case OSError() if error.errno:
            from cnncli.files.faults import shown

            what = os.strerror(error.errno).lower()
            file = f": {shown(os.fsdecode(error.filename))}" if error.filename else ""
            report_error(CnncliError(f"{name}{what}{file}", "Check the disk and the files that are named."))
            silence(1)
        case _:
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            hint = "Please report it, with what the command prints under --debug."
            report_error(CnncliError(f"{name}internal error ({what})", hint))
    return SOME_FAILED


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


@contextlib.contextmanager
def orderly_stop() -> Iterator[list[int]]:
    """Let work in hand come to its end when the user interrupts: the signal is noted, not raised.

    A second signal ends the process at once.

    Yields
    ------
    list of int
        The signal, as soon as there is one. Outside the main thread, which signals do not reach,
        it stays empty.
    """
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        for each in handled:
            signal.signal(each, ending.end_at_once)

    before = {number: signal.getsignal(number) for number in ending.SIGNALS}
    handled = [number for number, handler in before.items() if handler != signal.SIG_IGN]
    for number in handled:
        signal.signal(number, note)
    try:
        yield noted
    finally:
        for number in handled:
            signal.signal(number, before[number])
