"""What a layer sees of the step that it is scheduled into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from cnncli.nn.calls import Part, Tensors
    from cnncli.nn.chunks import Chunks
    from cnncli.nn.fusion import Stage
    from cnncli.nn.graph import Shape
    from cnncli.nn.layer import Parameter
    from cnncli.nn.listed import ListedRows
    from cnncli.nn.memory import Tensor


class Emit(Protocol):
    """Tensors and parameters by name, and native calls that work on them.

    Attributes
    ----------
    chunks : Chunks
        How the batch is divided.
    slot_pitch : int
        Bytes from the gradient of a range of chunks to that of the next.
    step_address : int
        Of int64, set before each step: its number.
    """

    @property
    def chunks(self) -> Chunks: ...  # noqa: D102
    @property
    def slot_pitch(self) -> int: ...  # noqa: D102
    @property
    def step_address(self) -> int: ...  # noqa: D102

    # Tensors

    def value(self, name: str) -> Tensor:
        """The output of a stage."""

    def set_value(self, name: str, tensor: Tensor) -> None:
        """Let the output of a stage be a view of another tensor, which is its memory."""

    def gradient(self, name: str) -> Tensor:
        """The gradient of a stage's output, summed over its readers so far."""

    def gradient_target(self, name: str) -> tuple[Tensor, bool]:
        """Where to write a gradient, and whether to add to that of another reader."""

    def needs_gradient(self, name: str) -> bool:
        """Whether the gradient of a stage's output is asked for, such as by a layer trained before it."""

    def is_trained(self, name: str) -> bool:
        """Whether a stage's own parameters get gradients, and batch norms use the statistics of a batch."""

    def chunk_scratch(self, floats: int) -> Tensor:
        """Scratch memory of ``floats`` for a whole chunk, not for each of its samples."""

    # Addresses

    def samples_address(self, shape: Shape) -> int:
        """Of int64, set before each step: samples of a shape, or frames of its clips."""

    def weight(self, stage: Stage, parameter: str) -> int:
        """Of a parameter's packed rows."""

    def bias(self, stage: Stage, absent: int) -> int:
        """Of a layer's bias; of ``absent`` zeros if it has none."""

    def weight_gradient(self, stage: Stage, parameter: str) -> int:
        """Of the packed rows of a parameter's gradient, in the first range of chunks."""

    def constant(self, values: NDArray[np.generic]) -> int:
        """Of an array that is kept alive."""

    def buffer(self, name: str, size: int, kind: type) -> int:
        """Of memory that outlives a step, the same for the same name."""

    def pack(self, source: int, order: NDArray[np.intp]) -> int:
        """Of weights in another order, copied at the start of every step; -1 leaves a zero."""

    def mirror(
        self, source: int, taps: Sequence[int], *, of: int, groups: int, inputs: int, outputs: int
    ) -> int:
        """Of weights for the gradient of the input, made at the start of every step."""

    # Calls

    def job(self, record_type: np.dtype[np.void], /, **values: float) -> NDArray[np.void]:
        """A record with some of its fields filled in."""

    def each_chunk(self, loop: str, job: NDArray[np.void], tensors: Tensors) -> None:
        """Add a call for every chunk."""

    def after_all_chunks(
        self, loop: str, job: NDArray[np.void], items: int, tensors: Mapping[str, Tensor]
    ) -> None:
        """Add a whole-batch call that runs after all chunks are done."""

    def transform(self, loop: str, job: NDArray[np.void], items: int) -> None:
        """Transform weights at the start of the pass, after they are packed."""

    def parts(self, multiply_adds: int, *, joined: bool = False) -> int:
        """Number of parts into which the work on a sample, or on all of them, is best split."""

    def joins(self, weights: int, values: int, *, single: bool = False) -> bool:
        """Whether all samples are computed in one call, as weights are more than a sample's values."""

    def split(self, loop: str, parts: Sequence[Part], out: Tensor, *, joined: bool = False) -> None:
        """Add concurrent calls that together compute one sample's output, or that of all samples."""

    def go_on(self, loop: str, parts: Sequence[Part]) -> None:
        """Add one call to each task of the split that was just added."""

    def by_lines(self, loop: str, part_of: Callable[[int, int], Part], *tensors: Tensor) -> None:
        """Add calls over lines of tensors, the last of which they write."""

    def around(self, loop: str, part_of: Callable[[int, int], Part], tensor: Tensor) -> None:
        """Add calls around the values of a tensor, which may be made while those are computed."""

    def barrier(self) -> None:
        """Let later calls wait for the results of all chunks."""

    def listed_rows(self, stage: Stage, table: Parameter, *, words: int) -> ListedRows:
        """The rows of a table that a batch of so many words each reads: a step updates them alone."""

    def updates_statistics(self, job: NDArray[np.void], momentum: float) -> None:
        """Note a record whose ``momentum`` may change from step to step."""
