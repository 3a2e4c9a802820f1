"""Digests of steps of small networks: ``python -m tests.nn.shared_steps``, alone or under mpiexec."""

import hashlib
import sys

import numpy as np

from cnncli.core import ranks as core_ranks
from cnncli.models.choice import build
from cnncli.models.textcnn import textcnn
from cnncli.nn import (
    SGD,
    AdamW,
    BatchNorm,
    Clip,
    Conv,
    Dropout,
    Flatten,
    Frames,
    GlobalAvgPool,
    Graph,
    Linear,
    MaxPool,
    Network,
    Relu,
    SoftmaxCrossEntropy,
    Term,
    TrainingStep,
)


def plain():
    graph = Graph((12, 10, 3))
    graph.add(Conv(8, 3, padding="same"), BatchNorm(), Relu(), MaxPool(2))
    graph.add(Conv(5, 3), BatchNorm(), Relu(), Dropout(0.3, seed=4), Flatten(), Linear(7))
    return graph


def large():
    """With gradients of more than a megabyte, which share memory."""
    graph = Graph((6, 6, 3))
    graph.add(Conv(200, 3, padding="same"), Relu(), Conv(180, 3, padding="same"), Relu(), Flatten())
    graph.add(Linear(120), Relu(), Linear(7))
    return graph


def clips():
    """Frame by frame, then over the frames of each clip."""
    graph = Graph((40, 12, 3))
    graph.add(Frames(4))
    graph.add(Conv(6, 3, padding="same"), BatchNorm(), Relu(), GlobalAvgPool(), Clip())
    graph.add(Flatten(), Linear(7))
    return graph


def batch_of(name, graph, count, rng):
    """Inputs and labels of a step."""
    shape = tuple(graph.input_shape[:3])
    if name == "texts":
        texts = rng.integers(1, 500, (count, *shape)).astype(np.float32)
        texts[:, :, 20:] = 0
        return texts, rng.integers(0, 7, count)
    places = tuple(graph.output_shape[:2]) if name == "masks" else ()
    return rng.normal(size=(count, *shape)).astype(np.float32), rng.integers(0, 7, (count, *places))


NETWORKS = {
    "plain": plain,
    "large": large,
    "resnet": lambda: build("resnet20:width=0.5", (16, 16, 3), 7),
    "squeezed": lambda: build("seresnet20:width=0.5", (16, 16, 3), 7),
    "mobile": lambda: build("mobilenetv2:width=0.25", (32, 32, 3), 7),
    "lenet": lambda: build("lenet5", (28, 28, 1), 7),
    "texts": lambda: textcnn((1, 30, 1), 7, words=500, dim=8),
    "masks": lambda: build("unet:width=0.05", (32, 32, 1), 7),
    "clips": clips,
}
BATCHES = (37, 64, 9)  # the last steps have fewer samples than the batch


def digest(name, ranks, threads):
    """Of all that some steps of a network leave behind."""
    graph = NETWORKS[name]()
    network = Network(graph, seed=3)
    step = TrainingStep(
        network,
        64,
        objective=[Term("main", SoftmaxCrossEntropy())],
        optimiser=AdamW(weight_decay=0.01) if name in ("plain", "large") else SGD(momentum=0.9),
        threads=threads,
        clip=1.0,
        cumulative_statistics=True,
        ranks=ranks,
    )
    rng = np.random.default_rng(5)
    found = hashlib.sha256()
    for count in BATCHES:
        loss = step.run(*batch_of(name, graph, count, rng), rate=0.01)
        found.update(repr((loss, step.gradient_norm)).encode())
        found.update(step.outputs[:count].tobytes())
        found.update(step.losses[:count].tobytes())
    for array in (network.weights, network.state, *step.optimiser_state().values()):
        found.update(array.tobytes())
    return found.hexdigest()[:16]


def main(names):
    ranks = core_ranks.Ranks(lambda: False) if core_ranks.are_several() else None
    for name in names or NETWORKS:
        found = digest(name, ranks, threads=1 if ranks else 2)
        everywhere = ranks.each(found) if ranks else [found]
        if ranks is None or ranks.rank == 0:
            print(name, found, len({*everywhere}) == 1, flush=True)
    if ranks is not None:
        ranks.leave()


if __name__ == "__main__":
    main(sys.argv[1:])
