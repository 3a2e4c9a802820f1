"""Layer 0: the one pool of threads in which everything works that is not compiled code.

How threads stop is the same for all. Signals reach the main thread alone: it ends the process, or notes them
(`cli/stopping`) so that whoever hands out pieces hands out no more; a thread is never ended in the middle of
a piece. What a piece raises is kept, and raised where its result is read. Who leaves a pool lets the pieces
in work come to their end, and the others are never begun; only threads that wait for somebody else (standard
input, a server) are left behind, and end with the process, which they do not keep from ending. Results are
read in the order in which pieces were given, and no more are given than may lie in memory.

Threads are Python's low-level ones: ``threading`` waits until a new one runs, which takes longer than a small
image.

Compiled code has threads of another kind, in ``core/threads`` and ``core/workers``. They do not take whole
pieces from a queue: the caller and they divide one range or one step among themselves, which lasts micro- to
milliseconds; they move off the caller's core, sleep on a lock from which they wake in two microseconds, and
nobody waits for a helper that comes too late.
"""

import _thread
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


class PoolLeftError(Exception):
    """A piece of work was not begun, because its pool had been left."""


class Task(Generic[Made]):
    """A piece of work, and what became of it.

    Attributes
    ----------
    fault : BaseException or None
        What it raised, or `PoolLeftError`.
    """

    def __init__(self, work: Callable[[], Made]) -> None:
        self._work = work
        self._made: list[Made] = []
        self.fault: BaseException | None = None
        self._ended = _thread.allocate_lock()  # held until the work has ended
        self._ended.acquire()

    def run(self) -> None:
        """Do the work; called once, by a thread of the pool."""
        try:
            self._made.append(self._work())
        except BaseException as fault:  # noqa: BLE001 - raised again where the result is read
            self.fault = fault
        finally:
            self._ended.release()

    def skip(self) -> None:
        """Leave the work undone, in place of `run`."""
        self.fault = PoolLeftError()
        self._ended.release()

    @property
    def done(self) -> bool:
        """Whether it has come to its end."""
        return not self._ended.locked()

    def wait(self, seconds: float = -1) -> bool:
        """Wait for its end, at most so long, and tell whether it has come; -1: as long as it takes."""
        if self._ended.acquire(timeout=seconds):
            self._ended.release()
            return True
        return False

    def result(self) -> Made:
        """What the work made, as soon as it is there; what it raised is raised."""
        self.wait()
        if self.fault is not None:
            raise self.fault
        return self._made[0]


class Pool:
    """Threads that do pieces of work, begun in the order in which they are given.

    As a context it is left at its end.

    Parameters
    ----------
    threads : int
        1 or more; they start at once.
    """

    def __init__(self, threads: int) -> None:
        from _queue import SimpleQueue  # of the module queue, whose rest nobody here needs

        self._waiting: SimpleQueue[Task[object] | None] = SimpleQueue()
        self._ended = [_thread.allocate_lock() for _ in range(threads)]  # each held until its thread ends
        self.left = False
        for ended in self._ended:
            ended.acquire()
            _thread.start_new_thread(self._serve, (ended,))

    def begin(self, work: Callable[[], Made]) -> Task[Made]:
        """Give a piece of work to the next thread that is free."""
        task = Task(work)
        self._waiting.put(task)  # type: ignore[arg-type]
        return task

    def leave(self, *, wait: bool = True) -> None:
        """Begin no more pieces, and wait for those in work unless they may wait for somebody else."""
        self.left = True
        for _ in self._ended:
            self._waiting.put(None)
        for ended in self._ended if wait else ():
            with ended:
                pass

    def __enter__(self) -> "Pool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def _serve(self, ended: _thread.LockType) -> None:
        try:
            while (task := self._waiting.get()) is not None:
                if self.left:
                    task.skip()
                else:
                    task.run()
                del task  # while it waits for the next, nothing of this one is kept
        finally:
            ended.release()


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
    waiting = iter(range(count))  # next() on it is one step under the interpreter lock
    faults: dict[int, BaseException] = {}

    def work() -> None:
        while not faults and (index := next(waiting, None)) is not None:
            try:
                made[index] = make(index)
            except BaseException as fault:  # noqa: BLE001 - raised again below
                faults[index] = fault

    helpers = min(threads, count) - 1
    if helpers > 0:
        with Pool(helpers) as pool:
            for _ in range(helpers):
                pool.begin(work)
            work()
    else:
        work()
    if faults:
        raise faults[min(faults)]
    return made  # type: ignore[return-value]


def in_order(
    items: Iterable[Item], work: Callable[[Item], Made], *, threads: int, ahead: int
) -> Generator[tuple[Item, Made], None, None]:
    """Work on items in threads, and give the results in order.

    Parameters
    ----------
    items : iterable
        Read by the thread that reads the results.
    work : callable
        Of one item.
    threads : int
        Threads that work; the reading one is not among them.
    ahead : int
        Items that are begun, or done, before the first of them is read.

    Yields
    ------
    item, result
        As soon as it is there. Close the generator if it is left before its end.

    Raises
    ------
    BaseException
        What ``work`` raises, where the item's result would come.
    """
    begun: deque[tuple[Item, Task[Made]]] = deque()
    with Pool(threads) as pool:
        for item in items:
            begun.append((item, pool.begin(partial(work, item))))
            if len(begun) == ahead:
                first, task = begun.popleft()
                yield first, task.result()
        while begun:
            first, task = begun.popleft()
            yield first, task.result()


def one_ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """The items of an iterator, each made by a thread while the one before it is used.

    Raises
    ------
    BaseException
        What the iterator raises, in its place. Close the generator if it is left before its end.
    """
    with Pool(1) as pool:
        task = pool.begin(lambda: next(items, None))
        while (item := task.result()) is not None:
            task = pool.begin(lambda: next(items, None))
            yield item
            del item
