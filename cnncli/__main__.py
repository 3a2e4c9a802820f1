"""``python -m cnncli`` and the ``cnncli`` command."""

# Nothing is imported here: signals are taken care of before anything else is done, in `main`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

# A start makes tens of thousands of objects that all stay, which the collector would go through again and
# again: 60 of the 330 ms that a command on one small image took. What a long command leaves behind is
# still collected.
_ALLOCATIONS = 100_000


def main() -> "NoReturn":
    """Run the command line and leave with its exit code."""
    import _signal  # type: ignore[import-not-found]

    if _signal.getsignal(_signal.SIGINT) == _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # Python's raises wherever the program happens to be
    from cnncli.ending import end_silently, handle_signals

    handle_signals(end_silently)
    import gc
    import sys

    gc.set_threshold(_ALLOCATIONS)
    from cnncli.modules import leave_start_folder

    leave_start_folder()
    from cnncli.cli.run import prepare_process, run

    prepare_process()
    code = run(sys.argv[1:])
    _leave(code)
    sys.exit(code)


def _leave(code: int) -> None:
    """End the process at once, unless there is somebody who waits for its end.

    Taking modules and arrays apart, which the system takes back anyway, lasts 3 to 6 ms: as long as
    filtering a photograph. By now every file is written.
    """
    import contextlib
    import os
    import sys
    import threading

    watched = sys.getprofile() or sys.gettrace()
    others = [each for each in threading.enumerate() if not each.daemon]
    if watched or others != [threading.main_thread()]:
        return
    with contextlib.suppress(OSError):  # which Python would meet once more, and report
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
