"""Files under names that a command makes up: with a number where another file has the name."""

import contextlib
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from cnncli.files.atomic import write_atomic


def write_numbered(path: Path, data: bytes) -> Path:
    """Write a file under a name that no other has: ``maps.png``, else ``maps-2.png``, ``maps-3.png``.

    Parameters
    ----------
    path : Path
        In a folder that exists.
    data : bytes
        The content. A file that holds just this is left as it is, so that a command that is repeated does
        not fill the folder.

    Returns
    -------
    Path
        Where the content is.

    Raises
    ------
    CnncliError
        Where the file cannot be written.
    """
    with _locked(path.parent):
        for number in count(1):
            place = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
            if not os.path.lexists(place):
                write_atomic(place, data)
                break
            if _holds(place, data):
                break
    return place


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, where its file system has one, so that two processes take no one name."""
    import fcntl

    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
