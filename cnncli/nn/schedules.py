"""How the learning rate changes over a run, as a factor of the rate that was asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cnncli.errors import CnncliError

ONE_CYCLE_RISE = 0.3  # share of a run in which the rate rises …
ONE_CYCLE_START = 1 / 25  # … from this factor to 1 …
ONE_CYCLE_END = ONE_CYCLE_START / 10_000  # … before it falls to this, in the last step
SCHEDULES = ("constant", "step", "cosine", "one-cycle")


@dataclass(frozen=True)
class Schedule:
    """Learning rate by step.

    Attributes
    ----------
    kind : {"constant", "step", "cosine", "one-cycle"}
        ``step`` multiplies the rate by ``gamma`` after each of ``milestones``; ``cosine`` lets it fall
        along half a cosine to 0, which it would reach in the step after the last; ``one-cycle`` first raises
        it from a 25th (Smith 2018), and ends with a 250,000th in the last step. As PyTorch's ``MultiStepLR``,
        ``CosineAnnealingLR`` and ``OneCycleLR`` by their defaults.
    steps : int
        Of the whole run.
    warm_up : int
        Steps in which the rate rises from 0 in a straight line, before the schedule starts. Those of
        ``one-cycle`` are its own rise, which otherwise takes 30 % of the steps.
    milestones : tuple of float, 0 to 1
        Shares of the run after which ``step`` lowers the rate.
    gamma : float
        By how much.
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
                "Say cosine where there is no reason for another.",
            )
        if self.steps < 1 or not 0 <= self.warm_up <= self.steps:
            raise CnncliError(
                f"a schedule of {self.steps} steps with {self.warm_up} of warm-up; "
                "expected at least one step, and no more warm-up than steps",
                "Train for more epochs, or with less warm-up.",
            )

    def factor(self, step: int) -> float:
        """Factor of the rate at a step, counted from 0."""
        if self.kind == "one-cycle":
            return self._one_cycle(step)
        if step < self.warm_up:
            return (step + 1) / self.warm_up
        done = min(1.0, (step - self.warm_up) / max(1, self.steps - self.warm_up))
        if self.kind == "step":
            return self.gamma ** sum(done >= milestone for milestone in self.milestones)
        if self.kind == "cosine":
            return _cosine(1.0, 0.0, done)
        return 1.0

    def _one_cycle(self, step: int) -> float:
        """One rise and one fall, each along half a cosine; the first and the last step have its ends.

        Source: PyTorch's ``OneCycleLR`` with its defaults, step by step.
        """
        share = self.warm_up / self.steps if self.warm_up else ONE_CYCLE_RISE
        top, last = share * self.steps - 1, self.steps - 1
        if step <= top:
            return _cosine(ONE_CYCLE_START, 1.0, step / top if top > 0 else 1.0)
        if last <= max(top, 0):
            return 1.0
        return _cosine(1.0, ONE_CYCLE_END, min(1.0, (step - max(top, 0)) / (last - max(top, 0))))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
