"""Evaluation: the outputs of a trained network for every image of a split, scored by its task."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.tasks.task import are_finite

if TYPE_CHECKING:
    from cnncli.data.model import Split
    from cnncli.data.targets import Targets
    from cnncli.nn import Network
    from cnncli.tasks.preprocessing import Preprocessing
    from cnncli.tasks.task import Evaluation, Task

_MOST_OUTPUTS = 1 << 24  # of a batch: 64 MB


def evaluate(
    network: "Network",
    split: "Split",
    preprocessing: "Preprocessing",
    task: "Task",
    *,
    batch: int = 256,
    threads: int = 1,
) -> "Evaluation":
    """Run a network on every image of a split, and score its outputs.

    Parameters
    ----------
    network : Network
        With an output for each of the task's.
    split : Split
        Of the network's input shape, with targets as the network knows them.
    preprocessing : Preprocessing
        Mean and deviation that the network was trained with.
    task : Task
        What scores the outputs.
    batch : int
        Images at a time.
    threads : int
        To use.

    Raises
    ------
    CnncliError
        Where an output is not a number.
    """
    kept = kept_of(network, split, preprocessing, task, batch=batch, threads=threads)
    return evaluated(kept, split.targets, task)


def kept_of(
    network: "Network",
    split: "Split",
    preprocessing: "Preprocessing",
    task: "Task",
    *,
    batch: int = 256,
    threads: int = 1,
) -> NDArray[Any]:
    """(N, …) what a task keeps of a network's outputs for every image of a split, as of `evaluate`.

    Raises
    ------
    CnncliError
        Where an output is not a number.
    """
    from cnncli.nn import Inference

    graph = network.graph
    roles = task.read(tuple(graph.outputs))
    values = sum(graph.shape_of(graph.output_of(role)).size for role in roles)
    size = max(1, min(batch, len(split), -(-_MOST_OUTPUTS // values)))
    loader = preprocessing.loader(split, size, threads=threads)
    inference = Inference(network, size, threads=threads, outputs=roles)
    parts, lost = [], 0
    for part in loader.epoch(0):
        outputs = part.averaged(inference.run_all(part.x))
        lost += int(np.count_nonzero(~are_finite(outputs)))
        parts.append(task.kept(outputs, part))
    if lost:
        raise CnncliError(
            f"the outputs of the network for {lost:,} of {len(split):,} {task.noun} are not numbers: "
            "values overflow on their way; expected finite outputs",
            "Train the network again with a lower --lr, or copy the checkpoint again from where it came.",
        )
    return np.concatenate(parts) if parts else np.zeros((0, values), np.float32)


def evaluated(kept: NDArray[Any], targets: "Targets", task: "Task") -> "Evaluation":
    """What a task says of what it kept of the outputs for N images."""
    return task.evaluation(np.arange(len(kept), dtype=np.intp), targets, kept)
