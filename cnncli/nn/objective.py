"""What a training step minimises: a weighted sum of losses, each of one output of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.core import nn_jobs
from cnncli.errors import CnncliError
from cnncli.nn.elementwise import copy
from cnncli.nn.graph import Graph
from cnncli.nn.losses import Loss, checked_labels
from cnncli.nn.memory import Tensor
from cnncli.nn.schedule import Schedule

Floats = NDArray[np.float32]
Targets = NDArray[np.generic] | Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Term:
    """A loss of one output.

    Attributes
    ----------
    output : str
        Role of the output, as in `Graph.outputs`.
    loss : Loss
        Its mean over the batch is minimised.
    weight : float
        Factor of that mean in the sum, such as 0.3 for an auxiliary head.
    group : str
        Terms of one group have one mean, over all that counts in any of them: what a detector finds at its
        coarse scale counts as much as at its fine one. Empty: a mean of its own.
    """

    output: str
    loss: Loss
    weight: float = 1.0
    group: str = ""


class PlannedTerm:
    """A term with its arrays, planned for a batch size.

    Attributes
    ----------
    outputs : ndarray, shape (batch, K) or (batch, H, W, K), float32
        Of the last step.
    losses : ndarray, shape (batch,), float32
        Of each sample of the last step, summed over its pixels, before mean and weight.
    """

    def __init__(self, term: Term, graph: Graph, batch: int) -> None:
        self.term = term
        self.node = graph.output_of(term.output)
        self._shape = graph.shape_of(self.node)
        if self._shape.frames > 1:
            raise CnncliError(
                f"output {term.output!r} has {self._shape}; expected one answer for each clip",
                "Join the frames to clips before the output.",
            )
        height, width, channels = self._shape[:3]
        term.loss.check(channels)
        flat = (batch, channels) if height == width == 1 else (batch, height, width, channels)
        self._label_rows = term.loss.label_rows(channels)
        self._rows: Floats | None = None  # of targets, for steps that have no labels
        self._labels = np.zeros(flat[:-1] if self._label_rows is not None else 0, np.int64)
        self.losses = np.zeros(batch, np.float32)
        self.outputs = np.zeros(flat, np.float32)
        self._sums = np.zeros((batch, channels, nn_jobs.DICE_SUMS), np.float32)
        self._shift = term.loss.shift(channels)
        self._scale = 0.0

    def emit(self, schedule: Schedule) -> None:
        """Add the loss after the forward pass, and the gradient with which the backward pass starts."""
        out, loss = schedule.value(self.node), self.term.loss
        copy(schedule, out, Tensor(self._shape, external=self.outputs.ctypes.data))
        self._job = schedule.job(
            nn_jobs.LOSS,
            height=self._shape.height,
            width=self._shape.width,
            outputs=self._shape.channels,
            weighted=loss.weighted,
            losses=self.losses.ctypes.data,
            sums=self._sums.ctypes.data,
            shift=self._shift.ctypes.data,
            kind=loss.kind,
            alpha=loss.alpha,
            beta=loss.beta,
        )
        dx, add = schedule.gradient_target(self.node)
        own = Tensor(self._shape) if add else dx  # another term has written the gradient of this output
        tensors = {"x": out, "dx": own}
        if floats := loss.scratch_floats(self._shape.channels):
            tensors["work"] = schedule.chunk_scratch(floats)
        schedule.each_chunk(loss.loop, self._job, tensors)
        if add:
            copy(schedule, own, dx, add=True)

    def start(self, targets: Targets, samples: int) -> float:
        """Set the targets of a step; returns what the mean of this term alone divides by."""
        if isinstance(targets, Mapping):
            if self.term.output not in targets:
                raise CnncliError(
                    f"there are targets for {', '.join(targets) or 'nothing'}; expected some for "
                    f"{self.term.output!r}",
                    "Give targets for each output of the objective, or one array for all.",
                )
            targets = targets[self.term.output]
        loss, outputs = self.term.loss, self.outputs[:samples]
        if self._label_rows is None or targets.ndim == outputs.ndim:
            if self._rows is None:
                *shape, channels = self.outputs.shape
                self._rows = np.zeros((*shape, channels + loss.weighted), np.float32)
            self._read(self._rows, 0)
            return loss.prepare(targets, self._rows[:samples])
        labels = checked_labels(targets, outputs)
        self._labels[:samples] = labels
        self._read(self._label_rows[1:], self._labels.ctypes.data)
        self._job["beside"] = loss.beside(labels, outputs.shape[-1])
        return loss.weigh(labels, outputs.shape[-1])

    def _read(self, rows: Floats, labels: int) -> None:
        """Let the native loop read these rows of targets, in order, or by the labels at an address."""
        self._job["targets"], self._job["target_floats"] = rows.ctypes.data, rows.shape[-1]
        self._job["labels"] = labels

    def set_factor(self, factor: float) -> None:
        """Set the factor of each sample's loss in the mean, before the weight."""
        self._scale = self.term.weight * factor
        self._job["scale"] = self._scale

    def value(self, samples: int) -> float:
        """Weight times the mean loss of the last step."""
        return float(np.sum(self.losses[:samples], dtype=np.float64) * self._scale)


def start_all(terms: Sequence[PlannedTerm], targets: Targets, samples: int) -> None:
    """Set the targets of a step, and what the means divide by: of a group, by all that counts in it."""
    counts = [term.start(targets, samples) for term in terms]
    groups = [(term.term.group, 0 if term.term.group else at) for at, term in enumerate(terms)]
    for term, group in zip(terms, groups, strict=True):
        total = sum(count for count, each in zip(counts, groups, strict=True) if each == group)
        divisor = max(term.term.loss.least, total)
        term.set_factor(1 / divisor if divisor > 0 else 0.0)


def planned(objective: Sequence[Term], graph: Graph, batch: int) -> list[PlannedTerm]:
    """The terms of an objective, with their arrays.

    Raises
    ------
    CnncliError
        If there is none, a weight is no positive number, or an output is unknown or not as its loss takes it.
    """
    if not objective:
        raise CnncliError("an objective has no terms; expected one or more", "Give a loss for an output.")
    for term in objective:
        if not 0 < term.weight < float("inf"):
            raise CnncliError(
                f"the loss of {term.output!r} weighs {term.weight}; expected a number above 0",
                "Leave out terms that are not to count.",
            )
    return [PlannedTerm(term, graph, batch) for term in objective]
