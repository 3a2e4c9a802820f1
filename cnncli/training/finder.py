"""The learning-rate finder: raise the rate step by step until the loss goes up again.

The suggestion is a tenth of the rate at which the loss is least: there it still falls, well before it
blows up. (Where it falls fastest says less: a random start falls fastest at the first rates that move it.)

Source: Smith, Cyclical learning rates for training neural networks, 2017, section 3.3.
"""

from dataclasses import dataclass

import numpy as np

from cnncli.errors import CnncliError
from cnncli.nn import TrainingStep
from cnncli.training.loop import TrainingInputs

LOWEST, HIGHEST, STEPS = 1e-5, 10.0, 120
_MEMORY = 0.9  # of the smoothed loss
_RUN_IN = 10  # steps until the smoothed loss says more than its first values
_BLOWN_UP = 3.0  # times the least loss so far


@dataclass(frozen=True)
class FoundRate:
    """What a search found.

    Attributes
    ----------
    rates, losses, smoothed : tuple of float
        By step.
    suggested : float
        A tenth of ``lowest``.
    lowest : float
        Where the smoothed loss is least.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggested: float
    lowest: float


def find_rate(inputs: TrainingInputs) -> FoundRate:
    """Search for a learning rate; the network's weights are used up by it.

    Parameters
    ----------
    inputs : TrainingInputs
        What would be trained.

    Returns
    -------
    FoundRate

    Raises
    ------
    CnncliError
        Where the loss grows from the start.
    """
    step = TrainingStep(
        inputs.network,
        inputs.batch,
        objective=inputs.task.objective(tuple(inputs.network.graph.outputs)),
        optimiser=inputs.options.optimiser(),
        threads=inputs.threads,
        frozen=inputs.frozen,
    )
    rates: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    mean, epoch = 0.0, 0
    while len(rates) < STEPS and not _blown_up(losses, smoothed):
        for batch in inputs.train.epoch(epoch):
            count = len(rates)
            rate = LOWEST * (HIGHEST / LOWEST) ** (count / (STEPS - 1))
            loss = step.run(batch.x, inputs.task.encode(batch), rate=rate)
            if not np.isfinite(loss):
                break
            mean = _MEMORY * mean + (1 - _MEMORY) * loss
            rates.append(rate)
            losses.append(loss)
            smoothed.append(mean / (1 - _MEMORY ** (count + 1)))
            if len(rates) == STEPS or _blown_up(losses, smoothed):
                break
        else:
            epoch += 1
            continue
        break
    return _suggested(rates, losses, smoothed)


def _blown_up(losses: list[float], smoothed: list[float]) -> bool:
    return len(losses) > _RUN_IN and smoothed[-1] > _BLOWN_UP * min(smoothed)


def _suggested(rates: list[float], losses: list[float], smoothed: list[float]) -> FoundRate:
    least = int(np.argmin(smoothed)) if smoothed else 0
    if least <= _RUN_IN:
        raise CnncliError(
            f"the loss grows from the lowest learning rate on ({LOWEST:g}); expected that it falls",
            "Look at the images and labels, or try another --opt or --model.",
        )
    return FoundRate(tuple(rates), tuple(losses), tuple(smoothed), rates[least] / 10, rates[least])
