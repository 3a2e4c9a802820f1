"""The one place that turns what happened into an exit code and lines on standard error."""

import os
import signal
import sys
from collections.abc import Callable

from cnncli.cli.messages import report, report_error, silence
from cnncli.errors import CnncliError

DONE, SOME_FAILED, WRONG_USAGE, INTERRUPTED, READER_GONE = 0, 1, 2, 130, 141


class UsageError(CnncliError):
    """The command itself is wrong, so nothing was started: exit code 2."""


class Stopped(KeyboardInterrupt):
    """A signal asked the command to end; ``number`` says which."""

    def __init__(self, number: int, done: str = "") -> None:
        super().__init__(done)
        self.number = number


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

        report(*"".join(format_exception(error)).rstrip().splitlines(), exactly=True)
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
