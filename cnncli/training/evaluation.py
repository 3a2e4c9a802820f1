"""Evaluation: the outputs of a trained network for every image of a split, scored by its task."""

from typing import TYPE_CHECKING

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
    outputs = outputs_of(network, split, preprocessing, batch=batch, threads=threads)
    return evaluated(outputs, split.targets, task)


def outputs_of(
    network: "Network", split: "Split", preprocessing: "Preprocessing", *, batch: int = 256, threads: int = 1
) -> NDArray[np.float32]:
    """(N, K) the outputs of a network for every image of a split; parameters as of `evaluate`."""
    from cnncli.nn import Inference

    size = max(1, min(batch, len(split)))
    loader = preprocessing.loader(split, size, threads=threads)
    inference = Inference(network, size, threads=threads)
    outputs = np.empty((len(split), network.graph.output_shape.size), np.float32)
    for part in loader.epoch(0):
        outputs[part.indices] = inference.run(part.x)
    return outputs


def evaluated(outputs: NDArray[np.float32], targets: "Targets", task: "Task") -> "Evaluation":
    """What a task says of outputs (N, K) for N images.

    Raises
    ------
    CnncliError
        Where an output is not a number.
    """
    if lost := int(np.count_nonzero(~are_finite(outputs))):
        raise CnncliError(
            f"the outputs of the network for {lost:,} of {len(outputs):,} {task.noun} are not numbers: "
            "values overflow on their way; expected finite outputs",
            "Train the network again with a lower --lr, or copy the checkpoint again from where it came.",
        )
    return task.evaluation(np.arange(len(outputs), dtype=np.intp), targets, outputs)
