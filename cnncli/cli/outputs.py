"""Which files a command writes: names that are given, made up or filled into a template, each once."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.names import (
    STREAM,
    Source,
    identity,
    is_address,
    is_special,
    is_standard,
    is_stream,
    is_terminal,
)
from cnncli.cli.streams import write_stdout
from cnncli.errors import CnncliError
from cnncli.files.atomic import write_atomic
from cnncli.files.faults import shown, writing_fault
from cnncli.records import record, replace

_FIELDS = ("stem", "kernel", "ext", "name", "parent", "n", "width", "height")
_NUMBERS = ("n", "number", "width", "height")  # number is another word for n
# What may stand in braces: a name alone, and a width for a number. A whole format language could ask for
# a width of gigabytes. Doubled braces stand for themselves. Compiled only for those who write templates.
_FIELD = r"\{\{|\}\}|\{(?P<name>[a-z]+)(?::(?P<width>0?[1-9]))?\}|[{}]"


@record
class Job:
    """One input and where its result goes.

    Attributes
    ----------
    source : str
        A path, or ``-`` for standard input.
    target : str
        A path, ``-`` for standard output, or ``term`` for the terminal.
    announced : bool
        Whether the name of the result was made up here, so that it is printed.
    replaces : bool
        Whether the result replaces the input.
    listed : str
        Where a list names the input, as ``names.txt:17``; empty where none does.
    again : bool
        The work may have been done before, by a worker that died then: the same result is left as it stands.
    size : (width, height) or None
        Of the result, where its name says so.
    fault : CnncliError or None
        Why there is nothing to do: the output has no name then.
    stands : bool
        The output is there already, and is left.
    """

    source: str
    target: str
    announced: bool = False
    replaces: bool = False
    listed: str = ""
    again: bool = False
    size: tuple[int, int] | None = None
    fault: CnncliError | None = None
    stands: bool = False

    @property
    def is_file(self) -> bool:
        """Whether the result goes to a file, and not to a stream, a device or the terminal."""
        return not (is_standard(self.target) or is_special(self.target))

    @property
    def result(self) -> str:
        """The output, as it is called before the user: what replaces an input has the name that was given."""
        return self.source if self.replaces else self.target


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
        raise UsageError("--in-place and -o are both given; expected one of them", "Leave one out.")
    if in_place:
        if any(is_stream(source.path) for source in inputs):
            raise UsageError(
                "--in-place is given with standard input; expected files", "Leave --in-place out."
            )
        if address := next((source.path for source in inputs if is_address(source.path)), None):
            raise UsageError(
                f"--in-place is given with {shown(address)}; expected files that have a path",
                "Name an output with -o.",
            )
        jobs = [Job(source.path, os.path.realpath(source.path), replaces=True) for source in inputs]
    else:
        jobs = [
            _named(source, output, naming, number=number, count=len(inputs))
            for number, source in enumerate(inputs, 1)
        ]
    if any(source.listed or source.size for source in inputs):
        jobs = [
            replace(job, listed=source.listed, size=source.size)
            for job, source in zip(jobs, inputs, strict=True)
        ]
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
    if source.fault is not None:
        return Job(path, "", fault=source.fault)
    if output is None:
        if source.below is None and is_stream(path):
            return _passed_on(path, count)
        return Job(path, naming.beside(_plain_name(path), os.path.dirname(path)), announced=True)
    if output == STREAM:
        if count > 1:
            raise UsageError(
                f"-o - is given with {count} inputs; expected one image on standard output",
                "Give a folder or a template: -o 'out/{stem}-{kernel}{ext}'",
            )
        return Job(path, STREAM)
    if is_terminal(output):
        return Job(path, output)
    file = _plain_name(path)
    if "{" in output:
        stem, ext = naming.parts(file)
        fields = {"stem": stem, "ext": ext, "name": os.path.basename(file), "kernel": naming.kernel}
        parent = os.path.dirname(path) or "."
        width, height = source.size or (0, 0)
        numbers = {"n": number, "number": number, "width": width, "height": height}
        return Job(path, _filled(output, {**fields, "parent": parent, **numbers}), announced=True)
    if output == os.devnull or (count == 1 and is_special(output)):
        return Job(path, output)
    many = count > 1 or source.below is not None
    if (
        output.endswith(os.sep)
        or os.path.isdir(output)
        or (many and not os.path.splitext(output)[1] and not is_special(output))
    ):
        folder = os.path.join(output, source.below or "")
        folder = _plain_address(folder) if is_address(output) else os.path.normpath(folder)
        return Job(path, naming.beside(file, folder), announced=True)
    if count > 1:
        raise UsageError(
            f"-o {shown(output)} is one file for {count} inputs; expected a folder or a template",
            "Give a folder (ending in /), or a template: -o 'out/{stem}-{kernel}{ext}'",
        )
    return Job(path, output)


def said_of_standing(number: int, count: int, *templates: str | None) -> list[str]:
    """How many outputs, of all, were left as they stand, and what may be wrong with them by their names."""
    if count == 1:
        said = ["note: the output stands already and is left"]
    else:
        what = "stands already and is" if number == 1 else "stand already and are"
        said = [f"note: {number:,} of {count:,} outputs {what} left"]
    if any(_has_field(template, ("n", "number")) for template in templates):
        said.append(
            "warning: {n} in names counts inputs: where others were given before, what stands may be of one "
            "of those"
        )
    return said


def check_shown(target: str | None) -> None:
    """Refuse ``-o term`` where pictures cannot be shown.

    Raises
    ------
    UsageError
        As `screen_of` does.
    """
    if target is not None and is_terminal(target):
        from cnncli.cli.terminal import screen_of

        screen_of(target)


def called_output(target: str) -> str:
    """The output's name in messages."""
    if target == STREAM:
        return "standard output"
    return "the terminal" if is_terminal(target) else shown(target)


def made_folder(folder: Path) -> Path:
    """Make a folder for outputs, with those above it, where it is not there yet.

    Raises
    ------
    CnncliError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise writing_fault(error, folder) from error
    except ValueError as error:  # a NUL byte in the name
        raise CnncliError(f"cannot make {shown(folder)}: {error}", "Choose another name for it.") from error
    return folder


def make_folder_of(target: str) -> None:
    """Make the folder of a file that is to be written; of what is no file there is none.

    Raises
    ------
    CnncliError
        If it cannot be made.
    """
    if not is_standard(target) and not is_address(target):
        made_folder(Path(target).parent)


def names_size(output: str | None) -> bool:
    """Whether a template has the width or the height of a result in it."""
    return _has_field(output, ("width", "height"))


def _has_field(template: str | None, names: Sequence[str]) -> bool:
    if template is None or "{" not in template:
        return False
    return any(match["name"] in names for match in re.finditer(_FIELD, template))


def _plain_name(path: str) -> str:
    """What the name of an output is made of."""
    if path == STREAM:
        return "stdin"
    return path.partition("?")[0] if is_address(path) else path


def _plain_address(folder: str) -> str:
    """An address of a folder without ``.`` and empty parts."""
    scheme, separator, rest = folder.partition("://")
    first, *parts = rest.split("/")
    return scheme + separator + "/".join([first, *(part for part in parts if part not in ("", "."))])


def _passed_on(path: str, count: int) -> Job:
    """The job of an input that no name can be made of: its result goes to standard output."""
    if count > 1:
        what = "standard input" if path == STREAM else shown(path)
        raise UsageError(
            f"{what} is one of {count} inputs and has no name to make another of; expected -o",
            "Give a folder or a template: -o 'out/{stem}-{kernel}{ext}'",
        )
    return Job(path, STREAM)


def _filled(template: str, fields: dict[str, str | int]) -> str:
    """A template with its fields filled in."""

    def fill(match: re.Match[str]) -> str:
        found, name, width = match[0], match["name"], match["width"]
        if found in ("{{", "}}"):
            return found[0]
        if name not in fields or (width and name not in _NUMBERS):
            what = found if name else f"a {found} that stands alone"
            raise UsageError(
                f"-o {shown(template)}: {what} means nothing; "
                f"expected {' '.join(f'{{{field}}}' for field in _FIELDS)}",
                "Write {{ and }} for braces in a name, and fields as in: -o 'out/{stem}-{kernel}{ext}'",
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
        if job.fault is not None or not job.is_file:
            continue
        place = folded.identity(job.target)
        if place in writers:
            raise UsageError(
                f"{shown(writers[place])} and {shown(job.source)} would both be written to "
                f"{shown(job.target)}; expected an output for each input",
                "Give a template that tells them apart: -o 'out/{n}-{stem}{ext}'",
            )
        writers[place] = job.source
        place = identity(job.target)
        if place in others:
            raise UsageError(
                f"the output {shown(job.target)} is also read, as {shown(others[place])}; "
                "expected another file",
                "Choose another name with -o.",
            )
        if not in_place and place in sources:
            raise UsageError(
                f"the output {shown(job.target)} is also an input; expected another file",
                "Choose another name with -o, or use --in-place to replace inputs.",
            )


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


def write_output(target: str, data: bytes, *, again: bool = False) -> None:
    """Write a result to a file, to an address, or to standard output; or show it in the terminal.

    Parameters
    ----------
    target : str
        As of a `Job`.
    data : bytes
        The content.
    again : bool
        As of a `Job`: a file of the same bytes stays as it stands.

    Raises
    ------
    CnncliError
        If it cannot be written.
    BrokenPipeError
        If the reader of standard output is gone.
    """
    if target == STREAM:
        write_stdout(data)
    elif is_terminal(target):
        from cnncli.cli.terminal import show_file

        show_file(target, data)
    elif is_address(target):
        from cnncli.cli.addresses import write_address

        write_address(target, data)
    else:
        write_atomic(Path(target), data, same_stays=again)
