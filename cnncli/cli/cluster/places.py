"""Whether workers see the files that this machine sees: checked for each of them, never assumed."""

import os
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from cnncli import ending
from cnncli.cli.cluster.worker import where
from cnncli.cli.names import is_address
from cnncli.errors import CnncliError
from cnncli.files.drafts import open_draft
from cnncli.files.faults import shown, writing_fault
from cnncli.records import record

_CLOCK = 2_000_000_000  # nanoseconds: the coarsest times that file systems note
_HINT = "Put the files on a file system that all machines share, under the same path on each."


@record
class Seen:
    """A file as one machine sees it: its bytes, and when it was changed, in nanoseconds."""

    size: int
    changed: int


@record
class SeenPicture:
    """An input for any machine: its whole path, and the file as seen where the command was given."""

    path: str
    input: Seen | None


def seen(path: str) -> Seen | None:
    """A file as this machine sees it; None where it does not."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return Seen(status.st_size, status.st_mtime_ns)


def check_input(path: str, expected: Seen | None) -> None:
    """Refuse, on a worker, a file that is not the one that was seen where the command was given.

    Raises
    ------
    CnncliError
        Where there is none, or another.
    """
    if expected is None:  # it could not be read there either: reading says why
        return
    found = seen(path)
    if found is None:
        raise CnncliError(f"{where()} does not see {shown(path)}; expected a shared file system", _HINT)
    if found.size != expected.size or abs(found.changed - expected.changed) > _CLOCK:
        raise CnncliError(
            f"{where()} sees another file as {shown(path)}, of {found.size:,} bytes where this machine sees "
            f"{expected.size:,}; expected a shared file system",
            _HINT,
        )


@record
class Marker:
    """A file by which a folder is known, and what it holds."""

    path: str
    token: bytes


def check_folder(marker: Marker) -> None:
    """Refuse, on a worker, a folder for outputs that is not the one where the command was given.

    Raises
    ------
    CnncliError
        Where the file that marks it is not there.
    """
    with suppress(OSError):
        if Path(marker.path).read_bytes() == marker.token:
            return
    folder = os.path.dirname(marker.path)  # noqa: PTH120
    raise CnncliError(
        f"{where()} does not see the folder {shown(folder)} as this machine does; expected a shared file "
        "system",
        _HINT,
    )


def in_full(path: str) -> str:
    """A path from the root of the file system; an address as it is."""
    return path if is_address(path) else os.path.abspath(path)  # noqa: PTH100


class Markers:
    """Files that mark folders for outputs, by which workers know them; as a context, they last as long."""

    def __init__(self) -> None:
        self._held = ExitStack()
        self._known: dict[str, Marker | CnncliError] = {}
        self._token = os.urandom(16)

    def __enter__(self) -> "Markers":
        return self

    def __exit__(self, *_: Any) -> None:
        self._held.close()

    def of(self, folder: str) -> Marker:
        """The marker in a folder, which exists.

        Raises
        ------
        CnncliError
            Where none can be put there.
        """
        if folder not in self._known:
            try:
                path, handle = open_draft(folder, "marker")
                self._held.callback(_remove, path, handle)
                os.write(handle, self._token)
                self._known[folder] = Marker(path, self._token)
            except OSError as error:
                self._known[folder] = writing_fault(error, folder)
        found = self._known[folder]
        if isinstance(found, CnncliError):
            raise found
        return found


def _remove(path: str, handle: int) -> None:
    with suppress(OSError):
        os.unlink(path)  # noqa: PTH108
    ending.finished(path)
    os.close(handle)


def as_given(error: CnncliError, *names: str) -> CnncliError:
    """An error that calls files as the user does."""
    pairs = [(in_full(name), name) for name in names]
    return type(error)(renamed(error.message, pairs), renamed(error.hint, pairs))


def renamed(text: str, names: Iterable[tuple[str, str]]) -> str:
    """A message with the names that the user gave in the place of whole paths."""
    for whole, given in sorted(names, key=lambda each: -len(each[0])):
        if whole != given:
            text = text.replace(shown(whole), shown(given))
    return text
