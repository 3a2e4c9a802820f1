"""Many inputs: reading, filtering and writing overlapped, results in order, the rate on a terminal."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from cnncli.cli.exit_codes import Stopped
from cnncli.core.heap import keep_freed_memory
from cnncli.records import record
from cnncli.threaded import in_order

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Item = TypeVar("Item")
AHEAD = 3  # items a worker may be ahead of the one that is reported next


@record
class Outcome:
    """What became of one input.

    Attributes
    ----------
    value : mapping
        To report.
    notes : sequence of str
        To be said about it.
    error : Exception or None
        Instead of both.
    gain : float
        By how much the result might be brighter; 1 where it is bright enough.
    preview : ndarray, shape (h, w, 3 or 4), uint8, or None
        The result, small, where it is to be shown.
    """

    value: Mapping[str, Any] = MappingProxyType({})
    notes: Sequence[str] = ()
    error: Exception | None = None
    gain: float = 1
    preview: "NDArray[np.uint8] | None" = None


Work = Callable[[Item, int], Outcome]
Executor = Callable[[Sequence[Any], Work[Any], int, list[int]], Iterator[tuple[Any, Outcome]]]
"""Works on items, with so many threads, until a signal is noted, and gives outcomes in order."""


def run_batch(
    items: Sequence[Item], work: Work[Item], threads: int, *, quiet: bool, executor: Executor | None = None
) -> Generator[tuple[Item, Outcome], None, None]:
    """Work on items, several at a time where there are several.

    One item has all threads to itself; of several, each has one, so that while one is filtered others
    are read and written.

    Parameters
    ----------
    items : sequence
        In the order in which outcomes are wanted.
    work : callable
        ``work(item, threads)``; what it raises becomes the item's outcome, except that its reader is gone.
    threads : int
        Threads in all.
    quiet : bool
        No progress bar.
    executor : callable or None
        Works on other machines; ``work`` can be pickled then. None: threads of this process.

    Yields
    ------
    item, outcome
        In order, as soon as each is there. Close the generator if it is left before its end.

    Raises
    ------
    Stopped
        After an interruption, when the items in work are ended and yielded; no new ones are begun.
    BrokenPipeError
        If the reader of an output is gone.
    """
    if len(items) < 2 and executor is None:
        for item in items:
            yield item, outcome_of(work, item, threads)
        return
    from cnncli.cli.progress import progress_bar
    from cnncli.cli.stopping import orderly_stop

    keep_freed_memory()
    done = 0
    with orderly_stop() as stopping, progress_bar(len(items), unit="images", quiet=quiet) as bar:
        results = executor or (_in_turn if threads == 1 else _overlapped)
        for item, outcome in results(items, work, threads, stopping):
            done += 1
            bar.clear()
            yield item, outcome
            bar.draw(done)
    if stopping:
        raise Stopped(stopping[0], f"{done} of {len(items)} images are done")


def _in_turn(
    items: Sequence[Item], work: Work[Item], threads: int, stopping: list[int]
) -> Iterator[tuple[Item, Outcome]]:
    """One item after the other, until a signal comes."""
    for item in items:
        if stopping:
            return
        yield item, outcome_of(work, item, threads)


def _overlapped(
    items: Sequence[Item], work: Work[Item], threads: int, stopping: list[int]
) -> Iterator[tuple[Item, Outcome]]:
    """As many items at a time as there are threads, in order, until a signal comes."""
    workers = min(threads, len(items))

    def attempt(item: Item) -> Outcome | None:
        return None if stopping else outcome_of(work, item, threads // workers)

    with closing(in_order(items, attempt, threads=workers, ahead=workers * AHEAD)) as outcomes:
        for item, outcome in outcomes:
            if outcome is not None:  # a signal came before the work
                yield item, outcome


def outcome_of(work: Work[Item], item: Item, threads: int) -> Outcome:
    """What becomes of an item; BrokenPipeError alone is raised."""
    try:
        return work(item, threads)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the others can be done
        return Outcome(error=error)
