"""Rows of a table that a step has a gradient for: those of the words of its batch; others are 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core import nn_jobs
from cnncli.core.choices import PIECE_ROWS
from cnncli.nn.layer import BLOCK, Parameter

if TYPE_CHECKING:
    from cnncli.nn.schedule import Schedule

_TASKS = 64  # at most, among which rows are divided


class ListedRows:
    """Which rows of a table occur in a batch and where, and the record of the loop that goes by that list.

    Attributes
    ----------
    name : str
        Of the table, such as ``embedding.weight``.
    tasks : int
        Calls of the loop, which gives each an equal part of the rows.
    """

    def __init__(self, schedule: Schedule, node: str, table: Parameter, *, words: int) -> None:
        self.name = f"{node}.weight"
        self.tasks = min(_TASKS, -(-table.rows // PIECE_ROWS))
        self._network, self._table, self._words = schedule.network, table, words
        most = schedule.chunks.batch * words
        self._listed: NDArray[Any] = schedule.hold(np.zeros(1 + most, np.int64))
        self._starts: NDArray[Any] = schedule.hold(np.zeros(1 + most, np.int64))
        self._places: NDArray[Any] = schedule.hold(np.zeros(max(1, most), np.int64))
        self._schedule = schedule

    def sums_job(self, *, floats: int) -> NDArray[np.void]:
        """The record of ``embed_sums``."""
        return self._schedule.job(
            nn_jobs.EMBED_SUMS,
            floats=floats,
            gradient=self._network.gradient_address(self.name),
            pitch=4 * BLOCK * self._table.blocks,
            listed=self._listed.ctypes.data,
            starts=self._starts.ctypes.data,
            places=self._places.ctypes.data,
            words=self._words,
            tasks=self.tasks,
            squares=self._schedule.squares_address(self.name),
        )

    def start(self, texts: NDArray[np.float32]) -> None:
        """List the rows of a batch (n, 1, T, 1), and clear the gradients of those that the last one had."""
        last = self._network.touched.get(self.name, self._listed[:0])
        first, after = self._network.row_range(self.name)
        gradient = self._network.gradient[first * BLOCK : after * BLOCK].reshape(self._table.shape[0], -1)
        gradient[last] = 0
        flat = texts.reshape(-1)
        places = np.flatnonzero(flat)
        numbers = flat[places].astype(np.int64)
        order = np.argsort(numbers, kind="stable")
        numbers = numbers[order]
        starts = np.flatnonzero(np.diff(numbers, prepend=0))
        self._listed[0] = starts.size
        self._listed[1 : 1 + starts.size] = numbers[starts]
        self._starts[: starts.size] = starts
        self._starts[starts.size] = numbers.size
        self._places[: places.size] = places[order]
        self._network.touched[self.name] = numbers[starts]
