"""Ratios that a noisy machine cannot spoil: paired, interleaved repeats and their median."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter, process_time, sleep

from .model import Case, Clock, Contest, Cost, Measured, Row

LEAST, MOST = 5, 41  # repeats
MEMORY_REPEATS = 2
SETTLE, SETTLE_MOST = 0.02, 50  # seconds without work, and how often at most to wait for them


def timed(function: Callable[[], object]) -> Callable[[], Cost]:
    """A function that is timed within this process, which does nothing else."""

    def measure() -> Cost:
        wall, cpu = perf_counter(), process_time()
        function()
        return Cost(perf_counter() - wall, process_time() - cpu)

    return measure


def settle() -> None:
    """Wait until no thread of this process runs.

    Thread pools keep spinning after their work is done, ONNX Runtime's for 50 ms, on a core that the next
    entrant needs: ResNet-18 on two cores seemed to take 15.6 ms instead of 10.3.
    """
    for _ in range(SETTLE_MOST):
        before = process_time()
        sleep(SETTLE)
        if process_time() - before < SETTLE / 10:
            return


def timed_block(function: Callable[[], object], *, seconds: float = 0.1) -> Callable[[], Cost]:
    """A function that is called several times in a row, and what one call takes.

    It waits for the threads of the entrant before to fall asleep, and a first call that does not count wakes
    its own.
    """
    times = 0

    def measure() -> Cost:
        nonlocal times
        settle()
        start = perf_counter()
        function()
        if not times:
            once = perf_counter() - start
            start = perf_counter()
            function()
            times = max(1, round(seconds / min(once, perf_counter() - start)))
        wall, cpu = perf_counter(), process_time()
        for _ in range(times):
            function()
        return Cost((perf_counter() - wall) / times, (process_time() - cpu) / times)

    return measure


def measure_case(case: Case, *, seconds: float, least: int = LEAST, clock: Clock = "wall") -> Row:
    """Measure one row.

    Parameters
    ----------
    case : Case
        What to measure.
    seconds : float
        Repeat for about so long …
    least : int
        … but at least so often.
    clock : str
        What ratios compare: ``wall``, or ``cpu`` on a machine that others use as well.

    Returns
    -------
    Row
        Costs are medians. A ratio is the median over repeats of peer by ours within a repeat, where
        both ran one after the other, in turns first and last.
    """
    contest = case.prepare()
    start = perf_counter()
    for measure in (contest.ours, *contest.peers.values()):  # compile, fill caches, touch memory
        measure()
    once = perf_counter() - start
    differences = contest.compare()
    repeats = max(least, min(MOST, int(seconds / once)))
    if case.clock == "memory":  # which hardly differs from one process to the next
        repeats = MEMORY_REPEATS
    limits = [contest.limit()] if contest.limit else []
    ours, peers = _repeat(contest, repeats)
    if contest.limit:  # again, as others may have been busy for a moment
        limits.append(contest.limit())
    limit = min(limits, key=lambda limit: limit.seconds, default=None)
    measured = [
        summarise(name, ours, costs, clock=case.clock or clock, difference=differences.get(name, ""))
        for name, costs in peers.items()
    ]
    return Row(case, typical(ours), tuple(measured), contest.missing, repeats, limit=limit)


def _repeat(contest: Contest, repeats: int) -> tuple[list[Cost], dict[str, list[Cost]]]:
    ours: list[Cost] = []
    peers: dict[str, list[Cost]] = {name: [] for name in contest.peers}
    entrants = [(ours, contest.ours), *((peers[name], measure) for name, measure in contest.peers.items())]
    for repeat in range(repeats):
        for costs, measure in entrants if repeat % 2 == 0 else reversed(entrants):
            costs.append(measure())
    return ours, peers


def summarise(
    name: str, ours: Sequence[Cost], peer: Sequence[Cost], *, clock: Clock = "wall", difference: str = ""
) -> Measured:
    """A peer's costs beside ours, repeat by repeat."""
    ratios = [getattr(theirs, clock) / getattr(own, clock) for own, theirs in zip(ours, peer, strict=True)]
    return Measured(name, typical(peer), median(ratios), min(ratios), max(ratios), difference)


def typical(costs: Sequence[Cost]) -> Cost:
    """The medians of time, the largest of memory."""
    memory = [cost.memory for cost in costs if cost.memory is not None]
    return Cost(
        median(cost.wall for cost in costs),
        median(cost.cpu for cost in costs),
        max(memory) if memory else None,
    )


class Launcher:
    """Runs commands as processes and measures them; a context manager."""

    def __enter__(self) -> "Launcher":
        self._folder = tempfile.TemporaryDirectory(prefix="cnncli-launcher-")
        self._stderr = Path(self._folder.name) / "stderr"
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("launcher.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()

    def cost(
        self, argv: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Cost:
        """Run a command to its end, without input and with its output thrown away.

        Raises
        ------
        RuntimeError
            If it fails; with what it wrote to standard error.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        program = shutil.which(argv[0])
        if program is None:
            raise RuntimeError(f"{argv[0]} is not there")
        request = {
            "argv": [program, *map(str, argv[1:])],
            "cwd": str(cwd or Path.cwd()),
            "env": {**_environment(), **(env or {})},
            "stderr": str(self._stderr),
        }
        print(json.dumps(request), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        if answer["status"]:
            what = " ".join(map(str, argv))[:200]
            why = self._stderr.read_text(errors="replace")[-500:]
            raise RuntimeError(f"{what}: exit code {answer['status']}: {why}")
        return Cost(answer["wall"], answer["cpu"], answer["memory"])


def _environment() -> dict[str, str]:
    """This environment, in which Python keeps compiled modules as it does for users."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
