"""The one place that turns what happened into an exit code and lines on standard error."""

import os
import signal
import sys
from collections.abc import Callable, Sequence

from cnncli.errors import CnncliError

DONE, SOME_FAILED, WRONG_USAGE, INTERRUPTED, READER_GONE = 0, 1, 2, 130, 141


class UsageError(CnncliError):
    """The command itself is wrong, so nothing was started: exit code 2."""


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
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="surrogateescape")  # file names go out as they came in
    from cnncli.cli.app import WrongCommand, app

    try:
        code = app(args=list(arguments), prog_name="cnncli", standalone_mode=False)
    except WrongCommand as error:
        command = error.ctx.command_path if error.ctx else "cnncli"
        report_error(UsageError(error.format_message().rstrip("."), f"see {command} --help"))
        return WRONG_USAGE
    return code if isinstance(code, int) else DONE


def carry_out(work: Callable[[], int], *, debug: bool = False) -> int:
    """Do the work of a command and turn the fault that ends it, if one does, into an exit code.

    Parameters
    ----------
    work : callable
        Returns the exit code when it comes to its end.
    debug : bool
        Let a fault through with its traceback.
    """
    try:
        code = work()
        sys.stdout.flush()
    except CnncliError as error:
        if debug:
            raise
        report_error(error)
        return WRONG_USAGE if isinstance(error, UsageError) else SOME_FAILED
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # What is still buffered can go nowhere: keep the interpreter from trying at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except MemoryError:
        report_error(CnncliError("out of memory", "use smaller images, or --threads 1"))
        return SOME_FAILED
    return code


def report_error(error: CnncliError) -> None:
    """Two lines on standard error: what happened, and what to do next."""
    report(f"error: {_one_line(error.message)}\nhint: {_one_line(error.hint)}")


def report(text: str) -> None:
    """A line on standard error, after what standard output holds back."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)


def _one_line(text: str) -> str:
    """Text as one line, whatever a file name holds."""
    return " ".join(text.splitlines())
