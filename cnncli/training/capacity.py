"""How much memory a run takes, and whether this machine has it."""

from cnncli.core.available import available_memory
from cnncli.data.model import Arrays, Dataset
from cnncli.errors import OptionError
from cnncli.nn import Graph
from cnncli.nn.chunks import chunked
from cnncli.training.loop import Trainer

_RENDERED = 1 << 22  # bytes of pictures that a loader renders in one go, or a batch
_STREAMED = 6  # such blocks of a loader that reads files ahead
_COPIES = 3  # of the weights: themselves, before the step, the best; and of those that are trained a gradient
_TESTED_COPIES = 2  # of the network that is tested: its weights, and the best in order
_PROCESS = 60_000_000  # bytes of Python, NumPy, the native loops and the pictures of the results
_LEAST_COPIES = 8  # those, two moments of the optimiser, and the weights in the order of the loops


def check_weights(graph: Graph, batch: int) -> None:
    """Refuse a network whose weights alone are too much, before any of them is made.

    Raises
    ------
    OptionError
        Where training takes more than there is.
    """
    sizes = [4 * node.weight_count for node in graph.nodes.values()]
    slots = max(
        (size for size, node in zip(sizes, graph.nodes.values(), strict=True) if node.shape[:2] != (1, 1)),
        default=0,
    )
    _check(_LEAST_COPIES * sum(sizes) + chunked(batch).slots * slots, batch)


def check_run(trainer: Trainer, dataset: Dataset) -> None:
    """Refuse a run that takes more than there is, before its first step.

    Raises
    ------
    OptionError
        As above.
    """
    _check(_working_memory(trainer, dataset), trainer.inputs.batch)  # the pictures are there already


def run_memory(trainer: Trainer, dataset: Dataset) -> int:
    """Bytes that the process of a run takes at its peak, which is when it saves or tests."""
    splits = (dataset.train, dataset.val, dataset.test)
    pictures = sum(split.images.nbytes for split in splits if isinstance(split, Arrays))
    return _PROCESS + pictures + _working_memory(trainer, dataset)


def _working_memory(trainer: Trainer, dataset: Dataset) -> int:
    """All of it but the interpreter and the pictures, which are there already."""
    inputs = trainer.inputs
    weights, trained = inputs.network.weights.nbytes, trainer.step.trained_bytes
    image = 4 * inputs.network.graph.input_shape.size
    blocks = sum(
        max(_RENDERED, image * min(inputs.batch, len(split)))
        * (1 if isinstance(split, Arrays) else _STREAMED)
        for split in (dataset.train, dataset.val, dataset.test)
    )
    rows = max((each.rows for each in inputs.network.parameters.values()), default=0)
    layer = rows * inputs.network.row_bytes  # the largest, on its way into another order
    averaged = bool(trainer.average)
    copies = _COPIES + 2 * averaged
    moments = len(trainer.step.optimiser.slots) * trained
    saving = trainer.validation_memory + (1 + averaged) * weights + moments
    testing = trainer.validation_memory + _TESTED_COPIES * weights if len(dataset.test) else 0
    return blocks + copies * weights + trained + trainer.step.memory + layer + max(saving, testing)


def _check(needed: int, batch: int) -> None:
    left = available_memory()
    if left is not None and needed > left:
        raise too_large(
            batch, f"{needed / 1e9:.3g} GB of memory", f"the {left / 1e9:.3g} GB that are available"
        )


def too_large(
    batch: int, takes: str = "more memory than is available", most: str = "the memory of this machine"
) -> OptionError:
    """The error for a network that the machine's memory does not hold."""
    return OptionError(
        f"--model: training with batches of {batch} takes {takes}; expected at most {most}",
        "Use a smaller network, smaller pictures or a lower --batch-size.",
    )
