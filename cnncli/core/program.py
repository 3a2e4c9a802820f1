"""A step of a network as native calls, run by several threads.

A step is a list of *phases*, a phase a list of *tasks*, a task a list of *calls*. Tasks of a phase
run concurrently on any thread, the calls of a task one after the other on the same thread; a phase
starts when all tasks of the one before are done. See ``loops/program.py``.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native
from cnncli.core.choices import LINGER_POLLS, SPIN_POLLS
from cnncli.core.nn_jobs import CACHE_LINE, CALL, PHASE, PROGRAM, TASK
from cnncli.core.workers import STORES_IN_ORDER, WorkerThreads, workers, yield_thread


class Call(NamedTuple):
    """One call of a native function.

    Attributes
    ----------
    loop : str
        A key of `native.LOOPS`.
    job : ndarray, shape (1,)
        Its record.
    lo, hi : int
        Items of the job.
    samples : int
        Items of one sample: those beyond the current batch are skipped; 0 where items are of the whole batch.
    """

    loop: str
    job: NDArray[np.void]
    lo: int
    hi: int
    samples: int


class Program:
    """A step that can be run repeatedly without allocating.

    Parameters
    ----------
    phases : sequence of phases
        Each a sequence of tasks, each a sequence of `Call`.
    threads : int
        Threads that share the work.
    scratch_bytes : int
        Zeroed memory for each thread, aligned to 64 bytes, passed to calls as scratch.
    also : sequence of str
        Loops that the caller will need as well, compiled along with those of the program.
    """

    def __init__(
        self,
        phases: Sequence[Sequence[Sequence[Call]]],
        *,
        threads: int,
        scratch_bytes: int,
        also: Sequence[str] = (),
    ) -> None:
        tasks = [task for phase in phases for task in phase]
        calls = [call for task in tasks for call in task]
        self._jobs = [call.job for call in calls]
        self._calls = np.zeros(max(len(calls), 1), CALL)
        loops = sorted({call.loop for call in calls})
        native.prepare([*also, "program", *loops], processes=threads)
        addresses = {loop: native.address(loop) for loop in loops}
        for entry, call in zip(self._calls, calls, strict=False):
            entry["function"] = addresses[call.loop]
            entry["job"] = call.job.ctypes.data
            entry["lo"], entry["hi"], entry["samples"] = call.lo, call.hi, call.samples
        self._tasks = _spans([len(task) for task in tasks], TASK)
        self._phases = _spans([len(phase) for phase in phases], PHASE)
        self._phase_count = len(phases)
        widest = max((len(phase) for phase in phases), default=1)
        self.threads = max(1, min(threads, widest))
        self._counters = native.aligned_zeros(2 * CACHE_LINE * max(len(phases), 1)).view(np.int64)
        self._gate = native.aligned_zeros(2 * CACHE_LINE).view(np.int64)
        self._scratch = [native.aligned_zeros(max(scratch_bytes, CACHE_LINE)) for _ in range(self.threads)]
        self._place = [scratch[:16].view(np.int64) for scratch in self._scratch]
        self._turn = 0
        self._job = np.zeros(1, PROGRAM)
        self._samples, self._first, self._after = (self._job[name] for name in ("samples", "first", "after"))
        self._job["calls"] = self._calls.ctypes.data
        self._job["tasks"] = self._tasks.ctypes.data
        self._job["phases"] = self._phases.ctypes.data
        self._job["counters"] = self._counters.ctypes.data
        self._job["gate"] = self._gate.ctypes.data
        self._job["patience"], self._job["linger"] = SPIN_POLLS, LINGER_POLLS
        self._function = native.native_function("program")
        self._address = self._job.ctypes.data
        self._lingers = native.processor()[0] in STORES_IN_ORDER
        self._scratch_addresses = [scratch.ctypes.data for scratch in self._scratch]

    def run(self, samples: int, *, phases: tuple[int, int] | None = None) -> None:
        """Run the step for the first ``samples`` samples of the batch.

        Parameters
        ----------
        samples : int
            Of the batch.
        phases : (first, after) or None
            Some of them alone, behind those that have been run before; None: all.
        """
        self._first[0], self._after[0] = phases or (0, self._phase_count)
        self._samples[0] = samples
        self._counters.fill(0)
        self._turn += 1
        if self.threads > 1:
            self._helpers.called[0] = self._address  # first, so that helpers leave another program
        self._gate[0] = self._turn
        try:
            if self.threads > 1:
                self._helpers.call(self, "work")
            self.work(0)
        finally:
            self._gate[0] = 0  # again, for what ends a run before its time
            while self._gate[CACHE_LINE // 8]:
                yield_thread()

    @functools.cached_property
    def _helpers(self) -> WorkerThreads:
        """The threads besides the caller, who begin with the first run."""
        helpers = workers(self.threads - 1)
        self._job["called"] = helpers.called.ctypes.data
        return helpers

    def work(self, worker: int) -> None:
        """Run as one of the threads of the current step, from its start to its end."""
        place = self._place[worker]
        # The step first: a late thread must not take part in the next one from its place in the last.
        place[1] = self._gate[0]
        place[0] = self._first[0]
        own = self._address if worker and self._lingers else 0
        while True:
            self._function(self._address, self._scratch_addresses[worker], int(not worker), own)
            if place[0] >= self._after[0]:
                return
            yield_thread()


def _spans(counts: list[int], kind: np.dtype[np.void]) -> NDArray[np.void]:
    """First and count of consecutive spans."""
    spans = np.zeros(max(len(counts), 1), kind)
    spans["count"][: len(counts)] = counts
    spans["first"][1 : len(counts)] = np.cumsum(counts[:-1]) if counts else []
    return spans
