"""Which files a command reads, settled before anything is done, and which names mean one file.

Paths are strings here, as the shell gave them: names that are not UTF-8, a leading ``./`` and ``-`` for a
stream come through unchanged.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.streams import read_stdin
from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown
from cnncli.records import record, replace

Fault = TypeVar("Fault", bound=Exception)
STREAM = "-"
TERMINAL = "term"
# What lies here stands for a stream of this process, even one that is a file.
_STREAM_FOLDERS = ("/dev", "/dev/fd", "/proc/self/fd")
_EXAMPLE = "cnncli convolve photo.png -k sobel, or: cat a.png | cnncli convolve -k sobel"


@record
class Source:
    """An input.

    Attributes
    ----------
    path : str
        Its name.
    below : str or None
        Where below the folder that was given it lies, if it comes from one.
    listed : str
        Where a list names it, as ``names.txt:17``; empty where none does.
    size : (width, height) or None
        Of its result, where the output's name is to say so.
    fault : CnncliError or None
        Why that could not be found out.
    """

    path: str
    below: str | None = None
    listed: str = ""
    size: tuple[int, int] | None = None
    fault: CnncliError | None = None


def find_inputs(
    names: Sequence[str], *, recursive: bool, files_from: str | None, null: bool, suffixes: frozenset[str]
) -> tuple[list[Source], list[tuple[str, CnncliError]]]:
    """List the inputs: files as given, the images of folders, names from a file, or standard input.

    Parameters
    ----------
    names : sequence of str
        From the command line.
    recursive : bool
        Take folders with all below them.
    files_from : str or None
        A file of names, ``-`` for standard input.
    null : bool
        Its names end with NUL.
    suffixes : frozenset of str
        Suffixes of images, which are what is taken from folders. Hidden files and folders are passed over.

    Returns
    -------
    inputs : list of Source
    faults : list of (name, CnncliError)
        Folders that gave none, or that cannot be read.

    Raises
    ------
    UsageError
        If there is nothing to read.
    """
    wanted = wanted_names(names, files_from=files_from, null=null, example=_EXAMPLE)
    places = [(name, "") for name in wanted]
    if files_from is not None:
        places += _listed(files_from, null=null)
    inputs: list[Source] = []
    faults: list[tuple[str, CnncliError]] = []
    for name, listed in places:
        found, unread = expanded(name, suffixes, recursive=recursive)
        inputs += [replace(each, listed=listed) for each in found] if listed else found
        faults += [(name, located(each, listed)) for each in unread]
    return inputs, faults


def located(error: Fault, listed: str) -> Fault:
    """An error about an input, with the place in a list that names it."""
    if not listed or not isinstance(error, CnncliError):
        return error
    found = type(error)(f"{error.message} ({listed})", error.hint)
    found.__cause__ = error
    return found


def wanted_names(names: Sequence[str], *, files_from: str | None, null: bool, example: str) -> list[str]:
    """Names from the command line, or standard input where there are none and it is a pipe.

    Parameters
    ----------
    names : sequence of str
        From the command line.
    files_from, null
        As for `find_inputs`; the file is not read.
    example : str
        A command that has an input, for the hint.

    Raises
    ------
    UsageError
        If there is nothing to read, or standard input would be read twice.
    """
    wanted = list(names)
    if null and files_from is None:
        raise UsageError(
            "-0 is given without --files-from; expected both", "Add --files-from -, or leave -0 out."
        )
    if files_from == STREAM and STREAM in wanted:
        raise UsageError(
            "standard input (-) is given as an input and for --files-from; expected it once",
            "Name the image, or a file of names.",
        )
    if files_from is None and not wanted:
        if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
            raise UsageError(
                "no input is given; expected a file, a folder or a pipe",
                f"Name an image, or pipe one in, for example: {example}",
            )
        wanted = [STREAM]
    if wanted.count(STREAM) > 1:
        raise UsageError("standard input (-) is given twice; expected it once", "Give - once.")
    return wanted


def expanded(
    name: str, suffixes: frozenset[str], *, recursive: bool
) -> tuple[list[Source], list[CnncliError]]:
    """A file as it is; a folder as its images, and what went wrong with it."""
    if is_address(name):
        from cnncli.cli.addresses import found_at

        files, faults = found_at(name, suffixes, recursive=recursive)
        return [Source(*each) for each in files], faults
    if name != STREAM and os.path.isdir(name):
        return _in_folder(name, suffixes, recursive=recursive)
    return [Source(name)], []


def _listed(files_from: str, *, null: bool) -> list[tuple[str, str]]:
    """Names from a file, bytes kept as they are, and where each stands."""
    from cnncli.cli.lists import names_in

    try:
        data = read_stdin() if files_from == STREAM else Path(files_from).read_bytes()
    except (OSError, ValueError) as error:
        what = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(
            f"cannot read names from {shown(files_from)}: {what}; expected a readable file",
            "Check the path given to --files-from.",
        ) from error
    place = "standard input" if files_from == STREAM else shown(files_from)
    names = names_in(data, where=place, null=null)
    if not names:
        raise UsageError(
            f"--files-from: {place} holds no names; expected one per line", "Check how the list is made."
        )
    return names


def _in_folder(
    folder: str, suffixes: frozenset[str], *, recursive: bool
) -> tuple[list[Source], list[CnncliError]]:
    """The images of a folder, in the order of their names, and what went wrong."""
    faults: list[CnncliError] = []
    found = sorted(_images(folder, suffixes, faults, recursive=recursive))
    if not found and not faults:
        hint = "Check the folder." if recursive else "Add --recursive to look into the folders below it."
        faults.append(
            CnncliError(
                f"{shown(folder)} is a folder without images; expected files such as .png or .jpg", hint
            )
        )
    return [Source(path, os.path.relpath(os.path.dirname(path), folder)) for path in found], faults


def _images(
    folder: str, suffixes: frozenset[str], faults: list[CnncliError], *, recursive: bool
) -> Iterator[str]:
    """Regular files in a folder, also behind links, that have an image's suffix."""
    for parent, folders, files in os.walk(
        folder, onerror=lambda error: faults.append(reading_fault(error, error.filename))
    ):
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        for name in files:
            path = os.path.join(parent, name)
            if os.path.splitext(name)[1].lower() not in suffixes or name.startswith("."):
                continue
            if os.path.isfile(path) or not os.path.exists(path):  # no pipe, which may never end
                yield path


def identity(path: str) -> object:
    """The same for all names of one file: its inode, or its real path while it does not exist."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return os.path.realpath(path)
    return status.st_dev, status.st_ino


def is_address(path: str) -> bool:
    """Whether an input or output is an address, such as ``s3://bucket/a.png``, and no path."""
    scheme, separator, _ = path.partition("://")
    return bool(separator) and scheme.isascii() and scheme.isalnum() and not os.path.exists(path)


def is_terminal(path: str) -> bool:
    """Whether an output is the terminal, in which pictures are shown: ``term``, or ``term:`` and how."""
    return path == TERMINAL or path.startswith(f"{TERMINAL}:")


def is_standard(path: str) -> bool:
    """Whether what is written goes to standard output: as a file, or to be seen in the terminal."""
    return path == STREAM or is_terminal(path)


def is_stream(path: str) -> bool:
    """Whether an input is standard input, a pipe or a device, beside which no file can be put."""
    return path == STREAM or is_special(path) or os.path.dirname(path) in _STREAM_FOLDERS


def overwritten(written: Iterable[str], read: Iterable[str]) -> tuple[str, str] | None:
    """The first output that is one of the files that are read, and that file; None where there is none."""
    places = {identity(path): path for path in read if path != STREAM}
    return next(((path, places[at]) for path in written if (at := identity(path)) in places), None)


def is_special(path: str) -> bool:
    """Whether a path is a device or a pipe, which many may write to."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
