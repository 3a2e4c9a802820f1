"""``python -m cnncli`` and the ``cnncli`` command."""

import contextlib
import gc
import os
import sys
import threading
from typing import NoReturn

# A start makes tens of thousands of objects that all stay, which the collector would go through again and
# again: 60 of the 330 ms that a command on one small image took. What a long command leaves behind is
# still collected.
_ALLOCATIONS = 100_000


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    gc.set_threshold(_ALLOCATIONS)
    try:
        from cnncli.cli.run import prepare_process, run

        prepare_process()
        code = run(sys.argv[1:])
        _leave(code)
    except KeyboardInterrupt:  # before, or after, anybody else could take care of it
        code = 130
    sys.exit(code)


def _leave(code: int) -> None:
    """End the process at once, unless there is somebody who waits for its end.

    Taking modules and arrays apart, which the system takes back anyway, lasts 3 to 6 ms: as long as
    filtering a photograph. By now every file is written.
    """
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
