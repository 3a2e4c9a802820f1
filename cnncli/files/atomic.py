"""Write files completely or not at all; an existing file survives a failure."""

import contextlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from cnncli import ending
from cnncli.errors import CnncliError
from cnncli.files.drafts import open_draft
from cnncli.files.faults import shown, writing_fault

Data = bytes | Iterable[bytes | memoryview]
"""The content of a file: bytes, or an iterable of pieces that is consumed once."""

_OWN_STREAM = re.compile(r"/dev/(?:stdin|stdout|stderr|fd/\d+)|/proc/(?:self|thread-self|\d+)/fd/\d+")
_STREAM_NUMBERS = {"stdin": 0, "stdout": 1, "stderr": 2}


def write_atomic(path: Path, data: Data, *, durable: bool = False, same_stays: bool = False) -> None:
    """Write a file completely or not at all.

    The bytes are written to a temporary file in the same folder, which is then renamed. An
    existing output's permission bits are kept, a new one follows the umask. A symbolic link's
    target is replaced, not the link; a device or a pipe is written directly.

    Parameters
    ----------
    path : Path
        The output.
    data : bytes, or iterable of bytes and memoryviews of bytes
        The content.
    durable : bool
        Return only when the file would survive a power failure.
    same_stays : bool
        An existing file of the same bytes is left as it is, with its time.

    Raises
    ------
    CnncliError
        Where the file cannot be written; an existing file is unchanged.
    BrokenPipeError
        Where the reader of a pipe is gone.
    """
    with drafted(path, data, durable=durable, same_stays=same_stays):
        pass


def is_device(path: str) -> bool:
    """Whether an output is a device or a pipe, such as ``/dev/null``, which takes any bytes."""
    try:
        kind = os.stat(path).st_mode  # noqa: PTH116
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(kind) and not stat.S_ISDIR(kind)


@contextlib.contextmanager
def drafted(path: Path, data: Data, *, durable: bool = False, same_stays: bool = False) -> Iterator[None]:
    """Write a file to disk, but give it its name only if the context ends without an exception.

    So of two files that belong together, neither appears without the other.

    Parameters
    ----------
    path, data, durable, same_stays
        As for `write_atomic`.

    Raises
    ------
    CnncliError, BrokenPipeError
        As `write_atomic`.
    """
    with _writing(path):
        draft = _draft(path, data, durable=durable)
    try:
        yield
        with _writing(path):
            if draft is None:
                _write_directly(path, data)
            elif not (same_stays and draft.stands_already()):
                draft.publish()
    finally:
        if draft is not None:
            draft.drop()


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn exceptions in writing into errors that name the file."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise writing_fault(error, path) from error
    except ValueError as error:  # a NUL byte in the name
        raise CnncliError(f"cannot write {shown(path)}: {error}", "Name another output with -o.") from error


def _draft(path: Path, data: Data, *, durable: bool) -> "_Draft | None":
    """A draft of a regular file; None for outputs that are written directly."""
    if _OWN_STREAM.fullmatch(os.fspath(path)):
        return None
    before = _stat(path)
    if before is None or stat.S_ISREG(before.st_mode):
        return _Draft(Path(os.path.realpath(path)), data, before, durable=durable)
    if stat.S_ISDIR(before.st_mode):
        raise IsADirectoryError(21, "is a directory")
    return None


def _write_directly(path: Path, data: Data) -> None:
    if _OWN_STREAM.fullmatch(os.fspath(path)):
        _write_stream(os.fspath(path), data)
        return
    with Path(os.path.realpath(path)).open("wb", buffering=0) as device:
        _write_all(device.fileno(), data)


def _stat(path: Path) -> os.stat_result | None:
    """Status of an existing file, None for a new one; circular links raise OSError."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


class _Draft:
    """A file under a temporary name, locked by this process while it is being written."""

    def __init__(self, target: Path, data: Data, before: os.stat_result | None, *, durable: bool) -> None:
        if before is not None and not os.access(target, os.W_OK):
            raise PermissionError(13, "read-only file")
        self.target, self.durable = target, durable
        self.path, self.handle = open_draft(os.fspath(target.parent), target.name)
        try:
            _write_all(self.handle, data)
            if before is not None:
                _keep_owner(self.handle, before)
            if durable:
                os.fsync(self.handle)
        except BaseException:
            self.drop()
            raise

    def publish(self) -> None:
        """Give the file its name."""
        os.replace(self.path, self.target)  # noqa: PTH105
        self._end()
        if self.durable:
            _sync_folder(self.target.parent)

    def stands_already(self) -> bool:
        """Whether the file that has the name has these bytes."""
        import filecmp  # only where work may be done again

        try:
            return filecmp.cmp(self.path, self.target, shallow=False)
        except FileNotFoundError:
            return False

    def drop(self) -> None:
        """Delete the file, unless it has been published."""
        if self.handle >= 0:
            with contextlib.suppress(OSError):
                os.unlink(self.path)  # noqa: PTH108
            self._end()

    def _end(self) -> None:
        os.close(self.handle)
        self.handle = -1
        ending.finished(self.path)


def _sync_folder(folder: Path) -> None:
    """Sync a folder's entries to disk, where the file system supports it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _keep_owner(handle: int, before: os.stat_result) -> None:
    """Keep owner and mode; owner first, because changing it clears the set-user bits of the mode."""
    now = os.fstat(handle)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        with contextlib.suppress(OSError):  # only root may give a file away
            os.fchown(handle, before.st_uid, before.st_gid)
    os.fchmod(handle, stat.S_IMODE(before.st_mode))


def _write_stream(name: str, data: Data) -> None:
    """Write to a stream of this process; opening it again would truncate a file to which ``>>`` appends."""
    last = name.rpartition("/")[2]
    process = name.split("/")[2] if name.startswith("/proc/") else "self"
    if process not in ("self", "thread-self", str(os.getpid())):
        with Path(name).open("wb", buffering=0) as foreign:
            _write_all(foreign.fileno(), data)
        return
    _write_all(_STREAM_NUMBERS[last] if last in _STREAM_NUMBERS else int(last), data)


def _write_all(handle: int, data: Data) -> None:
    for piece in (data,) if isinstance(data, bytes) else data:
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(handle, rest) :]
