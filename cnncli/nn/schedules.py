"""Learning rate schedules, as factors of the base learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cnncli.errors import CnncliError

ONE_CYCLE_RISE = 0.3  # fraction of a run in which the learning rate rises …
ONE_CYCLE_START = 1 / 25  # … from this factor to 1 …
ONE_CYCLE_END = ONE_CYCLE_START / 10_000  # … before it falls to this, in the last step
SCHEDULES = ("constant", "step", "cosine", "linear", "one-cycle")


@dataclass(frozen=True)
class Schedule:
    """A learning rate schedule.

    Attributes
    ----------
    kind : {"constant", "step", "cosine", "linear", "one-cycle"}
        ``step`` multiplies the learning rate by ``gamma`` after each of ``milestones``; ``cosine`` lowers it
        along half a cosine to 0, which the step after the last would reach, and ``linear`` along a line;
        ``one-cycle`` first raises it from 1/25 (Smith 2018), and ends at 1/250,000 in the last step. As
        PyTorch's ``MultiStepLR``, ``CosineAnnealingLR``, ``LinearLR`` to 0 and ``OneCycleLR`` with their
        defaults.
    steps : int
        Of the whole run.
    warm_up : int
        Steps of linear warm-up from 0, before the schedule starts. For ``one-cycle`` it is the length of
        its own rise, which otherwise takes 30 % of the steps.
    milestones : tuple of float, 0 to 1
        Fractions of the run after which ``step`` lowers the learning rate.
    gamma : float
        Factor of each such step.
    """

    kind: str
    steps: int
    warm_up: int = 0
    milestones: tuple[float, ...] = (0.5, 0.75)
    gamma: float = 0.1

    def __post_init__(self) -> None:
        if self.kind not in SCHEDULES:
            raise CnncliError(
                f"the schedule is {self.kind!r}; expected one of {', '.join(SCHEDULES)}",
                "Use cosine unless there is a reason for another.",
            )
        if self.steps < 1 or not 0 <= self.warm_up <= self.steps:
            raise CnncliError(
                f"a schedule of {self.steps} steps with {self.warm_up} of warm-up; "
                "expected at least one step, and no more warm-up than steps",
                "Train for more epochs, or with less warm-up.",
            )

    def factor(self, step: int) -> float:
        """Factor of the learning rate at a step, counted from 0."""
        if self.kind == "one-cycle":
            return self._one_cycle(step)
        if step < self.warm_up:
            return (step + 1) / self.warm_up
        done = min(1.0, (step - self.warm_up) / max(1, self.steps - self.warm_up))
        if self.kind == "step":
            return self.gamma ** sum(done >= milestone for milestone in self.milestones)
        if self.kind == "cosine":
            return _cosine(1.0, 0.0, done)
        return 1.0 - done if self.kind == "linear" else 1.0

    def _one_cycle(self, step: int) -> float:
        """One rise and one fall, each along half a cosine; the first and the last step are its end points.

        Source: PyTorch's ``OneCycleLR`` with its defaults, step by step.
        """
        fraction = self.warm_up / self.steps if self.warm_up else ONE_CYCLE_RISE
        top, last = fraction * self.steps - 1, self.steps - 1
        if step <= top:
            return _cosine(ONE_CYCLE_START, 1.0, step / top if top > 0 else 1.0)
        if last <= max(top, 0):
            return 1.0
        return _cosine(1.0, ONE_CYCLE_END, min(1.0, (step - max(top, 0)) / (last - max(top, 0))))


def _cosine(start: float, end: float, fraction: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2
