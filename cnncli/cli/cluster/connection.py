"""The connection to a Dask scheduler, and tasks that it has run."""

import json
import logging
import os
import pickle
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from cnncli import __version__
from cnncli.cli.cluster.worker import Share, carry_out, stop
from cnncli.cli.exit_codes import UsageError
from cnncli.cli.messages import report
from cnncli.cli.options.shared import SCHEDULER_VARIABLE
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

Item = TypeVar("Item")
HERE = object()
"""In the place of a result: it is for this machine to make."""
PATIENCE = 10  # seconds for an answer of the scheduler
_FEWEST, _MOST = 50, 200  # items of a task, where there are enough for all workers
_TASKS_AHEAD = 4  # for each thread of the cluster
_OFTEN = 0.2  # seconds between looks at signals and at the connection
_SILENT = 10.0  # seconds without a worker after which that is said


class Named(Protocol):
    """Settings of a command that can name a scheduler."""

    @property
    def scheduler(self) -> str | None:
        """Its address."""

    @property
    def scheduler_file(self) -> str | None:
        """The file that says its address."""

    @property
    def threads(self) -> int | None:
        """Threads, which are asked of one machine."""

    @property
    def quiet(self) -> bool:
        """Say nothing but errors."""

    @property
    def debug(self) -> bool:
        """Say what Dask logs."""


class Cluster:
    """A Dask cluster, for one command.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    quiet : bool
        Say nothing but errors.
    """

    def __init__(self, client: Any, *, quiet: bool) -> None:
        self._client, self._quiet = client, quiet
        self._command = os.urandom(8).hex()

    @property
    def threads(self) -> int:
        """Tasks that run at once, at least 1."""
        return max(1, _threads_of(self._client))

    def _batches(self, items: Sequence[Item]) -> list[Sequence[Item]]:
        """Items in batches of 50 to 200, and smaller ones where there would not be one for each thread."""
        threads = self.threads
        size = min(_MOST, max(_FEWEST, len(items) // (_TASKS_AHEAD * threads)))
        size = max(1, min(size, -(-len(items) // threads)))
        return [items[lo : lo + size] for lo in range(0, len(items), size)]

    def each(
        self,
        items: Sequence[Item],
        send: Callable[[Item], Any],
        share: Share,
        stopping: Sequence[int] = (),
        *,
        alone: bool = False,
    ) -> Generator[tuple[Item, Any], None, None]:
        """Have items worked on, and give what became of them in order.

        Parameters
        ----------
        items : sequence
            In the order in which results are wanted.
        send : callable
            What a worker takes of an item, which can be pickled; None where workers cannot take it. What it
            raises is the item's result.
        share : callable
            What is done with what is sent; it and its results can be pickled.
        stopping : sequence of int
            A signal, as soon as there is one: items in work are ended, and no others begun.
        alone : bool
            Results are large: a task has one, and few of them lie here at a time.

        Yields
        ------
        item, result
            `HERE` for those that workers cannot take, a `CnncliError` where there is no result, None where a
            signal came before the work. Close the generator if it is left before its end.

        Raises
        ------
        CnncliError
            Where the scheduler is gone.
        """
        sent: list[Any] = []
        known: dict[int, Any] = {}
        for number, item in enumerate(items):
            try:
                what = send(item)
            except CnncliError as error:
                known[number] = error
                continue
            if what is None:
                known[number] = HERE
            else:
                sent.append(what)
        batches = [[each] for each in sent] if alone else self._batches(sent)
        with closing(self._in_order(batches, share, stopping, alone=alone)) as done:
            results = (each for batch, found in done for each in _spread(found, len(batch)))
            for number, item in enumerate(items):
                yield item, known[number] if number in known else next(results, None)

    def _in_order(
        self, batches: Sequence[Sequence[Any]], share: Share, stopping: Sequence[int], *, alone: bool
    ) -> Generator[tuple[Sequence[Any], list[Any] | CnncliError], None, None]:
        """Batches, and the results of the first items of each (of all, unless a signal came), or an error."""
        run = _Run(self._client, self._command, share, batches, alone=alone)
        try:
            yield from run.results(stopping, quiet=self._quiet)
        finally:
            run.release()


def _spread(found: list[Any] | CnncliError, count: int) -> Iterator[Any]:
    """The result of each item of a batch."""
    if isinstance(found, CnncliError):
        yield from (found for _ in range(count))
    else:
        yield from (found[place] if place < len(found) else None for place in range(count))


class _Run:
    """Tasks in work."""

    def __init__(
        self, client: Any, command: str, share: Share, batches: Sequence[Sequence[Any]], *, alone: bool
    ) -> None:
        self._client, self._command, self._batches, self._share = client, command, batches, share
        self._alone = alone
        self._waiting = deque(range(len(batches)))
        self._begun: dict[int, Any] = {}
        self._ended: SimpleQueue[int] = SimpleQueue()
        self._found: dict[int, list[Any] | CnncliError] = {}
        self._most = 0
        self._stopped = False

    def results(
        self, stopping: Sequence[int], *, quiet: bool
    ) -> Iterator[tuple[Sequence[Any], list[Any] | CnncliError]]:
        """Batches and their results, in order."""
        silence = _Silence(self._client, quiet=quiet)
        for number, batch in enumerate(self._batches):
            while number not in self._found:
                if stopping and not self._stopped:
                    self._stop()
                if self._stopped and number not in self._begun:
                    return
                self._begin()
                self._take()
                silence.look()
                if self._client.status not in ("running", "connecting"):
                    raise CnncliError(
                        f"the connection to {self._client.scheduler.address} is lost; expected a Dask "
                        "scheduler that stays",
                        "Start it again, and give the same command: what is written stays as it is.",
                    )
            yield batch, self._found.pop(number)

    def _begin(self) -> None:
        """Give the scheduler as much as its workers do in a while, and no signal has come."""
        if self._stopped or not self._waiting or self._held > self._most // 2:
            return
        threads = _threads_of(self._client)
        self._most = 2 * threads + 1 if self._alone else max(16, _TASKS_AHEAD * threads)
        while self._waiting and self._held < self._most:
            number = self._waiting.popleft()
            call = _Call(carry_out, __version__, self._command, self._share, self._batches[number])
            key = f"cnncli-{self._command}-{number}"
            future = self._client.submit(pickle.loads, pickle.dumps(call), key=key, pure=False)
            self._begun[number] = future
            future.add_done_callback(lambda _, number=number: self._ended.put(number))

    @property
    def _held(self) -> int:
        """Batches in work; where results are large, with those that wait for their turn."""
        return len(self._begun) + (len(self._found) if self._alone else 0)

    def _take(self) -> None:
        """Take what has come to its end, or wait a moment."""
        try:
            number = self._ended.get(timeout=_OFTEN)
        except Empty:
            return
        future = self._begun.pop(number)
        try:
            self._found[number] = future.result()
        except Exception as error:  # noqa: BLE001 - whatever it is, other batches can be done
            self._found[number] = _fault(error, stopped=self._stopped)

    def _stop(self) -> None:
        """Let workers end the items in hand, and take back what is not begun."""
        self._stopped = True
        self._client.run(stop, self._command, on_error="ignore")
        running = {str(key) for keys in self._client.processing().values() for key in keys}
        for number, future in list(self._begun.items()):
            if future.status == "pending" and future.key not in running:
                del self._begun[number]
                future.cancel()

    def release(self) -> None:
        """Take back what nobody waits for."""
        if self._begun and self._client.status == "running":
            self._client.cancel(list(self._begun.values()), force=True)
        self._begun.clear()


class _Silence:
    """Says once that there is no worker."""

    def __init__(self, client: Any, *, quiet: bool) -> None:
        self._client, self._said, self._next = client, quiet, time.monotonic() + _SILENT

    def look(self) -> None:
        """Look whether there is one, from time to time."""
        if self._said or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _SILENT
        if not self._client.nthreads():
            self._said = True
            report(f"note: {self._client.scheduler.address} has no worker yet; waiting for one")


def _threads_of(client: Any) -> int:
    """Threads of all workers."""
    return sum(map(int, client.nthreads().values()))


class _Call:
    """A call that is made where its pickle is read: so the scheduler, which reads none, needs no cnncli."""

    def __init__(self, function: Callable[..., Any], *given: Any) -> None:
        self._function, self._given = function, given

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._function, self._given


def _fault(error: Exception, *, stopped: bool) -> list[Any] | CnncliError:
    """Why there are no results of a batch."""
    if isinstance(error, CnncliError):
        return error
    kind = type(error).__name__
    if stopped and "Cancelled" in kind:
        return []
    if kind == "KilledWorker":
        return CnncliError(
            "its workers died again and again; expected one that stays",
            "Look at the workers' logs: they may lack memory (dask worker --memory-limit).",
        )
    if isinstance(error, ModuleNotFoundError) or "No module named 'cnncli" in str(error):
        return CnncliError(
            f"a worker cannot do it ({error}); expected cnncli {__version__} on all workers",
            "Install cnncli in the environments in which dask worker runs.",
        )
    return CnncliError(
        f"it failed on a worker ({kind}: {error})", "Look at the workers' logs, or try without a scheduler."
    )


@contextmanager
def connected(settings: Named) -> Iterator[Cluster]:
    """Connect to the scheduler that a command names.

    Raises
    ------
    UsageError
        Where there is none, or its machines lack what the work takes.
    """
    if settings.scheduler is not None and settings.scheduler_file is not None:
        raise UsageError(
            "--scheduler and --scheduler-file are both given; expected one of them", "Leave one out."
        )
    if settings.threads is not None:
        raise UsageError(
            f"--threads is {settings.threads} with a Dask scheduler, whose workers have their own; expected "
            "one of them",
            "Leave --threads out, and start workers with: dask worker --nthreads N",
        )
    address = _address(settings)
    distributed = _distributed(debug=settings.debug)
    try:
        with warnings.catch_warnings():  # of other versions: what matters is looked at below
            warnings.simplefilter("ignore")
            client = distributed.Client(address, timeout=PATIENCE, set_as_default=False, name="cnncli")
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {shown(address)} within {PATIENCE} seconds ({_short(error)}); "
            "expected one",
            "Check the address, and that it runs: dask scheduler",
        ) from error
    try:
        _check(client, distributed)
        yield Cluster(client, quiet=settings.quiet)
    finally:
        client.close(timeout=PATIENCE)


def _address(settings: Named) -> str:
    """Where the scheduler is, by the command line or else by Dask's variable."""
    if settings.scheduler_file is None:
        named = settings.scheduler
        address = os.environ[SCHEDULER_VARIABLE] if named is None else named
        word = SCHEDULER_VARIABLE if named is None else "--scheduler"
        if "://" not in address and not address.rpartition(":")[2].isdecimal():
            raise UsageError(
                f"{word} is {address!r}; expected an address", "Write it as in: --scheduler tcp://host:8786"
            )
        return address
    path = settings.scheduler_file
    try:
        address = str(json.loads(Path(path).read_bytes())["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"--scheduler-file {shown(path)} says no address ({_short(error)}); expected what "
            "dask scheduler --scheduler-file wrote",
            "Check the name, and that the scheduler runs.",
        ) from error
    return address


def _distributed(*, debug: bool) -> Any:
    """Dask's module; what it logs is for those who ask."""
    try:
        import distributed
    except ImportError as error:
        raise UsageError(
            f"a Dask scheduler is named, but Dask is not installed ({error}); expected the extra cluster",
            "Install it with: pip install 'cnncli[cluster]'",
        ) from error
    if not debug:
        for name in ("asyncio", *(each for each in logging.root.manager.loggerDict)):
            if name.partition(".")[0] in ("asyncio", "distributed", "tornado"):
                logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return distributed


def _check(client: Any, distributed: Any) -> None:
    """Refuse a cluster whose workers have another Dask or cnncli, or none."""
    versions = client.get_versions()
    parts = {"the scheduler": versions["scheduler"], **versions["workers"]}
    for name, found in parts.items():
        known = found["packages"].get("distributed") if found else None
        if known is not None and known != distributed.__version__:
            raise UsageError(
                f"{name} has distributed {known}; expected {distributed.__version__}, as here",
                "Install the same version of Dask on all machines.",
            )
    from importlib.metadata import version

    # Asked with Python's own function, which a worker without cnncli has too.
    for name, found in client.run(version, "cnncli", on_error="return").items():
        if found != __version__:
            has = f"cnncli {found}" if isinstance(found, str) else "no cnncli"
            raise UsageError(
                f"the worker {name} has {has}; expected {__version__}, as here",
                "Install the same version in the environments in which dask worker runs.",
            )


def _short(error: BaseException) -> str:
    """What an exception says, on one line."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(said.split())[:120]
