"""Train and use networks whose memory lies between pages that must not be touched.

Behind each array of the core stands a forbidden page, where a loop that reads or writes too far ends the
process; what a cache line leaves before it holds canaries. A program of its own, because that is how it
fails: its last line names the case.
"""

import numpy as np
from guarded import CANARY, Guarded

from cnncli import nn
from cnncli.core import native
from cnncli.models.choice import build
from cnncli.nn import folding, network
from cnncli.nn.calls import Calls

LINE = 64
MOMENTUM = nn.SGD(momentum=0.9)
STRINGS = [
    "conv6-5 relu pool conv16-5 relu pool flatten fc120 relu fc84 relu fc",
    "conv32 bn relu conv64 relu pool conv64 relu dropout0.3 fc128 silu fc",
    "conv5-3s2 leaky conv10g5 gelu avgpool3s2p1 conv7d2 tanh gap fc",
    "conv96 relu conv96 relu conv33 sigmoid dwconv relu gap fc65 relu fc",
]


class Keeper:
    """Guarded memory in place of the core's own."""

    def __init__(self):
        self.all = []

    def zeros(self, size):
        """Zeros that start on a cache line and end in the last one before a forbidden page."""
        room = Guarded(-(-size // LINE) * LINE, at_end=True)
        room.bytes[:size] = 0
        self.all.append((room, size))
        return room.bytes[:size]

    def check(self):
        """Nothing was written behind what was asked for."""
        for room, size in self.all:
            assert room.untouched(), f"written before {size} bytes"
            assert (room.bytes[size:] == CANARY).all(), f"written behind {size} bytes"


def guarded_constant(calls, values):
    """Address of a copy that the calls keep, with nothing behind it."""
    flat = np.ascontiguousarray(values).view(np.uint8).ravel()
    room = Guarded(flat.size, at_end=True)
    room.bytes[: flat.size] = flat
    return int(calls.hold(room.bytes).ctypes.data)


def branches():
    """A graph of the layers that strings cannot name."""
    graph = nn.Graph((9, 9, 3))
    graph.add(nn.Conv(17, 3, padding=1), name="c")
    graph.add(nn.LocalResponseNorm(5), name="norm")
    graph.add(nn.MaxPool(3, stride=1, padding=1), inputs="c", name="pool")
    graph.add(nn.Conv(17, 2, padding=1, groups=17), nn.AvgPool(2, stride=1), inputs="c", name="grouped")
    graph.add(nn.Concat(), inputs=("norm", "pool", "grouped"), name="all")
    graph.add(nn.GlobalAvgPool(), nn.Linear(51), nn.Sigmoid(), name="gate")
    graph.add(nn.ScaleChannels(), nn.Relu(), inputs=("all", "gate"), name="scaled")
    graph.add(nn.Conv(51, 3, padding=1), name="on")
    graph.add(nn.Add(), nn.Relu(), inputs=("scaled", "on"))
    graph.add(nn.Flatten(), nn.Linear(7))
    return graph


def clips():
    """A graph that computes frames of clips one by one."""
    graph = nn.Graph((3 * 9, 7, 3))
    graph.add(nn.Frames(3), nn.Conv(17, 3, padding=1), nn.BatchNorm(), nn.Relu(), nn.MaxPool(2))
    graph.add(nn.Conv(40, 3, padding=1), nn.LocalResponseNorm(3), nn.Dropout(0.2), nn.GlobalAvgPool())
    graph.add(nn.Clip(), nn.Conv(9, (1, 3), padding="same"), nn.Relu(), nn.MaxPool((1, 3)), nn.Linear(5))
    return graph


def run(graph, batch, threads, optimiser=MOMENTUM):
    """Two steps of training, then inference by one and by many."""
    keeper = Keeper()
    native.aligned_zeros = network.aligned_zeros = folding.aligned_zeros = keeper.zeros
    Calls.constant = guarded_constant
    random = np.random.default_rng(0)
    shape, classes = graph.input_shape[:3], graph.output_shape.channels
    images = random.standard_normal((batch, *shape), np.float32)
    net = nn.Network(graph, seed=1)
    step = nn.TrainingStep(
        net,
        batch,
        objective=[nn.Term("main", nn.SoftmaxCrossEntropy())],
        optimiser=optimiser,
        threads=threads,
    )
    for count in (batch, max(1, batch - 3)):
        labels = random.integers(0, classes, count)
        assert np.isfinite(step.run(images[:count], labels, rate=0.01))
    for size in {1, batch}:
        outputs = nn.Inference(net, size, threads=threads).run(images[:size])
        assert np.isfinite(outputs).all()
    keeper.check()


def main():
    cases = [(name, batch) for name in ("lenet5", "resnet20", *STRINGS) for batch in (1, 21)]
    for name, batch in cases:
        print(name, batch, flush=True)
        run(build(name, (28, 28, 1 + 2 * (batch == 1)), 10), batch, 2)
    for batch in (1, 5):
        print("branches", batch, flush=True)
        run(branches(), batch, 2)
    print("clips", 5, flush=True)
    run(clips(), 5, 2)
    for name in ("resnet20", "branches"):
        print("orthogonal", name, flush=True)
        graph = branches() if name == "branches" else build(name, (28, 28, 3), 10)
        run(graph, 4, 2, nn.Muon())
    print(f"{len(cases) + 5} cases")


if __name__ == "__main__":
    main()
