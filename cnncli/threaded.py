"""Layer 0: pieces of work that do not depend on each other, done by several threads."""

import threading
from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")


def in_threads(make: Callable[[int], Made], count: int, *, threads: int) -> list[Made]:
    """``make(index)`` for every index below ``count``, in order.

    Parameters
    ----------
    make : callable
        Called by any of the threads, of which the calling one is the first.
    count : int
        0 or more.
    threads : int
        At most as many at a time.

    Raises
    ------
    BaseException
        That of the lowest index, whatever the threads' pace, after all have stopped; no piece is begun
        once one has failed.
    """
    made: list[Made | None] = [None] * count
    waiting = iter(range(count))
    lock = threading.Lock()
    faults: dict[int, BaseException] = {}

    def work() -> None:
        while not faults:
            with lock:
                index = next(waiting, None)
            if index is None:
                return
            try:
                made[index] = make(index)
            except BaseException as fault:  # noqa: BLE001 - raised again below
                faults[index] = fault

    helpers = [threading.Thread(target=work) for _ in range(min(threads, count) - 1)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    if faults:
        raise faults[min(faults)]
    return made  # type: ignore[return-value]
