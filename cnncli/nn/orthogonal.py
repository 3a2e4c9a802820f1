"""The calls of Muon's step for matrices of weights, all matrices of a network side by side.

A stage needs all of the one before it, so each is a phase: the start, three for every iteration, the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native, nn_jobs
from cnncli.core.nn_jobs import ORTHOGONAL_STAGES
from cnncli.nn.calls import MIN_PART_WORK, PIECE_ROWS
from cnncli.nn.layer import BLOCK, Parameter
from cnncli.nn.memory import pieces

if TYPE_CHECKING:
    from cnncli.nn.optimisers import Muon
    from cnncli.nn.schedule import Schedule

ROWS = native.processor()[3].gemm_rows
_BLOCK_BYTES = 4 * BLOCK


def is_matrix(parameter: Parameter) -> bool:
    """Whether an update can be made orthogonal: weights of convolutions, of which outputs share their inputs.

    Biases, norms, fully connected layers, tables of words and depthwise convolutions are none.
    """
    shared = parameter.fan_out > prod(parameter.kernel)  # an input has more than one output
    return len(parameter.shape) > 2 and shared and min(parameter.taps, parameter.outputs) > 1


class Addresses(NamedTuple):
    """Of the packed rows of one group's weights, their gradient and their momentum."""

    weight: int
    gradient: int
    moment: int


@dataclass(frozen=True)
class Matrix:
    """The weights of one group of a convolution as a matrix with no more columns than rows."""

    parameter: Parameter
    at: Addresses

    @property
    def turned(self) -> bool:
        """Whether its columns are taps, as there are fewer of them than outputs."""
        return self.parameter.taps < self.parameter.outputs

    @property
    def rows(self) -> int:
        """The longer side."""
        return max(self.parameter.taps, self.parameter.outputs)

    @property
    def columns(self) -> int:
        """The shorter side."""
        return min(self.parameter.taps, self.parameter.outputs)

    @property
    def blocks(self) -> int:
        """Blocks of columns."""
        return -(-self.columns // BLOCK)

    def tasks(self, stage: str) -> list[tuple[int, int]]:
        """Items of a stage for each task."""
        if stage in ("start", "end"):
            return pieces(self.parameter.blocks * self.parameter.taps, PIECE_ROWS)
        length, across = {
            "gram": (self.rows, self.columns),
            "polynomial": (self.columns, self.columns),
            "multiply": (self.columns, self.rows),
        }[stage]
        size = max(1, MIN_PART_WORK // (ROWS * BLOCK * length))
        return pieces(-(-across // ROWS) * self.blocks, size)


def emit_orthogonal(
    schedule: Schedule, optimiser: Muon, matrices: Sequence[Matrix], **common: float
) -> list[NDArray[np.void]]:
    """Add the update of matrices.

    Parameters
    ----------
    schedule : Schedule
        The step, whose gradients are complete.
    optimiser : Muon
        Its settings.
    matrices : sequence of Matrix
        What is updated.
    **common
        Fields of all records: ``limit``, ``squares`` and ``square_count``.

    Returns
    -------
    list of ndarray
        Records with a field ``rate``, to be set before every step.
    """
    ends: list[NDArray[np.void]] = []
    made = [_records(schedule, optimiser, each, common) for each in matrices]
    for records in zip(*made, strict=True):
        schedule.barrier()
        for matrix, record in zip(matrices, records, strict=True):
            stage = ORTHOGONAL_STAGES[int(record["stage"][0])]
            schedule.whole("orthogonal", record, matrix.tasks(stage))
            if stage == "end":
                ends.append(record)
    return ends


def _records(
    schedule: Schedule, optimiser: Muon, matrix: Matrix, common: dict[str, float]
) -> Iterator[NDArray[np.void]]:
    """The records of a matrix, in the order of its stages."""
    size = matrix.blocks * matrix.rows * _BLOCK_BYTES
    square = matrix.blocks * matrix.columns * _BLOCK_BYTES
    x, y, gram, polynomial = (
        int(schedule.hold(native.aligned_zeros(each + _BLOCK_BYTES)).ctypes.data)
        for each in (size, size, square, square)
    )
    values: dict[str, Any] = {
        **common,
        **matrix.at._asdict(),
        "taps": matrix.parameter.taps,
        "outputs": matrix.parameter.outputs,
        "turned": matrix.turned,
        "rows": matrix.rows,
        "columns": matrix.columns,
        "blocks": matrix.blocks,
        "gram": gram,
        "polynomial": polynomial,
        "segments": schedule.constant(_segments(matrix)),
        **dict(zip("abc", optimiser.coefficients, strict=True)),
        "momentum": optimiser.momentum,
        "decay": optimiser.weight_decay,
        "scale": optimiser.scale(matrix.rows),
    }

    def record(stage: str, **more: float) -> NDArray[np.void]:
        return schedule.job(nn_jobs.ORTHOGONAL, stage=ORTHOGONAL_STAGES.index(stage), **values, **more)

    yield record("start", x=x)
    for number in range(optimiser.iterations):
        for stage in ("gram", "polynomial", "multiply"):
            yield record(stage, x=x, y=y, first=number == 0)
        x, y = y, x
    yield record("end", x=x)


def _segments(matrix: Matrix) -> NDArray[np.int64]:
    """Where a row of the matrix lies: byte offset and length in each block of columns."""
    table = [
        (block * matrix.rows * _BLOCK_BYTES, min(BLOCK, matrix.columns - block * BLOCK), 0)
        for block in range(matrix.blocks)
    ]
    return np.array(table, np.int64)
