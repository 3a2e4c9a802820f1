"""The command line from its words to its exit code: completed, read plainly, or read by Typer."""

import os
import sys
import warnings
from collections.abc import Sequence

from cnncli import ending
from cnncli.cli.exit_codes import DONE, carry_out, settle

COMPLETING = "_CNNCLI_COMPLETE"  # the shells' scripts ask for what can follow the words


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

        settings = read_plainly(arguments)
        if settings is not None:
            work = work_of(arguments[0], settings)
            return carry_out(lambda: work(settings), debug=debug)
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
