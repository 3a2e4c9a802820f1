"""Persistent helper threads, asleep between steps and awake within microseconds."""

import functools
import os
import threading
import time
import weakref
from collections.abc import Callable

import numpy as np

from cnncli.core.heap import LINE, aligned_part
from cnncli.core.threads import current_core, leave_core

Work = Callable[[int], None]

#: Architectures on which other cores see what Python stores in its order, so that a helper may begin when it
#: sees a gate open; elsewhere the lock that wakes it is what orders the stores.
STORES_IN_ORDER = ("x86_64", "AMD64", "i686")
yield_thread = getattr(os, "sched_yield", lambda: time.sleep(0))


class WorkerThreads:
    """Helper threads that run one piece of work at a time, along with the calling thread.

    Nobody waits for helpers: work has to detect that it starts too late. They are daemon
    threads and hold a weak reference to the work, so that its memory can be freed.

    Parameters
    ----------
    helpers : int
        Threads besides the caller, to begin with.

    Attributes
    ----------
    called : ndarray of int64, shape (1,)
        What they were last called to, as the caller puts it: who waits for more of something else leaves it.
    """

    def __init__(self, helpers: int) -> None:
        self._work: Callable[[], Work | None] = lambda: None
        self._caller_core = -1
        self.called = aligned_part(np.zeros(3 * LINE, np.uint8))[:LINE].view(np.int64)
        self._asleep: list[threading.Lock] = []
        self._grow(helpers)

    def _grow(self, helpers: int) -> None:
        """Start those of so many helpers that there are not."""
        while len(self._asleep) < helpers:
            lock = threading.Lock()
            lock.acquire()
            number = len(self._asleep) + 1
            threading.Thread(target=self._serve, args=(number, lock), daemon=True).start()
            self._asleep.append(lock)

    def call(self, owner: object, method: str, helpers: int | None = None) -> None:
        """Have helpers, by default all, call ``owner.method(worker)``, workers counted from 1."""
        self._grow(helpers or 0)
        reference = weakref.ref(owner)

        def work() -> Work | None:
            return getattr(reference(), method, None)

        self._work = work
        self._caller_core = current_core()
        for lock in self._asleep[:helpers]:
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
