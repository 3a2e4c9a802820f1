"""What a row of the table is: a contest between ours and the peers, and what came out of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Cost:
    """What one run took: seconds on the clock, seconds of all cores, largest memory in bytes."""

    wall: float
    cpu: float
    memory: int | None = None


SHARE = 0.9  # of the limit: the goal where a row's own lies beyond it
Clock = Literal["wall", "cpu", "memory"]
Measure = Callable[[], Cost]


@dataclass(frozen=True)
class Goal:
    """What is to be reached.

    Attributes
    ----------
    ratio : float or None
        Ours over every peer: the peer's time (or memory) by ours, at least.
    seconds : float or None
        Our time, at most.
    """

    ratio: float | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        parts = [f"{self.ratio:.3g}x"] if self.ratio is not None else []
        parts += [f"{self.seconds:g} s"] if self.seconds is not None else []
        return ", ".join(parts) or "-"


@dataclass(frozen=True)
class Limit:
    """The least seconds that a row can take on this machine, and why."""

    seconds: float
    why: str


@dataclass(frozen=True)
class Contest:
    """Ours and the peers, ready to run.

    Attributes
    ----------
    ours : callable
        Does the work once and says what it took.
    peers : mapping of str to callable
        The same for each peer, by name.
    compare : callable
        After all have run once: for each peer whose result can be compared, the difference in words
        ("" where it is the same within one level).
    missing : tuple of str
        Peers that are not here.
    limit : callable or None
        Measures what this machine allows at best.
    """

    ours: Measure
    peers: Mapping[str, Measure]
    compare: Callable[[], Mapping[str, str]] = dict
    missing: tuple[str, ...] = ()
    limit: Callable[[], Limit] | None = None


@dataclass(frozen=True)
class Case:
    """A row to measure. Rows of one group and work differ in their variant, such as ``u8 gray``.

    Attributes
    ----------
    group, work, variant : str
        Its name, and its place in the table.
    goal : Goal
        What is to be reached.
    prepare : callable
        Gives the contest, or raises where the entrants do not do the same work.
    images : int
        How many a run goes through, where the table is to say how many a second; else 0.
    clock : str or None
        What its ratio compares, whatever was asked for.
    """

    group: str
    work: str
    variant: str
    goal: Goal
    prepare: Callable[[], Contest]
    images: int = 0
    clock: Clock | None = None

    @property
    def name(self) -> str:
        """What ``--only`` is matched with."""
        return f"{self.group}: {self.work}, {self.variant}" if self.variant else f"{self.group}: {self.work}"


@dataclass(frozen=True)
class Measured:
    """One peer in one row: its median cost, and the ratio to ours over the repeats."""

    peer: str
    cost: Cost
    ratio: float
    low: float
    high: float
    difference: str = ""


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    case: Case
    ours: Cost | None = None
    peers: tuple[Measured, ...] = ()
    missing: tuple[str, ...] = ()
    repeats: int = 0
    fault: str = ""
    limit: Limit | None = None

    @property
    def goal(self) -> Goal:
        """The case's, or `SHARE` of what the limit allows where that is less."""
        goal, fastest = self.case.goal, self.fastest
        if self.limit is None:
            return goal
        ratio, seconds = goal.ratio, goal.seconds
        if ratio is not None and fastest is not None:
            ratio = min(ratio, SHARE * fastest.cost.wall / self.limit.seconds)
        if seconds is not None:
            seconds = max(seconds, self.limit.seconds / SHARE)
        return Goal(ratio, seconds)

    def share(self, cost: Cost) -> float:
        """Of the limit, that an entrant reaches."""
        assert self.limit is not None
        return self.limit.seconds / cost.wall

    @property
    def fastest(self) -> Measured | None:
        """The peer that is hardest to beat."""
        return min(self.peers, key=lambda peer: peer.ratio, default=None)

    @property
    def verdict(self) -> str:
        """``ok``, ``short``, or ``failed`` where ours did not run."""
        if self.ours is None:
            return "failed"
        goal, fastest = self.goal, self.fastest
        short = goal.seconds is not None and self.ours.wall > goal.seconds
        if goal.ratio is not None and fastest is not None:
            short = short or fastest.ratio < goal.ratio
        elif goal.ratio is not None:
            return "no peer"
        return "short" if short else "ok"
