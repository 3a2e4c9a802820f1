"""What a training step shared by processes takes: ``mpiexec -n 2 python -m tests.benchmarks.together``.

For each network: bytes of the gradient, bytes that a process sends in a step, seconds of a step, and of them
those in exchanges; then bytes a second from one process to the other. Without mpiexec: the step of one.
"""

import time

import numpy as np

from cnncli.core.ranks import Ranks, are_several
from cnncli.models.choice import build
from cnncli.nn import SGD, Network, SoftmaxCrossEntropy, Term, TrainingStep

NETWORKS = {
    "resnet20": ((32, 32, 3), 10, 128),
    "resnet18": ((224, 224, 3), 1000, 16),
}
STEPS = 3


class Timed:
    """Adds up the seconds of exchanges."""

    def __init__(self, ranks):
        self.seconds = 0.0
        for name in ("share", "swap"):
            setattr(ranks, name, self.timed(getattr(ranks, name)))

    def timed(self, work):
        def run(*given):
            start = time.perf_counter()
            work(*given)
            self.seconds += time.perf_counter() - start

        return run


def measured(name, ranks):
    """A line about the steps of a network."""
    shape, classes, batch = NETWORKS[name]
    network = Network(build(name, shape, classes), seed=1)
    objective = [Term("main", SoftmaxCrossEntropy())]
    step = TrainingStep(network, batch, objective=objective, optimiser=SGD(), threads=1, ranks=ranks)
    rng = np.random.default_rng(1)
    images = rng.normal(size=(batch, *shape)).astype(np.float32)
    labels = rng.integers(0, classes, batch)
    exchanges = Timed(ranks) if ranks else None
    times = []
    for _ in range(STEPS):
        start, before = time.perf_counter(), exchanges.seconds if exchanges else 0.0
        step.run(images, labels, rate=1e-3)
        waited = exchanges.seconds - before if exchanges else 0.0
        times.append((time.perf_counter() - start, waited))
    seconds, waited = min(times)
    sent = step._shared.bytes if ranks else 0
    sizes = f"gradient {network.weights.nbytes / 1e6:6.1f} MB  sent {sent / 1e6:7.1f} MB"
    took = f"step {seconds * 1e3:7.1f} ms  exchanges {waited * 1e3:6.1f} ms"
    return f"{name:9} batch {batch:4}  {sizes}  {took}"


def bandwidth(ranks):
    """Bytes a second of a large exchange."""
    places = [[np.zeros(1 << 26, np.uint8)] for _ in range(ranks.size)]
    times = []
    for _ in range(4):
        start = time.perf_counter()
        ranks.share(places)
        times.append(time.perf_counter() - start)
    return f"exchange of {1 << 26:,} bytes each: {(1 << 26) / min(times) / 1e9:.2f} GB/s"


def main():
    """Measure, and print by the first process."""
    ranks = Ranks(lambda: False) if are_several() else None
    leads = ranks is None or ranks.leads
    for name in NETWORKS:
        line = measured(name, ranks)
        if leads:
            print(line, flush=True)
    if ranks is not None:
        line = bandwidth(ranks)
        if leads:
            print(line, flush=True)
        ranks.leave()


if __name__ == "__main__":
    main()
