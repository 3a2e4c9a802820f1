"""Persistent helper threads, asleep between steps and awake within microseconds."""

import functools
import threading
import weakref
from collections.abc import Callable

import numpy as np

from cnncli.core.heap import LINE, aligned_part
from cnncli.core.threads import current_core, leave_core

Work = Callable[[int], None]


class WorkerThreads:
    """Helper threads that run one piece of work at a time, along with the calling thread.

    Nobody waits for helpers: work has to detect that it starts too late. They are daemon
    threads and hold a weak reference to the work, so that its memory can be freed.

    Parameters
    ----------
    helpers : int
        Threads besides the caller.

    Attributes
    ----------
    called : ndarray of int64, shape (1,)
        What they were last called to, as the caller puts it: who waits for more of something else leaves it.
    """

    def __init__(self, helpers: int) -> None:
        self._work: Callable[[], Work | None] = lambda: None
        self._caller_core = -1
        self.called = aligned_part(np.zeros(3 * LINE, np.uint8))[:LINE].view(np.int64)
        self._asleep = [threading.Lock() for _ in range(helpers)]
        for number, lock in enumerate(self._asleep):
            lock.acquire()
            threading.Thread(target=self._serve, args=(number + 1, lock), daemon=True).start()

    def call(self, owner: object, method: str) -> None:
        """Have every helper call ``owner.method(worker)``, workers counted from 1."""
        reference = weakref.ref(owner)

        def work() -> Work | None:
            return getattr(reference(), method, None)

        self._work = work
        self._caller_core = current_core()
        for lock in self._asleep:
            if lock.locked():
                lock.release()

    def _serve(self, worker: int, lock: threading.Lock) -> None:
        while True:
            lock.acquire()
            leave_core(self._caller_core)
            work = self._work()
            if work is not None:
                work(worker)
            del work


@functools.cache
def workers(helpers: int) -> WorkerThreads:
    """Worker threads with this many helpers, started on first use."""
    return WorkerThreads(helpers)
