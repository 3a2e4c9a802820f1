"""The calls of Muon's step for matrices of weights, all matrices of a network side by side.

A stage needs all of the one before it, so each is a phase: the start, the products of columns and their norm,
those of every iteration, the product with the matrix, the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native, nn_jobs
from cnncli.core.choices import MIN_PART_WORK, PIECE_ROWS
from cnncli.core.nn_jobs import ORTHOGONAL_STAGES
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

    def tasks(self, record: NDArray[np.void]) -> list[tuple[int, int]]:
        """Items of a stage for each task."""
        stage, length = ORTHOGONAL_STAGES[int(record["stage"][0])], int(record["length"][0])
        if stage in ("start", "end"):
            return pieces(self.parameter.blocks * self.parameter.taps, PIECE_ROWS)
        if stage == "normalise":
            return pieces(self.blocks * self.columns, PIECE_ROWS)
        if stage == "multiply":
            tiles = self.blocks * -(-self.rows // ROWS)
        else:  # symmetric: of each block those tiles that do not start below its values of the diagonal
            ends = (min((block + 1) * BLOCK, self.columns) for block in range(self.blocks))
            tiles = sum(-(-end // ROWS) for end in ends)
        return pieces(tiles, max(1, MIN_PART_WORK // (ROWS * BLOCK * length)))


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
    made = [list(_records(schedule, optimiser, each, common)) for each in matrices]
    for records in zip(*made, strict=True):
        schedule.barrier()
        for matrix, record in zip(matrices, records, strict=True):
            schedule.whole("orthogonal", record, matrix.tasks(record))
    return [records[-1] for records in made]


def _records(
    schedule: Schedule, optimiser: Muon, matrix: Matrix, common: dict[str, float]
) -> Iterator[NDArray[np.void]]:
    """The records of a matrix, one for each phase."""

    def memory(rows: int) -> int:
        size = matrix.blocks * rows * _BLOCK_BYTES + _BLOCK_BYTES
        return int(schedule.hold(native.aligned_zeros(size)).ctypes.data)

    values: dict[str, Any] = {
        **common,
        **matrix.at._asdict(),
        "taps": matrix.parameter.taps,
        "outputs": matrix.parameter.outputs,
        "turned": matrix.turned,
        "rows": matrix.rows,
        "columns": matrix.columns,
        "blocks": matrix.blocks,
        "segments": schedule.constant(_segments(matrix)),
        **dict(zip("abc", optimiser.coefficients, strict=True)),
        "momentum": optimiser.momentum,
        "decay": optimiser.weight_decay,
        "scale": optimiser.scale(matrix.rows),
    }

    def record(stage: str, left: int = 0, right: int = 0, **more: int) -> NDArray[np.void]:
        number = ORTHOGONAL_STAGES.index(stage)
        more = {"length": matrix.columns, "left": left, "right": right, **more}
        return schedule.job(nn_jobs.ORTHOGONAL, stage=number, **values, **more)

    x, y = memory(matrix.rows), memory(matrix.rows)
    gram, a, half, p, q, other = (memory(matrix.columns) for _ in range(6))
    yield record("start", x=x)
    yield record("product", x, x, out=gram, length=matrix.rows)
    yield record("normalise", gram, out=a)
    yield record("polynomial", a, a, out=q)  # all that the matrix is to be multiplied by, so far
    last = q
    for _ in range(1, optimiser.iterations):
        yield record("product", a, last, out=half)
        yield record("product", half, last, out=a)
        yield record("polynomial", a, a, out=p)
        yield record("product", q, p, out=other)
        q, other, last = other, q, p
    yield record("multiply", x, q, out=y)
    yield record("end", gram, x=y)


def _segments(matrix: Matrix) -> NDArray[np.int64]:
    """Where a row of the matrix lies: byte offset and length in each block of columns."""
    table = [
        (block * matrix.rows * _BLOCK_BYTES, min(BLOCK, matrix.columns - block * BLOCK), 0)
        for block in range(matrix.blocks)
    ]
    return np.array(table, np.int64)
