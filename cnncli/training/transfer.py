"""Weights of another run to start from: all layers, and the rows of the head that mean the same."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.data.shipped import model_path
from cnncli.errors import CnncliError, OptionError
from cnncli.files.faults import shown
from cnncli.models.localizer import BOX
from cnncli.nn import Concat, Graph, Network
from cnncli.nn.graph import Node
from cnncli.tasks.task import Task
from cnncli.text import listed
from cnncli.training.checkpoint import Checkpoint, load_checkpoint
from cnncli.training.weights.load import is_elsewhere, load_weights

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]


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
    try:
        arrays, fits = _matched(network, start, np.array(rows, np.intp))
        network.load(arrays)
    except CnncliError as fault:
        raise OptionError(f"--init {shown(start.path or '')}: {fault.message}", fault.hint) from fault
    return f"weights from {shown(start.path or '')} ({_words(start.task, task, rows, fits=fits)})"


def _matched(network: Network, start: Checkpoint, rows: Rows) -> tuple[dict[str, Floats], bool]:
    """A checkpoint's arrays, with channels of classes in the network's order; False where its head is new.

    What the checkpoint does not know keeps the network's first values.
    """
    graph = network.graph
    roles = [role for role in graph.outputs if not role.startswith(BOX)]
    heads = [name for role in roles for name in graph.heads(role)]
    moved = _moved_channels(graph, start, heads, rows)
    arrays: dict[str, Floats] = {name: np.asarray(array) for name, array in start.arrays.items()}
    fits = True
    for name, own in network.export().items():
        node = graph.nodes[name.rpartition(".")[0]]
        ours, reads = moved.get(node.name), moved.get(node.inputs[0])
        if ours is None and reads is None:
            continue
        axes = (node.layer.channel_axes if own.ndim > 1 else None) or (0, None)
        found = {
            axis: each
            for axis, each in zip(axes, (ours, reads), strict=True)
            if axis is not None and each is not None
        }
        taken = _taken(own, arrays.get(name), found)
        arrays[name] = own if taken is None else taken
        fits = fits and (taken is not None or node.name not in heads)
    return arrays, fits


def _moved_channels(graph: Graph, start: Checkpoint, heads: Sequence[str], rows: Rows) -> dict[str, Rows]:
    """Of layers with channels of classes: the number of each channel in the checkpoint's layer; -1: new.

    Those are the heads, others with as many channels as there are classes where there were as many as classes
    before, and what reads them.
    """
    before, classes = start.architecture.graph(), len(start.task.outputs)
    moved: dict[str, Rows] = {}
    for name, node in graph.nodes.items():
        now = node.shape.channels
        then = before.nodes[name].shape.channels if name in before.nodes else now
        mixes = node.layer.channel_axes is not None
        if name in heads or (mixes and now != then and (now, then) == (len(rows), classes)):
            moved[name] = rows
        elif not mixes and any(each in moved for each in node.inputs):
            moved[name] = _joined(node, before, moved)
    return moved


def _joined(node: Node, before: Graph, moved: Mapping[str, Rows]) -> Rows:
    """As `_moved_channels`, of a layer whose channels are those of its inputs, in a row or summed."""
    parts, first = [], 0
    for name, shape in zip(node.inputs, node.input_shapes, strict=True):
        part = moved.get(name, np.arange(shape.channels))
        parts.append(np.where(part < 0, -1, first + part))
        first += before.shape_of(name).channels
    joined = np.concatenate(parts) if isinstance(node.layer, Concat) else parts[0]
    return joined if len(joined) == node.shape.channels else np.full(node.shape.channels, -1)


def _taken(own: Floats, held: Floats | None, moved: Mapping[int, Rows]) -> Floats | None:
    """First values, but a checkpoint's for channels that it has, along these axes; None: it fits nowhere."""
    if held is None or held.ndim != own.ndim:
        return None
    ours, theirs = [], []
    for axis, (now, then) in enumerate(zip(own.shape, held.shape, strict=True)):
        channels = moved.get(axis, np.arange(now))
        if len(channels) != now or channels.max(initial=-1) >= then or (axis not in moved and now != then):
            return None
        places = np.flatnonzero(channels >= 0)
        ours.append(places)
        theirs.append(channels[places])
    own[np.ix_(*ours)] = held[np.ix_(*theirs)]
    return own


def _words(before: Task, task: Task, rows: list[int], *, fits: bool) -> str:
    kept = [shown(name) for name, row in zip(task.outputs, rows, strict=True) if row >= 0]
    new = [shown(name) for name, row in zip(task.outputs, rows, strict=True) if row < 0]
    if not kept or not fits:
        return f"its head is new, {'of another shape' if kept else f'for other {task.output_noun}'}"
    if rows == list(range(len(before.outputs))):
        return "all of its layers"
    others = f"; those for {listed(new)} are new" if new else ""
    return f"with the head's rows for {listed(kept)}{others}"
