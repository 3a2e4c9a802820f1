"""Weights of another run to start from: all layers, and the rows of the head that mean the same."""

import numpy as np
from numpy.typing import NDArray

from cnncli.data.shipped import model_path
from cnncli.errors import CnncliError, OptionError
from cnncli.files.faults import shown
from cnncli.models.localizer import BOX
from cnncli.nn import Network
from cnncli.tasks.task import Task
from cnncli.text import listed
from cnncli.training.checkpoint import Checkpoint, load_checkpoint
from cnncli.training.weights.load import is_elsewhere, load_weights


def starting_point(init: str | None, model: str) -> tuple[Checkpoint | None, tuple[str, ...]]:
    """The checkpoint that ``--init`` names, or its weights from elsewhere as one, and notes on them.

    Parameters
    ----------
    init : str or None
        A path, or a model that ships.
    model : str
        What ``-m`` says, which weights from elsewhere are read for; ``auto``: as they say themselves.

    Raises
    ------
    OptionError
        Where it cannot be read.
    """
    if init is None:
        return None, ()
    path = model_path(init)
    try:
        if not is_elsewhere(path):
            return load_checkpoint(path), ()
        found = load_weights(path, None if model == "auto" else model)
    except CnncliError as fault:
        raise OptionError(f"--init: {fault.message}", fault.hint) from fault
    return found.checkpoint, found.notes


def transfer_weights(network: Network, start: Checkpoint, task: Task) -> str:
    """Load a checkpoint's weights into a network with a head of its own.

    An output that both have, such as a class, keeps its row of the head; others start anew.

    Parameters
    ----------
    network : Network
        With its first weights; trained in place.
    start : Checkpoint
        Where weights come from.
    task : Task
        What the network is to learn.

    Returns
    -------
    str
        What was taken.

    Raises
    ------
    OptionError
        Where the layers are not those of the checkpoint.
    """
    rows = [-1] * len(task.outputs) if start.is_numbered else task.rows_of(start.task)
    arrays: dict[str, NDArray[np.generic]] = dict(start.arrays)
    fits = _matched_head(network, start, rows, arrays)
    try:
        network.load(arrays, replace_head=True)
    except CnncliError as fault:
        raise OptionError(f"--init {shown(start.path or '')}: {fault.message}", fault.hint) from fault
    return f"weights from {shown(start.path or '')} ({_words(start.task, task, rows, fits=fits)})"


def _matched_head(
    network: Network, start: Checkpoint, rows: list[int], arrays: dict[str, NDArray[np.generic]]
) -> bool:
    """Put the rows of heads into the order of the network's outputs; False where another head is needed."""
    graph = network.graph
    roles = [role for role in graph.outputs if not role.startswith(BOX)]
    heads = tuple(f"{name}." for role in roles for name in graph.heads(role))
    taken = [place for place, row in enumerate(rows) if row >= 0]
    matched = {}
    for name, own in network.export().items():
        if name.startswith(heads):
            held = start.arrays.get(name)
            if held is None or held.shape[1:] != own.shape[1:] or len(held) != len(start.task.outputs):
                arrays.update({each: own for each, own in network.export().items() if each.startswith(heads)})
                return False
            own[taken] = held[[rows[place] for place in taken]]
            matched[name] = own
    arrays.update(matched)
    return True


def _words(before: Task, task: Task, rows: list[int], *, fits: bool) -> str:
    kept = [shown(name) for name, row in zip(task.outputs, rows, strict=True) if row >= 0]
    new = [shown(name) for name, row in zip(task.outputs, rows, strict=True) if row < 0]
    if not kept or not fits:
        return f"its head is new, {'of another shape' if kept else f'for other {task.output_noun}'}"
    if rows == list(range(len(before.outputs))):
        return "all of its layers"
    others = f"; those for {listed(new)} are new" if new else ""
    return f"with the head's rows for {listed(kept)}{others}"
