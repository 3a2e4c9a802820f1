"""``python -m tests.benchmarks.scaling``: to two threads by the clock, and to 64 by a model of the split.

The model times every item of the work on one thread (tiles of a filter, phases of a network's step) and
replays how threads take them: the caller wakes one after the other before it begins, ranges are taken one at
a time, and the last range decides; a phase ends with its last task. To take a range costs what a cache line
takes from core to core, and so does a join for each thread. Every core is as fast as one is alone:
where memory is the limit, more cores reach it earlier.
"""

import functools
import heapq
import sys
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from cnncli.core import native
from cnncli.core.program import Program
from cnncli.core.threads import _ranges
from cnncli.core.workers import WorkerThreads
from cnncli.filters.borders import Border
from cnncli.filters.options import Options
from cnncli.filters.run import run_filter
from cnncli.filters.spec import parse_spec
from cnncli.nn import Inference

from . import filters
from .networks import RATE, WORKS, training_step

THREADS = (2, 4, 8, 16, 32, 64)
BEST_OF = 5
LASTING = 0.1  # seconds of what the clock measures: threads find their cores meanwhile
HELPERS = 16  # that are woken to measure how long it takes
HOP = 0.1e-6  # seconds that a shared line takes from one core to the next
FILTERS = {
    "any kernel 3x3": filters.weights_of_any_kernel(3),
    "any kernel 31x31": filters.weights_of_any_kernel(31),
    "Gaussian, sigma 1": "gaussian:sigma=1,size=7",
    "Gaussian, sigma 5": "gaussian:sigma=5,size=31",
    "median 5x5": "median:size=5",
}
NETWORKS = {
    "LeNet-5, step of 128": ("LeNet-5", 128, True),
    "LeNet-5, step of 1024": ("LeNet-5", 1024, True),
    "ResNet-20, step of 128": ("ResNet-20", 128, True),
    "ResNet-20, one image": ("ResNet-20", 1, False),
    "ResNet-20, batch of 128": ("ResNet-20", 128, False),
    "ResNet-18 at 224, one image": ("ResNet-18 at 224", 1, False),
}


def main() -> int:
    """Print the table."""
    print("| work | one thread | two | " + " | ".join(f"{n}, model" for n in THREADS) + " |")
    print("| --- |" + " --- |" * (len(THREADS) + 2))
    for name, filter in FILTERS.items():
        _print(name + ", 11 MP u8 gray", *_filter(filter))
    for name, (model, batch, learns) in NETWORKS.items():
        _print(name, *_network(model, batch, learns))
    return 0


def _print(name: str, measured: Callable[[int], float], modelled: Callable[[int], float]) -> None:
    one = measured(1)
    cells = [f"{1000 * one:.3g} ms", f"{one / measured(2):.2f}x"]
    base = modelled(1)
    cells += [f"{base / modelled(threads):.1f}x" for threads in THREADS]
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def least(function: Callable[[], object], times: int = BEST_OF, *, lasting: float = 0.0) -> float:
    """The least seconds of several calls, of as many as last so many seconds together at least."""

    def once() -> float:
        start = perf_counter()
        function()
        return perf_counter() - start

    function()
    found = [once() for _ in range(times)]
    while sum(found) < lasting:
        found.append(once())
    return min(found)


def _filter(what: Any) -> tuple[Callable[[int], float], Callable[[int], float]]:
    filter = parse_spec(what) if isinstance(what, str) else filters._linear(what)
    source = filters.image("u8 gray")
    border = "replicate" if "median" in filter.name else "reflect101"
    surface = filters.surface_for(filter, source, source.dtype, border=border)
    options = Options(correlate=True, border=Border(border))
    run = functools.partial(run_filter, filter, surface, options)

    def modelled(threads: int) -> float:
        return sum(split(items, threads, wake=_wake(), take=HOP) for items in _items(run, threads))

    return lambda threads: least(lambda: run(threads=threads), lasting=LASTING), modelled


def _items(run: Callable[..., object], threads: int) -> list[list[float]]:
    """Seconds of each item of the native runs of a filter that is asked to use so many threads."""
    found: list[list[float]] = []
    before = native.run

    def timed(name: str, job: Any, count: int, *, threads: int, scratch_bytes: int = 0) -> Any:
        function, scratch = native.native_function(name), native.aligned_zeros(scratch_bytes)
        address = job.ctypes.data
        items = [
            least(lambda item=item: function(address, scratch.ctypes.data, item, item + 1), 3)
            for item in range(count)
        ]
        found.append(items)
        return [scratch]

    modules = [each for each in sys.modules.values() if getattr(each, "run", None) is before]
    for module in modules:
        module.run = timed  # type: ignore[attr-defined]
    try:
        run(threads=threads)
    finally:
        for module in modules:
            module.run = before  # type: ignore[attr-defined]
    return found


class _Idle:
    """Work that is done at once."""

    def work(self, worker: int) -> None:
        """Nothing."""


@functools.cache
def _wake() -> float:
    """Seconds of the caller to wake a helper."""
    helpers, idle = WorkerThreads(HELPERS), _Idle()
    return least(lambda: helpers.call(idle, "work")) / HELPERS


def split(items: Sequence[float], threads: int, *, wake: float, take: float) -> float:
    """Seconds until threads that take ranges of items are done with them, as `native.run` has it."""
    workers, line = min(threads, len(items)), 0.0
    sums = np.concatenate(([0.0], np.cumsum(items)))
    free = [wake * number for number in range(1, workers)]  # when each thread is, and then the caller
    free.append(wake * (workers - 1))
    for lo, hi in _ranges(len(items), workers):
        now = heapq.heappop(free)
        line = max(now, line) + (workers > 1) * take
        heapq.heappush(free, line + float(sums[hi] - sums[lo]))
    return max(free)


def _network(model: str, batch: int, learns: bool) -> tuple[Callable[[int], float], Callable[[int], float]]:
    work = WORKS[model]
    network, (images, labels) = work.network(), work.images(batch)

    def made(threads: int) -> tuple[Program, Callable[[], object]]:
        if learns:
            step = training_step(network, batch, threads)
            return step._program, lambda: step.run(images, labels, rate=RATE)
        inference = Inference(network, batch, threads=threads)
        return inference._program, lambda: inference.run(images)

    def modelled(threads: int) -> float:
        program, run = made(threads)
        program.threads = 1  # on which its tasks for so many threads are timed
        run()
        return joined(phases(program, batch), threads)

    return lambda threads: least(made(threads)[1], lasting=LASTING), modelled


def phases(program: Program, samples: int) -> list[tuple[int, float]]:
    """Tasks of each phase of a step, and the seconds that one thread takes for them."""
    program.run(samples)
    counts = [int(count) for count in program._phases["count"][: program._phase_count]]
    place, function = program._place[0], program._function

    def once(phase: int) -> float:
        program._counters[:] = 0
        place[0], place[1], program._after[0] = phase, program._turn, phase + 1
        start = perf_counter()
        function(program._address, program._scratch_addresses[0], 0, 0)
        return perf_counter() - start

    program._gate[0] = program._turn
    times = [[once(phase) for phase in range(len(counts))] for _ in range(BEST_OF)]
    program._gate[0] = 0
    return list(zip(counts, np.min(times, axis=0).tolist(), strict=True))


def joined(phases: Sequence[tuple[int, float]], threads: int) -> float:
    """Seconds of a step whose phases have so many equally long tasks each, and end with their last."""
    total = 0.0
    for tasks, seconds in phases:
        workers = min(threads, tasks)
        total += seconds * -(-tasks // workers) / tasks + (threads > 1) * HOP * (threads + tasks)
    return total


if __name__ == "__main__":
    sys.exit(main())
