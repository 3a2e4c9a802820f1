"""Layers of networks that read texts: word vectors, convolution over time, and an output of limited norm.

Legend: N texts of up to T words, each a number from 1 on, and 0 after the end of a text; V numbers, C values
of a word, K outputs. A batch of texts is (N, 1, T, 1), float32 that are whole. T is only how much room there
is: what a network says of a text does not depend on it, nor on the other texts of its batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core import nn_jobs
from cnncli.errors import CnncliError
from cnncli.nn.algorithms.outer import MAX_ROWS
from cnncli.nn.graph import INPUT, Graph, Shape
from cnncli.nn.layer import BLOCK, Halo, Layer, Parameter, Scalar, is_narrow, refuse_flattened
from cnncli.nn.layers.convolution import Conv
from cnncli.nn.layers.linear import Linear
from cnncli.nn.network import Network
from cnncli.nn.window import Window, whole

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.fusion import Stage

_MOST_WORDS = 1 << 24  # numbers that float32 tells apart
_RANGE = 0.25  # of the first values: from -0.25 to 0.25


@dataclass(frozen=True, eq=False)
class Table(Parameter):
    """Rows of C values, one for each of V numbers, kept whole: each begins with a row of memory.

    The row of padding is 0 and stays 0. Only rows of words in a batch have a gradient; it is summed by lists.
    """

    sparse = True

    @property
    def blocks(self) -> int:
        """Rows in memory of one row of the table."""
        return -(-self.shape[1] // BLOCK)

    @property
    def rows(self) -> int:
        """Rows in memory."""
        return self.shape[0] * self.blocks

    def pack(self, values: NDArray[Any], packed: NDArray[Any]) -> None:
        """Store values (V, C) in packed rows."""
        packed.reshape(self.shape[0], -1)[:, : self.shape[1]] = values

    def unpack(self, packed: NDArray[Scalar]) -> NDArray[Scalar]:
        """The inverse of `pack`: a copy."""
        return np.ascontiguousarray(packed.reshape(self.shape[0], -1)[:, : self.shape[1]])

    def first_values(self, random: np.random.Generator) -> NDArray[np.float32]:
        """Uniform from -0.25 to 0.25, and 0 for padding.

        Source: Kim, Convolutional neural networks for sentence classification, 2014, section 3.2: as varied
        as pretrained vectors are.
        """
        values = random.random(self.shape, np.float32) * np.float32(2 * _RANGE) - np.float32(_RANGE)
        values[0] = 0
        return values


@dataclass(frozen=True)
class Embedding(Layer):
    """A vector for each word of a text, as PyTorch's with ``padding_idx=0``.

    Attributes
    ----------
    words : int
        V, with those for padding and for unknown words.
    size : int
        C.
    trained : bool
        False: the vectors are as they were loaded, and belong to the network's state.

    The gradient is computed only where words of the batch are, but the optimiser takes it as one of all
    words, most of it 0, as PyTorch's does: AdamW moves a word on for some steps after it has occurred. To
    leave out all other words, as SparseAdam does, lets a rare word move a tenth as far: 78.3 % of movie
    reviews instead of 79.1 % with the same seed, and no less time.
    """

    words: int
    size: int
    trained: bool = True

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """(1, T, C)."""
        _check_texts(inputs[0], "word vectors")
        if not (2 <= self.words <= _MOST_WORDS and self.size >= 1):
            raise CnncliError(
                f"vectors of {self.size} values for {self.words:,} words; expected 1 value or more for 2 to "
                f"{_MOST_WORDS:,} words",
                "Mend the sizes of the embedding.",
            )
        return Shape(1, inputs[0].width, self.size)

    def _table(self) -> Table:
        return Table("weight", (self.words, self.size), initial="own")

    def parameters(self, inputs: Sequence[Shape]) -> tuple[Parameter, ...]:
        """weight (V, C), if it is trained."""
        return (self._table(),) if self.trained else ()

    def state(self, inputs: Sequence[Shape]) -> tuple[Parameter, ...]:
        """weight (V, C), if it is not trained."""
        return () if self.trained else (self._table(),)

    def forward(self, plan: Emit, node: Stage) -> None:
        """A copy of each word's row."""
        numbers, y = plan.value(node.inputs[0]), plan.value(node.name)
        job = plan.job(
            nn_jobs.EMBED,
            words=node.shape.width,
            floats=self.size,
            table=plan.weight(node, "weight"),
            table_pitch=4 * BLOCK * self._table().blocks,
        )
        plan.each_chunk("embed", job, {"numbers": numbers, "y": y})

    def backward(self, plan: Emit, node: Stage) -> None:
        """Rows of words that occur more than once are summed when the whole batch is done.

        Numbers of words have no gradient.
        """
        if not plan.is_trained(node.name):
            return
        if node.inputs != (INPUT,):
            raise CnncliError(
                f"{node.name} reads {node.inputs[0]}; expected word vectors that read the input",
                "Put the embedding first.",
            )
        rows = plan.listed_rows(node, self._table(), words=node.shape.width)
        job = rows.sums_job(floats=self.size)
        plan.after_all_chunks("embed_sums", job, rows.tasks, {"dy": plan.gradient(node.name)})


@dataclass(frozen=True)
class ConvOverTime(Layer):
    """Convolution along the words of a text, ReLU, and for each output the maximum over time.

    Every window counts that holds a word at least; beyond both ends of a text there is 0, so that a text may
    be shorter than a window. A text without words gives 0. It reads word vectors and the numbers of the
    words, which say where a text ends; weights are as those of PyTorch's ``Conv1d``.

    It is one layer because then no output is written but the maxima, and the backward pass is of one window
    for each output, where a pooling of its own would hand back a gradient that is 0 nearly everywhere.

    Attributes
    ----------
    outputs : int
        K.
    kernel : int
        Words of a window.

    Source: Kim, Convolutional neural networks for sentence classification, 2014, section 2.
    """

    outputs: int
    kernel: int

    min_inputs = 2
    max_inputs = 2

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """(1, 1, K)."""
        vectors, numbers = inputs
        _check_texts(numbers, "the second input of a convolution over time")
        refuse_flattened(vectors, "a convolution over time")
        if vectors[:2] != numbers[:2] or min(self.outputs, self.kernel) < 1:
            raise CnncliError(
                f"a convolution of {self.kernel} words to {self.outputs} outputs over {vectors} and "
                f"{numbers}; expected 1 or more of each, and word vectors of all numbers",
                "Give it the embedding and the input.",
            )
        return Shape(1, 1, self.outputs)

    def window(self, x: Shape) -> Window:
        """The whole text."""
        return whole(1, x.width)

    def _weight(self, x: Shape) -> Parameter:
        along = Shape(1, x.width, x.channels)
        return Conv(self.outputs, (1, self.kernel)).parameters((along,))[0]

    def parameters(self, inputs: Sequence[Shape]) -> tuple[Parameter, ...]:
        """weight (K, C, kernel) and bias (K,)."""
        weight = self._weight(inputs[0])
        flat = replace(weight, shape=(self.outputs, inputs[0].channels, self.kernel))
        return flat, Parameter("bias", (self.outputs,))

    def multiply_adds(self, inputs: Sequence[Shape]) -> int:
        """Of a text that fills all the room."""
        return (inputs[0].width + self.kernel - 1) * self.kernel * inputs[0].channels * self.outputs

    def input_halo(self, inputs: Sequence[Shape]) -> Halo:
        """Windows reach beyond both ends by all but a word."""
        return 0, self.kernel - 1

    def whole_gradient(self, parameter: Parameter, inputs: Sequence[Shape]) -> bool:
        """One window for each text and output: summed over the whole batch at once."""
        return True

    def forward(self, plan: Emit, node: Stage) -> None:
        """One pass over the windows of all texts of a chunk."""
        vectors, numbers = (plan.value(source) for source in node.inputs)
        tensors = {
            "x": vectors,
            "numbers": numbers,
            "y": plan.value(node.name),
            "tile": plan.chunk_scratch(MAX_ROWS * BLOCK),
        }
        plan.each_chunk("over_time", self._job(plan, node), tensors)

    def backward(self, plan: Emit, node: Stage) -> None:
        """One window for each output: of the word vectors chunk by chunk, of the weights over the batch."""
        dy, source = plan.gradient(node.name), node.inputs[0]
        weight = self._weight(node.input_shapes[0])
        if plan.is_trained(node.name):
            job = self._job(plan, node)
            job["sums"] = plan.buffer(f"{node.name}.sums", weight.size, np.float32)
            job["dweight"] = plan.weight_gradient(node, "weight")
            job["dbias"] = plan.weight_gradient(node, "bias")
            job["samples"] = plan.samples_address(node.shape)
            tensors = {"x": plan.value(source), "dy": dy}
            plan.after_all_chunks("over_time_weights", job, weight.blocks, tensors)
        if plan.needs_gradient(source):
            dx, add = plan.gradient_target(source)
            job = self._job(plan, node)
            job["plain"] = plan.pack(
                plan.weight(node, "weight"), weight.offsets()[:, :, 0].transpose(0, 2, 1).copy()
            )
            job["add"] = add
            plan.each_chunk("over_time_backward", job, {"dy": dy, "dx": dx})

    def _job(self, plan: Emit, node: Stage) -> NDArray[np.void]:
        x = node.input_shapes[0]
        blocks = -(-self.outputs // BLOCK)
        segments = np.array([0, self.kernel * x.channels, 0], np.int64)
        return plan.job(
            nn_jobs.OVER_TIME,
            words=x.width,
            kernel=self.kernel,
            floats=x.channels,
            outputs=self.outputs,
            panel=plan.weight(node, "weight"),
            panel_blocks=blocks,
            narrow=is_narrow(self.outputs),
            segments=plan.constant(segments),
            bias=plan.weight(node, "bias"),
            winners=plan.buffer(f"{node.name}.winners", plan.chunks.batch * blocks * BLOCK, np.float32),
        )


@dataclass(frozen=True)
class BoundedLinear(Linear):
    """Fully connected, the weights of each output of a norm of at most ``max_norm`` after each step.

    Attributes
    ----------
    max_norm : float
        Above 0.

    Source: Hinton et al., Improving neural networks by preventing co-adaptation of feature detectors, 2012.
    """

    max_norm: float = 3.0

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """(1, 1, out_features)."""
        if not 0 < self.max_norm < float("inf"):
            raise CnncliError(
                f"the limit of a norm is {self.max_norm}; expected a number above 0",
                "Give a limit such as 3.",
            )
        return super().shape(inputs)

    def parameters(self, inputs: Sequence[Shape]) -> tuple[Parameter, ...]:
        """As of `Linear`."""
        weight, *rest = super().parameters(inputs)
        return replace(weight, max_norm=self.max_norm), *rest


def _check_texts(numbers: Shape, what: str) -> None:
    if (numbers.height, numbers.channels) != (1, 1):
        raise CnncliError(
            f"{what} got {numbers}; expected texts: a row of numbers, one for each word",
            "Use this network for texts.",
        )


LAYERS: dict[str, type[Layer]] = {
    "boundedlinear": BoundedLinear,
    "convovertime": ConvOverTime,
    "embedding": Embedding,
}
"""By kind, as `cnncli.nn.exchange` writes them; it lists these names too."""


def with_room(network: Network, words: int) -> Network:
    """The same network, with the same weights in memory, for texts of up to so many words."""
    graph = Graph((1, words, 1))
    for node in network.graph.nodes.values():
        graph.add(node.layer, inputs=node.inputs, name=node.name)
    graph.set_output(network.graph.output)
    other = copy(network)
    other.graph = graph
    return other
