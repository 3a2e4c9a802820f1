"""Threads that share the items of a native function: the caller, and helpers that stay for the next call.

Helpers take ranges of items in native code (``loops/share.py``) and wait there for more, so that a call that
follows another starts no thread, wakes none and needs no lock.
"""

import os
from collections.abc import Callable, Sequence

import numpy as np

from cnncli.core import jobs
from cnncli.core.choices import LINGER_POLLS, MIN_RANGES, RANGE_DIVISOR, SPIN_POLLS
from cnncli.core.heap import LINE, address_of, aligned_part
from cnncli.core.workers import STORES_IN_ORDER, WorkerThreads, yield_thread

#: Those that are free: as many as there were calls at the same time, the one that was used last at the end.
crews: list["Crew"] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=crews.clear)  # a child process has none of the threads


Loop = Callable[[int, int, int, int], None]


def share(
    loop: Loop, function: int, job: int, scratches: Sequence[int], count: int, *, architecture: str
) -> None:
    """Run a native function over all items of a job.

    Parameters
    ----------
    loop : callable
        The native function ``share``.
    function, job : int
        Addresses.
    scratches : sequence of int
        The address of one for each thread.
    count : int
        Items of the job.
    architecture : str
        The processor's.
    """
    try:
        crew = crews.pop()
    except IndexError:
        crew = Crew(loop, lingers=architecture in STORES_IN_ORDER)
    try:
        crew.run(function, job, scratches, count)
    finally:
        crews.append(crew)


class Crew:
    """A caller and its helpers, who come when they are first needed."""

    def __init__(self, loop: Loop, *, lingers: bool) -> None:
        self._loop = loop
        self._helpers = WorkerThreads(0)
        lines = aligned_part(np.zeros(4 * LINE, np.uint8)).view(np.int64)
        self._gate, self._inside, self._next = (lines[line * LINE // 8 :] for line in range(3))
        self._job = np.zeros(1, jobs.SHARE)
        self._job["gate"], self._job["next"] = self._gate.ctypes.data, self._next.ctypes.data
        self._job["patience"], self._job["linger"] = SPIN_POLLS, LINGER_POLLS if lingers else 0
        self._numbers = self._job.view(np.int64)
        self._address = self._job.ctypes.data
        self._turn = 0

    def run(self, function: int, job: int, scratches: Sequence[int], count: int) -> None:
        """As `share`, by these threads."""
        workers = len(scratches)
        addresses = np.array(scratches, np.intp)
        least = max(1, count // (MIN_RANGES * workers))
        divisor = RANGE_DIVISOR * workers
        self._numbers[:7] = (function, job, address_of(addresses), workers, count, least, divisor)
        self._next[0] = 0
        self._turn += 1
        self._gate[0] = self._turn  # last, as helpers may wait for it
        try:
            self._helpers.call(self, "work", workers - 1)
            self.work(0)
        finally:
            self._gate[0] = 0
            while self._inside[0]:
                yield_thread()

    def work(self, worker: int) -> None:
        """Run as one of the threads."""
        self._loop(self._address, 0, worker, 0)
