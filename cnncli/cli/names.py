"""Which files a command reads and which it writes, settled before anything is done.

Paths are strings here, as the shell gave them: names that are not UTF-8, a leading ``./`` and ``-`` for a
stream come through unchanged.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from cnncli.cli.run import UsageError
from cnncli.cli.streams import read_stdin
from cnncli.errors import CnncliError
from cnncli.images.faults import reading_fault, shown
from cnncli.records import record, replace

Fault = TypeVar("Fault", bound=Exception)
STREAM = "-"
# What lies here stands for a stream of this process, even one that is a file.
_STREAM_FOLDERS = ("/dev", "/dev/fd", "/proc/self/fd")
_EXAMPLE = "cnncli convolve photo.png -k sobel, or: cat a.png | cnncli convolve -k sobel"
_FIELDS = ("stem", "kernel", "ext", "name", "parent", "number")
# What may stand in braces: a name alone, and a width for the number. A whole format language could ask for
# a width of gigabytes. Doubled braces stand for themselves. Compiled only for those who write templates.
_FIELD = r"\{\{|\}\}|\{(?P<name>[a-z]+)(?::(?P<width>0?[1-9]))?\}|[{}]"


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
    """

    path: str
    below: str | None = None
    listed: str = ""


@record
class Job:
    """One input and where its result goes.

    Attributes
    ----------
    source : str
        A path, or ``-`` for standard input.
    target : str
        A path, or ``-`` for standard output.
    announced : bool
        Whether the name of the result was made up here, so that it is printed.
    replaces : bool
        Whether the result replaces the input.
    listed : str
        Where a list names the input, as ``names.txt:17``; empty where none does.
    """

    source: str
    target: str
    announced: bool = False
    replaces: bool = False
    listed: str = ""

    @property
    def result(self) -> str:
        """The output, as it is called before the user: what replaces an input has the name that was given."""
        return self.source if self.replaces else self.target


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
            "-0 is given without --files-from; expected both", "add --files-from -, or leave -0 out"
        )
    if files_from == STREAM and STREAM in wanted:
        raise UsageError(
            "standard input (-) is given as an input and for --files-from; expected it once",
            "name the image, or a file of names",
        )
    if files_from is None and not wanted:
        if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
            raise UsageError(
                "no input is given; expected a file, a folder or a pipe", f"for example: {example}"
            )
        wanted = [STREAM]
    if wanted.count(STREAM) > 1:
        raise UsageError("standard input (-) is given twice; expected it once", "give - once")
    return wanted


def expanded(
    name: str, suffixes: frozenset[str], *, recursive: bool
) -> tuple[list[Source], list[CnncliError]]:
    """A file as it is; a folder as its images, and what went wrong with it."""
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
            "check the path given to --files-from",
        ) from error
    place = "standard input" if files_from == STREAM else shown(files_from)
    names = names_in(data, where=place, null=null)
    if not names:
        raise UsageError(
            f"--files-from: {place} holds no names; expected one a line", "check how the list is made"
        )
    return names


def _in_folder(
    folder: str, suffixes: frozenset[str], *, recursive: bool
) -> tuple[list[Source], list[CnncliError]]:
    """The images of a folder, in the order of their names, and what went wrong."""
    faults: list[CnncliError] = []
    found = sorted(_images(folder, suffixes, faults, recursive=recursive))
    if not found and not faults:
        hint = "check the folder" if recursive else "use --recursive to look into the folders below it"
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


def plan_outputs(
    inputs: Sequence[Source],
    output: str | None,
    *,
    in_place: bool,
    naming: "Naming",
    kept: Sequence[str] = (),
) -> list[Job]:
    """Name the output of each input.

    Parameters
    ----------
    inputs : sequence of Source
        From `find_inputs`.
    output : str or None
        As given with ``-o``.
    in_place : bool
        Write each result over its input.
    naming : Naming
        How names are made up.
    kept : sequence of str
        Other files that are read, and must not be written to.

    Returns
    -------
    list of Job

    Raises
    ------
    UsageError
        If two inputs would write one output, or an input would be overwritten without ``--in-place``.
    """
    if in_place and output is not None:
        raise UsageError("--in-place and -o are both given; expected one of them", "leave one out")
    if in_place:
        if any(is_stream(source.path) for source in inputs):
            raise UsageError(
                "--in-place is given with standard input; expected files", "leave --in-place out"
            )
        jobs = [Job(source.path, os.path.realpath(source.path), replaces=True) for source in inputs]
    else:
        jobs = [
            _named(source, output, naming, number=number, count=len(inputs))
            for number, source in enumerate(inputs, 1)
        ]
    if any(source.listed for source in inputs):
        jobs = [replace(job, listed=source.listed) for job, source in zip(jobs, inputs, strict=True)]
    _check_targets(jobs, kept, in_place=in_place)
    return jobs


@record
class Naming:
    """How names of outputs are made up.

    Attributes
    ----------
    kernel : str
        Name of the kernel.
    suffix : str or None
        Of the format asked for; None: the input's own.
    writable : frozenset of str
        Suffixes that can be written; an input with another one gives a ``.png``.
    """

    kernel: str
    suffix: str | None
    writable: frozenset[str]

    def parts(self, path: str) -> tuple[str, str]:
        """Stem of an input, and suffix of its output."""
        stem, ext = os.path.splitext(os.path.basename(path))
        return stem, self.suffix or (ext if ext.lower() in self.writable else ".png")

    def beside(self, path: str, folder: str) -> str:
        """The output of an input, in a folder."""
        stem, ext = self.parts(path)
        return os.path.join(folder, f"{stem}-{self.kernel}{ext}")


def _named(source: Source, output: str | None, naming: Naming, *, number: int, count: int) -> Job:
    """The job of one input."""
    path = source.path
    if output is None:
        if source.below is None and is_stream(path):
            return _passed_on(path, count)
        return Job(path, naming.beside(path, os.path.dirname(path)), announced=True)
    if output == STREAM:
        if count > 1:
            raise UsageError(
                f"-o - is given with {count} inputs; expected one image on standard output",
                "give a folder or a template: -o 'out/{stem}-{kernel}{ext}'",
            )
        return Job(path, STREAM)
    file = "stdin" if path == STREAM else path
    if "{" in output:
        stem, ext = naming.parts(file)
        fields = {"stem": stem, "ext": ext, "name": os.path.basename(file), "kernel": naming.kernel}
        parent = os.path.dirname(path) or "."
        return Job(path, _filled(output, {**fields, "parent": parent, "number": number}), announced=True)
    if output == os.devnull or (count == 1 and is_special(output)):
        return Job(path, output)
    many = count > 1 or source.below is not None
    if (
        output.endswith(os.sep)
        or os.path.isdir(output)
        or (many and not os.path.splitext(output)[1] and not is_special(output))
    ):
        folder = os.path.normpath(os.path.join(output, source.below or ""))
        return Job(path, naming.beside(file, folder), announced=True)
    if count > 1:
        raise UsageError(
            f"-o {shown(output)} is one file for {count} inputs; expected a folder or a template",
            "give a folder (ending in /), or a template: -o 'out/{stem}-{kernel}{ext}'",
        )
    return Job(path, output)


def _passed_on(path: str, count: int) -> Job:
    """The job of an input that no name can be made of: its result goes to standard output."""
    if count > 1:
        what = "standard input" if path == STREAM else shown(path)
        raise UsageError(
            f"{what} is one of {count} inputs and has no name to make another of; expected -o",
            "give a folder or a template: -o 'out/{stem}-{kernel}{ext}'",
        )
    return Job(path, STREAM)


def _filled(template: str, fields: dict[str, str | int]) -> str:
    """A template with its fields filled in."""

    def fill(match: re.Match[str]) -> str:
        found, name, width = match[0], match["name"], match["width"]
        if found in ("{{", "}}"):
            return found[0]
        if name not in fields or (width and name != "number"):
            what = found if name else f"a {found} that stands alone"
            raise UsageError(
                f"-o {shown(template)}: {what} means nothing; "
                f"expected {' '.join(f'{{{field}}}' for field in _FIELDS)}",
                "for example: -o 'out/{stem}-{kernel}{ext}'; write {{ and }} for braces in a name",
            )
        value = str(fields[name])
        if name == "ext" and template[: match.start()].endswith("."):
            value = value.removeprefix(".")  # {stem}.{ext} has one dot
        return value.rjust(int(width), "0" if width.startswith("0") else " ") if width else value

    return re.sub(_FIELD, fill, template)


def _check_targets(jobs: Iterable[Job], kept: Sequence[str], *, in_place: bool) -> None:
    """Each output once, and nothing overwritten that is read, unless asked for."""
    jobs = list(jobs)
    sources = {identity(job.source) for job in jobs if job.source != STREAM}
    others = {identity(path): path for path in kept}
    writers: dict[object, str] = {}
    folded = _Folded()
    for job in jobs:
        if job.target == STREAM or is_special(job.target):
            continue
        place = folded.identity(job.target)
        if place in writers:
            raise UsageError(
                f"{shown(writers[place])} and {shown(job.source)} would both be written to "
                f"{shown(job.target)}; expected an output for each input",
                "use a template that tells them apart, such as -o 'out/{number}-{stem}{ext}'",
            )
        writers[place] = job.source
        place = identity(job.target)
        if place in others:
            raise UsageError(
                f"the output {shown(job.target)} is also read, as {shown(others[place])}; "
                "expected another file",
                "choose another -o",
            )
        if not in_place and place in sources:
            raise UsageError(
                f"the output {shown(job.target)} is also an input; expected another file",
                "choose another -o, or use --in-place to replace inputs",
            )


def identity(path: str) -> object:
    """The same for all names of one file: its inode, or its real path while it does not exist."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return os.path.realpath(path)
    return status.st_dev, status.st_ino


class _Folded:
    """Identities of files to be written, where folders may not tell ``A.png`` from ``a.png``."""

    def __init__(self) -> None:
        self._folds: dict[str, bool] = {}

    def identity(self, path: str) -> object:
        """As `identity`; the same for names in one folder that are one name to it."""
        place = identity(path)
        if not isinstance(place, str):
            return place
        folder, name = os.path.split(place)
        if folder not in self._folds:
            self._folds[folder] = ignores_case(folder)
        return os.path.join(folder, name.casefold()) if self._folds[folder] else place


def ignores_case(folder: str) -> bool:
    """Whether the name of a folder, or of the nearest above it with letters, may be in either case."""
    while (name := os.path.basename(folder)).swapcase() == name or not os.path.exists(folder):
        above = os.path.dirname(folder)
        if above == folder:
            return False
        folder = above
    other = os.path.join(os.path.dirname(folder), name.swapcase())
    return os.path.exists(other) and os.path.samefile(folder, other)


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
