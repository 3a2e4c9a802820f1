"""How much each row has to move and to multiply, whoever does it: the least that is known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.filters.kinds.crop import Crop
from cnncli.filters.kinds.pair import Pair
from cnncli.filters.model import Filter
from cnncli.nn import Conv, Graph, Linear
from cnncli.nn.window import pair

FLOAT = 4  # bytes
# Multiply-adds of a sample by transforms of 256x256, forward and back, which any larger kernel takes at
# least: 2 * 5/2 * log2(256 * 256) operations, two of which are a multiply-add.
TRANSFORM = 40
# Winograd's F(4x4, 3x3) multiplies 36 times where 16 outputs have 144 taps.
WINOGRAD = 4


@dataclass(frozen=True)
class Amount:
    """What a row cannot do without: bytes read and written, multiply-adds of float32 (0: not counted)."""

    reads: int
    writes: int
    multiply_adds: int = 0


def of_filter(filter: Filter, source: NDArray[np.generic], out: NDArray[np.generic]) -> Amount:
    """Images are read once, of a crop its part, the answer is written once, samples multiplied by taps."""
    reads = out.nbytes if isinstance(filter, Crop) else source.nbytes
    if isinstance(filter, Pair) and filter.second is not None:
        reads += filter.second.pixels.nbytes
    return Amount(reads, out.nbytes, out.size * taps(filter.kernels))


def taps(kernels: tuple[NDArray[np.float64], ...]) -> int:
    """Multiply-adds of a sample for all kernels: each directly, as sums of rows and columns, or transformed.

    0 for filters that compare rather than multiply.
    """
    total = 0
    for weights in kernels:
        rank = int(np.linalg.matrix_rank(weights, tol=1e-6 * float(np.abs(weights).max())))
        rows, columns = (int(weights.any(axis=axis).sum()) for axis in (1, 0))
        total += min(np.count_nonzero(weights), rank * (rows + columns), TRANSFORM)
    return total


def of_inference(graph: Graph, images: int) -> Amount:
    """Weights and images are read and the answer written; maps between layers may stay in the caches."""
    graph = graph.pruned([graph.output])
    held = sum(
        each.size for node in graph.nodes.values() for each in node.layer.parameters(node.input_shapes)
    )
    height, width, channels = graph.input_shape[:3]
    reads = held + images * height * width * channels
    writes = images * graph.nodes[graph.output].shape.size
    return Amount(FLOAT * reads, FLOAT * writes, images * sum(_forward(graph).values()))


def of_training(graph: Graph, images: int) -> Amount:
    """A step with momentum, of a batch.

    Each parameter is read with its gradient and momentum, and written with its momentum. The outputs of
    layers with weights are kept for the backward pass. A convolution's weights and input each have a
    gradient that takes as many multiply-adds as the layer; but the first one's input has none.
    """
    held = sum(
        each.size for node in graph.nodes.values() for each in node.layer.parameters(node.input_shapes)
    )
    kept = images * sum(
        node.shape.size for node in graph.nodes.values() if isinstance(node.layer, (Conv, Linear))
    )
    forward = _forward(graph)
    first = sum(work for name, work in forward.items() if graph.nodes[name].inputs[0] == "input")
    height, width, channels = graph.input_shape[:3]
    return Amount(
        FLOAT * (images * height * width * channels + 3 * held + kept),
        FLOAT * (2 * held + kept),
        images * (3 * sum(forward.values()) - first),
    )


def _forward(graph: Graph) -> dict[str, int]:
    """Multiply-adds of each layer with weights for one image; a quarter where Winograd's way can be taken."""
    work = {}
    for node in graph.nodes.values():
        layer = node.layer
        if isinstance(layer, Conv):
            shrinks = pair(layer.kernel) == (3, 3) and pair(layer.stride) == (1, 1) and layer.groups == 1
            work[node.name] = node.multiply_adds // (WINOGRAD if shrinks else 1)
        elif isinstance(layer, Linear):
            work[node.name] = node.multiply_adds
    return work


def of_search(rows: int, width: int, queries: int) -> Amount:
    """All vectors are read once, for all queries."""
    return Amount(FLOAT * rows * width, FLOAT * queries * width, queries * rows * width)
