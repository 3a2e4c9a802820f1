"""Many inputs: reading, filtering and writing overlapped, results in order, the rate on a terminal."""

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cnncli.errors import CnncliError

Item = TypeVar("Item")
AHEAD = 3  # items a worker may be ahead of the one that is reported next


@dataclass(frozen=True)
class Outcome:
    """What became of one input: a value to report and notes about it, or an error."""

    value: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    error: CnncliError | None = None


def run_batch(
    items: Sequence[Item], work: Callable[[Item, int], Outcome], threads: int, *, quiet: bool
) -> Iterator[tuple[Item, Outcome]]:
    """Work on items, several at a time where there are several.

    One item has all threads to itself; of several, each has one, so that while one is filtered others
    are read and written.

    Parameters
    ----------
    items : sequence
        In the order in which outcomes are wanted.
    work : callable
        ``work(item, threads)``; a `CnncliError` becomes the item's outcome.
    threads : int
        Threads in all.
    quiet : bool
        No progress bar.

    Yields
    ------
    item, outcome
        In order, as soon as each is there. After an interruption, items in work are ended and no new
        ones begun.
    """
    if len(items) == 1 or threads == 1:
        with _progress(len(items), quiet=quiet) as step:
            for item in items:
                yield item, _outcome(work, item, threads)
                step()
        return
    workers = min(threads, len(items))
    stop = threading.Event()

    def attempt(item: Item) -> Outcome | None:
        return None if stop.is_set() else _outcome(work, item, max(1, threads // workers))

    pool = ThreadPoolExecutor(workers, thread_name_prefix="convolve")
    waiting: deque[tuple[Item, Future[Outcome | None]]] = deque()
    upcoming = iter(items)
    try:
        with _progress(len(items), quiet=quiet) as step:
            for item in upcoming:
                waiting.append((item, pool.submit(attempt, item)))
                if len(waiting) == workers * AHEAD:
                    break
            while waiting:
                item, future = waiting.popleft()
                outcome = future.result()
                for later in upcoming:
                    waiting.append((later, pool.submit(attempt, later)))
                    break
                if outcome is not None:
                    yield item, outcome
                step()
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _outcome(work: Callable[[Item, int], Outcome], item: Item, threads: int) -> Outcome:
    try:
        return work(item, threads)
    except CnncliError as error:
        return Outcome(error=error)


def _progress(count: int, *, quiet: bool) -> AbstractContextManager[Callable[[], None]]:
    """A bar with the rate and the time left, for several items on a terminal; else nothing."""
    if quiet or count < 2 or sys.stderr is None or not sys.stderr.isatty():
        return nullcontext(lambda: None)
    from cnncli.cli.progress import progress_bar

    return progress_bar(count, unit="images")
