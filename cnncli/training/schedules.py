"""What users write after ``--sched``: a schedule of the learning rate and its settings.

constant                        the rate as it is
cosine                          falls along half a cosine to 0
linear                          falls along a line to 0
one-cycle                       from a 25th up for 30 % of the run, then down to a 250,000th at its end
step                            a tenth after a half and after three quarters of the run
step:at=0.3/0.6/0.9,gamma=0.2   shares of the run, and what the rate is multiplied by there
cosine:warmup=2                 constant, cosine, linear or step after 2 epochs in which the rate rises from 0
one-cycle:warmup=2              rises for 2 epochs, then falls to the end of the run
"""

from collections.abc import Callable
from dataclasses import dataclass

from cnncli.errors import CnncliError
from cnncli.nn.schedules import SCHEDULES, Schedule

_ALIASES = {"onecycle": "one-cycle", "one_cycle": "one-cycle", "const": "constant", "none": "constant"}
_EXAMPLE = "Write it as in --sched cosine, --sched one-cycle:warmup=1 or --sched step:at=0.5/0.75,gamma=0.1."


@dataclass(frozen=True)
class Plan:
    """A schedule before the length of the run is known.

    Attributes
    ----------
    kind : str
        One of ``SCHEDULES``.
    warmup : float
        Epochs of warm-up.
    at : tuple of float
        Of step: shares of the run.
    gamma : float
        Of step: factor.
    """

    kind: str
    warmup: float = 0.0
    at: tuple[float, ...] = (0.5, 0.75)
    gamma: float = 0.1

    def schedule(self, epochs: int, batches: int) -> Schedule:
        """The schedule of a run of so many epochs of so many batches."""
        steps = max(1, epochs * batches)
        warm_up = min(steps, round(self.warmup * batches))
        return Schedule(self.kind, steps, warm_up, self.at, self.gamma)


def prolonged(plan: Plan, ends: tuple[int, ...], batches: int) -> Callable[[int], float]:
    """The factor of the rate by step, in a run that was prolonged once or several times.

    Each part of the run keeps the schedule that it had: the first epochs follow that of a run of
    ``ends[0]`` epochs to its end; those up to ``ends[1]`` have the rates that a run planned for ``ends[1]``
    epochs has there, and so on. So it does not matter when, before its end, a run is prolonged. A rate that
    had fallen to 0 rises again: to 81 % of the highest where ``one-cycle`` is made twice as long.

    Parameters
    ----------
    plan : Plan
        As ``--sched`` gives it.
    ends : tuple of int
        Epochs, rising; the last is the whole run.
    batches : int
        Steps of an epoch.
    """
    parts = [(end * batches, plan.schedule(end, batches)) for end in ends]

    def factor(step: int) -> float:
        schedule = next((part for end, part in parts if step < end), parts[-1][1])
        return schedule.factor(step)

    return factor


def parse_schedule(text: str) -> Plan:
    """Read what follows ``--sched``.

    Raises
    ------
    CnncliError
        For an unknown name or setting, or a number out of range.
    """
    name, colon, rest = text.strip().lower().partition(":")
    kind = _ALIASES.get(name.strip(), name.strip())
    if kind not in SCHEDULES:
        from cnncli.nearest import did_you_mean

        raise CnncliError(
            f"--sched is {text!r}; expected {', '.join(SCHEDULES)}", did_you_mean(kind, SCHEDULES, _EXAMPLE)
        )
    plan = Plan(kind)
    known = ("warmup", "at", "gamma") if kind == "step" else ("warmup",)
    for piece in rest.split(",") if colon else ():
        word, _, value = (part.strip() for part in piece.partition("="))
        if word not in known:
            raise CnncliError(
                f"--sched {text}: {kind} has no setting {word!r}; expected {', '.join(known)}", _EXAMPLE
            )
        plan = _with(plan, word, value, text)
    return plan


def _with(plan: Plan, word: str, value: str, text: str) -> Plan:
    try:
        numbers = tuple(float(each) for each in value.split("/"))
    except ValueError:
        raise CnncliError(f"--sched {text}: {word} is {value!r}; expected a number", _EXAMPLE) from None
    if word == "at":
        if not all(0 < number < 1 for number in numbers):
            raise CnncliError(
                f"--sched {text}: at is {value}; expected shares of the run between 0 and 1", _EXAMPLE
            )
        return Plan(plan.kind, plan.warmup, numbers, plan.gamma)
    low, high = (0.0, 1e6) if word == "warmup" else (0.0, 1.0)
    if len(numbers) != 1 or not low <= numbers[0] <= high:
        raise CnncliError(
            f"--sched {text}: {word} is {value}; expected a number from {low:g} to {high:g}", _EXAMPLE
        )
    if word == "warmup":
        return Plan(plan.kind, numbers[0], plan.at, plan.gamma)
    return Plan(plan.kind, plan.warmup, plan.at, numbers[0])
