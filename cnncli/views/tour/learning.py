"""A small network that is trained while the tour runs, and the gradient of one of its weights."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.data.shipped import sample_path
from cnncli.nn import (
    SGD,
    Conv,
    Flatten,
    Graph,
    Inference,
    Linear,
    MaxPool,
    Network,
    Relu,
    SoftmaxCrossEntropy,
    Term,
    TrainingStep,
)
from cnncli.nn.gradient import Gradient, of_cross_entropy
from cnncli.nn.weight_gradient import weight_gradient
from cnncli.tasks.softmax import log_softmax

Floats = NDArray[np.float32]
STEPS, BATCH, RATE, SEED = 100, 32, 0.3, 0
TESTED = 500
_NUDGE = 0.001  # by which a weight is moved up and down: small, but far above what float32 rounds


@dataclass(frozen=True)
class Slope:
    """The gradient of the loss of one digit with respect to one weight.

    Attributes
    ----------
    kernel : int
        The weight is the middle one of this kernel.
    digit : int
        The digit's place in `digits`.
    loss : float
        Of that digit.
    slope : float
        By the chain rule.
    largest : tuple of (x, y, dLoss/doutput, pixel)
        Where the products that make it up are largest.
    count : int
        Of products.
    step : float
        By which the weight is moved up and down.
    losses : (float, float)
        After moving it up, and down.
    """

    kernel: int
    digit: int
    loss: float
    slope: float
    largest: tuple[tuple[int, int, float, float], ...]
    count: int
    step: float
    losses: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Learned:
    """What training did.

    Attributes
    ----------
    losses : tuple of float
        The mean loss of each step's digits.
    kernel_before, kernel_after : ndarray, shape (5, 5)
        The first kernel.
    right_before, right_after : float
        Shares of other digits.
    tested : int
        How many those are.
    gradient : Slope
        Of one weight of the trained network.
    """

    losses: tuple[float, ...]
    kernel_before: Floats
    kernel_after: Floats
    right_before: float
    right_after: float
    tested: int
    gradient: Slope


def digits() -> tuple[Floats, NDArray[np.int64]]:
    """Digits that ship, (N, 28, 28, 1) from 0 to 1, and which they are; in a fixed random order."""
    with np.load(sample_path("mnist_5k.npz")) as arrays:
        images, labels = arrays["x"], arrays["y"]
    order = np.random.default_rng(SEED).permutation(len(images))
    return (images[order, ..., None] / np.float32(255)).astype(np.float32), labels[order].astype(np.int64)


def small_network() -> Network:
    """4 kernels of 5x5, ReLU, 2x2 max pooling, and 10 outputs."""
    graph = Graph((28, 28, 1))
    graph.add(Conv(4, 5, padding="same"), name="conv")
    graph.add(Relu(), MaxPool(2), Flatten())
    graph.add(Linear(10), name="fc")
    return Network(graph, seed=SEED)


def learn(*, threads: int = 1) -> Learned:
    """Train the small network. It takes a second."""
    images, labels = digits()
    network = small_network()
    rest, truth = images[-TESTED:], labels[-TESTED:]
    inference = Inference(network, TESTED, threads=threads)
    kernel_before, right_before = network.array("conv.weight")[0, 0], _right(inference, rest, truth)
    step = TrainingStep(
        network,
        BATCH,
        objective=[Term("main", SoftmaxCrossEntropy())],
        optimiser=SGD(momentum=0.0),
        threads=threads,
    )
    losses = []
    for number in range(STEPS):
        start = number * BATCH % (len(images) - TESTED - BATCH)
        part = slice(start, start + BATCH)
        losses.append(step.run(images[part], labels[part], rate=RATE))
    inference.refresh()
    right_after = _right(inference, rest, truth)
    return Learned(
        tuple(losses),
        kernel_before,
        network.array("conv.weight")[0, 0],
        right_before,
        right_after,
        TESTED,
        _slope(network, rest, truth, threads=threads),
    )


def _right(inference: Inference, images: Floats, labels: NDArray[np.int64]) -> float:
    return float((inference.run(images).argmax(axis=1) == labels).mean())


def _losses(network: Network, images: Floats, labels: NDArray[np.int64], threads: int) -> NDArray[np.float64]:
    outputs = Inference(network, len(images), threads=threads).run(images)
    return -log_softmax(outputs)[np.arange(len(images)), labels]


def _slope(network: Network, images: Floats, labels: NDArray[np.int64], *, threads: int) -> Slope:
    """The gradient of one weight for the digit with the highest loss, by the chain rule and by trying."""
    every = _losses(network, images, labels, threads)
    chosen = int(every.argmax())
    x, label = images[chosen : chosen + 1], labels[chosen : chosen + 1]
    flow = Gradient(network, 1, wrt=("conv",), threads=threads).run(x, of_cross_entropy(label))
    back = flow.gradients["conv"][0]
    slopes = weight_gradient(network.graph.nodes["conv"], x[0], back)
    kernel = int(np.abs(slopes[:, 0, 2, 2]).argmax())
    products = back[..., kernel] * x[0, ..., 0]  # the middle weight lies on the output's own pixel
    order = np.argsort(-np.abs(products), axis=None, kind="stable")[:8]
    places = [divmod(int(each), products.shape[1]) for each in order]
    arrays = network.export()
    ends = []
    for sign in (1, -1):
        weights = arrays["conv.weight"].copy()
        weights[kernel, 0, 2, 2] += sign * _NUDGE
        network.load({**arrays, "conv.weight": weights})
        ends.append(float(_losses(network, x, label, threads)[0]))
    network.load(arrays)
    return Slope(
        kernel,
        len(digits()[0]) - TESTED + chosen,
        float(every[chosen]),
        float(slopes[kernel, 0, 2, 2]),
        tuple(
            (column, row, float(back[row, column, kernel]), float(x[0, row, column, 0]))
            for row, column in places
        ),
        products.size,
        _NUDGE,
        (ends[0], ends[1]),
    )
