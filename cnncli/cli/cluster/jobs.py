"""Batches of `run_batch` on a cluster: each picture read, filtered and written by a worker."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from cnncli.cli.batch import Outcome, Work, outcome_of
from cnncli.cli.cluster.bands import BandsElsewhere, is_shareable
from cnncli.cli.cluster.connection import HERE, Cluster
from cnncli.cli.cluster.places import (
    Marker,
    Markers,
    Seen,
    as_given,
    check_folder,
    check_input,
    in_full,
    renamed,
    seen,
)
from cnncli.cli.names import STREAM, is_address, is_special
from cnncli.cli.outputs import Job
from cnncli.cli.result_form import make_folder
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.records import record, replace


@record
class _Sent:
    """A job for any machine: with whole paths, and what tells whether they mean the same there."""

    job: Job
    input: Seen | None
    marker: Marker | None


class Elsewhere:
    """Runs jobs on a cluster; as a context. Those of streams and devices are done here.

    Parameters
    ----------
    cluster : Cluster
        Connected.
    in_bands : callable
        ``in_bands(elsewhere, job, threads)`` is ``work(job, threads)`` with the bands of a large picture done
        by ``elsewhere``, as of `convolve_in_bands`.
    max_pixels : int
        Larger pictures are refused.
    """

    def __init__(
        self, cluster: Cluster, in_bands: Callable[[Any, Job, int], Outcome], max_pixels: int
    ) -> None:
        self._cluster, self._markers = cluster, Markers()
        self._in_bands, self._max_pixels = in_bands, max_pixels
        self._shared: set[Job] = set()

    def __enter__(self) -> "Elsewhere":
        return self

    def __exit__(self, *_: Any) -> None:
        self._markers.__exit__()

    def __call__(
        self, jobs: Sequence[Job], work: Work[Job], threads: int, stopping: list[int]
    ) -> Iterator[tuple[Job, Outcome]]:
        """As the executors of `run_batch`."""
        if len(jobs) < self._cluster.threads or len(jobs) == 1:
            self._shared = {job for job in jobs if self._is_shared(job)}
        done = self._cluster.each(jobs, self._sent, partial(_filtered, work), stopping)
        with closing(done) as results:
            for job, found in results:
                if found is HERE:
                    if not stopping:
                        yield job, outcome_of(self._here(job, work, stopping), job, threads)
                elif isinstance(found, CnncliError):
                    what = f"cannot filter {shown(job.source)}: {found.message}"
                    yield job, Outcome(error=type(found)(what, found.hint))
                elif found is not None:
                    yield job, _as_given(job, found)

    def _is_shared(self, job: Job) -> bool:
        """Whether a picture is so large that all workers have a part of it."""
        try:
            local = _is_of_files(job) and not is_address(job.source)
            return local and is_shareable(job.source, self._max_pixels)
        except CnncliError:  # as its own work says
            return False

    def _here(self, job: Job, work: Work[Job], stopping: Sequence[int]) -> Work[Job]:
        """What is done with a job by this machine, or from here."""
        if job not in self._shared:
            return work
        bands = BandsElsewhere(self._cluster, job.source, self._max_pixels, stopping)
        return partial(self._in_bands, bands)

    def _sent(self, job: Job) -> _Sent | None:
        """A job for a worker, once the folder of its output is there; None for streams and devices."""
        if job in self._shared or not _is_of_files(job):
            return None
        make_folder(job)
        source, target = in_full(job.source), in_full(job.target)
        marker = None if is_address(target) else self._markers.of(os.path.dirname(target))  # noqa: PTH120
        return _Sent(replace(job, source=source, target=target, again=True), seen(source), marker)


def _is_of_files(job: Job) -> bool:
    """Whether another machine can do a job: not from or to a stream or a device of this one."""
    return job.fault is None and job.is_file and job.source != STREAM and not is_special(job.source)


def _filtered(work: Work[Job], sent: Sequence[_Sent]) -> Iterator[Outcome]:
    """On a worker: outcomes that can be sent back."""
    for each in sent:
        outcome = outcome_of(partial(_checked, work), each, 1)
        error = outcome.error
        if error is not None and not isinstance(error, (CnncliError, OSError, MemoryError)):
            error = RuntimeError(f"{type(error).__name__}: {error}")
        yield replace(outcome, error=error)


def _checked(work: Work[Job], sent: _Sent, threads: int) -> Outcome:
    """The outcome of a job whose files are those of the machine where the command was given."""
    check_input(sent.job.source, sent.input)
    if sent.marker is not None:
        check_folder(sent.marker)
    return work(sent.job, threads)


def _as_given(job: Job, outcome: Outcome) -> Outcome:
    """An outcome that calls files as the user does."""
    names = [(in_full(each), each) for each in (job.source, job.target)]
    error = outcome.error
    if isinstance(error, CnncliError):
        error = as_given(error, job.source, job.target)
    return replace(outcome, error=error, notes=[renamed(note, names) for note in outcome.notes])
