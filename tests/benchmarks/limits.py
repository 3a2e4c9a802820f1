"""The limit of each row: what it has to move and to multiply, and how fast this machine does just that.

Both are measured beside the row, with as many threads and the same instructions. Nothing can be faster than
the slower of the two; that they overlap entirely is assumed, so what is reached is at least the share shown.
"""

import ctypes
import functools
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnncli.core import linker, native
from cnncli.core.heap import aligned_empty
from cnncli.core.threads import spread

from .amounts import Amount
from .model import Limit
from .timing import Launcher

LOOPS = "tests.benchmarks.peak_loops"
SECONDS, BEST_OF = 0.004, 5  # of a measurement
LARGEST = 1 << 28  # bytes that are moved to measure: what is more takes as long a byte
FACTOR = 0.9999  # of the multiply-adds, so that they stay numbers
Loop = Callable[[int, int, int, int], None]
_peaks: dict[int, float] = {}  # the best so far, by threads: what else runs can only lower it


def limit_of(amount: Amount, threads: int) -> Limit:
    """The limit of an amount of work on this machine: memory as measured now, the best peak of the run."""
    moving = move_seconds(amount.reads, amount.writes, threads)
    _peaks[threads] = max(_peaks.get(threads, 0.0), peak(threads))
    multiplying = amount.multiply_adds / _peaks[threads]
    parts = [
        _rate("MB", amount.reads + amount.writes, moving),
        _rate("M multiply-adds", amount.multiply_adds, multiplying),
    ]
    return Limit(max(moving, multiplying), "; ".join(part for part in parts if part))


def limit_of_command(
    launcher: Launcher, threads: int, sources: Sequence[Path] = (), targets: Sequence[Path] = ()
) -> Limit:
    """The limit of a command: Python without a module, and decoding and encoding by all threads at once.

    Both are done by Pillow's libraries, PNG with the least compression, JPEG with the tables that it has.
    """
    bare = [sys.executable, "-I", "-S", "-c", "pass"]
    start = min(launcher.cost(bare).wall for _ in range(BEST_OF))
    decoding = sum(_least_of(lambda path=path: Image.open(path).load()) for path in sources)
    encoding = 0.0
    for target in targets:
        with Image.open(target) as picture:
            options = {"quality": "keep"} if picture.format == "JPEG" else {"compress_level": 1}
            save = functools.partial(picture.save, format=picture.format, **options)
            picture.load()
            encoding += _least_of(lambda save=save: save(io.BytesIO()))
    workers = min(threads, max(len(sources), 1))
    parts = [f"start of Python {1000 * start:.3g} ms"]
    if sources:
        parts.append(
            f"decoding {1000 * decoding:.3g} ms and encoding {1000 * encoding:.3g} ms, on {workers} threads"
        )
    return Limit(start + (decoding + encoding) / workers, "; ".join(parts))


def _least_of(function: Callable[[], object]) -> float:
    def once() -> float:
        start = perf_counter()
        function()
        return perf_counter() - start

    return min(once() for _ in range(BEST_OF))


def _rate(what: str, amount: int, seconds: float) -> str:
    if not amount:
        return ""
    return f"{amount / 1e6:.3g} {what} / {amount / seconds / 1e9:.3g} G/s = {1000 * seconds:.3g} ms"


def peak(threads: int) -> float:
    """Multiply-adds of float32 in a second, of all threads."""
    loops = _loops()
    seconds = _least(np.zeros(1, loops.JOB), threads, items=1)
    return loops.CHAINS * loops.TURNS * native.processor()[3].lanes / seconds


def move_seconds(reads: int, writes: int, threads: int) -> float:
    """Seconds to read and write so many bytes, again and again: from the caches where they fit."""
    loops = _loops()
    larger = max(reads, writes)
    share = min(1.0, LARGEST / larger)
    pieces = [-(-int(size * share) // loops.PIECE) for size in (reads, writes)]
    memory = [aligned_empty((max(count, 1) * loops.PIECE,), np.uint8) for count in pieces]
    for each in memory:
        each[:] = 0
    job = np.zeros(1, loops.JOB)
    job["source"], job["target"] = (each.ctypes.data for each in memory)
    job["reads"], job["writes"] = pieces
    times = []
    for way in (loops.COPY, loops.STREAM):
        job["way"] = way
        times.append(_least(job, threads, items=max(pieces)))
    return min(times) * larger / (max(pieces) * loops.PIECE)


def _least(job: NDArray[np.void], threads: int, *, items: int) -> float:
    """The least seconds for so many items, which are done again and again."""
    loop, lanes = compiled(), native.processor()[3].lanes
    scratches = [aligned_empty((_loops().CHAINS, lanes), np.float32) for _ in range(threads)]

    def run(rounds: int) -> float:
        for scratch in scratches:
            scratch[:] = FACTOR

        def work(worker: int, lo: int, hi: int) -> None:
            loop(job.ctypes.data, scratches[worker].ctypes.data, lo, hi)

        start = perf_counter()
        spread(work, rounds * items, threads)
        return perf_counter() - start

    rounds = 1
    while run(rounds) < SECONDS:
        rounds *= 2
    return min(run(rounds) for _ in range(BEST_OF)) / rounds


@functools.cache
def compiled() -> Loop:
    """The loop of ``peak_loops``, for the instructions to which all are held."""
    from cnncli.core.compiler import compile_loop

    code = compile_loop(LOOPS, native._symbol("peaks"), native._target_machine())
    block = linker.link(code)
    address = linker.place(block)[native._symbol("peaks")] if block else native._load_by_llvm(code, "peaks")
    signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_ssize_t)
    loop: Loop = signature(address)
    return loop


def _loops() -> Any:
    """Imported late, as Numba is with it."""
    from . import peak_loops

    return peak_loops
