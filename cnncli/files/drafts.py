"""Layer 0: files under a temporary name, until they are whole and take their own."""

import contextlib
import os
import stat
from zlib import crc32

from cnncli import ending

PATTERN = ".cnncli-*.tmp"


def open_draft(folder: str, name: str, *, mode: int = 0o666) -> tuple[str, int]:
    """Open a new file in which another one is written, to be renamed when it is whole.

    Its name follows from the other's, so that a run that writes the same file finds, and takes away, what
    was left by one that was killed. A lock, which the system takes from a process that dies, tells such a
    remnant from a file that is still being written. A signal that ends the process removes it.

    Parameters
    ----------
    folder : str
        Where both lie.
    name : str
        Of the file to be.
    mode : int
        Permission bits, less the umask.

    Returns
    -------
    path : str
        For `ending.finished`, when it has its name or is gone.
    handle : int
        To write to; held until then.

    Raises
    ------
    OSError
        If it cannot be made.
    """

    def create(path: str) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)

    usual = f".cnncli-{crc32(os.fsencode(name)):08x}.tmp"
    for draft in (usual, usual, f".cnncli-{os.urandom(8).hex()}.tmp"):
        path = os.path.join(folder, draft)
        try:
            handle = ending.begin(path, create)
        except FileExistsError:
            remove_remnant(path)
            continue
        if draft != usual or _is_held(handle, path):
            return path, handle
        ending.finished(path)
        os.close(handle)
    raise FileExistsError(17, "a temporary file exists")


def remove_remnant(path: str) -> None:
    """Remove a temporary file of this user, if no process holds it any more."""
    import fcntl

    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            own = os.fstat(handle)
            if not stat.S_ISREG(own.st_mode) or own.st_uid != os.getuid():
                return
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, own):
                os.unlink(path)
        finally:
            os.close(handle)


def _is_held(handle: int, path: str) -> bool:
    """Lock a new file; False if somebody took it for a remnant just before. True where there are no locks."""
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _is_at(path, os.fstat(handle))
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:
        return True


def _is_at(path: str, file: os.stat_result) -> bool:
    there = os.lstat(path)
    return (there.st_dev, there.st_ino) == (file.st_dev, file.st_ino)
