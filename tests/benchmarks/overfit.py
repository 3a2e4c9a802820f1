"""``python -m tests.benchmarks.overfit FOLDER``: deep networks learn sixteen photographs by heart.

A network through which gradients flow in all of its layers gets the classes of a few photographs right within
some dozens of steps; one with a fault in a backward pass does not. Each photograph of the folder is cut into
squares until there are sixteen, and each square is a class of its own.
"""

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnncli.models.choice import build
from cnncli.nn import AdamW, Inference, Network, TrainingStep
from cnncli.tasks.classification import Classification

NETWORKS = ("resnet18", "googlenet:aux", "vgg16-bn")
COUNT = 16
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Outcome:
    """What became of a network.

    Attributes
    ----------
    losses : list of float
        Training loss of each step, with dropout.
    right : int
        Photographs whose class it predicts after the last step, of all.
    loss : float
        Mean cross-entropy of those predictions.
    still : list of str
        Parameters whose gradient was 0 throughout in the first step.
    """

    losses: list[float]
    right: int
    loss: float
    still: list[str]


def squares(folder: Path, side: int, count: int = COUNT) -> Floats:
    """Squares of the photographs in a folder, of zero mean and unit deviation: (count, side, side, 3)."""
    files = sorted(folder.glob("*.png"))
    across = math.isqrt(-(-count // len(files)) - 1) + 1
    found = []
    for number in range(count):
        place, file = divmod(number, len(files))
        photograph = Image.open(files[file]).convert("RGB")
        edge = min(photograph.size) // across
        left, top = place % across * edge, place // across * edge
        square = photograph.crop((left, top, left + edge, top + edge)).resize((side, side))
        found.append(np.asarray(square, np.float32))
    pixels = np.stack(found)
    return (pixels - pixels.mean()) / pixels.std()


def overfitted(name: str, photographs: Floats, *, steps: int, rate: float, threads: int | None) -> Outcome:
    """Train a network on photographs, each a class of its own, all in every step."""
    count, *shape = photographs.shape
    labels = np.arange(count)
    graph = build(name, tuple(shape), count)
    network, task = Network(graph, seed=0), Classification(tuple(map(str, labels)))
    step = TrainingStep(
        network,
        count,
        objective=task.objective(tuple(graph.outputs)),
        optimiser=AdamW(weight_decay=0.0),
        threads=threads,
        cumulative_statistics=True,
    )
    losses, still = [], []
    for number in range(steps):
        losses.append(step.run(photographs, labels, rate=rate * min(1, (number + 1) / 5)))
        if not number:
            still = [key for key, value in network.unpack(network.gradient) if not value.any()]
    logits = Inference(network, count, threads=threads).run(photographs)
    likely = logits - logits.max(1, keepdims=True)
    chances = likely - np.log(np.exp(likely).sum(1, keepdims=True))
    right = int((logits.argmax(1) == labels).sum())
    return Outcome(losses, right, float(-chances[labels, labels].mean()), still)


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.overfit", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="of photographs, as PNG")
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    photographs = squares(given.folder, given.side)
    for name in given.networks:
        start = time.perf_counter()
        outcome = overfitted(name, photographs, steps=given.steps, rate=given.rate, threads=given.threads)
        print(_row(name, outcome, time.perf_counter() - start), flush=True)


def _row(name: str, outcome: Outcome, seconds: float) -> str:
    count = len(outcome.losses)
    some: Sequence[float] = outcome.losses[:: max(1, count // 8)]
    return (
        f"{name}: {outcome.right} of {COUNT} right, loss {outcome.loss:.3g} "
        f"after {count} steps in {seconds:.0f} s; "
        f"training loss {' '.join(f'{loss:.3g}' for loss in some)}; "
        f"without a gradient: {', '.join(outcome.still) or 'none'}"
    )


if __name__ == "__main__":
    main()
