"""Inputs and outputs that have an address (``s3://``, ``gs://``, ``https://``, ``memory://``) and no path.

All is done by fsspec and the packages that it names for each kind; they are imported only for an address.
Files are read and written as a whole.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

from cnncli.errors import CnncliError
from cnncli.files.atomic import write_atomic
from cnncli.files.faults import shown

_EXTRA = "Install it with: pip install 'cnncli[cluster]'"
_REASONS: dict[type[Exception], tuple[str, str]] = {
    FileNotFoundError: ("no such file", "Check the spelling of the address."),
    IsADirectoryError: ("it is a folder", "Name the files in it."),
    PermissionError: ("permission denied", "Check that you are signed in where it lies."),
    NotImplementedError: ("such addresses cannot be written to", "Name an output elsewhere with -o."),
}


def read_address(address: str, *, most: int | None = None) -> bytes:
    """The bytes of a file, or the first ones, at most so many.

    Raises
    ------
    CnncliError
        Where it cannot be read.
    """
    with _located("read", address) as (system, path):
        data: bytes = system.cat_file(path) if most is None else system.cat_file(path, 0, most)
        return data


def write_address(address: str, data: bytes) -> None:
    """Write a file completely or not at all, with the folders that it lies in where there are such.

    Raises
    ------
    CnncliError
        Where it cannot be written.
    """
    with _located("write", address) as (system, path):
        if "file" in _kinds(system):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            write_atomic(Path(path), data)
            return
        try:
            system.pipe_file(path, data)
        except FileNotFoundError:
            system.makedirs(path.rpartition("/")[0], exist_ok=True)
            system.pipe_file(path, data)


def seen_at(address: str) -> tuple[int, float | None] | None:
    """How large a file is in bytes, and when it was changed, in seconds, where that is known; None: no file.

    Raises
    ------
    CnncliError
        Where nobody answers.
    """
    with _located("read", address) as (system, path):
        try:
            found = system.info(path)
        except FileNotFoundError:
            return None
        if found["type"] != "file":
            return None
        size = found.get("size")
        try:
            changed = system.modified(path)
        except NotImplementedError:  # such as a server of HTTP
            return (1 if size is None else size), None
        known = changed if changed.tzinfo else changed.replace(tzinfo=UTC)
        return (1 if size is None else size), known.timestamp()


def found_at(
    address: str, suffixes: frozenset[str], *, recursive: bool
) -> tuple[list[tuple[str, str | None]], list[CnncliError]]:
    """A file as it is; a folder as its images, in the order of their names, and what went wrong with it.

    Parameters
    ----------
    address : str
        Of either.
    suffixes : frozenset of str
        Of images.
    recursive : bool
        Take a folder with all below it.

    Returns
    -------
    files : list of (address, below)
        Where below the folder each lies; None for a file that was named itself.
    faults : list of CnncliError
    """
    if suffix_of(address) in suffixes:
        return [(address, None)], []
    try:
        with _located("read", address) as (system, path):
            if not system.isdir(path):
                return [(address, None)], []
            listed = system.find(path) if recursive else system.ls(path, detail=False)
    except CnncliError as error:
        return [], [error]
    top = path.rstrip("/")
    inside = sorted(each[len(top) :].strip("/") for each in listed if each.startswith(f"{top}/"))
    found: list[tuple[str, str | None]] = [
        (f"{address.rstrip('/')}/{each}", each.rpartition("/")[0] or ".")
        for each in inside
        if suffix_of(each) in suffixes and not any(part.startswith(".") for part in each.split("/"))
    ]
    if not found:
        hint = "Check the address." if recursive else "Add --recursive to look into the folders below it."
        what = f"{shown(address)} is a folder without images; expected files such as .png or .jpg"
        return [], [CnncliError(what, hint)]
    return found, []


def suffix_of(address: str) -> str:
    """The suffix of a file's name, in lower case; of what follows ``?`` nothing belongs to it."""
    return os.path.splitext(name_of(address))[1].lower()  # noqa: PTH122


def name_of(address: str) -> str:
    """The name of a file, without folders and without what follows ``?``."""
    return address.partition("?")[0].rpartition("/")[2]


def _system_of(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise CnncliError(
            f"{shown(address)} is an address, for which fsspec is not installed; expected the extra cluster",
            _EXTRA,
        ) from error
    try:
        found: tuple[Any, str] = url_to_fs(address)
    except ImportError as error:  # it says which package it takes
        raise CnncliError(
            f"{shown(address)} takes a package that is not installed ({error}); expected it",
            "Install it with pip.",
        ) from error
    return found


def _kinds(system: Any) -> tuple[str, ...]:
    return (system.protocol,) if isinstance(system.protocol, str) else tuple(system.protocol)


@contextmanager
def _located(what: str, address: str) -> Iterator[tuple[Any, str]]:
    """The file system of an address, and the path in it; whatever they raise names the address."""
    try:
        yield _system_of(address)
    except CnncliError:
        raise
    except Exception as error:
        for kind, (why, hint) in _REASONS.items():
            if isinstance(error, kind):
                raise CnncliError(f"cannot {what} {shown(address)}: {why}", hint) from error
        said = " ".join(f"{type(error).__name__} {error}".split())
        raise CnncliError(
            f"cannot {what} {shown(address)} ({said}); expected an address that answers",
            "Check the address, the network, and that you are signed in where it lies.",
        ) from error
