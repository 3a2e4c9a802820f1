"""Threads that stay: helpers asleep between steps, awake in microseconds."""

import ctypes
import functools
import os
import threading
import weakref
from collections.abc import Callable

Work = Callable[[int], None]


class Crew:
    """Helper threads that run one piece of work at a time beside the thread that calls.

    Nobody waits for helpers: work must notice by itself that it comes too late. They are daemon
    threads and hold the work by a weak reference, so that what it uses can be freed.

    Parameters
    ----------
    helpers : int
        Threads besides the caller.
    """

    def __init__(self, helpers: int) -> None:
        self._work: Callable[[], Work | None] = lambda: None
        self._caller_core = -1
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
        self._caller_core = _core()
        for lock in self._asleep:
            if lock.locked():
                lock.release()

    def _serve(self, worker: int, lock: threading.Lock) -> None:
        while True:
            lock.acquire()
            if _core() == self._caller_core >= 0:
                _move_away(self._caller_core)
            work = self._work()
            if work is not None:
                work(worker)
            del work


def _find_core_call() -> Callable[[], int]:
    """The system's question for the core that a thread runs on; -1 where there is none."""
    try:
        call: Callable[[], int] = ctypes.PyDLL(None).sched_getcpu
    except (OSError, AttributeError, TypeError):
        return lambda: -1
    return call if hasattr(os, "sched_setaffinity") else lambda: -1


_core = _find_core_call()


def _move_away(core: int) -> None:
    """Move this thread to any other core that the process may use.

    Linux wakes a helper on its caller's core if another process holds the others at that moment, and may
    leave it there for minutes while they idle, half as fast: seen on two virtual cores, kernel 6.18.
    """
    allowed = os.sched_getaffinity(0)
    if len(allowed) > 1:
        try:
            os.sched_setaffinity(0, allowed - {core})
            os.sched_setaffinity(0, allowed)
        except OSError:  # the set changed under our hands: the system knows better
            return


@functools.cache
def crew(helpers: int) -> Crew:
    """The crew of this many helpers, hired on first use."""
    return Crew(helpers)
