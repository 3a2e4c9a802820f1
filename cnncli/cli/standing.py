"""``--skip-existing``: which outputs are there already, so that their inputs need not be read.

An output stands where a file of its name has something in it and is not older than what it is made of. It is
whole then, for outputs get their names when they are. What else was asked for is not known of a file: of
another kernel, option or input under the same name nothing can be noticed.
"""

import os
import stat
from collections.abc import Iterable, Sequence

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.names import is_address, is_stream
from cnncli.cli.outputs import Job, called_output
from cnncli.records import record, replace


@record
class _File:
    """A file as far as it matters here: its size in bytes, and when it was changed, in seconds, if known."""

    size: int
    changed: float | None


_NOWHERE = _File(0, None)  # a stream, of which nothing is known


def check_skipping(jobs: Iterable[Job], *, in_place: bool, explain: str | None) -> None:
    """Refuse ``--skip-existing`` where no output can stand, or where all inputs are needed.

    Raises
    ------
    UsageError
        With the option that it does not go with.
    """
    if in_place:
        raise UsageError(
            "--skip-existing and --in-place are both given; expected one of them",
            "Leave one out: an input that is replaced stands always.",
        )
    if explain is not None:
        raise UsageError(
            "--skip-existing and --explain are both given; expected one of them",
            "Leave --skip-existing out: what is skipped is not explained.",
        )
    for job in jobs:
        if job.fault is None and not job.is_file:
            what = called_output(job.target)
            raise UsageError(
                f"--skip-existing is given and the output is {what}; expected files, which can stand",
                "Name a file or a folder with -o, or leave --skip-existing out.",
            )


def with_standing(jobs: Sequence[Job], others: Sequence[str]) -> list[Job]:
    """Jobs, of which those are marked whose outputs stand.

    Parameters
    ----------
    jobs : sequence of Job
        What is to be done.
    others : sequence of str
        Files of which every result is made besides its input: a mask, kernels.
    """
    files = [found for path in others if (found := _file(path))]
    newest = max((each.changed for each in files if each.changed is not None), default=None)
    return [replace(job, stands=True) if _stands(job, newest) else job for job in jobs]


def _stands(job: Job, newest: float | None) -> bool:
    """Whether an output is there, with something in it, and no older than its input and another time."""
    found = None if job.fault is not None else _file(job.target)
    if found is None or not found.size:
        return False
    source = _NOWHERE if is_stream(job.source) else _file(job.source)
    if source is None:  # reading it says what is wrong
        return False
    times = [at for at in (source.changed, newest) if at is not None]
    return found.changed is None or all(found.changed >= at for at in times)


def _file(path: str) -> _File | None:
    """A regular file, or one at an address; None where there is none."""
    if is_address(path):
        from cnncli.cli.addresses import seen_at

        found = seen_at(path)
        return None if found is None else _File(*found)
    try:
        status = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return _File(status.st_size, status.st_mtime) if stat.S_ISREG(status.st_mode) else None
