"""Inputs as they come: from the command line, a file of names, or a pipe that is still written to."""

import os
from collections.abc import Iterator, Sequence

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.names import STREAM, expanded, find_inputs, located, wanted_names
from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault
from cnncli.images.formats import READ_SUFFIXES
from cnncli.records import record

_PIECE = 1 << 16  # bytes of names that are read at a time, at most


@record(eq=False)
class Input:
    """An image to read, or a folder that gave none; one that is named twice is two.

    Attributes
    ----------
    name : str
        A path, or ``-`` for standard input.
    fault : CnncliError or None
        Why there is nothing to read.
    listed : str
        Where a list names it, as ``names.txt:17``; empty where none does.
    """

    name: str
    fault: CnncliError | None = None
    listed: str = ""


@record
class Listing:
    """What a command is to read.

    Attributes
    ----------
    known : tuple of Input
        Those that were named.
    more : bool
        Others are going to be named on standard input.
    null : bool
        Their names end with NUL.
    recursive : bool
        Folders with all below them.
    """

    known: tuple[Input, ...]
    more: bool
    null: bool
    recursive: bool

    def groups(self) -> Iterator[Sequence[Input]]:
        """All inputs, in groups as they become known; waits for standard input."""
        if self.known:
            yield self.known
        if self.more:
            for names in _arriving(null=self.null):
                yield [
                    each
                    for name, listed in names
                    for each in _inputs(name, recursive=self.recursive, listed=listed)
                ]


def list_inputs(
    names: Sequence[str], *, recursive: bool, files_from: str | None, null: bool, example: str
) -> Listing:
    """Find what there is to read; names on standard input are left for later.

    Parameters
    ----------
    names, recursive, files_from, null
        As for `find_inputs`.
    example : str
        A command that has an input, for hints.

    Raises
    ------
    UsageError
        If there is nothing to read.
    """
    wanted = wanted_names(names, files_from=files_from, null=null, example=example)
    known = [each for name in wanted for each in _inputs(name, recursive=recursive)]
    more = files_from == STREAM
    if more:
        _check_open()
    elif files_from is not None:
        listed, faults = find_inputs(
            [], recursive=recursive, files_from=files_from, null=null, suffixes=READ_SUFFIXES
        )
        known += [Input(source.path, listed=source.listed) for source in listed]
        known += [Input(name, fault) for name, fault in faults]
    return Listing(tuple(known), more, null, recursive)


def _inputs(name: str, *, recursive: bool, listed: str = "") -> list[Input]:
    """The images that a name stands for."""
    found, faults = expanded(name, READ_SUFFIXES, recursive=recursive)
    inputs = [Input(source.path, listed=listed) for source in found]
    return inputs + [Input(name, located(fault, listed)) for fault in faults]


def _check_open() -> None:
    import sys

    if sys.stdin is None or sys.stdin.closed:
        raise UsageError(
            "--files-from is -, but standard input is closed; expected names, one per line",
            "Pipe names into the command, or name a file of names.",
        )


def _arriving(*, null: bool) -> Iterator[list[tuple[str, str]]]:
    """Names on standard input and their lines, as many at a time as have come, bytes kept as they are."""
    from cnncli.cli.lists import NameList

    names = NameList("standard input", null=null)
    while True:
        try:
            # Not sys.stdin: a thread that waits in its buffer would keep the process from ending.
            data = os.read(0, _PIECE)
        except OSError as error:
            raise reading_fault(error, "standard input") from error
        yield [*names.names(data)]
        if not data:
            return
