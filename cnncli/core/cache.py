"""The cache of compiled machine code: private, atomic, checked, and never required.

A file is trusted only if this user owns it and nobody else could have written it. A file that is
damaged, foreign or unreadable counts as absent; a folder that cannot be written means that code is
compiled again in each process. Nothing here raises.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

try:
    from _blake2 import blake2b  # used by hashlib, which would also load OpenSSL: 3 ms
except ImportError:
    from hashlib import blake2b

MAGIC = b"cnncli-native-1\n"
DIGEST_BYTES = 32
PATIENCE = 30.0  # seconds to wait for a compiling process that makes no progress


def cache_folder() -> Path | None:
    """Folder of this user's compiled code, or None if the environment does not define one.

    ``CNNCLI_CACHE_DIR``, else ``XDG_CACHE_HOME/cnncli``, else ``~/.cache/cnncli``.
    """
    chosen = os.environ.get("CNNCLI_CACHE_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    if base and Path(base).is_absolute():
        return Path(base) / "cnncli"
    try:
        return Path.home() / ".cache" / "cnncli"
    except RuntimeError:
        return None


def read_cached(path: Path) -> bytes | None:
    """Read a cached file's payload, or None if it is absent, damaged or not trusted."""
    try:
        # Do not follow links, and do not block if the file is a pipe.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not _trusted(os.fstat(file.fileno())):
                return None
            content = file.read()
    except OSError:
        return None
    return _payload(path, content)


def read_shipped(path: Path) -> bytes | None:
    """Read the payload of a file of the package, trusted as its modules are; None as `read_cached`."""
    try:
        return _payload(path, path.read_bytes())
    except OSError:
        return None


def _payload(path: Path, content: bytes) -> bytes | None:
    """What a file holds, or None if it is damaged or another file's."""
    digest_end = len(MAGIC) + DIGEST_BYTES
    payload = content[digest_end:]
    if content[: len(MAGIC)] != MAGIC or _digest(path, payload) != content[len(MAGIC) : digest_end]:
        return None
    return payload


def keep(path: Path, payload: bytes) -> bool:
    """Write a payload atomically, readable only by this user; False if that is not possible."""
    from cnncli import ending  # this and drafts only to write
    from cnncli.files import drafts

    content = MAGIC + _digest(path, payload) + payload
    folder = os.fspath(path.parent)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for remnant in path.parent.glob(drafts.PATTERN):
            drafts.remove_remnant(os.fspath(remnant))
        draft, handle = drafts.open_draft(folder, path.name, mode=0o600)
    except OSError:
        return False
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.replace(draft, path)  # noqa: PTH105
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(draft)  # noqa: PTH108
        return False
    finally:
        ending.finished(draft)
    return True


@contextlib.contextmanager
def compiling(path: Path) -> Iterator[None]:
    """Hold a lock while one process compiles the file ``path``, so that others wait for it.

    Without locks (a read-only folder, a system without ``fcntl``) it does not wait; it waits `PATIENCE` for a
    process that makes no progress (a stopped one).
    """
    from cnncli.files.locks import held

    name = path.name.rpartition("-")[0] or path.name
    with contextlib.ExitStack() as lock:
        with contextlib.suppress(ImportError, OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock.enter_context(held(path.with_suffix(".lock"), f"compiles {name}", limit=PATIENCE))
        yield


def is_being_compiled(path: Path) -> bool:
    """Whether a process holds the lock of `compiling` now; False if locks are not supported."""
    handle = -1
    try:
        import fcntl

        handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: does not block others that check
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        return False
    finally:
        if handle >= 0:
            os.close(handle)
    return False


def digest(data: bytes) -> bytes:
    """A digest of `DIGEST_BYTES` bytes."""
    return blake2b(data, digest_size=DIGEST_BYTES).digest()


def _digest(path: Path, payload: bytes) -> bytes:
    """Digest of the payload and the file's name, so that no file can replace another."""
    return digest(path.name.encode() + b"\0" + payload)


def _trusted(status: os.stat_result) -> bool:
    """Whether only this user can have written the file."""
    if not stat.S_ISREG(status.st_mode):
        return False
    if not hasattr(os, "getuid"):
        return True
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
