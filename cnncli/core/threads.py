"""The cores that this process may use, and work distributed over them."""

import _thread
import ctypes
import itertools
import operator
import os
from collections.abc import Callable
from pathlib import Path

from cnncli.core.choices import MIN_RANGES, MOVED_BYTES, RANGE_DIVISOR
from cnncli.errors import CnncliError


def available_cores(root: Path = Path("/")) -> int:
    """Cores that this process may use: processor affinity, bounded by the cgroup's quota.

    Parameters
    ----------
    root : Path
        Where ``/proc`` and ``/sys`` are found.

    Returns
    -------
    int
        At least 1.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota(root)
    return max(1, min(cores, quota) if quota else cores)


def thread_count(requested: int | None) -> int:
    """Threads to use: as requested, or all available cores.

    Raises
    ------
    CnncliError
        If fewer than one thread is requested.
    """
    if requested is None:
        return available_cores()
    if requested < 1:
        raise CnncliError(
            f"--threads is {requested}; expected 1 or more",
            f"Leave --threads out to use all {available_cores()} cores.",
        )
    return requested


def movers(moved_bytes: int, threads: int) -> int:
    """How many of some threads are worth starting for bytes that are only moved or compared."""
    return max(1, min(threads, moved_bytes // MOVED_BYTES))


def spread(work: Callable[[int, int, int], None], count: int, threads: int) -> None:
    """Call ``work(worker, lo, hi)`` from several threads until items 0..count are done.

    The assignment of items to workers varies; results must not depend on it. The calling
    thread is worker 0. The first exception of a worker is raised here after all have stopped.
    """
    workers = min(threads, count)
    if workers <= 1:
        if count:
            work(0, 0, count)
        return
    ranges = iter(_ranges(count, workers))  # next() on it is one step under the interpreter lock
    faults: list[BaseException] = []
    cores = [current_core()]  # of the caller, as last checked

    def drain(worker: int) -> None:
        try:
            for lo, hi in ranges:
                if faults:
                    return
                if worker:
                    leave_core(cores[0])
                else:
                    cores[0] = current_core()
                work(worker, lo, hi)
        except BaseException as fault:  # noqa: BLE001 - handed to the caller below
            faults.append(fault)

    # Low-level threads: ``threading`` waits until a thread runs, which takes longer than a small image. Each
    # starts the next one, while the others work, and only if that still finds a range: with 64 threads the
    # work is often done before all could have begun. What starts them is handed on: two functions that hold
    # each other would keep what is worked on, a band of a picture, until it is collected.
    ends: list[_thread.LockType] = []

    def start_another(worker: int, start: Callable[..., None]) -> None:
        if worker < workers and operator.length_hint(ranges) >= worker:
            ended = _thread.allocate_lock()
            ended.acquire()
            _thread.start_new_thread(help_out, (worker, ended, start))
            ends.append(ended)  # only now: where no thread can be started, none ends

    def help_out(worker: int, ended: _thread.LockType, start: Callable[..., None]) -> None:
        try:
            start(worker + 1, start)
        except BaseException as fault:  # noqa: BLE001 - as above
            faults.append(fault)
        drain(worker)
        ended.release()

    start_another(1, start_another)
    drain(0)
    for ended in ends:  # those of threads that are started meanwhile are added before their starter's is free
        ended.acquire()
    if faults:
        raise faults[0]


def _ranges(count: int, workers: int) -> list[tuple[int, int]]:
    """Items 0..count in ranges of decreasing size."""
    least = max(1, count // (MIN_RANGES * workers))
    ends = [0]
    while ends[-1] < count:
        left = count - ends[-1]
        ends.append(ends[-1] + min(left, max(least, left // (RANGE_DIVISOR * workers))))
    return list(itertools.pairwise(ends))


def _find_core_call() -> Callable[[], int]:
    """The system call for the core that a thread runs on; returns -1 if there is none."""
    try:
        call: Callable[[], int] = ctypes.PyDLL(None).sched_getcpu
    except (OSError, AttributeError, TypeError):
        return lambda: -1
    return call if hasattr(os, "sched_setaffinity") else lambda: -1


current_core = _find_core_call()


def leave_core(core: int) -> None:
    """If this thread is on a core, move it to any other that the process may use.

    Linux wakes a helper on its caller's core if other processes occupy the others at that moment, and may
    leave it there for minutes although they are idle, at half the speed: seen on two virtual cores, kernel
    6.18.

    Parameters
    ----------
    core : int
        The result of `current_core` in another thread; -1 if unknown.
    """
    if not current_core() == core >= 0:
        return
    allowed = os.sched_getaffinity(0)
    if len(allowed) > 1:
        try:
            os.sched_setaffinity(0, allowed - {core})
            os.sched_setaffinity(0, allowed)
        except OSError:  # the set changed in the meantime
            return


def _cgroup_quota(root: Path) -> int | None:
    """The control group's limit in cores, rounded up; None without a limit."""
    try:
        entries = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    quotas = []
    for entry in entries:
        _, _, rest = entry.partition(":")
        controllers, _, group = rest.partition(":")
        if not group:
            continue
        if not controllers:
            base = root / "sys/fs/cgroup"
            quotas += [_quota_v2(base / step) for step in _ancestors(group)]
        elif "cpu" in controllers.split(","):
            base = root / "sys/fs/cgroup" / controllers
            quotas += [_quota_v1(base / step) for step in _ancestors(group)]
    granted = [quota for quota in quotas if quota]
    return min(granted) if granted else None


def _ancestors(group: str) -> list[str]:
    """A control group's path and those above it, relative to the mount: the tightest limit counts."""
    parts = [part for part in group.split("/") if part and part != ".."]
    return ["/".join(parts[:depth]) for depth in range(len(parts) + 1)]


def _quota_v2(folder: Path) -> int | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else -(-int(quota) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _quota_v1(folder: Path) -> int | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
        return None if quota <= 0 else -(-quota // period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
