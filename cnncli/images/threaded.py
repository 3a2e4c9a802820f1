"""Make independent pieces of a file in several threads."""

import threading
from collections.abc import Callable


def make_in_threads(make: Callable[[int], bytes], count: int, *, threads: int) -> list[bytes]:
    """``make(index)`` for every index below ``count``, in order.

    The first exception is raised again here, after all threads have stopped.
    """
    made = [b""] * count
    waiting = iter(range(count))
    lock = threading.Lock()
    faults: list[BaseException] = []

    def work() -> None:
        while not faults:
            with lock:
                index = next(waiting, None)
            if index is None:
                return
            try:
                made[index] = make(index)
            except BaseException as fault:  # noqa: BLE001 - raised again below
                faults.append(fault)

    helpers = [threading.Thread(target=work) for _ in range(min(threads, count) - 1)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    if faults:
        raise faults[0]
    return made
