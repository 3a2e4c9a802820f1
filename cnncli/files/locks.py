"""Locks between processes, with a message and a timeout while waiting, as their holder may be stopped."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_OFTEN = 0.02  # seconds between two attempts
_SOON = 3.0  # seconds until a message tells what it waits for


@contextlib.contextmanager
def held(
    path: Path, doing: str, *, limit: float, progress: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """Hold a lock file while the context lasts, waiting for the process that holds it.

    Parameters
    ----------
    path : Path
        The lock file; created if needed, readable only by this user. Links are not followed.
    doing : str
        What the other process does, for messages: "compiles the loop box".
    limit : float
        Seconds to wait without progress.
    progress : callable
        Its value changes as long as the other process makes progress.

    Raises
    ------
    TimeoutError
        If the other process makes no progress for ``limit``.
    ImportError, OSError
        If locks are not supported, or the file cannot be created.
    """
    import fcntl

    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    handle = os.open(path, flags, 0o600)
    try:
        begun = seen = time.monotonic()
        state, told = progress(), False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                now = time.monotonic()
            if (new := progress()) != state:
                state, seen = new, now
            if now - seen > limit:
                raise TimeoutError(f"{_holder(handle)} {doing} and has not got on for {limit:.0f} s")
            if not told and now - begun > _SOON and sys.stderr is not None:
                told = True
                print(f"waiting for {_holder(handle)}, which {doing} …", file=sys.stderr, flush=True)
            time.sleep(_OFTEN)
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _holder(handle: int) -> str:
    """The process that has written its ID into the lock file."""
    number = os.pread(handle, 20, 0)
    return f"process {int(number)}" if number.isdigit() else "another process"
