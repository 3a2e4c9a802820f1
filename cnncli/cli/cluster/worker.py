"""What runs on a worker: a share of the work, item by item, until there is nobody left who wants it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cnncli import __version__
from cnncli.errors import CnncliError

Share = Callable[[Sequence[Any]], Iterable[Any]]
"""Works on items in order, and gives a result for each."""

_stopped: set[str] = set()  # commands that were interrupted


def carry_out(version: str, command: str, share: Share, items: Sequence[Any]) -> list[Any]:
    """The results of some items; fewer where the command is interrupted meanwhile.

    Parameters
    ----------
    version : str
        Of cnncli where the command was given.
    command : str
        Its mark, for `stop`.
    share : callable
        What to do.
    items : sequence
        With what.

    Raises
    ------
    CnncliError
        Where this worker has another cnncli.
    """
    if version != __version__:
        raise CnncliError(
            f"{where()} has cnncli {__version__}; expected {version}, as here",
            "Install the same version on all machines.",
        )
    results: list[Any] = []
    if is_wanted(command):
        for result in share(items):
            results.append(result)
            if not is_wanted(command):
                break
    return results


def stop(command: str) -> None:
    """Begin no more items of a command in this process."""
    _stopped.add(command)


def is_wanted(command: str) -> bool:
    """Whether a command still waits for the task that runs in this thread; it may be gone."""
    from distributed import get_worker

    if command in _stopped:
        return False
    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return task is not None and task.state != "cancelled"


def where() -> str:
    """What messages call the worker that this is."""
    from distributed import get_worker

    return f"the worker {get_worker().address}"
