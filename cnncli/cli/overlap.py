"""Many small inputs: worked on by threads, handed over in order, as many as are ready."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import TypeVar

from cnncli.core.threads import current_core, leave_core
from cnncli.threaded import Pool, Task

Item = TypeVar("Item")
Result = TypeVar("Result")
_LONGEST = 0.004  # seconds that a share of work should take: short enough that results come at once
_MOST = 32  # items in a share: enough that handing it over costs little
_AHEAD = 4  # shares a worker may be ahead of the reader


class _Share:
    """Items that one worker takes at a time, and what became of them."""

    task: Task[None]

    def __init__(self, items: Sequence[object]) -> None:
        self.items = items
        self.results: list[object] = []


class _Stage:
    """The feeder, the workers and what passes between them."""

    def __init__(self, work: Callable[[object], object], workers: int) -> None:
        self.work = work
        self.pool = Pool(workers)
        self.ordered: queue.SimpleQueue[_Share | BaseException | None] = queue.SimpleQueue()
        self.room = threading.Semaphore(workers * _AHEAD)
        self.size = 1
        self.reader_core = current_core()

    def feed(self, groups: Iterable[Sequence[object]]) -> None:
        """Cut groups into shares, no further ahead than there is room."""
        try:
            for group in groups:
                at = 0
                while at < len(group):
                    self.room.acquire()
                    if self.pool.left:
                        return
                    share = _Share(group[at : at + self.size])
                    at += len(share.items)
                    share.task = self.pool.begin(partial(self._work, share))
                    self.ordered.put(share)
        except BaseException as fault:  # noqa: BLE001 - raised again where the results are read
            self.ordered.put(fault)
        finally:
            self.ordered.put(None)

    def _work(self, share: _Share) -> None:
        leave_core(self.reader_core)
        start = perf_counter()
        try:
            for item in share.items:
                if self.pool.left:
                    break
                share.results.append(self.work(item))
        finally:
            pace = (perf_counter() - start) / len(share.items)
            self.size = max(1, min(_MOST, int(_LONGEST / max(1e-9, pace))))


def overlapped(
    groups: Iterable[Sequence[Item]], work: Callable[[Item], Result], *, workers: int, most: int
) -> Generator[list[tuple[Item, Result]], None, None]:
    """Work on items in threads and give the results in order.

    Parameters
    ----------
    groups : iterable of sequences
        Items, as they come; read in a thread of its own, so that it may wait.
    work : callable
        Of one item; its faults are its own.
    workers : int
        Threads that work.
    most : int
        Results to give at a time, roughly.

    Yields
    ------
    list of (item, result)
        One or more: the next in order, as soon as they are there, and those after them that are there
        too. Close the generator if it is left before its end.
    """
    stage, feeder = _Stage(work, workers), Pool(1)  # type: ignore[arg-type]
    feeder.begin(partial(stage.feed, groups))
    try:
        yield from _ready(stage, most)  # type: ignore[misc]
    finally:
        stage.pool.leave()
        stage.room.release()
        feeder.leave(wait=False)  # it may wait for input


def _ready(stage: _Stage, most: int) -> Iterator[list[tuple[object, object]]]:
    """Runs of finished shares."""
    held: _Share | None = None
    while True:
        stage.reader_core = current_core()
        first = held or stage.ordered.get()
        held = None
        run: list[tuple[object, object]] = []
        share: _Share | BaseException | None = first
        while isinstance(share, _Share):
            if run and (len(run) >= most or not share.task.done):
                held = share
                break
            share.task.wait()
            stage.room.release()
            run += zip(share.items, share.results, strict=False)
            if share.task.fault is not None:
                share = share.task.fault
                break
            try:
                share = stage.ordered.get_nowait()
            except queue.Empty:
                break
        if run:
            yield run
        if isinstance(share, BaseException):
            raise share
        if share is None:
            return
