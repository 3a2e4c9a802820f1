"""Layers that read their input in another order: slices, transpositions, repetitions and paddings.

Networks from elsewhere write these as operators of their own, and each of them is one of two: values a fixed
step apart (`View`), or those of listed rows, columns and channels (`Take`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import nn_jobs
from cnncli.errors import CnncliError
from cnncli.nn.elementwise import copy
from cnncli.nn.graph import Shape
from cnncli.nn.layer import Layer, refuse_flattened
from cnncli.nn.memory import Tensor
from cnncli.nn.window import Window, whole

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.fusion import Stage

Places = NDArray[np.int64]
Steps = tuple[tuple[int, int], ...]
Lines = tuple[int, ...]


class Rearrangement(Layer):
    """A layer whose output at pixel p and channel c is its input at ``outer[p] + inner[c]``."""

    fill: float = 0.0

    def tables(self, x: Shape) -> tuple[Places, Places]:
        """Places in the input, in values, of each output pixel and channel; below 0: ``fill``."""
        raise NotImplementedError

    def window(self, x: Shape) -> Window:
        """Any place."""
        return whole(x.height, x.width)

    def forward(self, plan: Emit, node: Stage) -> None:
        """One pass over the output."""
        x, y = plan.value(node.inputs[0]), plan.value(node.name)
        if x.halo != (0, 0):
            dense = Tensor(x.shape)
            copy(plan, x, dense)
            x = dense
        plan.each_chunk("take", self._job(plan, node), {"x": x, "y": y})

    def backward(self, plan: Emit, node: Stage) -> None:
        """Sums of what was read from each place."""
        dy = plan.gradient(node.name)
        dx, add = plan.gradient_target(node.inputs[0])
        dense = dx if dx.halo == (0, 0) and not add else Tensor(dx.shape)
        plan.each_chunk("take_backward", self._job(plan, node), {"x": dense, "y": dy})
        if dense is not dx:
            copy(plan, dense, dx, add=add)

    def _job(self, plan: Emit, node: Stage) -> NDArray[np.void]:
        x, y = node.input_shapes[0], node.shape
        outer, inner = self.tables(x)
        runs = inner[0] >= 0 and np.array_equal(inner, inner[0] + np.arange(len(inner)))
        return plan.job(
            nn_jobs.TAKE,
            height=y.height,
            width=y.width,
            channels=y.channels,
            outer=plan.constant(4 * outer.ravel()),
            inner=plan.constant(4 * inner),
            run=bool(runs),
            size=x.size,
            fill=self.fill,
        )


@dataclass(frozen=True)
class View(Rearrangement):
    """Values of the input in other rows, columns and channels, as NumPy's ``as_strided`` has them.

    Attributes
    ----------
    start : int
        Place of the first value; places count the input's values, row by row, pixel by pixel.
    rows, columns, channels : tuple of (count, step)
        Along each axis of the output, from the slowest to the fastest: so many values, each this many places
        after the one before. A step of 0 repeats.
    """

    start: int
    rows: Steps
    columns: Steps
    channels: Steps

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """The products of the counts."""
        refuse_flattened(inputs[0], "a view")
        counts = [count for axis in (self.rows, self.columns, self.channels) for count, _ in axis]
        if min(counts, default=1) < 1:
            raise CnncliError(f"{self} has a count below 1", "Mend its counts.")
        moves = [
            (count - 1) * step for axis in (self.rows, self.columns, self.channels) for count, step in axis
        ]
        first = self.start + sum(move for move in moves if move < 0)
        last = self.start + sum(move for move in moves if move > 0)
        if first < 0 or last >= inputs[0].size:
            raise CnncliError(
                f"a view reads the places {first} to {last} of {inputs[0]}; expected 0 to "
                f"{inputs[0].size - 1}",
                "Mend its steps.",
            )
        height, width, channels = (
            prod(count for count, _ in axis) for axis in (self.rows, self.columns, self.channels)
        )
        return Shape(height, width, channels)

    def tables(self, x: Shape) -> tuple[Places, Places]:
        """Sums of steps."""
        rows, columns, channels = (_strided(axis) for axis in (self.rows, self.columns, self.channels))
        # Parts may be negative, sums are not; those below 0 would be filled.
        lowest = int(channels.min())
        outer = self.start + lowest + rows[:, None] + columns[None, :]
        return outer, channels - lowest


def _strided(axis: Steps) -> Places:
    places = np.zeros(1, np.int64)
    for count, step in axis:
        places = (places[:, None] + step * np.arange(count)).ravel()
    return places


@dataclass(frozen=True)
class Take(Rearrangement):
    """Rows, columns and channels of the input by their numbers, in any order: gathers, and paddings.

    Attributes
    ----------
    rows, columns, channels : tuple of int
        Numbers from 0, or -1 for a line of ``fill``; none: all, as they are.
    fill : float
        What is beyond the input.
    """

    rows: Lines = ()
    columns: Lines = ()
    channels: Lines = ()
    fill: float = 0.0

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """As many as are named."""
        refuse_flattened(inputs[0], "a choice of lines")
        for name, lines, size in zip(
            ("rows", "columns", "channels"),
            (self.rows, self.columns, self.channels),
            inputs[0][:3],
            strict=True,
        ):
            if lines and not (min(lines) >= -1 and max(lines) < size):
                raise CnncliError(
                    f"{name} {min(lines)} to {max(lines)} are taken of {size}; expected numbers from 0 to "
                    f"{size - 1}, or -1",
                    "Mend the numbers.",
                )
        height, width, channels = (
            len(lines) or size
            for lines, size in zip((self.rows, self.columns, self.channels), inputs[0][:3], strict=True)
        )
        return Shape(height, width, channels)

    def tables(self, x: Shape) -> tuple[Places, Places]:
        """Numbers times the size of a line."""
        rows, columns, channels = (
            np.asarray(lines or range(size), np.int64)
            for lines, size in zip((self.rows, self.columns, self.channels), x[:3], strict=True)
        )
        outer = (rows * x.width)[:, None] + columns[None, :]
        outer = np.where((rows < 0)[:, None] | (columns < 0)[None, :], -1, outer * x.channels)
        return outer, channels
