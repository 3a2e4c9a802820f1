"""``mpiexec -n N cnncli train``: one run by several processes, of which the first writes and prints."""

import os
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cnncli import __version__
from cnncli.cli.exit_codes import DONE, SOME_FAILED, settle
from cnncli.cli.messages import report
from cnncli.cli.stopping import orderly_stop
from cnncli.core.native import processor
from cnncli.core.ranks import OthersGoneError, Ranks
from cnncli.errors import CnncliError

if TYPE_CHECKING:
    from cnncli.training.session import Session


def train_together(
    begin: Callable[[Ranks], "Session"],
    carry_out: Callable[["Session"], int],
    alone: Callable[[], int] | None,
    *,
    debug: bool,
) -> int:
    """Train as one of several processes.

    Parameters
    ----------
    begin : callable
        Prepares the run.
    carry_out : callable
        Trains and says what came of it; called by the first process.
    alone : callable or None
        What the first process does instead of all that.
    debug : bool
        Show tracebacks.

    Returns
    -------
    int
        The exit code: of all but the first process 0, as ``mpiexec`` ends all when one has another.

    Raises
    ------
    BaseException
        What all have agreed on, by the first process. Where another is gone or has failed, all are ended.
    """
    ranks = Ranks(lambda: False)
    try:
        if alone is not None:
            ranks.agreed = True
            code = alone() if ranks.leads else DONE
        else:
            session = _session(ranks, begin)
            try:
                code = carry_out(session) if ranks.leads else _follow(session, ranks)
            finally:
                session.folder.unlock()
    except BaseException as error:
        if not ranks.agreed:
            _end_all(ranks, error, debug=debug)
        ranks.leave()
        if ranks.leads:
            raise
        return DONE
    ranks.leave()
    return code


def _session(ranks: Ranks, begin: Callable[[Ranks], "Session"]) -> "Session":
    """The run as each process has prepared it, if all have, and alike; first the one that downloads.

    Raises
    ------
    CnncliError
        On all processes, where one of them could not.
    """
    session: Session | None = None
    fault: CnncliError | None = None
    for turn in (True, False):
        if ranks.leads == turn:
            try:
                session = begin(ranks)
            except CnncliError as error:
                fault = error
        faults = ranks.each(fault)
        if any(faults):
            break
    rank = next((rank for rank, each in enumerate(faults) if each is not None), None)
    if rank is None and session is not None:
        marks = ranks.each(_mark(session))
        rank = next((rank for rank, mark in enumerate(marks) if mark != marks[0]), None)
        if rank is None:
            return session
        differing = [name for name, mark in marks[rank].items() if mark != marks[0][name]]
        faults[rank] = CnncliError(
            f"process {rank} has another {' and '.join(differing)}; expected those of the first on all",
            "Use the same machines, the same cnncli and one copy of the data for all.",
        )
    ranks.agreed = True
    if session is not None:
        session.folder.discard()
    found = faults[rank or 0]
    assert found is not None
    if rank and not found.message.startswith("process"):
        raise type(found)(f"process {rank}: {found.message}", found.hint)
    raise found


def _mark(session: "Session") -> dict[str, Any]:
    """What has to be the same for all."""
    network = session.trainer.inputs.network
    weights = sha256(network.weights.tobytes())
    weights.update(network.state.tobytes())
    return {
        "cnncli": __version__,
        "kind of processor": processor()[3].name,
        "data set": session.images.mark(),
        "options": session.options.as_dict() | {"dataset": ""},
        "start": (weights.hexdigest(), session.trainer.progress.step),
    }


class _Silent:
    """Watches a run, and says nothing."""

    def on_step(self, report: Any) -> None:
        """A step is done."""

    def on_epoch(self, row: dict[str, Any], *, best: bool) -> None:
        """An epoch is done."""


def _follow(session: "Session", ranks: Ranks) -> int:
    """Do a part of each step, and leave the rest to the first process."""
    if session.trainer.progress.result is None:
        with orderly_stop() as signals:
            ranks.signals = lambda: bool(signals)
            session.trainer.run(_Silent(), lambda: bool(signals))
    ranks.agreed = True
    return DONE


def _end_all(ranks: Ranks, error: BaseException, *, debug: bool) -> None:
    """Say why, and end all processes, with what is saved."""
    code = SOME_FAILED
    if ranks.leads:
        code = settle(error, debug=debug)
    elif not isinstance(error, OthersGoneError):
        report(f"process {ranks.rank} of this run:")
        code = settle(error, debug=debug)
    ranks.abort(code or SOME_FAILED)
    os._exit(code or SOME_FAILED)
